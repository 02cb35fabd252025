"""Parts of rows read without their neighbours, squares turned round, and blocks of products."""

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


@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize(("rows", "vectors", "last"), [(1, 1, 1), (4, 2, 0), (8, 2, 3), (6, 3, 1), (3, 1, 0)])
@pytest.mark.parametrize(("dtype", "count"), [("float32", 16), ("float32", 4), ("float64", 8)])
def test_blocks_are_products_and_touch_nothing_beside_them(dtype, count, rows, vectors, last, adds):
    random = np.random.default_rng(0)
    width = (vectors - 1) * count + (last or count)
    name = f"{'adds' if adds else 'sums'}_{SUFFIX[dtype]}x{count}_{rows}_{vectors}{f'_{last}' if last else ''}"
    scale = f", {dtype}(-0.5)" if adds else ""
    text = f"def f(n, a, b, c):\n    {name}(n, a, 2, 1, {rows}, b, 3, {width + 2}, c, 4, {width + 1}{scale})\n"
    parameters = "int64", f"const {dtype}*", f"const {dtype}*", f"{dtype}*"
    function = compile_native(text, "f", Signature(parameters))
    for terms in (0, 1, 7):
        a = random.normal(size=(terms, rows)).astype(dtype)
        b = random.normal(size=(terms, width + 2)).astype(dtype)
        c = np.full(4 + rows * (width + 1), 3, dtype)
        function(terms, np.concatenate([[0, 0], a.ravel()]).astype(dtype), np.append([0, 0, 0], b).astype(dtype), c)
        written = c[4:].reshape(rows, width + 1)
        wanted = a.astype(float).T @ b[:, :width].astype(float)
        np.testing.assert_allclose(
            written[:, :width], 3 - wanted / 2 if adds else wanted, atol=20 * np.finfo(dtype).eps
        )
        assert (written[:, width] == 3).all() and (c[:4] == 3).all()
