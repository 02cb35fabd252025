"""Law: every op is trained as by the reference in every size class of the compiled backend, and the class is told."""

from __future__ import annotations

import functools
import itertools
import re
import zlib
from collections.abc import Sequence

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.native import lanes_for
from graphlearn.backends.numba.identity import Request
from graphlearn.backends.numba.tape import LEAST, Tape, TapeFunction, record_tape
from graphlearn.backends.registry import load_backend, load_planner
from graphlearn.calculus.reverse import differentiate
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import leaves, topological
from graphlearn.program.program import Program
from graphlearn.program.routines import ROUTINES
from graphlearn.program.steps import Compute, FusedLoop, Load, MatMul, Tile, Value
from graphlearn.program.uses import reads_of
from tests.backends.cuda.networks import Task
from tests.backends.numba.test_training import TOLERANCE, shuffled
from tests.laws.operands import ALL_OPS, ELEMENTWISE, Case
from tests.laws.trainings import (
    AXIS,
    PRODUCT_ROWS,
    RATE,
    ROWS,
    Part,
    batched_cases,
    before_product,
    behind_product,
    ends,
    fixed_cases,
    goes_by_rows,
    grouped,
    names_rows,
    part_of,
    row_cases,
    task_of,
    wide_layer,
)

PRECISIONS = ("float32", "float64")
LANELESS = {"mod", "floor_divide", "cast"}  # of entries; a cast to whole numbers
GROUPS = {f"{ops[0].name}..{ops[-1].name}": ops for ops in grouped(ALL_OPS.values(), 6)}
ENTRYWISE = {f"{ops[0].name}..{ops[-1].name}": ops for ops in grouped(ELEMENTWISE.values(), 6)}


def planned(task: Task, rows: int = 1, precision: str = "float64") -> Program:
    """The program alone, nothing compiled."""
    return load_planner().plan_training(task.step, Request(precision, rows, True, False, {}))


def run(backend: str, task: Task, precision: str, counts: Sequence[int], order: np.ndarray | None):
    """The run, the losses, and what each parameter moved and each state holds."""
    made = load_backend(backend).open_training(task.step, task.data, precision, max(counts))
    made.load(task.values)
    losses = np.full(len(counts), np.nan)
    assert made.run(np.array(counts, np.int64), order, losses) == len(counts)
    after = made.read()
    moved = {leaf: (np.float64(after[leaf]) - task.values[leaf]) / RATE for leaf in task.step.updates}
    return made, losses, moved


def assert_alike(parts: Sequence[Part], task: Task, precision: str, counts: Sequence[int], order=None):
    """The same losses, shares of the loss and gradients, case by case; returns the compiled run."""
    made, losses, moved = run("numba", task, precision, counts, order)
    _, wanted_losses, wanted = run("numpy", task, precision, counts, order)
    for part in parts:
        tolerance = max(TOLERANCE[precision], TOLERANCE[part.precision])
        np.testing.assert_allclose(moved[part.state], wanted[part.state], rtol=10 * tolerance, err_msg=part.what)
        for leaf in part.values:
            np.testing.assert_allclose(
                moved[leaf], wanted[leaf], rtol=100 * tolerance, atol=tolerance, err_msg=f"{leaf.name} of {part.what}"
            )
    np.testing.assert_allclose(
        losses, wanted_losses, rtol=max(TOLERANCE[p.precision] for p in parts) + TOLERANCE[precision]
    )
    return made


def numbered(found: Sequence[Case]) -> list[Part]:
    return [part_of(case, number) for number, case in enumerate(found)]


# --- rows on lanes ---------------------------------------------------------------------------------------------------


@functools.cache
def on_lanes(name: str, precision: str = "float64") -> tuple[list[Case], dict[str, Case]]:
    """The cases of an op by rows that are taken in tiles, and remark -> case that is not."""
    taken, refused = [], {}
    for case in ends(row_cases(ALL_OPS[name])):
        program = planned(task_of([part_of(case, 0)]), ROWS, precision)
        if any(isinstance(step, Tile) for step in program.steps):
            taken.append(case)
        else:
            refused[program.describe().splitlines()[0]] = case
    return taken, refused


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("group", GROUPS)
def test_rows_on_lanes(group: str, precision: str) -> None:
    parts = numbered([case for op in GROUPS[group] for case in on_lanes(op.name, precision)[0]])
    if not parts:
        assert all(on_lanes(op.name, precision)[1] or not row_cases(op) for op in GROUPS[group])
        return
    task = task_of(parts)
    for counts, order in (([ROWS] * 3, None), ([5, 5, 1] * 2, shuffled(ROWS, 2 * ROWS))):
        made = assert_alike(parts, task, precision, counts, order)
        assert [step for step in made.program.steps if isinstance(step, Tile)]
        assert "load_f" in made.source or "take_f" in made.source


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_has_no_lanes_is_named(precision: str) -> None:
    refusals = {name: on_lanes(name, precision)[1] for name in ALL_OPS}
    for remark, case in (item for found in refusals.values() for item in found.items()):
        what, reason = re.fullmatch(r"rows are not taken in tiles: (\w+) (.*)", remark).groups()
        if (what, reason) != ("a", f"sum of float64 over rows has no code for lanes of {precision}"):
            assert what in {*LANELESS, *ROUTINES}, f"{case}: {remark}"
    assert {name for name in ELEMENTWISE if refusals[name]} == LANELESS & {*ELEMENTWISE}


def test_what_has_no_case_by_rows_has_no_rows_or_joins_them() -> None:
    """No list of names: no operand has rows, or of other rows comes another result (`row_cases` computes it)."""
    without = [op for op in ALL_OPS.values() if not row_cases(op)]
    for op in without:
        given = [case for case in batched_cases(op) if any(AXIS in x.shape for x in case.at)]
        assert all(not goes_by_rows(case) for case in given)
        assert not op.is_elementwise, op.name
    assert len(without) < len(ALL_OPS) / 20


# --- loops, beside a product of the library --------------------------------------------------------------------------


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("group", GROUPS)
def test_loops_behind_a_wide_layer(group: str, precision: str) -> None:
    wide, lift = wide_layer()
    end = 0 if precision == "float32" else -1  # of an op's cases: each in one precision, to spare compilation
    found = [case for op in GROUPS[group] for case in batched_cases(op)[end:][:1]]
    parts = [part_of(case, number, lift) for number, case in enumerate(found)]
    task = task_of(parts, wide)
    # Compiling the products takes the time, and the kind of batches changes what stands before the loops alone.
    full = precision == "float32" or any(map(names_rows, found))
    batches = ([ROWS] * 2, None) if full else ([4, 4, 3], shuffled(ROWS, ROWS))
    made = assert_alike([*parts, wide], task, precision, *batches)
    assert not any(isinstance(step, Tile) for step in made.program.steps)
    text = " ".join(made.program.describe().split())
    assert "rows are not taken in tiles" in text
    assert "x20x2100 (more than 2,048 terms)" in text and "gemm_f" in made.source


# --- products of our own ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("group", ENTRYWISE)
def test_beside_products_block_by_block(group: str, precision: str) -> None:
    # A product is dear to compile: an op follows one forward in one precision, its derivative backward in the other.
    turn = PRECISIONS.index(precision)
    forms = [behind_product if (k + turn) % 2 else before_product for k in range(len(ENTRYWISE[group]))]
    least = lanes_for(precision) + 1  # loops over as many columns would be one loop
    parts = [form(op, k, least + k) for k, (form, op) in enumerate(zip(forms, ENTRYWISE[group], strict=True))]
    task = task_of(parts)
    batches = (
        ([9, 9, 2], shuffled(PRODUCT_ROWS, PRODUCT_ROWS)) if precision == "float32" else ([PRODUCT_ROWS] * 2, None)
    )
    made = assert_alike(parts, task, precision, *batches)
    steps = made.program.steps
    products = [step for step in steps if isinstance(step, MatMul) and step.blocks]
    assert len(products) == sum(part.follows for part in parts)
    apart = [step for step in products if step.then is None]
    for product in apart:
        (loop,) = [step for step in steps if isinstance(step, FusedLoop) and product.out.buffer in reads_of(step)]
        assert any(needs_another_loop(value) for value in loop.body), made.program.describe()


def needs_another_loop(value: Value) -> bool:
    """What has no lanes; or truths that were kept from before, an array of bytes."""
    return (isinstance(value, Compute) and value.op in LANELESS) or (isinstance(value, Load) and value.dtype == "bool")


# --- a step without a batch ------------------------------------------------------------------------------------------


@functools.cache
def unrolled(name: str) -> tuple[list[Case], dict[str, Case]]:
    taken, refused = [], {}
    for case in fixed_cases(ALL_OPS[name])[:1]:
        (remark,) = [r for r in planned(task_of([part_of(case, 0)])).remarks if "unrolled" in r] or [""]
        if remark:
            refused[remark] = case
        else:
            taken.append(case)
    return taken, refused


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("group", GROUPS)
def test_a_step_without_a_batch(group: str, precision: str) -> None:
    found = [unrolled(op.name) for op in GROUPS[group]]
    for straight, listed in (
        (True, [c for f in found for c in f[0]]),
        (False, [c for f in found for c in f[1].values()]),
    ):
        if listed:
            parts = numbered(listed)
            made = assert_alike(parts, task_of(parts), precision, [1] * 4)
            assert ("as locals" in made.source) == straight, made.program.describe()
            assert ("the step is not unrolled" in made.program.describe()) == (not straight)


# --- tapes -----------------------------------------------------------------------------------------------------------


def numbers_of(case: Case) -> tuple[list[Node], dict[Node, np.ndarray]]:
    """A case's share of a loss and its derivatives, number by number, and values for the leaves."""
    part = part_of(case, zlib.crc32(str(case).encode()))
    slopes = differentiate(part.share, [*part.values], disconnected="zero").gradients.values()
    found = [[entry] if isinstance(entry, Node) else entry.ravel() for entry in gl.scalarize([part.share, *slopes])]
    return list(itertools.chain.from_iterable(found)), {**part.values, **part.fixed}


def chain(x: Node) -> Node:
    """More operations on numbers than are compiled."""
    for k in range(3 * LEAST):
        x = gl.sin(x) if k % 2 else x * 1.0001
    return x


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("group", GROUPS)
def test_tapes(group: str, precision: str) -> None:
    start = gl.input("start", ())
    end = chain(start)
    roots, at, told = [end], {start: np.array(0.3)}, ["chain"]
    for case in (case for op in GROUPS[group] for case in fixed_cases(op)[:1]):
        numbers, values = numbers_of(case)
        reason = record_tape([*numbers, end], leaves([*numbers, end]), precision)
        if isinstance(reason, Tape):
            roots, at, told = [*roots, *numbers], at | values, [*told, *[str(case)] * len(numbers)]
        else:
            assert f"and a tape takes {precision} and bool alone" in reason
            assert any(n.dtype not in ("float64", "bool") for n in topological(numbers)), str(case)
    function = gl.compile(roots, precision=precision)
    assert isinstance(function._compiled, TapeFunction)
    wanted = gl.compile(roots, precision=precision, backend="numpy")(at)
    for what, found, expected in zip(told, function(at), wanted, strict=True):
        assert found.dtype == expected.dtype
        tolerance = 10 * TOLERANCE[precision]
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=what)
