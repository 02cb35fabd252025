"""Small trainings with an op inside: its case's operands, each moved by a parameter, and its result in the loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np

import graphlearn as gl
from graphlearn.calculus.reverse import differentiate
from graphlearn.calculus.specialize import free_axes
from graphlearn.graph.node import Node, make
from graphlearn.graph.op import Op
from graphlearn.graph.rewrite import substitute
from graphlearn.graph.traverse import leaves
from graphlearn.ops.places import GATHERING, indexed_length
from graphlearn.program.training import TrainingStep
from tests.backends.cuda.networks import Task
from tests.laws.operands import SIZES, Case, arity, cases, is_condition

AXIS = "N"  # the batch
ROWS = 11  # of the data: vectors of 4, 8 and 16 numbers leave a remainder
PRODUCT_ROWS = 20  # beside products of our own
RATE = 0.02  # small enough that operands stay near the op's domain


@dataclass(frozen=True)
class Part:
    """A case as part of a network.

    Args:
        what: the case in words.
        share: what it adds to the loss.
        data, values, fixed: inputs by rows, parameters that are trained, and all else that is given, with their arrays.
        state: keeps the share, so that a wrong value shows which case it is of.
        precision: of the result, where it is a lower one than the run's.
        follows: whether a loop follows a product: the op, or its derivative where that is not 0 everywhere.
    """

    what: str
    share: Node
    data: Mapping[Node, np.ndarray]
    values: Mapping[Node, np.ndarray]
    fixed: Mapping[Node, np.ndarray]
    state: Node
    precision: str = "float64"
    follows: bool = True


# --- cases -----------------------------------------------------------------------------------------------------------


def batched_cases(op: Op) -> list[Case]:
    """Cases in which every operand that has rows has them on its first axis alone; some operand or the result has."""
    with patch.dict(SIZES, {AXIS: ROWS}):
        found = [case for case in cases(op) if _size(case.node)]
    return [c for c in found if all(_leads(x) for x in c.at) and any(AXIS in n.shape for n in (c.node, *c.at))]


def row_cases(op: Op) -> list[Case]:
    """Those of them in which a row of the result needs a row of the operands and no other."""
    return [case for case in batched_cases(op) if goes_by_rows(case)]


def fixed_cases(op: Op) -> list[Case]:
    """Cases without free lengths, the smallest first; single numbers last."""
    every = [(c, (c.node, *c.at)) for c in cases(op) if _size(c.node)]
    found = [(c, nodes) for c, nodes in every if not free_axes(nodes)]
    return [c for c, nodes in sorted(found, key=lambda f: (all(n.shape == () for n in f[1]), sum(map(_size, f[1]))))]


def goes_by_rows(case: Case) -> bool:
    """Whether some rows, in another order and some of them twice, give the rows of the same result."""
    if case.node.shape.count(AXIS) != 1 or not any(AXIS in x.shape for x in case.at):
        return False
    taken = 4 * np.arange(ROWS) % ROWS // 2
    axis = case.node.shape.index(AXIS)
    some = {x: a[taken] if AXIS in x.shape else a for x, a in case.at.items()}
    whole, part = gl.evaluate(case.node, case.at), gl.evaluate(case.node, some)
    return np.allclose(np.take(whole, taken, axis), part, rtol=1e-9)


def _leads(leaf: Node) -> bool:
    return AXIS not in leaf.shape or leaf.shape.index(AXIS) == leaf.shape.count(AXIS) - 1 == 0


def _size(node: Node) -> int:
    return int(np.prod([d for d in node.shape if not isinstance(d, str)], dtype=int))


def names_rows(case: Case) -> bool:
    """Whether whole numbers say which rows of the batch are taken: a smaller batch does not have them all."""
    return case.node.op.name in GATHERING and indexed_length(case.node) == AXIS


def ends(found: Sequence[Case]) -> list[Case]:
    """The first and the last."""
    return [found[0], found[-1]] if len(found) > 1 else list(found)


# --- networks --------------------------------------------------------------------------------------------------------


@dataclass
class _Operands:
    """Leaves of one part while they are made."""

    name: str
    lift: Node | None
    data: dict[Node, np.ndarray] = field(default_factory=dict)
    values: dict[Node, np.ndarray] = field(default_factory=dict)
    fixed: dict[Node, np.ndarray] = field(default_factory=dict)

    def of(self, leaf: Node, array: np.ndarray) -> Node:
        """What takes the place of a leaf: real numbers are moved by a parameter, truths are comparisons."""
        if leaf.dtype == "bool":
            return self._real(leaf, np.where(array, 1.0, -1.0)) > 0
        if leaf.type.is_float:
            return self._real(leaf, array)
        if AXIS in leaf.shape:
            return self._input(leaf, array, self.data)
        return gl.constant(array) if leaf.shape else self._input(leaf, array, self.fixed)

    def _real(self, leaf: Node, array: np.ndarray) -> Node:
        name = f"{self.name}_{leaf.name}_moved"
        if AXIS not in leaf.shape:
            parameter = gl.parameter(name, leaf.shape)
            self.values[parameter] = array
            return parameter
        parameter = gl.parameter(name, leaf.shape[1:])
        self.values[parameter] = np.zeros(leaf.shape[1:])
        moved = self._input(leaf, array, self.data) + parameter
        return moved if self.lift is None else moved + self.lift.reshape(AXIS, *[1] * (len(leaf.shape) - 1))

    def _input(self, leaf: Node, array: np.ndarray, place: dict[Node, np.ndarray]) -> Node:
        dtype = "int64" if leaf.dtype == "int64" else "float64"
        made = gl.input(f"{self.name}_{leaf.name}", leaf.shape, dtype=dtype)
        place[made] = array
        return made


def part_of(case: Case, number: int, lift: Node | None = None) -> Part:
    """The case as part of a network.

    Args:
        case: one of those above.
        number: that no other part of the network has.
        lift: a number for each row, which is added to every real operand with rows.
    """
    made = _Operands(f"part{number}", lift)
    replaced = {leaf: made.of(leaf, array) for leaf, array in case.at.items()}
    result = substitute([case.node], replaced)[case.node]
    precision = "float32" if "float32" in (result.dtype, *(n.dtype for n in case.at)) else "float64"
    state = gl.state(f"share{number}", (), 0.0)
    largest = np.max(np.abs(np.float64(gl.evaluate(case.node, case.at, sizes={AXIS: ROWS}))))
    return Part(str(case), share_of(result, largest), made.data, made.values, made.fixed, state, precision)


def share_of(result: Node, largest: float) -> Node:
    """A number whose derivative by every entry is no constant, and small where the entries are large."""
    real = gl.cast(result, "float64") / 2.0 ** max(0, np.ceil(np.log2(max(largest, 1))))
    return gl.mean(gl.sqrt(1 + gl.square(real - 0.3))) * _size(result)


def task_of(parts: Sequence[Part], *more: Part) -> Task:
    """Training of all parameters by gradient descent; ``more`` has a share of the loss and no case."""
    every = [*parts, *more]
    loss = sum((part.share for part in every[1:]), every[0].share)
    data, values, fixed = (
        {x: a for part in every for x, a in getattr(part, m).items()} for m in ("data", "values", "fixed")
    )
    found = differentiate(loss, [*values], disconnected="zero").gradients
    rate = gl.input("rate", ())
    updates = {p: p - rate * g for p, g in found.items()} | {part.state: part.share for part in every}
    at = {**values, **{part.state: np.array(0.0) for part in every}, **fixed, rate: np.array(RATE)}
    scalars = tuple(leaf for leaf in (*fixed, rate) if leaf.op.name == "input")
    return Task(TrainingStep(loss, updates, tuple(data), scalars, AXIS if data else ""), data, at)


def wide_layer() -> tuple[Part, Node]:
    """A layer of so many features that no tile is written out and its product is the library's; a column of it."""
    random = np.random.default_rng(2)
    x, w = gl.input("wide_x", (AXIS, 2100)), gl.parameter("wide_w", (2100, 20))
    h = x @ w
    data, values = {x: random.normal(size=(ROWS, 2100))}, {w: random.normal(size=(2100, 20)) / 100}
    return Part("a wide layer", gl.mean(gl.square(h)), data, values, {}, gl.state("share_wide", (), 0.0)), h[:, 3] / 50


# --- beside products of our own --------------------------------------------------------------------------------------


def behind_product(op: Op, number: int, width: int) -> Part:
    """An elementwise op that alone reads a product, whose factors are not trained: what follows it forward."""
    random = np.random.default_rng(number)
    x, w, c = (f"part{number}_{name}" for name in "xwc")
    rows, weights, wanted = gl.input(x, (AXIS, 24)), gl.parameter(w, (24, width)), gl.parameter(c, (width,))
    # Rows of weights that sum to 1, most of them small: the product is within the domain, and all over it.
    data = {rows: random.dirichlet(np.full(24, 0.1), size=PRODUCT_ROWS)}
    fixed = {weights: _drawn(op, (24, width), random)}
    result = _applied(op, rows @ weights)
    share = gl.mean(gl.sqrt(1 + gl.square(gl.mean(result, axis=0) - wanted)))
    state = gl.state(f"share{number}", (), 0.0)
    return Part(f"{op.name} behind a product", share, data, {wanted: np.zeros(width)}, fixed, state)


def before_product(op: Op, number: int, width: int) -> Part:
    """An elementwise op on data moved by a vector, with a product behind it: its derivative follows one backward."""
    random = np.random.default_rng(number)
    rows, moved, v = (gl.input(f"part{number}_x", (AXIS, width)), gl.parameter(f"part{number}_b", (width,)),
                      gl.parameter(f"part{number}_v", (width, 5)))  # fmt: skip
    data = {rows: _drawn(op, (PRODUCT_ROWS, width), random)}
    values = {moved: np.zeros(width), v: random.normal(size=(width, 5))}
    result = _applied(op, rows + moved)
    share = gl.mean(gl.sqrt(1 + gl.square(result @ v - 0.3)))
    (slope,) = differentiate(share, [moved], disconnected="zero").gradients.values()
    state = gl.state(f"share{number}", (), 0.0)
    return Part(f"{op.name} before a product", share, data, values, {}, state, follows=bool(leaves([slope], "input")))


def _drawn(op: Op, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    return random.uniform(*op.domain, shape)


def _applied(op: Op, z: Node) -> Node:
    """The op on an operand, and in place of others on what runs through the domain the other way, or half of it."""
    ends = sum(op.domain)
    operands = [z, ends - z, 0.5 * z + 0.25 * ends][: arity(op)]
    given = tuple(x > 0 if is_condition(op, k) else x for k, x in enumerate(operands))
    return gl.cast(make(op, given, (), scope=""), "float64")


def grouped(found: Iterable[Any], size: int) -> list[list[Any]]:
    """Neighbours, a few at a time."""
    listed = list(found)
    return [listed[k : k + size] for k in range(0, len(listed), size)]
