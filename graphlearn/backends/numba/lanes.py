"""The text of values in lanes: one expression per intrinsic, on lanes and single numbers together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from graphlearn.backends import rows
from graphlearn.backends.source import Source
from graphlearn.graph.node import Node
from graphlearn.program.steps import Compute, FusedLoop, Load, Value

_KINDS = {"float32": "f32", "float64": "f64", "int64": "i64", "bool": "i1"}
_ALIKE = (
    "add", "sub", "mul", "div", "neg", "pow", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "asin",
    "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "maximum", "minimum",
    "exp2", "log2", "log10", "cbrt", "floor", "ceil", "round",
)  # fmt: skip
# {k}: the lanes of the result; the rest as in `rows`
_FLOAT = {
    **{name: rows.FLOAT[name] for name in _ALIKE},
    "abs": "fabs_{s}({0})",
    "where": "select_{k}({0}, {1}, {2})",
    "sign": "select_{k}({0} > {zero}, {one}, select_{k}({0} < {zero}, -{one}, {0} + {zero}))",
}
_INTEGER = {"add": "({0} + {1})", "sub": "({0} - {1})", "mul": "({0} * {1})", "where": "select_{k}({0}, {1}, {2})"}
_BOOLEAN = {
    **{name: rows.BOOLEAN[name] for name in ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")},
    "logical_not": "(~{0})",
    "logical_and": "({0} & {1})",
    "logical_or": "({0} | {1})",
    "where": "select_{k}({0}, {1}, {2})",
}
_TABLES = {"float32": _FLOAT, "float64": _FLOAT, "int64": _INTEGER, "bool": _BOOLEAN}
_TESTS = ("logical_not", "logical_and", "logical_or")


class Text(NamedTuple):
    """An expression, and whether it has lanes or is one number."""

    text: str
    laned: bool


def lanes_of(dtype: str, count: int) -> str:
    """The suffix of functions on lanes of a dtype: ``f32x16``."""
    return f"{_KINDS[dtype]}x{count}"


def obstacle(step: FusedLoop, moving: Callable[[Load], bool]) -> str:
    """What a loop needs that lanes do not have; empty where they have all.

    Args:
        step: the loop.
        moving: whether what is read has lanes; if not, it is one number, and so is what is computed of such alone.
    """
    laned = laned_values(step, moving)
    for value in (v for v in step.body if v in laned):
        if value.dtype not in _KINDS:
            return f"there are no lanes of {value.dtype}"
        if isinstance(value, Compute) and not _is_known(value):
            return f"{value.op} on {value.dtype} has no code for lanes"
    return ""


def laned_values(step: FusedLoop, moving: Callable[[Load], bool]) -> set[Value]:
    """The values that have lanes."""
    found: set[Value] = set()
    for value in step.body:
        if isinstance(value, Load):
            found.update([value] if moving(value) else [])
        elif isinstance(value, Compute) and not found.isdisjoint(value.operands):
            found.add(value)
    return found


def _is_known(value: Compute) -> bool:
    given = [v.dtype for v in value.operands]
    if value.op == "cast":
        return value.dtype == given[0] or value.dtype in rows.SUFFIX or (given[0], value.dtype) == ("bool", "int64")
    floats = {d for d in given if d in rows.SUFFIX}
    return value.op in _TABLES[value.dtype] and len(floats) <= 1


class LaneWriter:
    """Writes expressions on lanes.

    Args:
        source: where constants are named.
        count: how many lanes.
    """

    def __init__(self, source: Source, count: int) -> None:
        self._source = source
        self.count = count

    def compute(self, value: Compute, operands: Sequence[Text]) -> Text:
        """An intrinsic: on lanes where an operand has lanes, else on numbers."""
        dtypes = [v.dtype for v in value.operands]
        laned = any(text.laned for text in operands)
        texts = [text.text for text in operands]
        if value.op in _TESTS:
            texts = [self._truth(text, dtype) for text, dtype in zip(operands, dtypes, strict=True)]
        if value.op == "cast":
            return Text(self._cast(texts[0], dtypes[0], value.dtype, laned), laned)
        if not laned:
            return Text(rows.expression(value.op, value.dtype, texts, self._source.literal), False)
        row = _TABLES[value.dtype][value.op]
        literal = self._source.literal
        numbers = {"zero": 0, "one": 1}
        named = {name: literal(x, value.dtype) for name, x in numbers.items() if f"{{{name}}}" in row}
        suffix = rows.SUFFIX.get(value.dtype, "")
        return Text(row.format(*texts, s=suffix, k=lanes_of(value.dtype, self.count), **named), True)

    def _cast(self, text: str, source: str, target: str, laned: bool) -> str:
        literal = self._source.literal
        if not laned or source == target:
            return rows.convert(text, source, target, literal)
        if source == "bool":
            return f"select_{lanes_of(target, self.count)}({text}, {literal(1, target)}, {literal(0, target)})"
        return f"real_{lanes_of(target, self.count)}({text})"

    def _truth(self, text: Text, dtype: str) -> str:
        if text.laned and dtype != "bool":
            return f"({text.text} != {self._source.literal(0, dtype)})"
        return rows.truth(text.text, dtype, self._source.literal)

    def combine(self, op: str, dtype: str, terms: list[Text]) -> Text:
        """Values combined in pairs, so that the chain of dependent operations is short."""
        while len(terms) > 1:
            pairs = [terms[k : k + 2] for k in range(0, len(terms), 2)]
            terms = [self._join(op, dtype, *pair) if len(pair) == 2 else pair[0] for pair in pairs]
        return terms[0]

    def _join(self, op: str, dtype: str, a: Text, b: Text) -> Text:
        laned = a.laned or b.laned
        if dtype == "bool":
            return Text(f"({a.text} | {b.text})", laned)
        if op == "sum":
            return Text(f"({a.text} + {b.text})", laned)
        return Text(f"fmax_{rows.SUFFIX[dtype]}({a.text}, {b.text})", laned)

    def laned(self, text: Text, dtype: str) -> str:
        """The text with lanes in any case."""
        return text.text if text.laned else f"splat_{lanes_of(dtype, self.count)}({text.text})"


def named(source: Source, text: Text, name: str, node: Node | None = None) -> Text:
    """The text under a name, unless it is one; ``node`` is what it computes, for a comment."""
    if text.text.isidentifier():
        return text
    source.line(f"{name} = {text.text}{'' if node is None else source.aside(node)}")
    return Text(name, text.laned)


def values_used(step: FusedLoop) -> list[Value]:
    """The values of a loop that something uses, in order."""
    needed: set[Value] = {s.value for s in step.stores} | {r.value for r in step.reductions}
    for value in reversed(step.body):
        if value in needed and isinstance(value, Compute):
            needed.update(value.operands)
    return [value for value in step.body if value in needed]
