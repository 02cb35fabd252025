"""Checks of a derivation: each adjoint against finite differences of the output, and each step by itself.

A wrong step makes every adjoint wrong that is computed from it. Comparing a step with the slope of the operations that
use its node, weighted by their adjoints, tells where an error enters from where it is only handed on; it also sees
adjoints so small that the output does not feel them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from graphlearn.calculus.trace import Trace
from graphlearn.graph.binding import Binding
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import consumers, topological
from graphlearn.render.story import Check
from graphlearn.teach.agreement import Verdict, judge
from graphlearn.teach.differences import Curve, OutputCurve, StepCurve, ends_here
from graphlearn.teach.wide import compute_wide, evaluate_wide

_ENTRIES = 64  # entries up to which each is perturbed by itself
_ROWS = 300  # rows up to which each is compared with the output; beyond, that would cost the square of their number


def check_adjoints(trace: Trace, shown: Iterable[Node], binding: Binding) -> dict[Node, Check]:
    """Compare the adjoints of a trace with finite differences, in float64 whatever the graph declares.

    Args:
        trace: the derivative as it is computed.
        shown: forward nodes that have a row; those without an adjoint are left out.
        binding: values of the leaves.

    Returns:
        node -> `Check`. Beyond 300 rows only what was differentiated by is compared with the output; all other rows are
        compared step by step.
    """
    # That the output changes one for one with itself is no finding.
    rows = [n for n in shown if n in trace.adjoints and (n is not trace.output or n in trace.wrt)]
    values = evaluate_wide([trace.output, *trace.adjoints.values()], binding)
    adjoints = {
        node: np.broadcast_to(np.asarray(values[adjoint], np.float64), np.shape(values[node]))
        for node, adjoint in trace.adjoints.items()
    }
    steps = _check_steps(trace, adjoints, values, binding.sizes)
    finite = {n for n in trace.adjoints if _is_finite(n, trace.output, adjoints[n], values)}
    wrong = _origins(trace, {n for n in finite if not all(v.ok or v.edge for v in steps[n])}, set(rows))
    compared = set(rows) if len(rows) <= _ROWS else set(trace.wrt)
    checks = {}
    for node in rows:
        if node not in finite:
            edge = node in compared and _is_at_edge(trace.output, node, adjoints[node], values, binding.sizes)
            checks[node] = Check(float("nan"), False, False, 0, edge=edge)
            continue
        verdicts = steps[node]
        if node in compared:
            curve = OutputCurve(trace.output, node, values, binding.sizes, compute_wide)
            verdicts = [*verdicts, *_verdicts(curve, adjoints[node], len(rows) > _ROWS)]
        checks[node] = _check(verdicts, node not in wrong, node in compared, np.size(values[node]), len(rows) > _ROWS)
    return checks


def _check(verdicts: Sequence[Verdict], step: bool, compared: bool, size: int, many: bool) -> Check:
    if any(v.edge for v in verdicts) and all(v.ok or v.edge for v in verdicts):
        return Check(float("nan"), False, False, 0, edge=True)
    error = max((v.relative for v in verdicts if not v.kink and not v.edge), default=0.0)
    projected = size > _ENTRIES or (compared and many and size > 1)
    ok = step and all(v.ok for v in verdicts)
    return Check(
        error=error,
        ok=ok,
        projected=projected,
        entries=1 if projected else size,
        kink=ok and any(v.kink for v in verdicts),
        step=step,
        alone=not compared,
    )


def _check_steps(
    trace: Trace, adjoints: Mapping[Node, np.ndarray], values: Mapping[Node, Any], sizes: Mapping[str, int]
) -> dict[Node, list[Verdict]]:
    """For each node that has an adjoint, what the operations that use it say of it."""
    uses = consumers(topological([trace.output]))
    found = {}
    for node in trace.adjoints:
        further = tuple(dict.fromkeys(consumer for consumer, _ in uses[node] if consumer in adjoints))
        curve = _Identity(values[node]) if node is trace.output else StepCurve(node, further, values, adjoints, sizes)
        found[node] = _verdicts(curve, adjoints[node], False)
    return found


def _verdicts(curve: Curve, adjoint: np.ndarray, many: bool) -> list[Verdict]:
    size = curve.start.size
    directions = [_random_direction(curve.start)] if size > _ENTRIES or (many and size > 1) else curve.units()
    # An entry that is infinite or NaN cannot be moved; its adjoint is 0 where it lies in a branch that is not taken.
    fixed = ~np.isfinite(curve.start)
    moved = [np.where(fixed, 0.0, direction) for direction in directions]
    return [judge(curve, adjoint, direction) for direction in moved if np.any(direction)]


def _random_direction(value: np.ndarray) -> np.ndarray:
    direction = np.random.Generator(np.random.Philox(value.size)).standard_normal(value.shape)
    return np.asarray(direction / np.sqrt(np.sum(direction**2)))


def _is_finite(node: Node, output: Node, adjoint: np.ndarray, values: Mapping[Node, Any]) -> bool:
    """Whether there is something to compare: a finite output and adjoint, and values wherever the adjoint is not 0."""
    reached = np.isfinite(values[node]) | (adjoint == 0)
    return bool(np.isfinite(values[output]) and np.all(np.isfinite(adjoint)) and np.all(reached))


def _is_at_edge(
    output: Node, node: Node, adjoint: np.ndarray, values: Mapping[Node, Any], sizes: Mapping[str, int]
) -> bool:
    """Whether the output ends where the adjoint is infinite: as a function of the first such entry."""
    curve = OutputCurve(output, node, values, sizes, compute_wide)
    places = np.argwhere(~np.isfinite(adjoint) & np.isfinite(curve.start))
    if not len(places):
        return False
    direction = np.zeros(curve.start.shape)
    direction[tuple(places[0])] = 1.0
    return ends_here(curve, direction)


def _origins(trace: Trace, wrong: AbstractSet[Node], rows: AbstractSet[Node]) -> set[Node]:
    """Rows at which an error enters: their own step is wrong, or one of a node that stands inside their formula."""
    found: set[Node] = set()
    bad: set[Node] = set(wrong)
    uses = consumers(topological([trace.output]))
    for node in trace.adjoints:  # what uses a node comes before it
        inside = [consumer for consumer, _ in uses[node] if consumer in bad and consumer not in rows]
        if inside:
            bad.add(node)
        if node in bad and node in rows:
            found.add(node)
    return found


class _Identity(Curve):
    """The output as a function of itself."""

    def __init__(self, value: Any) -> None:
        super().__init__(np.asarray(value, np.float64), float(value), abs(float(value)))

    def at(self, value: Any) -> Any:
        """The value itself."""
        return value
