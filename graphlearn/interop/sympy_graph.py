"""Scalar graphs to SymPy expressions and back."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy
from sympy.logic.boolalg import BooleanAtom

from graphlearn.errors import DTypeError, NameClashError, ShapeError, UnsupportedOp
from graphlearn.graph.leaves import INPUT, constant, input
from graphlearn.graph.node import Node, apply, as_node, new_node
from graphlearn.graph.op import Op
from graphlearn.graph.scope import no_scope, scope
from graphlearn.graph.traverse import require_nodes, symbols, topological
from graphlearn.interop.sympy_algebra import expression
from graphlearn.interop.sympy_numbers import number_of
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.joining import stack
from graphlearn.ops.shape import reshape
from graphlearn.types import ArrayType

# Operations that change nothing on a scalar.
_IDENTITIES = ("broadcast_to", "reshape", "transpose", "sum", "mean", "max", "min", "prod")


def to_sympy(node: Any) -> Any:
    """The SymPy expression of a graph of numbers.

    Args:
        node: output of shape ``()``, all of whose inner values are scalars; or an array of such nodes, as
            `gl.scalarize` returns for an output that is an array.

    Returns:
        An expression in which inputs, parameters and states are Symbols of their full names, real unless their dtype is
        bool; for an array of nodes a `sympy.Array` of its shape.

        ``sympy.simplify`` of SymPy's derivative minus the expression of ours is 0, with two exceptions. Of what
        consists of straight pieces (abs, clip, relu, maximum, ...) SymPy's derivative holds Heaviside and DiracDelta,
        which speak of the kinks besides: there the difference is 0 at every point apart from them. Of the second
        derivative of sigmoid, and the derivatives of the logistic density, it is 0 in exponentials:
        ``difference.rewrite(sympy.exp)``.

    Raises:
        ShapeError: some value is an array. Scalarize it first.
        UnsupportedOp: an operation that SymPy has no expression for.

    Example:
        >>> import graphlearn as gl
        >>> gl.to_sympy(gl.parse("sigmoid(w*x)"))
        1/(1 + exp(-w*x))
    """
    entries = np.asarray(node, object).ravel().tolist() if isinstance(node, np.ndarray) else [node]
    roots = require_nodes(entries, "to_sympy")
    symbols(*roots)  # a name that stands twice is refused
    found: dict[Node, Any] = {}
    for inner in topological(roots):
        found[inner] = _expression_of(inner, [found[n] for n in inner.inputs])
    if isinstance(node, np.ndarray):
        return sympy.Array([found[root] for root in roots], node.shape)
    return found[node]


def _expression_of(node: Node, operands: Sequence[Any]) -> Any:
    name = node.op.name
    if name == "axis_size":
        return sympy.Symbol(node.attr("axis_name"), integer=True, positive=True)
    if node.shape != ():
        raise ShapeError(
            f"to_sympy needs a graph of scalars; got {node!r}. Write the graph out first: gl.scalarize(output).",
            nodes=(node,),
        )
    if name == "constant":
        return number_of(node.attr("value").array.item())
    if node.is_leaf:
        return sympy.Symbol(node.full_name) if node.dtype == "bool" else sympy.Symbol(node.full_name, real=True)
    if name == "guarded":
        return operands[2]  # what stands in for it differs by rounding alone
    if node.op.kind == "defined":
        return _formula_of(node, operands)
    if node.op.is_elementwise:
        if name in _BETWEEN_TRUTHS and all(n.dtype == "bool" for n in node.inputs):
            return _BETWEEN_TRUTHS[name](*operands)
        return expression(node.op, *_numbers(node, operands))
    if name in _IDENTITIES:
        return operands[0]
    if name == "cast":
        return _cast(node, operands[0])
    raise UnsupportedOp(
        f"to_sympy has no expression for {node!r}. Elementwise operations on scalars have.", nodes=(node,)
    )


# Operations that take truths as truths; to all others they are 0 and 1.
_OF_TRUTHS = ("logical_not", "logical_and", "logical_or")
# Comparisons of two truths: SymPy takes the equation of 1 or 0 with 1 or 0 for a conjunction.
_BETWEEN_TRUTHS = {"equal": sympy.Equivalent, "not_equal": sympy.Xor}


def _numbers(node: Node, operands: Sequence[Any]) -> list[Any]:
    """Operands of an operation on numbers, with 0 and 1 for truths."""
    truths = len(operands) if node.op.name in _OF_TRUTHS else 0
    if node.op.name == "where":
        truths = 3 if node.dtype == "bool" else 1
    kinds = [n.dtype == "bool" and k >= truths for k, n in enumerate(node.inputs)]
    return [_as_number(x) if truth else x for truth, x in zip(kinds, operands, strict=True)]


def _as_number(truth: Any) -> Any:
    return sympy.Piecewise((1, truth), (0, True))


def _formula_of(node: Node, operands: Sequence[Any]) -> Any:
    """The formula as a graph and not over SymPy, which would multiply its numbers out as rounded ones."""
    slots, order = _formula(node.op, tuple([n.type for n in node.inputs]))
    found: dict[Node, Any] = dict(zip(slots, operands, strict=True))
    for inner in order:
        if inner not in found:
            found[inner] = _expression_of(inner, [found[n] for n in inner.inputs])
    return found[order[-1]]


@functools.lru_cache(maxsize=1024)
def _formula(op: Op, types: tuple[ArrayType, ...]) -> tuple[tuple[Node, ...], list[Node]]:
    """The graph of a formula over placeholders, in topological order; its last node is the result."""
    slots = tuple(new_node(INPUT, (), (), t, f"x{k}", "") for k, t in enumerate(types))
    formula = op.formula
    if formula is None:
        raise UnsupportedOp(f"to_sympy needs a formula; the operation {op.name} has none.")
    with no_scope():
        return slots, topological([as_node(formula(GRAPH, *slots))])


def _cast(node: Node, operand: Any) -> Any:
    """A cast between real dtypes changes nothing in exact arithmetic; one to whole numbers cuts the fraction off."""
    before = node.inputs[0].dtype
    if node.dtype == "bool":
        return operand if before == "bool" else sympy.Ne(operand, 0)
    if before == "bool":
        return _as_number(operand)
    cuts = node.inputs[0].type.is_float and not node.type.is_float
    return sympy.sign(operand) * sympy.floor(sympy.Abs(operand)) if cuts else operand


def from_sympy(expr: Any) -> Node:
    """The graph of a SymPy expression.

    Args:
        expr: a real scalar expression, or a Matrix or Array of them. Its Symbols become scalar inputs of the same
            names; a name with slashes, such as ``hidden1/w``, is put into scopes.

    Returns:
        A node of shape ``()``, or of the shape of the Matrix or Array.

    Raises:
        UnsupportedOp: a function that graphs do not have.
        NameClashError: two Symbols of one name and different assumptions.
        DTypeError: something that is no real expression.

    Example:
        >>> import graphlearn as gl, sympy
        >>> gl.from_sympy(sympy.tanh(sympy.Symbol("x")) ** 2)
        <square float64[]>
    """
    try:
        root = sympy.sympify(expr, strict=True)
    except (sympy.SympifyError, TypeError, ValueError):
        raise DTypeError(f"from_sympy needs a SymPy expression; got {expr!r}. For text use gl.parse.") from None
    if isinstance(root, (sympy.MatrixBase, sympy.NDimArray)):
        shape = tuple(int(n) for n in root.shape)
        parts = [root[place] for place in np.ndindex(shape)]
        made = _converted(parts)
        return reshape(stack([made[part] for part in parts]), shape) if parts else constant(np.zeros(shape))
    if not isinstance(root, sympy.Basic) or isinstance(root, sympy.MatrixExpr):
        raise DTypeError(
            f"from_sympy needs an expression, or a Matrix or Array of them; got {type(root).__name__}. Give its "
            "entries: root.as_explicit()."
        )
    return _converted([root])[root]


def _converted(roots: Sequence[Any]) -> dict[Any, Node]:
    """The node of each expression and of each of its parts."""
    made: dict[Any, Node] = dict(_inputs_for(roots))
    stacked = list(roots)
    while stacked:
        part = stacked[-1]
        waiting = [] if part in made else [p for p in _parts(part) if p not in made]
        if waiting:
            stacked.extend(reversed(waiting))
            continue
        stacked.pop()
        if part not in made:
            made[part] = _node_of(part, [made[p] for p in _parts(part)])
    return made


def _inputs_for(roots: Sequence[Any]) -> dict[Any, Node]:
    found: dict[str, Any] = {}
    inputs = {}
    for symbol in sorted(set().union(*(root.free_symbols for root in roots)), key=str):
        if found.setdefault(symbol.name, symbol) != symbol:
            raise NameClashError(
                f"from_sympy needs one Symbol per name; got two called {symbol.name!r} with different assumptions. "
                "Make both with the same ones, e.g. real=True."
            )
        path, _, name = symbol.name.rpartition("/")
        with no_scope(), scope(path) if path else no_scope():
            inputs[symbol] = input(name)
    return inputs


def _parts(expr: Any) -> tuple[Any, ...]:
    """What must be converted before an expression."""
    if isinstance(expr, sympy.Piecewise):
        return tuple(part for branch in expr.args for part in branch.args)
    if isinstance(expr, sympy.Mul):
        _, above, below = _fraction(expr)
        return (*above, *below)
    if isinstance(expr, sympy.Pow):
        return (expr.base,) if expr.exp in _ROOTS else expr.args
    if expr.is_Atom:
        return ()
    if not isinstance(expr, sympy.Add) and type(expr) not in _FUNCTIONS:
        raise _unknown(expr)  # before its parts, which may be no expressions
    return tuple(expr.args)


def _unknown(expr: Any) -> UnsupportedOp:
    known = ", ".join(sorted(kind.__name__ for kind in _FUNCTIONS))
    open_ = "Carry it out first: expr.doit(). " if _is_open(expr) else ""
    return UnsupportedOp(
        f"from_sympy has no operation for {type(expr).__name__} in {expr}. {open_}Rewrite it with {known}, +, *, ** "
        "and Piecewise."
    )


def _is_open(expr: Any) -> bool:
    """Whether an expression is an operation that SymPy has not carried out."""
    return isinstance(expr, (sympy.Derivative, sympy.Integral, sympy.Sum, sympy.Product, sympy.Limit, sympy.Subs))


def _fraction(product: Any) -> tuple[bool, list[Any], list[Any]]:
    """Whether there is a minus sign before a product, and its factors above and below the line."""
    negative = False
    above: list[Any] = []
    below: list[Any] = []
    for factor in product.args:
        if factor.is_Rational:
            negative = factor.p < 0
            above += [sympy.Integer(abs(factor.p))] if abs(factor.p) != 1 else []
            below += [sympy.Integer(factor.q)] if factor.q != 1 else []
        elif isinstance(factor, sympy.Pow) and factor.exp.is_Rational and factor.exp.is_negative:
            below.append(factor.base**-factor.exp)
        else:
            above.append(factor)
    return negative, above, below


_ROOTS: dict[Any, Callable[[Node], Node]] = {
    sympy.Rational(1, 2): lambda x: apply("sqrt", x),
    sympy.Rational(-1, 2): lambda x: 1 / apply("sqrt", x),
    sympy.Integer(-1): lambda x: 1 / x,
    sympy.Integer(2): lambda x: apply("square", x),
}


def _chain(op: str) -> Callable[..., Node]:
    return lambda *operands: functools.reduce(lambda x, y: apply(op, x, y), operands)


_FUNCTIONS: dict[type, Callable[..., Node]] = {
    sympy.exp: functools.partial(apply, "exp"),
    sympy.log: functools.partial(apply, "log"),
    sympy.sin: functools.partial(apply, "sin"),
    sympy.cos: functools.partial(apply, "cos"),
    sympy.tan: functools.partial(apply, "tan"),
    sympy.asin: functools.partial(apply, "asin"),
    sympy.acos: functools.partial(apply, "acos"),
    sympy.atan: functools.partial(apply, "atan"),
    sympy.atan2: functools.partial(apply, "atan2"),
    sympy.tanh: functools.partial(apply, "tanh"),
    sympy.sinh: functools.partial(apply, "sinh"),
    sympy.cosh: functools.partial(apply, "cosh"),
    sympy.asinh: functools.partial(apply, "asinh"),
    sympy.acosh: functools.partial(apply, "acosh"),
    sympy.atanh: functools.partial(apply, "atanh"),
    sympy.erfc: functools.partial(apply, "erfc"),
    sympy.Mod: functools.partial(apply, "mod"),
    sympy.floor: functools.partial(apply, "floor"),
    sympy.ceiling: functools.partial(apply, "ceil"),
    sympy.erf: functools.partial(apply, "erf"),
    sympy.Abs: functools.partial(apply, "abs"),
    sympy.sign: functools.partial(apply, "sign"),
    sympy.Max: _chain("maximum"),
    sympy.Min: _chain("minimum"),
    sympy.StrictLessThan: functools.partial(apply, "less"),
    sympy.LessThan: functools.partial(apply, "less_equal"),
    sympy.StrictGreaterThan: functools.partial(apply, "greater"),
    sympy.GreaterThan: functools.partial(apply, "greater_equal"),
    sympy.Equality: functools.partial(apply, "equal"),
    sympy.Unequality: functools.partial(apply, "not_equal"),
    sympy.Not: functools.partial(apply, "logical_not"),
    sympy.And: _chain("logical_and"),
    sympy.Or: _chain("logical_or"),
    sympy.Xor: _chain("not_equal"),
    sympy.sec: lambda x: 1 / apply("cos", x),
    sympy.csc: lambda x: 1 / apply("sin", x),
    sympy.cot: lambda x: 1 / apply("tan", x),
    sympy.sech: lambda x: 1 / apply("cosh", x),
    sympy.csch: lambda x: 1 / apply("sinh", x),
    sympy.coth: lambda x: 1 / apply("tanh", x),
    sympy.frac: lambda x: x - apply("floor", x),
    sympy.Heaviside: lambda x, at_zero: apply("where", apply("equal", x, 0), at_zero, apply("where", x > 0, 1.0, 0.0)),
}


def _node_of(expr: Any, parts: Sequence[Node]) -> Node:
    """The node of an expression whose parts are converted."""
    if isinstance(expr, sympy.Add):
        return _sum(expr, parts)
    if isinstance(expr, sympy.Mul):
        return _product(expr, parts)
    if isinstance(expr, sympy.Pow):
        return _ROOTS[expr.exp](parts[0]) if expr.exp in _ROOTS else parts[0] ** parts[1]
    if isinstance(expr, sympy.Piecewise):
        return _piecewise(expr, parts)
    if isinstance(expr, BooleanAtom):
        return constant(bool(expr))
    if expr.is_Atom and expr.is_number:
        return _constant(expr)
    convert = _FUNCTIONS.get(type(expr))
    if convert is None:
        raise _unknown(expr)
    return convert(*parts)


def _constant(number: Any) -> Node:
    if number.is_extended_real is False:
        raise DTypeError(
            f"from_sympy needs a real expression; got {number}, which is not. Take re() and im() apart first."
        )
    return constant(int(number) if number.is_Integer and abs(number) < 2**63 else float(number))


def _sum(expr: Any, parts: Sequence[Node]) -> Node:
    """Terms from left to right; a term with a minus sign is subtracted."""
    total = parts[0]
    for term, part in zip(expr.args[1:], parts[1:], strict=True):
        if part.op.name == "neg" and term.could_extract_minus_sign():
            total = total - part.inputs[0]
        else:
            total = total + part
    return total


def _product(expr: Any, parts: Sequence[Node]) -> Node:
    negative, numerators, _ = _fraction(expr)
    above, below = parts[: len(numerators)], parts[len(numerators) :]
    product = functools.reduce(operator.mul, above) if above else constant(1)
    if below:
        product = product / functools.reduce(operator.mul, below)
    return -product if negative else product


def _piecewise(expr: Any, parts: Sequence[Node]) -> Node:
    values, conditions = parts[::2], parts[1::2]
    closed = expr.args[-1].cond == sympy.true
    result = values[-1] if closed else apply("where", conditions[-1], values[-1], math.nan)
    for value, condition in list(zip(values, conditions, strict=True))[-2::-1]:
        result = apply("where", condition, value, result)
    return result
