"""Scalar graphs to SymPy expressions and back."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import sympy
from sympy.logic.boolalg import BooleanAtom

from graphlearn.errors import DTypeError, NameClashError, ShapeError, UnsupportedOp
from graphlearn.graph.leaves import constant, input
from graphlearn.graph.node import Node, apply
from graphlearn.graph.scope import no_scope, scope
from graphlearn.graph.traverse import symbols, topological
from graphlearn.interop.sympy_algebra import expression

# Operations that change nothing on a scalar; a cast between real dtypes changes nothing in exact arithmetic.
_IDENTITIES = ("broadcast_to", "reshape", "transpose", "sum", "mean", "max")


def to_sympy(node: Node) -> Any:
    """The SymPy expression of a scalar graph.

    Args:
        node: output of shape ``()``, all of whose inner values are scalars.

    Returns:
        An expression in which inputs, parameters and states are Symbols of their full names, real unless their dtype is
        bool.

    Raises:
        ShapeError: some value is an array. Scalarize it first.
        UnsupportedOp: an operation that SymPy has no expression for.

    Example:
        >>> import graphlearn as gl
        >>> gl.to_sympy(gl.parse("sigmoid(w*x)"))
        1/(1 + exp(-w*x))
    """
    symbols(node)  # a name that stands twice is refused
    found: dict[Node, Any] = {}
    for inner in topological([node]):
        found[inner] = _expression_of(inner, [found[n] for n in inner.inputs])
    return found[node]


def _expression_of(node: Node, operands: Sequence[Any]) -> Any:
    name = node.op.name
    if name == "axis_size":
        return sympy.Symbol(node.attr("axis_name"), integer=True, positive=True)
    if node.shape != ():
        raise ShapeError(
            f"to_sympy needs a graph of scalars; got {node!r}. Write it with a scalar input for each entry.",
            nodes=(node,),
        )
    if name == "constant":
        return _number(node.attr("value").array.item())
    if node.is_leaf:
        return sympy.Symbol(node.full_name) if node.dtype == "bool" else sympy.Symbol(node.full_name, real=True)
    if node.op.is_elementwise:
        return expression(node.op, *operands)
    if name in _IDENTITIES or (name == "cast" and node.type.is_float and node.inputs[0].dtype != "bool"):
        return operands[0]
    raise UnsupportedOp(
        f"to_sympy has no expression for {node!r}. Elementwise operations on scalars have.", nodes=(node,)
    )


def _number(value: bool | int | float) -> Any:
    """Exact where it helps SymPy to simplify: 2.0 becomes 2 and 0.25 becomes 1/4; 0.1 stays a float."""
    if isinstance(value, float) and math.isfinite(value):
        numerator, denominator = value.as_integer_ratio()
        if denominator <= 1024 and abs(numerator) < 2**53:
            return sympy.Rational(numerator, denominator)
    return sympy.sympify(value, strict=True)


def from_sympy(expr: Any) -> Node:
    """The graph of a SymPy expression.

    Args:
        expr: a real scalar expression. Its Symbols become scalar inputs of the same names; a name with slashes, such as
            ``hidden1/w``, is put into scopes.

    Returns:
        A node of shape ``()``.

    Raises:
        UnsupportedOp: a function that graphs do not have.
        NameClashError: two Symbols of one name and different assumptions.
        DTypeError: something that is no real scalar expression.

    Example:
        >>> import graphlearn as gl, sympy
        >>> gl.from_sympy(sympy.tanh(sympy.Symbol("x")) ** 2)
        <square float64[]>
    """
    try:
        root = sympy.sympify(expr, strict=True)
    except sympy.SympifyError:
        raise DTypeError(f"from_sympy needs a SymPy expression; got {expr!r}. For text use gl.parse.") from None
    if not isinstance(root, sympy.Basic) or isinstance(root, sympy.MatrixBase | sympy.MatrixExpr):
        raise DTypeError(
            f"from_sympy needs a scalar expression; got {type(root).__name__}. Convert its entries one by one."
        )
    made: dict[Any, Node] = dict(_inputs_for(root))
    stack = [root]
    while stack:
        part = stack[-1]
        waiting = [] if part in made else [p for p in _parts(part) if p not in made]
        if waiting:
            stack.extend(reversed(waiting))
            continue
        stack.pop()
        if part not in made:
            made[part] = _node_of(part, [made[p] for p in _parts(part)])
    return made[root]


def _inputs_for(root: Any) -> dict[Any, Node]:
    found: dict[str, Any] = {}
    inputs = {}
    for symbol in sorted(root.free_symbols, key=str):
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
    return () if expr.is_Atom else expr.args


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
        known = ", ".join(sorted(kind.__name__ for kind in _FUNCTIONS))
        raise UnsupportedOp(
            f"from_sympy has no operation for {type(expr).__name__} in {expr}. Rewrite it with {known}, +, *, ** and "
            "Piecewise."
        )
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
