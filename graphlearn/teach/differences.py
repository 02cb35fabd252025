"""Derivatives by evaluation alone, in float64: central differences, the complex step, and Ridders' extrapolation.

They share nothing with reverse mode, which is why they can judge it.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphlearn.errors import DisconnectedError, DTypeError, NonFiniteError, ShapeError
from graphlearn.graph.binding import At, bind
from graphlearn.graph.node import Node
from graphlearn.graph.options import check_choice
from graphlearn.graph.traverse import influenced, require_node, require_nodes, topological
from graphlearn.teach.wide import compute_complex, compute_wide, evaluate_wide

METHODS = ("central", "complex", "ridders")
_EPSILON = float(np.finfo(np.float64).eps)
_CENTRAL_STEP = _EPSILON ** (1 / 3)  # where the errors of truncation, h^2, and of rounding, eps/h, are equal
# The imaginary step's square vanishes beside any float64. It is a part of the entry's own size, so that it also does
# beside log's or sqrt's own argument, but no more than 1e-30 and no less than keeps all digits.
_IMAGINARY_STEP, _IMAGINARY_LEAST, _IMAGINARY_LARGEST_PART = 1e-30, 2.0**-1000, 2.0**-26
_IMAGINARY_AGREEMENT = 1e-11  # of the slopes by a step and by one of its 1024th part, where it is short enough
_RIDDERS_STEP = 0.1
_SHRINK, _ROWS, _SAFE = 1.4, 10, 2.0  # constants of Press et al. (2007), Numerical Recipes, section 5.7
# Weights of the five-point central difference; its error is h^4 f^(5) / 30: see Fornberg (1988), Table 1. With this
# step it finds about 12 digits of a function that bends on its own scale.
_STENCIL, _STENCIL_STEP = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12)), 1e-3
# Ridders' first step is divided by 10 until the error is small enough: up to 4 times, since a kink may lie nearby, and
# up to 12 times where the function is not defined so far away.
_ENOUGH, _NEAREST, _FARTHEST = 1e-10, 4, 12

Compute = Callable[[Node, Sequence[Any], Mapping[str, int]], Any]


def numeric_grad(
    output: Node,
    wrt: Node | Sequence[Node],
    at: At | None,
    method: str = "central",
    *,
    seed: int = 0,
    step: int = 0,
) -> np.ndarray | tuple[np.ndarray, ...]:
    """The gradient of a scalar by evaluating it near a point, entry by entry.

    Args:
        output: node of shape ``()``.
        wrt: a node or several of a real dtype; leaves or inner nodes.
        at: leaf or full name -> array, or a model.
        method: ``"central"``: two values per entry, a step of eps^(1/3) times the entry's size, about 10 digits.
            ``"complex"``: two values per entry (more where a step is too long), all digits, but only through analytic
            operations; it runs their textbook formulas, not their kernels. NaN where the function has no value, an
            infinite one, or no derivative: outside of its domain, at its end (sqrt at 0), at a kink (the norm of
            zeros). ``"ridders"``: up to 20 values per entry, about 13 digits.
        seed: of the random numbers that the graph draws, as of `fit`.
        step: of the training whose random numbers are drawn, from 0 on.

    Returns:
        float64 array of the shape of ``wrt``; a tuple for a sequence. Everything is computed in float64, also where the
        graph declares float32.

    Raises:
        ShapeError: the output is not a scalar.
        DTypeError: the output or a ``wrt`` is not real.
        DisconnectedError: a ``wrt`` is no part of the graph.
        OptionError: no such method.
        UnsupportedOp: ``"complex"`` met an operation that is not analytic, such as abs; use ``"central"``.
        NonFiniteError: ``"complex"`` met a textbook formula that overflows where the function is finite, such as
            ``log(1 + exp(800))``; use ``"central"`` or ``"ridders"``.

    Sources: Ridders (1982), Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering Software 4(2);
    Squire and Trapp (1998), Using complex variables to estimate derivatives of real functions, SIAM Review 40(1).
    """
    output, targets = require_node(output, "numeric_grad"), require_nodes(wrt, "numeric_grad by wrt")
    check_choice(method, METHODS, "method")
    binding = bind([output], at, seed=seed, step=step)
    values = evaluate_wide([output], binding)
    gradients = []
    for target in targets:
        compute = compute_complex if method == "complex" else compute_wide
        curve = OutputCurve(output, target, values, binding.sizes, compute)
        if method == "complex" and curve.may_bend:
            real = OutputCurve(output, target, values, binding.sizes, compute_wide)
            slopes = [_unless_bent(curve, real, direction) for direction in curve.units()]
        else:
            slopes = [slope(curve, direction, method) for direction in curve.units()]
        gradients.append(np.array(slopes, np.float64).reshape(curve.start.shape))
    return gradients[0] if isinstance(wrt, Node) else tuple(gradients)


class Curve(ABC):
    """A scalar as a function of an array, near a point.

    Args:
        start: the array at the point.
        level: the scalar there.
        height: the size of the numbers that it is made of; rounding follows it.
        may_bend: whether an operation on the way has a kink somewhere.
    """

    def __init__(self, start: np.ndarray, level: float, height: float, may_bend: bool = False) -> None:
        self.start = start
        self.level = level
        self.height = height
        self.may_bend = may_bend

    @abstractmethod
    def at(self, value: Any) -> Any:
        """The scalar where the array has this value."""

    def units(self) -> Iterable[np.ndarray]:
        """The direction of each entry."""
        for k in range(self.start.size):
            direction = np.zeros(self.start.size)
            direction[k] = 1.0
            yield direction.reshape(self.start.shape)

    def size_along(self, direction: np.ndarray) -> float:
        """The length in which steps are measured: the entry's own size, but not far below its neighbours'."""
        finite = np.where(np.isfinite(self.start), self.start, 0.0)
        return max(float(np.max(np.abs(finite * direction), initial=0.0)), self._typical / 100) or 1.0

    @functools.cached_property
    def _typical(self) -> float:
        """The root of the mean square of the entries, without overflow."""
        finite = np.where(np.isfinite(self.start), self.start, 0.0)
        largest = float(np.max(np.abs(finite), initial=0.0))
        return largest * float(np.sqrt(np.mean(np.square(finite / largest)))) if largest else 0.0

    @functools.cached_property
    def nearby(self) -> float:
        """The size that the scalar has where all entries move by a tenth of their size, there and back.

        Where the scalar and its slope are 0, it alone tells what numbers they are made of.
        """
        signs = np.random.Generator(np.random.Philox(0)).standard_normal(self.start.shape)
        typical = self.size_along(np.zeros(self.start.shape))
        move = _RIDDERS_STEP * signs * np.maximum(np.abs(self.start), typical)
        with np.errstate(all="ignore"):
            sizes = [abs(float(self.at(self.start + sign * move))) for sign in (1, -1)]
        return max([size for size in sizes if np.isfinite(size)], default=0.0)


class OutputCurve(Curve):
    """A scalar output as a function of one node, all else fixed; only what the node influences is computed again.

    Args:
        output: node of shape ``()``.
        target: the node that varies; a leaf or an inner node.
        values: value of every node at the point.
        sizes: lengths of free axes.
        compute: how one node is computed.
    """

    def __init__(
        self, output: Node, target: Node, values: Mapping[Node, Any], sizes: Mapping[str, int], compute: Compute
    ) -> None:
        if output.shape != ():
            raise ShapeError(f"a gradient needs a scalar output; got {output!r}. Reduce it with sum or mean first.")
        for node in (output, target):
            if not node.type.is_float:
                raise DTypeError(f"a gradient needs real nodes; got {node!r}. Cast it to float64 first.", nodes=(node,))
        if target not in values:
            raise DisconnectedError(
                f"{target.full_name or target!r} is no part of {output.full_name or output!r}. Drop it from wrt.",
                nodes=(output, target),
            )
        level = float(values[output])
        order = topological([output])
        active = influenced(order, [target])
        self._again = [node for node in order if node in active and node is not target]
        bends = any(node.op.has_kink(node) for node in self._again)
        super().__init__(np.asarray(values[target], np.float64), level, abs(level), bends)
        self._output = output
        self._target = target
        self._values = values
        self._sizes = sizes
        self._compute = compute

    def at(self, value: Any) -> Any:
        """The output where the node has this value."""
        new = {self._target: value}
        with np.errstate(all="ignore"):
            for node in self._again:
                operands = [new[n] if n in new else self._values[n] for n in node.inputs]
                new[node] = self._compute(node, operands, self._sizes)
        return new.get(self._output, self._values[self._output])


class StepCurve(Curve):
    """What one node contributes through the operations that use it, each weighted by its own adjoint.

    Its slope is what the chain rule must give as the node's adjoint, whatever lies further on.

    Args:
        target: the node that varies.
        uses: the operations that use it.
        values: value of every node at the point.
        adjoints: value of the adjoint of each of those operations.
        sizes: lengths of free axes.
    """

    def __init__(
        self,
        target: Node,
        uses: Sequence[Node],
        values: Mapping[Node, Any],
        adjoints: Mapping[Node, np.ndarray],
        sizes: Mapping[str, int],
    ) -> None:
        largest = max(
            (float(np.max(np.abs(_weighted(adjoints[n], values[n])), initial=0.0)) for n in uses), default=0.0
        )
        bends = any(node.op.has_kink(node) for node in uses)
        super().__init__(np.asarray(values[target], np.float64), 0.0, largest, bends)
        self._target = target
        self._uses = uses
        self._values = values
        self._adjoints = adjoints
        self._sizes = sizes

    def at(self, value: Any) -> float:
        """How much the weighted sum grows where the node has this value."""
        total = 0.0
        with np.errstate(all="ignore"):
            for node in self._uses:
                operands = [value if n is self._target else self._values[n] for n in node.inputs]
                # Differences before sums: the entries that stay as they are cancel without rounding.
                change = compute_wide(node, operands, self._sizes) - self._values[node]
                total += float(np.sum(_weighted(self._adjoints[node], change)))
        return total


def _weighted(weight: np.ndarray, value: Any) -> np.ndarray:
    """The product, and 0 where the weight is 0: in the branch that is not taken the value may be NaN."""
    with np.errstate(all="ignore"):
        return np.where(weight == 0, 0.0, weight * value)


def slope(curve: Curve, direction: np.ndarray, method: str) -> float:
    """Derivative of a curve along a direction, at its start; see `numeric_grad` for the methods.

    ``"stencil"`` takes four values: fewer than ``"ridders"``, and far more accurate than ``"central"`` where the curve
    is smooth.
    """
    if method == "complex":
        return _by_complex_step(curve, direction)
    scale = curve.size_along(direction)
    if method == "stencil":
        step = _power_of_two(_STENCIL_STEP * scale)
        return sum(weight * float(curve.at(curve.start + k * step * direction)) for k, weight in _STENCIL) / step
    if method == "ridders":
        return _ridders(curve, direction, _RIDDERS_STEP * scale)
    value = _central(curve, direction, _power_of_two(_CENTRAL_STEP * scale))
    if np.isfinite(value):
        return value
    # Not defined so far away, as log is not below 0: a step by the entry's own size.
    own = float(np.max(np.abs(curve.start * direction), initial=0.0))
    return _central(curve, direction, _power_of_two(_CENTRAL_STEP * own)) if 0 < own < scale else value


def one_sided(curve: Curve, direction: np.ndarray, part: float = 1e-7) -> tuple[float, float]:
    """Slopes to the left and to the right, which differ at a kink; by a step that is this part of the entry's size."""
    step = _power_of_two(part * curve.size_along(direction))
    left = (curve.level - float(curve.at(curve.start - step * direction))) / step
    right = (float(curve.at(curve.start + step * direction)) - curve.level) / step
    return left, right


def is_bent(curve: Curve, direction: np.ndarray) -> bool:
    """Whether the slopes on both sides differ, and as much at a step that is a hundred times as long.

    What a smooth curve bends grows with the step, and what rounding adds shrinks with it; only a kink stays.
    """
    if not curve.may_bend:
        return False
    near, far = (one_sided(curve, direction, part) for part in (1e-7, 1e-5))
    gap, further = abs(near[0] - near[1]), abs(far[0] - far[1])
    return gap > 1e-4 * max(abs(near[0]), abs(near[1])) and gap / 2 < further < gap * 2


def ends_here(curve: Curve, direction: np.ndarray) -> bool:
    """Whether the curve has a value at its start, but not on both sides, however near."""
    found = []
    for part in (1e-7, 1e-14):
        step = _power_of_two(part * curve.size_along(direction))
        found.append([bool(np.isfinite(curve.at(curve.start + sign * step * direction))) for sign in (-1, 1)])
    return bool(np.isfinite(curve.level)) and found[0] == found[1] and not all(found[0])


def _by_complex_step(curve: Curve, direction: np.ndarray) -> float:
    """The imaginary part over the step, of a step at which a shorter one finds the same; NaN where none is."""
    size = min(curve.size_along(direction), 1.0)
    step = min(max(_IMAGINARY_STEP * size, _IMAGINARY_LEAST), _IMAGINARY_LARGEST_PART * size)
    first = found = finer = _rise(curve, direction, step)
    while np.isfinite(found):
        finer = _rise(curve, direction, step / 1024)
        if abs(found - finer) <= _IMAGINARY_AGREEMENT * abs(found):
            return found or _beyond_underflow(curve, direction, step)
        step *= 2.0**-100
        if step < _IMAGINARY_LEAST:
            break
        found = _rise(curve, direction, step)
    # Shorter steps find ever less where the slope is 0, as of x^1.5 at 0, and ever more where it is infinite.
    return finer if abs(finer) < 1e-20 * abs(first) else float("nan")


def _unless_bent(curve: Curve, real: Curve, direction: np.ndarray) -> float:
    """The slope by the complex step, and NaN at a kink, which over complex numbers may look smooth, as the norm's does.

    Args:
        curve: over complex numbers.
        real: the same over real ones.
        direction: of the slope.
    """
    try:
        found = slope(curve, direction, "complex")
    except NonFiniteError:
        if not is_bent(real, direction):
            raise
        return float("nan")
    return float("nan") if is_bent(real, direction) else found


def _beyond_underflow(curve: Curve, direction: np.ndarray, step: float) -> float:
    """The slope where a step that is short beside a tiny entry finds 0: x² at 1e-200 needs a longer one."""
    if step >= _IMAGINARY_STEP / 2:
        return 0.0
    try:
        found, finer = (_rise(curve, direction, longer) for longer in (_IMAGINARY_STEP, _IMAGINARY_STEP / 1024))
    except NonFiniteError:  # so far away is another function
        return 0.0
    return found if abs(found - finer) <= _IMAGINARY_AGREEMENT * abs(found) else 0.0


def _rise(curve: Curve, direction: np.ndarray, step: float) -> float:
    exact = _power_of_two(step)
    return float(np.imag(curve.at(curve.start + 1j * exact * direction))) / exact


def _power_of_two(step: float) -> float:
    """A step that is added without rounding."""
    return float(2.0 ** np.round(np.log2(step)))


def _central(curve: Curve, direction: np.ndarray, step: float) -> float:
    above, below = curve.at(curve.start + step * direction), curve.at(curve.start - step * direction)
    return (float(above) - float(below)) / (2 * step)


def _ridders(curve: Curve, direction: np.ndarray, step: float) -> float:
    """Central differences with shrinking steps, extrapolated to step 0; from a nearer start where that is worse."""
    best, error = np.nan, np.inf
    for attempt in range(_FARTHEST):
        value, estimate = _extrapolate(lambda h: _central(curve, direction, h), step)
        if estimate < error:
            best, error = value, estimate
        if error <= _ENOUGH * abs(best) or (attempt >= _NEAREST and np.isfinite(best)):
            break
        step /= 10
    return best


def _extrapolate(difference: Callable[[float], float], step: float) -> tuple[float, float]:
    """The value at step 0 and an estimate of its error, by Neville's scheme in the square of the step.

    It stops where rounding makes a longer row worse.
    """
    best, error = np.nan, np.inf
    above: list[float] = []
    for _ in range(_ROWS):
        row = [difference(step)]
        ratio = _SHRINK**2
        for old in above:
            row.append(row[-1] + (row[-1] - old) / (ratio - 1))  # (ratio * new - old) / (ratio - 1) may overflow
            estimate = max(abs(row[-1] - row[-2]), abs(row[-1] - old))
            if estimate <= error:
                best, error = row[-1], estimate
            ratio *= _SHRINK**2
        if above and abs(row[-1] - above[-1]) >= _SAFE * error:
            break
        above = row
        step /= _SHRINK
    return best, error
