"""Formulas as text: ``parse("sigmoid(w*x + b)")``. A Pratt parser of our own; nothing is ever evaluated as Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from graphlearn.errors import GraphLearnError, GraphUseError, ParseError, UnknownNameError
from graphlearn.graph.leaves import constant, constant_array, input
from graphlearn.graph.node import Node, apply
from graphlearn.graph.options import check_mapping
from graphlearn.interop.calls import find_function, is_reserved, misfit, nearest, takes_expressions
from graphlearn.interop.signs import (
    BINARY,
    BRACKETS,
    COMPARISON,
    CONSTANTS,
    FOREIGN,
    MODULES,
    PREFIX,
    ROOTS,
    WORDS,
)
from graphlearn.interop.tokens import Text, Token, advice, spelled_out
from graphlearn.ops.shape import transpose
from graphlearn.ops.slicing import index
from graphlearn.types import Dim

_WAITING = 201  # operators that wait for what is nested in their right operand, and the formula itself
_DEEPEST = 100  # nested brackets, signs and powers; Python's own stack bears a little more


def parse(text: str, shapes: Mapping[str, int | str | Sequence[Dim]] | None = None) -> Node:
    """Build the graph of a formula that is given as text.

    Args:
        text: Python's notation: numbers, names (Greek and Korean ones too), ``+ - * / // % @ **``, comparisons, ``and
            or not``, brackets, ``W.T``, ``x[0, 1:3, ::-1, ..., None]``, and every operation by the name that `gl` or
            NumPy gives it, with its options: ``tanh(x)``, ``where(c, a, b)``, ``sum(x, axis=0)``, ``concatenate([a, b],
            axis=1)``, ``einsum("ij,jk->ik", a, b)``, your own too. ``max(x, 0)`` is the larger of two. The signs of
            derivations are read as well: ``x²``, ``√x``, ``|x|``, ``⌊x⌋``, ``σ(x)``, ``Wᵀ``, ``a·b``, ``a ≤ b``.
            ``pi``, ``inf`` and ``nan`` are numbers; ``e`` is a name like any other, write ``exp(1)``. At most 100,000
            characters, and 100 levels of brackets, calls, signs and powers, with no more than 200 operators before them
            that wait for what is within.
        shapes: name -> shape, of ints and axis names, for names that are arrays (or called ``pi`` or as a function).

    Returns:
        A node. Every other name is an input of dtype float64 and shape ``shapes[name]`` or ``()``.

    Raises:
        ParseError: the text is no formula; the message points at the place.
        UnknownNameError: ``shapes`` has a name that the text has not.
        ShapeError, DTypeError: the operands do not fit; the message points at the operation.

    Example:
        >>> import graphlearn as gl
        >>> gl.parse("sigmoid(w*x + b)")
        <sigmoid float64[]>
        >>> gl.parse("(x @ W.T)[:, 0]", shapes={"x": ("batch", 2), "W": (3, 2)})
        <slice float64[batch]>
    """
    if not isinstance(text, str):
        raise ParseError(
            f"parse needs a formula as text; got {type(text).__name__}. For a SymPy expression use gl.from_sympy."
        )
    parser = _Parser(Text(text), check_mapping(shapes, "parse with shapes=", "Write {name: shape}."))
    node = parser.formula()
    unused = [name for name in parser.shapes if name not in parser.leaves]
    if unused:
        raise UnknownNameError(
            f"shapes names {unused[0]!r}, which the formula does not have. Its names are: "
            f"{', '.join(parser.leaves) or '(none)'}."
        )
    return node


class _Parser:
    """Reads one formula from left to right.

    Args:
        source: the formula.
        shapes: shapes of names.
    """

    def __init__(self, source: Text, shapes: dict[str, Any]) -> None:
        self.source = source
        self.shapes = shapes
        self.leaves: dict[str, Node] = {}
        self.spellings: dict[str, str] = {}
        self.tokens = source.tokens()
        self.place = 0
        self.depth = self.waiting = 0

    @property
    def next(self) -> Token:
        """The token that comes next."""
        return self.tokens[self.place]

    def _take(self) -> Token:
        token = self.next
        self.place += token.kind != "end"
        return token

    def _take_if(self, *signs: str) -> bool:
        found = self.next.is_sign(*signs)
        self.place += found
        return found

    def _expect(self, sign: str, opened: Token) -> None:
        if not self._take_if(sign):
            self._refuse(f"expected {sign!r} for the bracket opened {self.source.where(opened.start)}")

    def _refuse(self, problem: str, token: Token | None = None) -> NoReturn:
        """Raise with a caret under a token, the next one unless given."""
        self.source.refuse(problem, (token or self.next).start)

    # --- expressions ---------------------------------------------------------------------------------------------

    def formula(self) -> Node:
        """The whole text as one expression."""
        if self.next.kind == "end":
            self._refuse("the formula is empty. Write something like 'w*x + b'.")
        node = self._expression(0, nested=False)
        if self.next.kind != "end":
            self._refuse(self._leftover(self.next))
        return node

    def _leftover(self, token: Token) -> str:
        before = self.tokens[self.place - 1].text
        if token.is_sign(")", "]"):
            return "this bracket closes nothing"
        if token.is_sign("(", "⌊", "⌈", *ROOTS):
            return f"an operator is missing between {before!r} and {token.text!r}; a product needs *"
        if token.kind == "operator":
            return f"{token.text!r} cannot stand here. {advice(token.text)}".removesuffix(" Leave it out.")
        return f"an operator is missing between {before!r} and {token.text!r}; a product needs *"

    def _deeper(self, nested: bool = True) -> None:
        self.depth += nested
        self.waiting += not nested
        if self.depth > _DEEPEST or self.waiting > _WAITING:
            self._refuse(f"the formula is nested deeper than {_DEEPEST} levels. Build it from parts in Python.")

    def _expression(self, weakest: int, nested: bool = True) -> Node:
        """An expression whose operators bind stronger than ``weakest``; nested, but for what stands beside another."""
        self._deeper(nested)
        left = self._operand()
        while self.next.kind == "operator" and self.next.text in BINARY:
            strength, from_right, operation = BINARY[self.next.text]
            if strength <= weakest:
                break
            token = self._take()
            right = self._expression(strength - 1 if from_right else strength, nested=from_right)
            left = self._node(token, operation, left, right)
            if strength == COMPARISON and self.next.text in BINARY and BINARY[self.next.text][0] == COMPARISON:
                self._refuse("comparisons do not chain; write (a < b) and (b < c)")
        self.depth -= nested
        self.waiting -= not nested
        return left

    def _operand(self) -> Node:
        token = self._take()
        found: Any
        if token.kind == "number":
            found = constant(self.source.real(token))  # whole numbers too: in mathematics 2**-2 is a quarter
        elif token.is_sign(*ROOTS) and not self.next.is_sign("("):
            return self._root(token)
        elif token.kind == "name" or token.is_sign(*ROOTS):
            found = self._call(token) if self._take_if("(") else self._named(token)
        elif token.is_sign(*PREFIX):
            return self._signed(token)
        elif token.is_sign("∞"):
            found = constant(math.inf)
        elif token.is_sign(*BRACKETS):
            closing, function = BRACKETS[token.text]
            found = self._expression(0)
            self._expect(closing, token)
            found = self._node(token, lambda x: apply(function, x), found) if function else found
        else:
            self.place -= token.kind != "end"
            got = f"got {token.text!r}" if token.text else "the formula ends"
            if token.kind == "text":
                self._refuse("a formula has no text, but for what a function such as einsum takes")
            self._refuse(f"expected a number, a name or a bracket; {got}")
        return self._with_suffixes(found, token)

    def _root(self, token: Token) -> Node:
        """``√x`` without brackets: the root of one number, name, call or bracket."""
        self._deeper()
        if self.next.is_sign(*PREFIX):
            self._refuse(f"write {token.text}(...) for the root of more than one number or name", token)
        operand = self._operand()
        if self.tokens[self.place - 1].kind == "raised" or self.next.is_sign("**"):
            self._refuse(f"write {token.text}(x**2) or ({token.text}x)**2, which are not the same", token)
        self.depth -= 1
        return self._node(token, lambda: apply("sqrt" if token.text == "√" else "cbrt", operand))

    def _signed(self, token: Token) -> Node:
        strength, operation = PREFIX[token.text]
        number = self.next.kind == "number"
        node = self._expression(strength)
        value = constant_array(node)
        # -2 is a number, as in x**-2; -2**2 is a power with a sign before it.
        if number and value is not None and token.text == "-":
            return constant(-value.item())
        return self._node(token, operation, node)

    def _with_suffixes(self, found: Any, start: Token) -> Node:
        """What stands behind an operand: ``.T``, ``ᵀ``, an index in brackets, an exponent such as ²."""
        while True:
            token = self.next
            if token.kind == "raised":
                self._take()
                if token.text == "-1" and self._one(found, start).ndim > 1:
                    self._refuse(
                        "⁻¹ may mean the inverse of a matrix; write inverse(x), or x**-1 for each entry", token
                    )
                found = self._build(token, lambda x, n: x**n, self._one(found, start), constant(float(token.text)))
            elif self._take_if(".", "ᵀ"):
                if token.text == "." and self._take().text != "T":
                    self._refuse("the only attribute in a formula is .T, the transpose", token)
                found = self._build(token, transpose, self._one(found, start))
            elif self._take_if("["):
                keys = self._keys(token)
                if isinstance(found, (list, tuple)):
                    found = self._one_of(found, keys, token)
                else:
                    found = self._build(token, index, found, keys if len(keys) > 1 else keys[0])
            else:
                return self._one(found, start)

    def _one(self, found: Any, start: Token) -> Node:
        """A node; a function such as split gives several, of which one must be chosen."""
        if isinstance(found, Node):
            return found
        if isinstance(found, (list, tuple)):
            self._refuse(f"{start.text} gives {len(found)} arrays; choose one by its place, as in [0]", start)
        self._refuse(f"{start.text} gives {found!r}, which is no array", start)

    def _one_of(self, found: Sequence[Any], keys: tuple[Any, ...], token: Token) -> Any:
        place = keys[0] if len(keys) == 1 and isinstance(keys[0], int) else None
        if place is None or not -len(found) <= place < len(found):
            self._refuse(f"there are {len(found)} arrays; choose one by a whole number, from 0 on", token)
        return found[place]

    def _named(self, token: Token) -> Node:
        name = token.text
        if name in CONSTANTS and name not in self.shapes:
            return constant(CONSTANTS[name])
        if name in ("True", "False") and name not in self.shapes:
            return constant(name == "True")
        if name in self.leaves:
            return self.leaves[name]
        if name not in self.shapes:
            self._require_no_function(token)
        other = self.spellings.setdefault(spelled_out(name), name)
        if other != name:
            self._refuse(f"{name!r} and {other!r} are written alike; use one of them", token)
        self.leaves[name] = self._node(token, lambda: input(name, self.shapes.get(name, ())))
        return self.leaves[name]

    def _require_no_function(self, token: Token) -> None:
        """Refuse a name that stands alone and is none of an input."""
        name, next_ = token.text, self.next
        if is_reserved(name):
            power = f", and {name}(x){self.source.text[next_.start]} for a power" if next_.kind == "raised" else ""
            self._refuse(f"{name} is a function; write {name}(...){power}, or give the input another name", token)
        if name in FOREIGN:
            self._refuse(f"{name!r} would be an input of that name; write {FOREIGN[name]}, or name it in shapes", token)
        if name == "None":
            self._refuse("None stands only among options and indices; write nan for a number that is none", token)
        if name in MODULES and next_.is_sign("."):
            self._refuse(f"write functions and pi without {name}., as in sin(x)", token)

    # --- calls and indices ---------------------------------------------------------------------------------------

    def _call(self, token: Token) -> Any:
        name = token.text
        function = find_function(name)
        if function is None:
            self._refuse(f"there is no function {name!r}. {nearest(name)}", token)
        operands, options = self._arguments(self.tokens[self.place - 1], literal=not takes_expressions(function))
        problem = misfit(name, function, operands, options)
        if problem is not None:
            self._refuse(problem, token)
        return self._build(token, lambda: function(*operands, **options))

    def _arguments(self, opened: Token, *, literal: bool) -> tuple[list[Any], dict[str, Any]]:
        operands: list[Any] = []
        options: dict[str, Any] = {}
        while not self._take_if(")"):
            if operands or options:
                if not self._take_if(","):
                    self._expect(")", opened)
                if self._take_if(")"):
                    break
            if self.next.kind == "name" and self.tokens[self.place + 1].is_sign("="):
                option = self._take()
                self._take()
                if option.text in options:
                    self._refuse(f"{option.text} is given twice", option)
                options[option.text] = self._value(literal)
            elif options:
                self._refuse("an operand cannot follow an option")
            else:
                operands.append(self._value(literal))
        return operands, options

    def _value(self, literal: bool) -> Any:
        """An operand or an option: an expression, or, where ``literal``, a value of Python's own."""
        token = self.next
        if token.kind == "text":
            return self._take().text[1:-1]
        if not literal:
            return self._expression(0)
        if token.text in WORDS and token.kind == "name" and token.text not in self.shapes:
            self._take()
            return WORDS[token.text]
        if token.is_sign("[") or (token.is_sign("(") and self._is_tuple()):
            return self._sequence(self._take())
        return self._number() if self._is_number() else self._expression(0)

    def _sequence(self, opened: Token) -> Any:
        """``[a, b]`` or ``(2, 3)``, of values or expressions."""
        self._deeper()
        closing = "]" if opened.text == "[" else ")"
        items: list[Any] = []
        while not self._take_if(closing):
            items.append(self._value(literal=True))
            if not self._take_if(","):
                self._expect(closing, opened)
                break
        self.depth -= 1
        return items if closing == "]" else tuple(items)

    def _is_tuple(self) -> bool:
        """Whether the bracket that comes next holds a comma of its own, or nothing."""
        depth = 0
        for token in self.tokens[self.place :]:
            if token.is_sign("(", "["):
                depth += 1
            elif token.is_sign(")", "]"):
                depth -= 1
                if depth == 0:
                    return self.tokens[self.place + 1].is_sign(")")
            elif token.is_sign(",") and depth == 1:
                return True
        return False

    def _is_number(self) -> bool:
        """Whether a number stands alone, up to a comma, a colon or a bracket."""
        number = self.place + self.next.is_sign("-")
        return self.tokens[number].kind == "number" and self.tokens[number + 1].is_sign(",", ")", "]", ":")

    def _number(self) -> int | float:
        sign = -1 if self._take_if("-") else 1
        token = self._take()
        return sign * (self.source.whole(token) if token.text.isdecimal() else self.source.real(token))

    def _keys(self, opened: Token) -> tuple[Any, ...]:
        """The index up to the closing bracket."""
        keys: list[Any] = []
        while True:
            keys.append(self._key())
            if not self._take_if(",") or self.next.is_sign("]"):
                self._expect("]", opened)
                return tuple(keys)

    def _key(self) -> Any:
        if self._take_if("..."):
            return Ellipsis
        first = None if self.next.is_sign(":") else self._value(literal=True)
        if not self.next.is_sign(":"):
            return first
        bounds = [first]
        while self._take_if(":"):
            if len(bounds) == 3:
                self._refuse("a slice has three numbers at most, start:stop:step")
            bounds.append(None if self.next.is_sign(":", ",", "]") else self._value(literal=True))
        return slice(*bounds)

    def _node(self, token: Token, operation: Callable[..., Node], *operands: Node) -> Node:
        """Apply an operation that gives a node."""
        node: Node = self._build(token, operation, *operands)
        return node

    def _build(self, token: Token, operation: Callable[..., Any], *operands: Any) -> Any:
        """Apply an operation; what it refuses is shown at its place in the text."""
        try:
            return operation(*operands)
        except GraphLearnError as error:
            kind = ParseError if isinstance(error, GraphUseError) else type(error)
            raise kind(f"{error.message}\n{self.source.caret(token.start)}", nodes=error.nodes) from None
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            self._refuse(f"{token.text} does not take these values: {error}", token)
