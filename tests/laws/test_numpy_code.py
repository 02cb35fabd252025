"""Law: NumPy code is a graph builder. Each line runs on arrays and on nodes, with equal shapes, dtypes and values.

The oracle is NumPy itself, not this library's references. Every NumPy function that nodes take part in has a line.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.graph.op import NUMPY_BUILDERS

_RANDOM = np.random.Generator(np.random.Philox(11))


def _real(*shape: int) -> np.ndarray:
    return _RANDOM.uniform(-2, 2, shape)


def _definite(n: int) -> np.ndarray:
    root = _RANDOM.uniform(-1, 1, (n, n))
    return root @ root.T + n * np.eye(n)


ARRAYS: dict[str, np.ndarray] = {
    "x": _real(2, 3),
    "y": _real(2, 3),
    "u": _real(3),
    "v": _real(3),
    "c": _real(2, 3, 4),
    "d": _real(2, 4, 3),
    "p": np.abs(_real(2, 3)) + 0.5,  # positive
    "q": _RANDOM.uniform(-0.9, 0.9, (2, 3)),  # within -1 and 1
    "s": _definite(3),
    "m": _real(3, 3) + 3 * np.eye(3),
    "f": _real(2, 3).astype(np.float32),
    "i": _RANDOM.integers(-5, 6, (2, 3)),
    "j": _RANDOM.integers(1, 6, (2, 3)),
    "w": _RANDOM.integers(0, 200, (2, 3)).astype(np.uint8),
    "b": _RANDOM.integers(0, 2, (2, 3)).astype(bool),
    "k": np.array([2, 0, 1, 2]),
}

ELEMENTWISE = """
np.add(x, y)  np.subtract(x, y)  np.multiply(x, y)  np.divide(x, p)  np.true_divide(i, j)  np.negative(x)
np.positive(x)  np.reciprocal(p)  np.square(x)  np.power(p, y)  np.power(x, 3)  np.power(p, -2.0)  np.sqrt(p)
np.cbrt(x)  np.exp(x)  np.exp2(x)  np.expm1(x)  np.log(p)  np.log2(p)  np.log10(p)  np.log1p(p)  np.sin(x)  np.cos(x)
np.tan(x)  np.arcsin(q)  np.arccos(q)  np.arctan(x)  np.arctan2(x, y)  np.sinh(x)  np.cosh(x)  np.tanh(x)
np.arcsinh(x)  np.arccosh(p + 1)  np.arctanh(q)  np.abs(x)  np.absolute(i)  np.fabs(x)  np.sign(x)  np.floor(x)
np.ceil(x)  np.rint(x)  np.round(x)  np.trunc(x)  np.maximum(x, y)  np.minimum(x, y)  np.clip(x, -1, 1)
np.clip(x, None, 0.5)  np.where(b, x, y)  np.where(x > 0, x, 0.1)  np.less(x, y)  np.less_equal(i, j)
np.greater(x, 0)  np.greater_equal(i, 2)  np.equal(i, j)  np.not_equal(i, j)  np.logical_and(b, x > 0)
np.logical_or(b, i)  np.logical_not(b)  np.logical_xor(b, x > 0)  np.mod(x, p)  np.remainder(i, j)
np.heaviside(x, 0.5)  np.degrees(x)  np.radians(x)  np.deg2rad(x)  np.rad2deg(x)  np.astype(x, np.float32)  np.fix(x)
np.invert(b)  np.isnan(x / 0)  np.isfinite(x / 0)  np.isinf(x / 0)  x + y  x - 1  2 * x  x / p  -x  x ** 2  x ** -1
p ** 0.5  2 ** x  i ** 2  i % j  x @ d[0].T  u @ v  abs(x)  f * 2  f + x  f ** 2  i + 1  i * 0.5  i / 2  w + w  w * 2
b * 3  b + b  i + f  w - 1  f / 3  f + np.float64(1.5)  f * np.float32(2)
"""
REDUCTIONS = """
np.sum(x)  np.sum(x, axis=0)  np.sum(x, axis=-1, keepdims=True)  np.sum(c, axis=(0, -1))  np.sum(x, axis=())
np.sum(w)  np.sum(b)  np.mean(x)  np.mean(i, axis=1)  np.mean(c, axis=(0, 2), keepdims=True)  np.prod(x)
np.prod(x, axis=0)  np.prod(c, axis=(-1, 0), keepdims=True)  np.prod(i)  np.prod(b)  np.prod(x, axis=())  np.max(x)
np.max(i, axis=-1)  np.amax(x, axis=0, keepdims=True)  np.max(x, axis=())  np.min(x)  np.min(i, axis=0)  np.min(w)
np.amin(c, axis=(0, 2))  np.min(b)  np.var(x)  np.var(x, axis=0)  np.var(x, axis=-1, keepdims=True, ddof=1)  np.var(i)
np.std(x)  np.std(c, axis=(0, 1))  np.std(x, axis=1, ddof=1)  np.argmax(x)  np.argmax(x, axis=0)
np.argmax(i, axis=-1)  np.argmin(x)  np.argmin(x, axis=1)  np.argmax(x, axis=1, keepdims=True)  np.any(b)
np.any(x, axis=0)  np.all(b, axis=1)  np.all(i, axis=-1, keepdims=True)  np.cumsum(x)  np.cumsum(x, axis=0)
np.cumsum(w, axis=1)  np.trace(m)  np.trace(c)  np.trace(m, offset=1)  np.linalg.norm(x)  np.linalg.norm(u, 1)
np.linalg.norm(u, np.inf)  np.linalg.norm(x, axis=1)  np.linalg.norm(x, 2, axis=0, keepdims=True)
np.linalg.norm(x, 1, axis=-1)  np.linalg.norm(x, np.inf, axis=0)  x.sum()  x.sum(axis=0)  x.mean(axis=1)
x.max(axis=0)  x.min()  x.prod()  x.var()  x.std(axis=0)  x.argmax(axis=1)  x.argmin()  b.any()  b.all(axis=0)
x.cumsum(axis=1)  m.trace()  np.cumprod(x, axis=1)  np.average(x)  np.ptp(x, axis=1)  np.count_nonzero(b)
"""
LINEAR = """
np.matmul(x, np.matrix_transpose(d))  np.matmul(c, d)  c @ d[0]  c @ u[:1].repeat(4)  u @ d.swapaxes(1, 2)  u @ v
x @ u  v @ m  np.dot(u, v)  np.dot(x, u)  np.dot(x, m)  np.dot(2.0, x)  np.dot(c, d[0])  np.dot(c, d)  np.inner(u, v)
np.inner(x, y)  np.vdot(x, y)  np.outer(u, v)  np.outer(x, u)  np.einsum("ij,jk->ik", x, m)
np.einsum("ij,ij->", x, y)  np.einsum("ij->ji", x)  np.einsum("ii->i", m)  np.einsum("ii", m)  np.einsum("ij,j", x, u)
np.einsum("bij,bjk->bik", c, d)  np.einsum("i,j->ij", u, v)  np.einsum("ij->j", x)  np.einsum("ij,kj,j->ik", x, y, u)
np.einsum("bij,bkj->", c, c)  np.einsum("...ij,...jk->...ik", c, d)  np.tensordot(x, m, axes=1)
np.tensordot(c, d, axes=([2], [1]))  np.transpose(c)  np.transpose(c, (1, 2, 0))  np.permute_dims(c, (1, 0, 2))  x.T
c.transpose(2, 0, 1)  c.transpose((0, 2, 1))  np.swapaxes(c, 0, -1)  np.moveaxis(c, 0, -1)
np.moveaxis(c, [0, 1], [-1, 0])  np.matrix_transpose(c)  np.diag(u)  np.diag(m)  np.diag(u, 1)  np.diag(m, -1)
np.diagonal(m)  np.diagonal(c)  np.diagonal(m, 1)  np.diagonal(c, 0, 1, 2)  np.tril(m)  np.triu(m)  np.tril(x, -1)
np.triu(c, 1)  np.linalg.solve(m, u)  np.linalg.solve(m, x.T)  np.linalg.inv(m)  np.linalg.det(m)
np.linalg.cholesky(s)  np.linalg.solve(s, m)  np.vecdot(x, y)  np.linalg.slogdet(m)[1]
np.convolve(u, v)  np.correlate(u, v)
"""
SHAPES = """
np.reshape(x, (3, 2))  np.reshape(x, -1)  np.reshape(c, (2, -1))  x.reshape(6)  x.reshape(3, 2)  np.ravel(c)
c.ravel()  c.flatten()  np.broadcast_to(u, (2, 3))  np.squeeze(x[None])  np.squeeze(x[:, None], axis=1)
np.expand_dims(x, 1)  np.expand_dims(x, (0, -1))  np.concatenate([x, y])  np.concatenate([x, y, x], axis=1)
np.concatenate([x, i], axis=-1)  np.concatenate([x, y], axis=None)  np.stack([x, y])  np.stack([x, y], axis=-1)
np.hstack([x, y])  np.vstack([u, v])  np.dstack([x, y])  np.column_stack([u, v])  np.split(c, 2, axis=2)[1]
np.split(c, [1, 3], axis=-1)[1]  np.hsplit(x, 3)[0]  np.vsplit(x, 2)[1]  np.array_split(c, 3, axis=2)[0]  x[0]  x[-1]
x[:, 1]  x[..., ::-1]  x[1:, ::2]  c[..., None, 1:3]  x[0, 1]  c[::-1, 1, -2:0:-1]  x[None]  np.flip(x)  np.flip(x, 0)
np.flip(c, (0, 2))  np.fliplr(x)  np.flipud(x)  np.pad(x, 1)  np.pad(x, ((1, 0), (0, 2)))
np.pad(x, 2, constant_values=7.0)  np.pad(c, ((0, 0), (1, 1), (2, 0)), mode="edge")  np.pad(x, 1, mode="reflect")
np.pad(x, 2, mode="symmetric")  np.pad(x, 2, mode="wrap")  np.roll(x, 1)  np.roll(x, -1, axis=1)
np.roll(c, (1, 2), axis=(0, 2))  np.roll(x, 5, axis=0)  np.tile(x, 2)  np.tile(u, (2, 1))  np.tile(x, (2, 1, 2))
np.repeat(x, 2)  np.repeat(x, 3, axis=0)  np.repeat(x, 2, axis=-1)  np.take(x, [2, 0], axis=1)  np.take(u, k)
np.take(x, k, axis=1)  np.take(u, 1)  np.take(x, [0, -1, 3])  np.take_along_axis(x, i[:, :2] * 0 + 2, 1)  u[k]
x[:, k]  x[[1, 0]]  np.rot90(x)  np.atleast_1d(u[0])  np.atleast_2d(u)  np.atleast_3d(x)  np.dsplit(c, 2)[1]
np.append(x, y, axis=0)  np.zeros_like(x)  np.ones_like(x)  np.full_like(x, 3.0)  x.astype(np.float32)
c.swapaxes(0, 1)  x.squeeze()  np.broadcast_arrays(x, u)[1]
"""


def lines(text: str) -> list[str]:
    return [line for line in re.split(r"\s{2,}|\n", text) if line]


LINES = [line for text in (ELEMENTWISE, REDUCTIONS, LINEAR, SHAPES) for line in lines(text)]


def nodes() -> dict[str, gl.Node]:
    return {name: gl.input(name, array.shape, dtype=array.dtype.name) for name, array in ARRAYS.items()}


def run(line: str, names: dict[str, Any]) -> Any:
    return eval(line, {"np": np}, names)


def expected(line: str) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(run(line, ARRAYS))


def assert_same(got: np.ndarray, wanted: np.ndarray, what: str) -> None:
    wide = wanted.astype(np.int64) if wanted.dtype == np.uint64 else wanted  # graphs have no uint64
    assert (got.shape, got.dtype) == (wide.shape, wide.dtype), what
    if wide.dtype.kind == "f":
        eps = np.finfo(wide.dtype).eps
        np.testing.assert_allclose(got, wide, rtol=200 * eps, atol=200 * eps, err_msg=what)
    else:
        np.testing.assert_array_equal(got, wide, err_msg=what)


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_numpy_builds_the_graph_that_computes_it(line: str) -> None:
    node = run(line, nodes())
    assert isinstance(node, gl.Node), line
    assert_same(gl.evaluate(node, {name: ARRAYS[name] for name in gl.symbols(node)}), expected(line), line)


@pytest.mark.parametrize("backend", ["numba"])
def test_compiled_lines_are_numpys_too(backend: str) -> None:
    for start in range(0, len(LINES), 40):
        part, given = LINES[start : start + 40], nodes()
        outputs = [run(line, given) for line in part]
        used = {name for node in outputs for name in gl.symbols(node)}
        results = gl.compile(outputs, backend=backend)(**{name: ARRAYS[name] for name in used})
        for line, got in zip(part, results, strict=True):
            assert_same(got, expected(line), line)


def test_every_numpy_function_that_nodes_take_part_in_has_a_line() -> None:
    used = {run(name, {}) for line in LINES for name in re.findall(r"np(?:\.\w+)+", line)}
    missing = [f.__name__ for f in NUMPY_BUILDERS if f not in used and getattr(np, f.__name__, None) is f]
    assert not missing
