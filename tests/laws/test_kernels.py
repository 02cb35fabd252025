"""Law: what is computed is the formula: kernel = formula on a moderate grid, and kernel = truth on a hard one.

Truth is the formula in mpmath with enough digits for its own cancellations.
"""

import functools
import itertools

import mpmath
import numpy as np
import pytest

from graphlearn.interop.mpmath_algebra import true_value
from graphlearn.ops.algebra import NUMPY
from tests.laws.operands import ELEMENTWISE, SIZES, arity, elementwise_cases, is_condition

# Largest distance to the truth, in units in the last place of the truth; of NumPy's functions and of our kernels alike.
ULPS = {"float64": 4, "float32": 4}
_MAGNITUDES = (
    1e-300, 1e-40, 1e-20, 1e-9, 1e-5, 0.01, 0.1, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 17, 20, 37, 40, 88, 89, 100, 104, 300,
    700, 710, 746, 1000, 1e4,
)  # fmt: skip
HARD = (0.0, *_MAGNITUDES, *(-m for m in _MAGNITUDES))
FEWER = (0.0, 1e-20, 0.1, 0.5, 1.0, 3.0, 37.0, 100.0, 746.0)  # where there are several operands
FEWER = (*FEWER, *(-x for x in FEWER if x))  # mpmath has no -0, which decides the sign of atan2
SECOND = (-2.0, 0.0, 0.3, 1.0)  # the other operands, such as a target


def hard_points(op):
    """Points of the hard grid: all of it for the first operand that is no condition, a few values for the others."""
    grids = []
    for k in range(arity(op)):
        first = all(is_condition(op, j) for j in range(k))
        hard = HARD if arity(op) == 1 else FEWER
        grids.append((True, False) if is_condition(op, k) else hard if first else SECOND)
    return list(itertools.product(*grids))


@functools.cache
def truth_at(op, *numbers):
    """The formula's value, of which `test_finite_gradients` makes that of the partials."""
    return true_value(op, *numbers, digits=400)


def rounded(point, dtype):
    """A point as arrays of a dtype, and the numbers that they then are."""
    arrays = [np.asarray(x) if isinstance(x, bool) else np.asarray(x, dtype) for x in point]
    return arrays, [a.item() for a in arrays]


def unit(truth, operands, dtype, widened):
    """One unit in the last place of the truth; of the largest operand where an op of several may cancel."""
    sizes = [abs(float(truth))]
    if widened:
        reals = [abs(x) for x in operands if not isinstance(x, bool)]
        sizes += [*reals, float(np.prod(reals))]
    size = min(max(sizes), float(np.finfo(dtype).max))
    return float(np.spacing(np.asarray(size, dtype)))


@pytest.mark.parametrize("op", [op for op in ELEMENTWISE.values() if op.kind == "defined"], ids=lambda op: op.name)
def test_the_kernel_is_the_formula_where_the_formula_is_accurate(op):
    for case in elementwise_cases(op):
        operands = [case.at[n] for n in case.node.inputs]
        np.testing.assert_allclose(op.reference(*operands), op.formula(NUMPY, *operands), rtol=1e-12)
        assert np.shape(op.reference(*operands)) == tuple(SIZES.get(d, d) for d in case.node.shape)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("op", ELEMENTWISE.values(), ids=list(ELEMENTWISE))
def test_the_kernel_is_the_truth_everywhere(op, dtype):
    largest, compared = float(np.finfo(dtype).max), 0
    for point in hard_points(op):
        arrays, numbers = rounded(point, dtype)
        truth = truth_at(op, *numbers)
        with np.errstate(all="ignore"):
            value = op.reference(*arrays)
        if isinstance(truth, bool):
            assert bool(value) == truth, numbers
        elif mpmath.isnan(truth):
            continue  # the formula divides by zero, or leaves the real line
        elif abs(truth) > largest:
            assert abs(value) >= largest, numbers
            assert np.sign(value) == mpmath.sign(truth), numbers
        else:
            error = abs(mpmath.mpf(float(value)) - truth)
            assert error <= ULPS[dtype] * unit(truth, numbers, dtype, op.kind == "defined" and len(point) > 1), (
                numbers, float(value), float(truth),
            )  # fmt: skip
        compared += 1
    assert compared > len(hard_points(op)) / 3
