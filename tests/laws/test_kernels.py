"""Law: what is computed is the formula: kernel = formula on a moderate grid; `test_hard_values` has the hard one."""

import numpy as np
import pytest

from graphlearn.ops.algebra import NUMPY
from tests.laws.operands import ELEMENTWISE, SIZES, elementwise_cases


@pytest.mark.parametrize("op", [op for op in ELEMENTWISE.values() if op.kind == "defined"], ids=lambda op: op.name)
def test_the_kernel_is_the_formula_where_the_formula_is_accurate(op):
    for case in elementwise_cases(op):
        operands = [case.at[n] for n in case.node.inputs]
        np.testing.assert_allclose(op.reference(*operands), op.formula(NUMPY, *operands), rtol=1e-12)
        assert np.shape(op.reference(*operands)) == tuple(SIZES.get(d, d) for d in case.node.shape)
