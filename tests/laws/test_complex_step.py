"""Law: the complex step gives the adjoint or refuses; it never drops an imaginary part in silence."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad
from graphlearn.errors import MissingValueError, UnsupportedOp
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.reductions import sum_
from graphlearn.teach.check import numeric_grad
from tests.laws.operands import ALL_OPS, SIZES, cases


@pytest.mark.parametrize("name", sorted(ALL_OPS))
def test_the_complex_step_is_the_adjoint_or_refuses(name):
    for case in cases(ALL_OPS[name])[:8]:
        if not case.node.type.is_float or not case.real_inputs:
            continue
        output = sum_(GRAPH.sin(case.node))
        try:
            found = numeric_grad(output, case.real_inputs, case.at, "complex")
        except (UnsupportedOp, MissingValueError):  # a free axis of a length that no operand shows
            continue
        expected = evaluate(list(grad(output, case.real_inputs, "zero")), case.at, sizes=SIZES)
        for one, other in zip(found, expected, strict=True):
            digits = 1e-6 if case.node.dtype == "float32" else 1e-10  # the step itself is taken in float64
            scale = max(1.0, float(np.max(np.abs(other), initial=0)))
            np.testing.assert_allclose(one, other, rtol=digits, atol=digits * scale, err_msg=str(case))
