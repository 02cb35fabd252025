"""Parts of rows read without their neighbours, and squares turned round."""

from __future__ import annotations

import numpy as np
import pytest

from graphlearn.backends.native import Signature, compile_native

SUFFIX = {"float32": "f32", "float64": "f64"}
KINDS = [(dtype, count) for dtype in SUFFIX for count in (2, 4, 8, 16)]


@pytest.mark.parametrize(("dtype", "count"), KINDS)
def test_a_square_is_written_transposed_and_nothing_beside_it(dtype, count):
    text = f"def f(p, q):\n    turn_{SUFFIX[dtype]}x{count}(p, 3, {count + 4}, q, 5, {count + 1})\n"
    function = compile_native(text, "f", Signature((f"const {dtype}*", f"{dtype}*")))
    given = np.arange(3 + count * (count + 4), dtype=dtype)
    result = np.full(5 + count * (count + 1), -1, dtype)
    function(given, result)
    square = given[3:].reshape(count, count + 4)[:, :count]
    written = result[5:].reshape(count, count + 1)
    np.testing.assert_array_equal(written[:, :count], square.T)
    assert (written[:, count:] == -1).all() and (result[:5] == -1).all()


@pytest.mark.parametrize(("dtype", "count"), KINDS)
def test_a_part_has_zeros_behind_it(dtype, count):
    kind = f"{SUFFIX[dtype]}x{count}"
    lines = [f"    store_{kind}(q, {(n - 1) * count}, part_{kind}_{n}(p, {n}))" for n in range(1, count + 1)]
    text = "\n".join(["def f(p, q):", *lines, ""])
    function = compile_native(text, "f", Signature((f"const {dtype}*", f"{dtype}*")))
    given = np.random.default_rng(0).normal(size=2 * count).astype(dtype)
    result = np.full((count, count), np.nan, dtype)
    function(given, result.reshape(-1))
    wanted = [[*given[n : 2 * n], *[0.0] * (count - n)] for n in range(1, count + 1)]
    np.testing.assert_array_equal(result, wanted)
