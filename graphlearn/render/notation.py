"""From a node to mathematics, in Unicode and in LaTeX: one visitor over one table, each op's `Notation`."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from functools import cached_property
from math import log, pi, sqrt

import numpy as np

from graphlearn.errors import UnsupportedOp
from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node
from graphlearn.graph.op import ATOM, CALL, POWER, PRODUCT, SUM, Attrs, Op
from graphlearn.graph.traverse import topological_above
from graphlearn.ops.places import GATHERING
from graphlearn.render.document import Math
from graphlearn.render.numbers import array_math
from graphlearn.types import Dim

Strength = tuple[int, int]  # how strongly a formula binds: as text, as LaTeX
_MINUS = "\N{MINUS SIGN}"
_ONES = Math("𝟙", r"\mathbb{1}")  # an array of ones
_LITERAL = 24  # display cells up to which a constant array is written out
_LIST = 12  # places up to which an index lists them
_LEADING_MINUS = SUM + 5  # how strongly −x and −3 bind: they may lead a product or a quotient, which then binds so too
_MAY_LEAD = ("mul", "div")
# Numbers that are known by a formula, and how strongly it binds as text.
_KNOWN: dict[float, tuple[Math, int]] = {
    pi: (Math("π", r"\pi"), ATOM),
    2 * pi: (Math("2π", r"2\pi"), PRODUCT),
    sqrt(2): (Math("√2", r"\sqrt{2}"), CALL),
    sqrt(2 * pi): (Math("√(2π)", r"\sqrt{2\pi}"), CALL),
    sqrt(2 / pi): (Math("√(2/π)", r"\sqrt{2/\pi}"), CALL),
    2 / sqrt(pi): (Math("2/√π", r"\frac{2}{\sqrt{\pi}}"), PRODUCT - 1),
    log(2): (Math("log(2)", r"\log(2)"), CALL),
    log(10): (Math("log(10)", r"\log(10)"), CALL),
    1 / 3: (Math("1/3", r"\frac{1}{3}"), PRODUCT - 1),
    2 / 3: (Math("2/3", r"\frac{2}{3}"), PRODUCT - 1),
    1 / 6: (Math("1/6", r"\frac{1}{6}"), PRODUCT - 1),
}


def axis_letter(axis: Dim) -> str:
    """How a free axis is written in a formula: ``batch`` is N."""
    return "N" if axis == "batch" else str(axis)


def shape_math(shape: tuple[Dim, ...]) -> Math:
    """``(N, 3)`` in both forms."""
    text = ",".join(axis_letter(d) for d in shape)
    return Math(f"({text})", rf"({text})".replace("_", r"\_"))


def scalar_math(value: float) -> Math:
    """A constant inside a formula: 2 and 0.5, without trailing zeros."""
    if np.isnan(value):
        return Math("NaN", r"\mathrm{NaN}")
    if np.isinf(value):
        return Math("∞" if value > 0 else f"{_MINUS}∞", r"\infty" if value > 0 else r"-\infty")
    text = str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    if "e" in text:
        return array_math(value, 6)
    return Math(text.replace("-", _MINUS), text)


class Writer:
    """Writes nodes as formulas, calling some of them by name.

    Args:
        names: node -> how it is called; all other nodes are spelled out.
        spelled: node -> the node that is spelled in its place.
    """

    def __init__(self, names: Mapping[Node, Math], spelled: Mapping[Node, Node] | None = None) -> None:
        self.names = names
        self.spelled = spelled or {}

    @cached_property
    def _twins(self) -> dict[tuple[Op, tuple[Node, ...], Attrs], Node]:
        return {(node.op, node.inputs, node.attrs): node for node in self.names if node.name and node.inputs}

    def calling(self, names: Mapping[Node, Math]) -> Writer:
        """The same writer with other names for some nodes."""
        writer = Writer(ChainMap(dict(names), self.names), self.spelled)  # type: ignore[arg-type]  # read only
        writer._twins = self._twins
        return writer

    def write(self, node: Node, *, spell: bool = False) -> Math:
        """The formula of a node.

        Args:
            node: what to write.
            spell: spell the node itself out even if it has a name.
        """
        return self._write(node, spell)[0]

    def definition(self, node: Node) -> Math:
        """The right-hand side that defines a named node."""
        return self.write(node, spell=True)

    def size(self, node: Node, *, spell: bool = False) -> int:
        """How many names, numbers and operations a formula writes; a shared node counts at each place.

        A formula is a tree, so it can be exponentially larger than its graph: ask before writing it.

        Args:
            node: what would be written.
            spell: count the formula of the node even if it has a name.
        """
        top = self.spelled.get(node, node)
        if spell:
            return 1 + sum(self.size(n) for n in top.inputs)
        sizes: dict[Node, int] = {}
        for inner in topological_above([top], self.names):
            named = inner in self.names or not inner.inputs
            sizes[inner] = 1 if named else 1 + sum(sizes[n] for n in inner.inputs)
        return sizes[top]

    def _write(self, node: Node, spell: bool = False) -> tuple[Math, Strength]:
        """The formula, and how strongly it binds in text and in LaTeX."""
        constant = constant_array(node)
        if node not in self.names and node.inputs:
            # What is computed like a named node is that node: σ(z) beside p = σ(z).
            node = self._twins.get((node.op, node.inputs, node.attrs), node)
        # A leaf consists of nothing else: spelled out, it is still its name.
        if node in self.names and (not spell or (node.is_leaf and constant is None)):
            math = self.names[node]
            binds = _strength_of_name(math.text)
            return math, (binds, binds)
        if constant is not None:
            return _constant(constant)
        if is_spread_number(node):
            # A number that is repeated is written as the number: its shape stands beside the row.
            return self._write(node.inputs[0])
        if node in self.spelled:
            return self._write(self.spelled[node])
        return self._operation(node)

    def _operation(self, node: Node) -> tuple[Math, Strength]:
        notation = node.op.notation
        if not notation.text:
            raise UnsupportedOp(f"the leaf {node!r} has no name to be written by.", nodes=(node,))
        as_array = not node.op.is_elementwise  # a matrix product or a sum needs an array, where a number would mislead
        operands = [self._operand(node, k, as_array) for k in range(len(node.inputs))]
        text = notation.text if isinstance(notation.text, str) else notation.text(node)
        latex = notation.latex if isinstance(notation.latex, str) else notation.latex(node)
        math = Math(text.format(*(m.text for m in operands)), latex.format(*(m.latex for m in operands)))
        binds, latex_binds = notation.binds, notation.binds if notation.latex_binds is None else notation.latex_binds
        if node.op.name in _MAY_LEAD:
            binds = min(binds, _LEADING_MINUS) if math.text.startswith(_MINUS) else binds
            latex_binds = min(latex_binds, _LEADING_MINUS) if math.latex.startswith("-") else latex_binds
        return math, (binds, latex_binds)

    def _repeated(self, node: Node) -> tuple[Math, Strength]:
        """An array of one number: 𝟙, or the number times 𝟙."""
        math, (binds, latex_binds) = self._write(node.inputs[0])
        if math.text == "1":
            return _ONES, (ATOM, ATOM)
        text = f"({math.text})" if binds <= PRODUCT else math.text
        latex = rf"\left({math.latex}\right)" if latex_binds <= PRODUCT else math.latex
        return Math(f"{text}·{_ONES.text}", rf"{latex} \cdot {_ONES.latex}"), (PRODUCT, PRODUCT)

    def _operand(self, user: Node, place: int, as_array: bool) -> Math:
        node, notation = user.inputs[place], user.op.notation
        spread = as_array and node not in self.names and is_spread_number(node)
        numbers = constant_array(node) if place and user.op.name in GATHERING and node not in self.names else None
        if numbers is not None and numbers.ndim == 1 and numbers.size <= _LIST:
            return _list(numbers)
        math, (binds, latex_binds) = self._repeated(node) if spread else self._write(node)
        needs = notation.needs(user) if callable(notation.needs) else notation.needs
        need = _need(needs, place)
        latex_need = need if notation.latex_needs is None else _need(notation.latex_needs, place)
        if place == 0 and user.op.name in _MAY_LEAD:
            need = min(need, _LEADING_MINUS) if math.text.startswith(_MINUS) else need
            latex_need = min(latex_need, _LEADING_MINUS) if math.latex.startswith("-") else latex_need
        return Math(
            f"({math.text})" if binds < need else math.text,
            rf"\left({math.latex}\right)" if latex_binds < latex_need else math.latex,
        )


def is_spread_number(node: Node) -> bool:
    """Whether an array repeats one number, which is written as that number where its shape stands beside it."""
    return node.op.name in ("broadcast_to", "reshape") and node.inputs[0].shape == () != node.shape


def _strength_of_name(text: str) -> int:
    """How strongly a name binds, or the number that stands in its place: −3, 2×10⁻⁹ and ∂L/∂z are no atoms."""
    if text.startswith(_MINUS):
        return _LEADING_MINUS
    if text.startswith("∂"):
        return POWER  # a factor, but ∂L/∂zᵀ would be read as ∂L/∂(zᵀ)
    return PRODUCT if "×10" in text and not text.startswith("[") else ATOM


def _need(needs: tuple[int, ...], place: int) -> int:
    return needs[place] if place < len(needs) else 0


def _list(numbers: np.ndarray) -> Math:
    """Places, as an index lists them: ``[1, 0, 1]``."""
    text = ", ".join(map(str, numbers.tolist()))
    return Math(f"[{text.replace('-', _MINUS)}]", f"[{text}]")


def _constant(value: np.ndarray) -> tuple[Math, Strength]:
    if value.shape == ():
        if value.dtype == bool:
            return Math(str(bool(value)), rf"\mathrm{{{bool(value)}}}"), (ATOM, ATOM)
        number = float(value)
        known = _KNOWN.get(abs(number)) if value.dtype == np.float64 else None
        math, binds = known or (scalar_math(abs(number)), ATOM)
        if number < 0 or np.signbit(number):
            return Math(_MINUS + math.text, "-" + math.latex), (_LEADING_MINUS, _LEADING_MINUS)
        return math, (binds, binds)
    return array_math(value, width=_LITERAL), (ATOM, ATOM)
