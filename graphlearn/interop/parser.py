"""Formulas as text: ``parse("sigmoid(w*x + b)")``. A Pratt parser of our own; nothing is ever evaluated as Python."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from unicodedata import east_asian_width

from graphlearn.errors import GraphLearnError, GraphUseError, ParseError, UnknownNameError
from graphlearn.graph.leaves import constant, constant_array, input
from graphlearn.graph.node import Node, apply
from graphlearn.ops.algebra import FUNCTIONS
from graphlearn.ops.linear import matmul
from graphlearn.ops.normalised import log_softmax, logsumexp, softmax
from graphlearn.ops.reductions import max_, mean, sum_
from graphlearn.ops.shape import transpose
from graphlearn.types import Dim

_DEEPEST = 100  # nested brackets, signs and powers; Python's own stack bears a little more

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<operator>\*\*|<=|>=|==|!=|[-+*/@<>(),=.])"
)


@dataclass(frozen=True)
class _Token:
    kind: str  # "number", "name", "operator" or "end"
    text: str
    start: int


# operator -> (binding strength, whether it groups from the right, operation); Python's order
_BINARY: dict[str, tuple[int, bool, Callable[[Node, Node], Node]]] = {
    "or": (1, False, lambda x, y: apply("logical_or", x, y)),
    "and": (2, False, lambda x, y: apply("logical_and", x, y)),
    "<": (4, False, lambda x, y: x < y),
    "<=": (4, False, lambda x, y: x <= y),
    ">": (4, False, lambda x, y: x > y),
    ">=": (4, False, lambda x, y: x >= y),
    "==": (4, False, lambda x, y: apply("equal", x, y)),
    "!=": (4, False, lambda x, y: apply("not_equal", x, y)),
    "+": (5, False, lambda x, y: x + y),
    "-": (5, False, lambda x, y: x - y),
    "*": (6, False, lambda x, y: x * y),
    "/": (6, False, lambda x, y: x / y),
    "@": (6, False, matmul),
    "**": (8, True, lambda x, y: x**y),
}
_COMPARISON = 4
# Signs bind weaker than ** (so -x**2 is -(x**2)) and stronger than *.
_PREFIX: dict[str, tuple[int, Callable[[Node], Node]]] = {
    "not": (3, lambda x: apply("logical_not", x)),
    "-": (7, lambda x: -x),
    "+": (7, lambda x: x),
}
# Functions of whole arrays: the operation and the options that it takes.
_REDUCTIONS: dict[str, tuple[Callable[..., Node], tuple[str, ...]]] = {
    "sum": (sum_, ("axis", "keepdims")),
    "mean": (mean, ("axis", "keepdims")),
    "max": (max_, ("axis", "keepdims")),
    "softmax": (softmax, ("axis",)),
    "log_softmax": (log_softmax, ("axis",)),
    "logsumexp": (logsumexp, ("axis",)),
}
_CONSTANTS: dict[str, float] = {"pi": math.pi, "True": True, "False": False}
_ADVICE = {
    "^": "Write ** for a power.",
    "=": "Write == for a comparison; a formula assigns nothing.",
    "[": "A formula has no indexing; compute with whole arrays.",
    "&": "Write 'and'.",
    "|": "Write 'or', or abs(x) for an absolute value.",
    "!": "Write 'not', or != for a comparison.",
    "~": "Write 'not'.",
    "%": "Write mod(a, b) for a remainder.",
    "'": "A formula has no text.",
    '"': "A formula has no text.",
}


def parse(text: str, shapes: Mapping[str, int | str | Sequence[Dim]] | None = None) -> Node:
    """Build the graph of a formula that is given as text.

    Args:
        text: Python's notation: numbers, names, ``+ - * / @ **``, comparisons, ``and or not``, brackets, ``W.T``, every
            elementwise operation by its name (``tanh(x)``, ``maximum(a, b)``, ``where(c, a, b)``, your own too), and
            ``sum mean max`` with ``axis=`` and ``keepdims=``, ``softmax log_softmax logsumexp`` with ``axis=``. ``pi``
            is the number; ``e`` is a name like any other, write ``exp(1)``.
        shapes: name -> shape, of ints and axis names, for names that are arrays (or called ``pi``).

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
        >>> gl.parse("x @ W.T", shapes={"x": ("batch", 2), "W": (3, 2)})
        <matmul float64[batch,3]>
    """
    if not isinstance(text, str):
        raise ParseError(
            f"parse needs a formula as text; got {type(text).__name__}. For a SymPy expression use gl.from_sympy."
        )
    parser = _Parser(text, dict(shapes or {}))
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
        text: the formula.
        shapes: shapes of names.
    """

    def __init__(self, text: str, shapes: dict[str, Any]) -> None:
        self.text = text
        self.shapes = shapes
        self.leaves: dict[str, Node] = {}
        self.tokens = list(self._read_tokens())
        self.place = 0
        self.depth = 0

    # --- tokens --------------------------------------------------------------------------------------------------

    def _read_tokens(self) -> list[_Token]:
        tokens: list[_Token] = []
        place = 0
        while place < len(self.text):
            found = _TOKEN.match(self.text, place)
            if found is None:
                character = self.text[place]
                self._refuse(
                    f"{character!r} has no meaning in a formula. {_ADVICE.get(character, 'Leave it out.')}", place
                )
            if found.lastgroup != "space":
                kind = "operator" if found.group() in ("and", "or", "not") else str(found.lastgroup)
                tokens.append(_Token(kind, found.group(), place))
            place = found.end()
        tokens.append(_Token("end", "", len(self.text.rstrip())))
        return tokens

    @property
    def next(self) -> _Token:
        """The token that comes next."""
        return self.tokens[self.place]

    def _take(self) -> _Token:
        token = self.next
        self.place += 1
        return token

    def _take_if(self, operator: str) -> bool:
        found = self.next.kind == "operator" and self.next.text == operator
        self.place += found
        return found

    def _expect(self, operator: str, opened: _Token) -> None:
        if not self._take_if(operator):
            line = self.text.count("\n", 0, opened.start) + 1
            where = f"in line {line} " if "\n" in self.text else ""
            self._refuse(
                f"expected {operator!r} for the bracket opened {where}at column {self._column(opened.start)}", None
            )

    def _refuse(self, problem: str, place: int | None) -> NoReturn:
        """Raise with a caret under the place, which is the next token's unless given."""
        raise ParseError(f"{problem}\n{self._caret(self.next.start if place is None else place)}")

    def _column(self, place: int) -> int:
        return place - (self.text.rfind("\n", 0, place) + 1) + 1

    def _caret(self, place: int) -> str:
        start = self.text.rfind("\n", 0, place) + 1
        line = self.text[start:].split("\n", 1)[0].expandtabs(1)
        width = sum(2 if east_asian_width(c) in "WF" else 1 for c in line[: place - start])
        return f"  {line}\n  {' ' * width}^"

    # --- expressions ---------------------------------------------------------------------------------------------

    def formula(self) -> Node:
        """The whole text as one expression."""
        if self.next.kind == "end":
            self._refuse("the formula is empty. Write something like 'w*x + b'.", None)
        node = self._expression(0)
        token = self.next
        if token.kind != "end":
            self._refuse(self._leftover(token), None)
        return node

    def _leftover(self, token: _Token) -> str:
        if token.text == ")":
            return "this bracket closes nothing"
        if token.kind == "operator":
            return f"{token.text!r} cannot stand here. {_ADVICE.get(token.text, '')}".rstrip()
        before = self.tokens[self.place - 1].text
        return f"an operator is missing between {before!r} and {token.text!r}; a product needs *"

    def _expression(self, weakest: int) -> Node:
        """An expression whose operators bind stronger than ``weakest``."""
        self.depth += 1
        if self.depth > _DEEPEST:
            self._refuse(f"the formula is nested deeper than {_DEEPEST} levels. Build it from parts in Python.", None)
        left = self._operand()
        while self.next.kind == "operator" and self.next.text in _BINARY:
            strength, from_right, operation = _BINARY[self.next.text]
            if strength <= weakest:
                break
            token = self._take()
            right = self._expression(strength - 1 if from_right else strength)
            left = self._build(token, operation, left, right)
            if strength == _COMPARISON and self.next.text in _BINARY and _BINARY[self.next.text][0] == _COMPARISON:
                self._refuse("comparisons do not chain; write (a < b) and (b < c)", None)
        self.depth -= 1
        return left

    def _operand(self) -> Node:
        token = self._take()
        if token.kind == "number":
            node = constant(float(token.text))  # whole numbers too: in mathematics 2**-2 is a quarter
        elif token.kind == "name":
            node = self._call(token) if self._take_if("(") else self._named(token)
        elif token.text in _PREFIX and token.kind == "operator":
            return self._signed(token)
        elif token.text == "(":
            node = self._expression(0)
            self._expect(")", token)
        else:
            self.place -= 1
            what = f"got {token.text!r}" if token.text else "the formula ends"
            self._refuse(f"expected a number, a name or a bracket; {what}", None)
        return self._transposed(node)

    def _signed(self, token: _Token) -> Node:
        strength, operation = _PREFIX[token.text]
        number = self.next.kind == "number"
        node = self._expression(strength)
        value = constant_array(node)
        # -2 is a number, as in x**-2; -2**2 is a power with a sign before it.
        if number and value is not None and token.text == "-":
            return constant(-value.item())
        return self._build(token, operation, node)

    def _transposed(self, node: Node) -> Node:
        while self.next.text == ".":
            dot = self._take()
            if self._take().text != "T":
                self._refuse("the only attribute in a formula is .T, the transpose", dot.start)
            node = self._build(dot, transpose, node)
        return node

    def _named(self, token: _Token) -> Node:
        name = token.text
        if name in _CONSTANTS and name not in self.shapes:
            return constant(_CONSTANTS[name])
        if name in self.leaves:
            return self.leaves[name]
        if (name in FUNCTIONS or name in _REDUCTIONS) and name not in self.shapes:
            self._refuse(f"{name} is a function; write {name}(...), or give the input another name", token.start)
        self.leaves[name] = self._build(token, lambda: input(name, self.shapes.get(name, ())))
        return self.leaves[name]

    # --- calls ---------------------------------------------------------------------------------------------------

    def _call(self, function: _Token) -> Node:
        name = function.text
        if name not in FUNCTIONS and name not in _REDUCTIONS:
            near = difflib.get_close_matches(name, [*FUNCTIONS, *_REDUCTIONS], 1)
            advice = (
                f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted([*FUNCTIONS, *_REDUCTIONS]))}."
            )
            self._refuse(f"there is no function {name!r}. {advice}", function.start)
        operands, options = self._arguments(self.tokens[self.place - 1])
        if name not in _REDUCTIONS:
            if options:
                self._refuse(f"{name} works entry by entry and takes no {', '.join(options)}", function.start)
            return self._build(function, FUNCTIONS[name], *operands)
        operation, allowed = _REDUCTIONS[name]
        if len(operands) != 1:
            advice = "; for the larger of two write maximum(a, b)" if name == "max" else ""
            self._refuse(
                f"{name} needs one array, then options such as axis=0; got {len(operands)}{advice}", function.start
            )
        unknown = [option for option in options if option not in allowed]
        if unknown:
            self._refuse(f"{name} takes {' and '.join(allowed)}; got {unknown[0]}", function.start)
        return self._build(function, lambda: operation(operands[0], **options))

    def _arguments(self, opened: _Token) -> tuple[list[Node], dict[str, Any]]:
        operands: list[Node] = []
        options: dict[str, Any] = {}
        while not self._take_if(")"):
            if operands or options:
                if not self._take_if(","):
                    self._expect(")", opened)
                if self._take_if(")"):
                    break
            ahead = self.tokens[self.place + 1] if self.next.kind == "name" else self.next
            if ahead.text == "=" and self.next.kind == "name":
                option = self._take().text
                self._take()
                options[option] = self._option()
            elif options:
                self._refuse("an operand cannot follow an option", None)
            else:
                operands.append(self._expression(0))
        return operands, options

    def _option(self) -> int | bool | tuple[int, ...] | None:
        """The value of an option: True, False, None, a whole number, or several in brackets."""
        words = {"True": True, "False": False, "None": None}
        if self.next.text in words:
            return words[self._take().text]
        opened = self.next
        if not self._take_if("("):
            return self._whole_number()
        numbers: list[int] = []
        while not self._take_if(")"):
            numbers.append(self._whole_number())
            if not self._take_if(","):
                self._expect(")", opened)
                break
        return tuple(numbers)

    def _whole_number(self) -> int:
        sign = -1 if self._take_if("-") else 1
        if not self.next.text.isdecimal():
            self._refuse("an option needs a whole number, several in brackets, True, False or None", None)
        return sign * int(self._take().text)

    def _build(self, token: _Token, operation: Callable[..., Node], *operands: Node) -> Node:
        """Apply an operation; what it refuses is shown at its place in the text."""
        try:
            return operation(*operands)
        except GraphLearnError as error:
            kind = ParseError if isinstance(error, GraphUseError) else type(error)
            raise kind(f"{error.message}\n{self._caret(token.start)}", nodes=error.nodes) from None
