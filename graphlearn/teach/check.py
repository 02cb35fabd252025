"""`check_grad`: the gradient of a graph against derivatives by evaluation alone and against forward mode; a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from graphlearn.calculus.forward import push_forward
from graphlearn.calculus.reverse import differentiate
from graphlearn.errors import DisconnectedError, OptionError
from graphlearn.graph.binding import At, Binding, bind
from graphlearn.graph.leaves import INPUT, input
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node, new_node
from graphlearn.graph.scope import no_scope
from graphlearn.graph.traverse import leaves, symbols
from graphlearn.render.document import plain
from graphlearn.render.layout import display_width, pad
from graphlearn.render.phrases import Phrases, phrases
from graphlearn.teach.agreement import NOTHING, TOLERANCE, Verdict, judge
from graphlearn.teach.differences import Curve, OutputCurve, numeric_grad
from graphlearn.teach.wide import compute_wide, evaluate_wide
from graphlearn.types import ArrayType, format_shape

__all__ = ["Entry", "Report", "check_grad", "numeric_grad"]

_ENTRIES = 300  # up to which each entry is perturbed by itself
# Larger arrays: each entry moves in as many directions as there are rounds, each time with other entries. An error in a
# single entry counts the more the fewer move with it; 32 directions cost a tenth of 300 entries.
_GROUPS, _ROUNDS = 16, 2
_ROUNDING = 1e-9  # up to which forward and reverse mode may differ: both are exact but for rounding
_BOUNDS = (1e-9, TOLERANCE)  # coarse, so that a report reads the same on every machine


@dataclass(frozen=True)
class Entry:
    """The check of the gradient by one node.

    Args:
        name: the node's name.
        shape: its lengths.
        compared: how many slopes were compared.
        projected: whether along random directions, each of a part of the entries, instead of entry by entry.
        absolute: largest distance between the graph's slope and the measured one.
        relative: the same as a part of the slope's size.
        index: the entry where it is largest; empty for a projection.
        graph: the graph's slope there.
        measured: the finite difference there.
        kinks: slopes that have no derivative to compare with, where the graph's lies between those to the left and to
            the right.
        modes: distance between the slopes of forward and of reverse mode along a random direction, as a part of the
            numbers that they are made of.
        edges: slopes where the function lacks values on one side or both, so that there is nothing to compare with;
            where nothing is wrong, ``index``, ``graph`` and ``measured`` are those of the first of them.
        absent: whether the function has no finite value at the point itself, so that all of its slopes are edges.
    """

    name: str
    shape: tuple[int, ...]
    compared: int
    projected: bool
    absolute: float
    relative: float
    index: tuple[int, ...]
    graph: float
    measured: float
    kinks: int
    modes: float
    edges: int = 0
    absent: bool = False

    @property
    def ok(self) -> bool:
        """Whether graph and measurement agree to `TOLERANCE`, and both modes but for rounding."""
        return not self.wrong and not self.edges

    @property
    def wrong(self) -> bool:
        """Whether a comparison found a difference."""
        return not (self.relative < TOLERANCE and self.modes < _ROUNDING)

    @property
    def nothing(self) -> bool:
        """Whether no slope had a derivative to compare with."""
        return 0 < self.compared == self.kinks + self.edges

    @property
    def method(self) -> str:
        """What was compared, in words."""
        return _method(self, phrases("en"))


@dataclass(frozen=True)
class Report:
    """The verdict on a gradient.

    Args:
        entries: one per node.
        order: 1 for the gradient, 2 for the gradient of the gradient.
    """

    entries: tuple[Entry, ...]
    order: int

    @property
    def ok(self) -> bool:
        """Whether every entry agrees."""
        return all(entry.ok for entry in self.entries)

    def __bool__(self) -> bool:
        return self.ok

    def to_text(self, language: str = "en") -> str:
        """The report as a table.

        Args:
            language: ``"en"`` or ``"ko"``.
        """
        words = phrases(language)
        rows = [("", *(words.word(f"report.{key}") for key in ("shape", "compared", "error")), "")]
        rows += [(e.name, format_shape(e.shape), _method(e, words), _error(e), _remark(e, words)) for e in self.entries]
        widths = [max(display_width(row[k]) for row in rows) for k in range(5)]
        lines = ["  ".join(pad(row[k], widths[k]) for k in range(5)).rstrip() for row in rows]
        return "\n".join([*lines, words.word(f"report.{self._verdict}.{self.order}")])

    @property
    def _verdict(self) -> str:
        if any(entry.wrong for entry in self.entries):
            return "differs"
        if self.ok:
            return "bent" if all(entry.nothing for entry in self.entries) else "agrees"
        return "nothing" if all(entry.nothing for entry in self.entries) else "lost"

    def __str__(self) -> str:
        return self.to_text()


def _method(entry: Entry, words: Phrases) -> str:
    if entry.projected:
        return plain(words.say("report.projected", count=str(entry.compared)))
    if entry.compared == 1:
        return words.word("report.entry")
    return plain(words.say("report.entries", count=str(entry.compared)))


def _error(entry: Entry) -> str:
    """The bound of an error that is allowed, the figure of one that is not; coarse, alike on every machine."""
    if entry.nothing and not entry.wrong:
        return "-"
    error = entry.relative
    if error < TOLERANCE:
        return _short(next(bound for bound in _BOUNDS if error < bound), "< ")
    return _short(error)


def _short(number: float, before: str = "") -> str:
    mantissa, _, exponent = f"{number:.0e}".partition("e")
    return f"{before}{mantissa}e{int(exponent)}" if exponent else f"{number:g}"


def _remark(entry: Entry, words: Phrases) -> str:
    if entry.wrong and entry.relative < TOLERANCE:
        return plain(words.say("report.modes", error=f"{entry.modes:.1g}"))
    where = plain(words.say("report.where", index=str(list(entry.index)))) if entry.index else ""
    graph = f"{entry.graph:.6g}"
    if entry.wrong:
        measured = f"{entry.measured:.6g}"
        return plain(words.say("report.wrong", where=where, graph=graph, measured=measured, allowed=_short(TOLERANCE)))
    kinks = [plain(words.say("report.kinks", count=str(entry.kinks)))] if entry.kinks else []
    if entry.absent:
        return words.word("report.absent")
    edges = [plain(words.say("report.edges", where=where, graph=graph))] if entry.edges else []
    return "; ".join([*kinks, *edges])


def check_grad(
    output: Node,
    wrt: Node | Sequence[Node] | None = None,
    *,
    at: At | None,
    order: int = 1,
    seed: int = 0,
    step: int = 0,
) -> Report:
    """Check the gradient of a scalar by finite differences, and reverse mode by forward mode, in float64.

    Nodes of up to 300 entries are checked entry by entry, and the report says so. Larger ones are checked along 32
    random directions: twice all entries are dealt into 16 groups, and those of a group move together, up or down by
    chance. That finds an error which many entries share, and one of a single entry where it is no small part of its
    group's slope. Both modes are compared along one random direction.

    Slopes may differ by 1e-6 of the largest of: the slope; 1/100 of the gradient's largest entry; 1/1000 of the output
    per size of the entry; and, where all of these are 0 but for rounding (the determinant of a matrix of rank 1), 1e-6
    of the output where all entries move by a tenth of their size.

    Args:
        output: node of shape ``()``.
        wrt: a node or several; default: all parameters, or all real inputs where there are none.
        at: leaf or full name -> array, or a model.
        order: 1, or 2 for the gradient of the gradient's product with a random direction.
        seed: of the random numbers that the graph draws, as of `fit`.
        step: of the training whose random numbers are drawn, from 0 on.

    Returns:
        A `Report`: true if all agree, and a table when printed.

    Raises:
        ShapeError: the output is not a scalar.
        DisconnectedError: nothing to differentiate by.
        OptionError: another order.

    Example:
        >>> import graphlearn as gl
        >>> w = gl.parameter("w", value=[0.5, -1.0])
        >>> print(gl.check_grad(gl.sum(gl.tanh(w)), at=None))
           shape  compared           relative error
        w  (2,)   each of 2 entries  < 1e-9
        The gradient agrees with finite differences, and forward mode with reverse mode.
    """
    targets = _targets(output, wrt)
    if order not in (1, 2):
        raise OptionError(
            f"order needs 1 or 2; got {order!r}. Differentiate first for higher ones: gl.grad(gl.grad(...))."
        )
    binding = bind([output], at, seed=seed, step=step)
    names = Names([output])
    labels = [names.get(w, repr(w)) for w in targets]
    if order == 2:
        output, binding = _along_random(output, targets, binding)
    return Report(_checked(output, targets, labels, binding, "zero" if order == 2 else "raise"), order)


def _checked(
    output: Node, targets: Sequence[Node], labels: Sequence[str], binding: Binding, disconnected: str
) -> tuple[Entry, ...]:
    """The check of the gradient by each target."""
    gradients = differentiate(output, targets, disconnected=disconnected, record=False).gradients
    forward, directions = _forward(output, targets)
    binding = Binding({**binding.arrays, **_random_values(directions, output, targets, binding)}, binding.sizes)
    values = evaluate_wide([output, *targets, *gradients.values(), *forward], binding)
    entries = []
    for label, w, pushed, direction in zip(labels, targets, forward, directions, strict=True):
        gradient = _array(values[gradients[w]], values[w])
        curve = OutputCurve(output, w, values, binding.sizes, compute_wide)
        modes = _distance(gradient * binding.arrays[direction], values[pushed], curve)
        entries.append(_compare(label, curve, gradient, modes))
    return tuple(entries)


def _forward(output: Node, targets: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """The slope of the output by each target along a direction, in forward mode; and the directions, as leaves."""
    with no_scope():
        directions = [new_node(INPUT, (), (), ArrayType(w.shape, w.dtype), "", "") for w in targets]
    slopes = [push_forward([output], [w], [d])[0] for w, d in zip(targets, directions, strict=True)]
    return slopes, directions


def _random_values(
    directions: Sequence[Node], output: Node, targets: Sequence[Node], binding: Binding
) -> dict[Node, np.ndarray]:
    values = evaluate_wide([output, *targets], binding)
    pairs = enumerate(zip(directions, targets, strict=True), 100)
    return {d: _random_direction(np.shape(values[w]), k) for k, (d, w) in pairs}


def _distance(terms: np.ndarray, pushed: Any, curve: Curve) -> float:
    """How far the sum of the terms is from another number, as a part of the terms; infinite where one is NaN alone."""
    with np.errstate(all="ignore"):
        total, size = float(np.sum(terms)), max(float(np.sum(np.abs(terms))), abs(float(pushed)), 1e-300)
        distance = abs(total - float(pushed))
        if not np.isfinite(distance):
            return 0.0 if not np.isfinite(total) and not np.isfinite(float(pushed)) else float("inf")
        if distance > _ROUNDING * size:  # perhaps all that cancels is 0
            size = max(size, NOTHING * curve.nearby / curve.size_along(np.ones(curve.start.shape)))
        return distance / size


def _array(gradient: Any, value: Any) -> np.ndarray:
    return np.broadcast_to(np.asarray(gradient, np.float64), np.shape(value))


def _targets(output: Node, wrt: Node | Sequence[Node] | None) -> tuple[Node, ...]:
    if wrt is not None:
        return (wrt,) if isinstance(wrt, Node) else tuple(wrt)
    real = [leaf for leaf in leaves([output]) if leaf.type.is_float]
    found = [leaf for leaf in real if leaf.op.name == "parameter"] or [leaf for leaf in real if leaf.op.name == "input"]
    if not found:
        raise DisconnectedError(f"{output!r} depends on no parameter and no real input, so it has no gradient.")
    return tuple(found)


def _along_random(output: Node, targets: tuple[Node, ...], binding: Binding) -> tuple[Node, Binding]:
    """The gradient's product with random directions: a scalar whose gradient is a Hessian-vector product."""
    gradients = differentiate(output, targets, record=False).gradients
    values = evaluate_wide([output], binding)
    taken = symbols(output)
    free = (f"direction{k}" for k in count(1) if f"direction{k}" not in taken)
    arrays = dict(binding.arrays)
    total: Node | None = None
    with no_scope():
        for k, w in enumerate(targets):
            direction = input(next(free), w.shape, w.dtype)
            arrays[direction] = _random_direction(np.shape(values[w]), k).astype(w.dtype)
            part = (gradients[w] * direction).sum()
            total = part if total is None else total + part
    if total is None:
        raise DisconnectedError("check_grad needs at least one node to differentiate by; got none.")
    return total, Binding(arrays, binding.sizes)


def _random_direction(shape: tuple[int, ...], seed: int) -> np.ndarray:
    direction = np.random.Generator(np.random.Philox(seed)).standard_normal(shape)
    length = float(np.sqrt(np.sum(np.square(direction))))
    return np.asarray(direction / length if length else direction)


def _dealt(shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Directions of length 1, in each of which the entries of one random group move, all as far, up or down."""
    generator = np.random.Generator(np.random.Philox(0))
    size = math.prod(shape)
    for _ in range(_ROUNDS):
        signs = generator.choice([-1.0, 1.0], size)
        for group in np.array_split(generator.permutation(size), _GROUPS):
            direction = np.zeros(size)
            direction[group] = signs[group] / math.sqrt(len(group))
            yield direction.reshape(shape)


def _compare(name: str, curve: Curve, gradient: np.ndarray, modes: float) -> Entry:
    projected = curve.start.size > _ENTRIES
    found = []
    for direction in _dealt(curve.start.shape) if projected else curve.units():
        place = () if projected else tuple(int(k) for k in np.argwhere(direction)[0])
        found.append((place, judge(curve, gradient, direction)))
    smooth = [(place, v) for place, v in found if not v.kink and not v.edge]
    edges = [(place, v) for place, v in found if v.edge]
    nothing = ((), Verdict(0.0, 0.0, 0.0, 0.0, False))
    index, worst = max(smooth, key=lambda pair: pair[1].relative, default=nothing)
    told, at = edges[0] if edges and worst.relative < TOLERANCE else (index, worst)
    return Entry(
        name, curve.start.shape, len(found), projected, absolute=worst.absolute, relative=worst.relative,
        index=told, graph=at.graph, measured=at.measured, kinks=sum(v.kink for _, v in found), modes=modes,
        edges=len(edges), absent=not np.isfinite(curve.level),
    )  # fmt: skip
