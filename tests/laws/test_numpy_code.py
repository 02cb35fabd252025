"""Law: NumPy code is a graph builder. Each line runs on arrays and on nodes, with equal shapes, dtypes and values.

The oracle is NumPy itself, not this library's references. Every NumPy function that nodes take part in has a line.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.graph.op import NUMPY_BUILDERS, numpy_name

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
np.floor_divide(x, p)  np.floor_divide(i, -j)  np.divmod(x, p)[0]  np.divmod(x, -p)[1]  divmod(i, j)[0]  x // p
x // -0.1  i // 2  7 // j  w // 3  f // 0.1  i // f  x // 0  i // 2.5  divmod(x, 0.25)[1]  divmod(9, j)[1]
np.heaviside(x, 0.5)  np.degrees(x)  np.radians(x)  np.deg2rad(x)  np.rad2deg(x)  np.astype(x, np.float32)  np.fix(x)
np.invert(b)  np.isnan(x / 0)  np.isfinite(x / 0)  np.isinf(x / 0)  x + y  x - 1  2 * x  x / p  -x  x ** 2  x ** -1
p ** 0.5  2 ** x  i ** 2  i % j  x @ d[0].T  u @ v  abs(x)  f * 2  f + x  f ** 2  i + 1  i * 0.5  i / 2  w + w  w * 2
b * 3  b + b  i + f  w - 1  f / 3  f + np.float64(1.5)  f * np.float32(2)  b & (x > 0)  b | (x > 0)  b ^ (x > 0)  ~b
True & b  b | np.bool_(False)  np.bitwise_and(b, ~b)  np.bitwise_or(b, x > 0)  np.bitwise_xor(b, x > 0)
np.logical_xor(i, x)  np.signbit(x * 0)  np.signbit(i)  np.copysign(p, x)  np.copysign(p, -0.0)  np.copysign(i, x)
np.isposinf(x / 0)  np.isneginf(x / 0)  np.isclose(x, x + 1e-9)  np.isclose(x / 0, y / 0)  np.isclose(w, i)
np.isclose(x * np.nan, x * np.nan, equal_nan=True)  np.allclose(x, y)  np.allclose(x, x)  np.array_equal(x, x)
np.array_equal(x, y)  np.array_equal(x, u)  np.nan_to_num(x / (x > 0))
np.nan_to_num((x > 0) / (x * 0), nan=2.0, posinf=1.0)  np.nan_to_num(f)  np.nan_to_num(i)  np.sinc(x)  np.sinc(x / 50)
np.sinc(i)  np.sinc(x * 0)  np.sinc(f)  np.hypot(x, y)  np.hypot(x * 1e200, y * 1e200)  np.hypot(x / 0, x * np.nan)
np.hypot(x, 0)  np.hypot(f, 2)  np.logaddexp(x, y)  np.logaddexp(x * 1000, y)  np.logaddexp(-np.inf, x)
np.logaddexp(x / 0, x / 0)  np.logaddexp2(x, y)  np.logaddexp2(x, -np.inf)  np.fmax(x, y)  np.fmax(x / (x > 0), y)
np.fmin(x, np.nan)  np.fmin(i, j)  np.fmod(x, p)  np.fmod(x, -p)  np.fmod(i, j)  np.fmod(-i, 3)  np.float_power(i, 2)
np.float_power(p, y)  np.conjugate(x)  np.real(x)  np.imag(x)  np.round(x, 2)  np.around(x, 1)  np.around(x * 100, -1)
np.round(i, 1)  x.round(1)  np.select([x > 1, x > 0], [x, i], -1)  np.select([b, ~b], [f, f * 2])
np.piecewise(x, [x < 0, x >= 1], [lambda z: -z, 1.0, np.exp])  np.piecewise(x, [x < 0], [np.square])
np.piecewise(u, u < 0, [2, 3])
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
np.sum(x, where=b)  np.sum(x, 0, where=b, initial=2)  np.sum(i, initial=2.7)  np.sum(x, 0, np.float32)
np.sum(x, dtype=int)  np.sum(w, dtype=np.uint8)  np.sum(x, 0, None, None, True)  np.sum(x / 0, where=False)
np.sum(x, where=[True, False, True])  np.sum(c, axis=(), where=True, initial=1.5)  np.sum(x[0, 0], axis=0)
np.sum(x[0, 0], -1, keepdims=True)  np.prod(x, where=b)  np.prod(i, axis=1, initial=3)  np.prod(i, dtype=np.float32)
np.prod(x[0, 0], axis=-1)  np.max(x, initial=0.5)  np.max(x, axis=0, initial=-9, where=b)
np.max(i, where=b, initial=-2)  np.max(x[:, :0], axis=1, initial=3)  np.max(i, initial=2.5)  np.max(f, initial=0)
np.min(x, axis=1, keepdims=True, initial=0)  np.min(x, where=b, initial=np.inf)  np.min(i[:0], initial=4)
np.max(x[0, 0], axis=0)  np.mean(x, where=x < 1.5)  np.mean(x, 0, where=x < 1.8, keepdims=True)
np.mean(i, dtype=np.float32)  np.mean(f, where=f < 1.5)  np.mean(i, where=i < 5)  np.var(x, where=x < 1.5)
np.var(f, 1, None, None, 1)  np.var(x, 0, where=x > -1.9, ddof=0.5)  np.var(x, axis=0, correction=1)
np.var(x, 0, mean=np.mean(x, 0, keepdims=True))  np.std(x, where=x < 1.5)  np.std(i, dtype=np.float32)
np.std(x, axis=1, keepdims=True, where=x < 1.5)  np.any(x, where=b)  np.all(x, 0, where=b)  np.any(x[0, 0], axis=0)
np.all(b, axis=1, where=~b)  np.cumsum(x, 0, np.float32)  np.cumsum(x[0, 0], axis=0)  np.cumprod(i, dtype=float)
np.cumprod(x[0, 0], axis=-1)  np.argmax(x[0, 0], axis=0)  np.cumulative_sum(u)  np.cumulative_sum(x, axis=1)
np.cumulative_sum(x, axis=0, include_initial=True)  np.cumulative_sum(w, axis=-1, include_initial=True)
np.cumulative_prod(x, axis=1, include_initial=True)  np.cumulative_prod(u)  np.average(x, weights=p)
np.average(x, 1, [1, 2, 3])  np.average(m, 0, [1.0, 2.0, 0.5])
np.average(c, axis=(2, 0), weights=np.ones((4, 2)) + 1)  np.average(i, weights=j)
np.average(f, 0, np.float32([1, 2]))  np.average(i, axis=0, weights=[1, 2], keepdims=True)  np.nansum(x / (x > 0) * 0)
np.nansum(x, axis=0)  np.nanprod(np.where(b, x, np.nan), axis=1)  np.nanmean(np.where(x < 1, x, np.nan))
np.nanmean(f, axis=0)  np.nanvar(np.where(x < 1, x, np.nan))  np.nanstd(np.where(x < 1, x, np.nan), ddof=1)
np.nanmax(np.where(x < 1, x, np.nan))  np.nanmax(i, axis=0)  np.nanmin(np.where(x > -1.5, x, np.nan), axis=0)
np.nanmin(f)  np.nancumsum(np.where(b, x, np.nan))  np.nancumprod(np.where(b, x, np.nan), axis=1)
x.sum(0, np.float32)  x.mean(0, None, None, True)  x.max(axis=1, keepdims=True)  x.max(initial=0.0)  x.sum(where=b)
x.std(0, None, None, 1)  x.cumprod(0)  i.cumsum(1, np.float64)
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
np.linalg.cholesky(s)  np.linalg.solve(s, m)  np.vecdot(x, y)  np.linalg.slogdet(m)[1]  np.convolve(u, v)
np.correlate(u, v)  np.vecdot(x, u)  np.vecdot(x, y, axis=0)  np.linalg.vecdot(c, d.mT)
np.linalg.vecdot(c, c, axis=1)  np.matvec(c, p[0, :1] * np.ones(4))  np.matvec(m, u)  np.vecmat(x, c)  np.vecmat(u, m)
np.kron(u, v)  np.kron(x, m)  np.kron(u, x)  np.kron(x[0, 0], m)  np.kron(i, w)  np.cross(x, y)  np.cross(x, u)
np.cross(m, m + 1, axis=0)  np.cross(x.T, y, axisa=0, axisc=0)  np.linalg.cross(x, y)  np.linalg.multi_dot([x, m, u])
np.linalg.multi_dot([u, m, s, x.T])  np.linalg.matrix_power(m, 3)  np.linalg.matrix_power(m, -2)
np.linalg.matrix_power(m, 0)  np.linalg.matrix_power(np.stack([m, s]), 5)  np.linalg.vector_norm(x)
np.linalg.vector_norm(c, axis=(0, 2), ord=1)  np.linalg.vector_norm(c, axis=(2, 0), keepdims=True)
np.linalg.vector_norm(c, axis=1, ord=np.inf, keepdims=True)  np.linalg.vector_norm(x, ord=-np.inf)
np.linalg.vector_norm(x, ord=0)  np.linalg.matrix_norm(c)  np.linalg.matrix_norm(c, ord=1)
np.linalg.matrix_norm(x, ord=np.inf, keepdims=True)  np.linalg.matrix_norm(x, ord=-np.inf)
np.linalg.matrix_norm(c, ord=-1)  np.linalg.matrix_transpose(c)  c.mT  np.linalg.trace(c)
np.linalg.trace(m, offset=1)  np.linalg.diagonal(c, offset=1)  np.linalg.outer(u, v)  np.linalg.matmul(c, d)
np.linalg.tensordot(x, m, axes=1)  np.linalg.norm(c, axis=(0, 1))  np.cov(x)  np.cov(x, rowvar=False)  np.cov(u, v)
np.cov(u)  np.cov(x, bias=True)  np.cov(f, ddof=0)  np.cov(i)  np.corrcoef(x)  np.corrcoef(u, v)
np.corrcoef(c[0].T, rowvar=False)  np.polyval(u, x)  np.polyval([1, 0, -2.5], f)  np.polyval([2, 1], i)
np.polyval([u[0], 1.0], x)  np.polyval(k, f)  np.vander(u)  np.vander(u, 5, increasing=True)  np.vander(k)
np.vander(f[0], 2)  np.einsum(x, [0, 1], m, [1, 2], [0, 2])  np.einsum(m, [0, 0])
np.einsum(c, [..., 0, 1], [..., 1, 0])  np.einsum(x, (3, 1), y, (3, 1))  np.tril(u)  np.triu(u, 1)  np.outer(x, i)
np.linalg.solve(m, u[:, None])
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
np.append(x, y, axis=0)  np.zeros_like(x)  np.ones_like(x)  np.full_like(x, 3.0)  np.full_like(x, u)
np.full_like(i, 2.7)  np.full_like(f, 1, int)  x.astype(np.float32)  c.swapaxes(0, 1)  x.squeeze()
np.broadcast_arrays(x, u)[1]  np.diff(x)  np.diff(c, 2, 0)  np.diff(c, n=2)  np.diff(u, prepend=0.0)
np.diff(x, axis=0, append=y)  np.diff(b)  np.diff(w)  np.diff(i, 0)  np.ediff1d(x)
np.ediff1d(u, to_end=[1.0, 2.0], to_begin=-1.0)  np.gradient(u)  np.gradient(c)[1]  np.gradient(c, 0.5, axis=2)
np.gradient(c, [0.0, 1.0, 1.5, 4.0], axis=-1, edge_order=2)  np.gradient(u, edge_order=2)
np.gradient(x[0], u.cumsum() * 0 + np.arange(3))  np.gradient(f, axis=1)  np.gradient(f, 2, axis=0)
np.gradient(i, axis=0)  np.gradient(x, 2.0, 0.5)[0]  np.nansum(i)  np.cumulative_sum(x[0, 0])  np.trapezoid(x)
np.trapezoid(x, dx=0.5, axis=0)  np.trapezoid(u, [0.0, 1.0, 3.0])  np.trapezoid(f)  np.trapezoid(c, x=c * 2, axis=1)
np.trapezoid(c, [1, 2, 4], axis=1)  np.trapezoid(i)  np.interp(x, [-1.0, 0.0, 1.0], u)
np.interp(x, [-1.0, 0.5], [2.0, 3.0], left=-5, right=9)  np.interp(x, [0.0], [3.0])  np.interp(f, k.cumsum(), k)
np.copy(x)  x.copy()  x.conj()  np.unstack(c, axis=1)[2]  np.unstack(x)[0]  np.meshgrid(u, v[:2])[1]
np.meshgrid(u, v, indexing="ij")[0]  np.meshgrid(u, k, v, sparse=True)[2]  np.rollaxis(c, 2)  np.rollaxis(c, 0, 3)
np.rollaxis(c, 1, -1)  np.block([[x, y], [np.ones((1, 5)), u[:1]]])  np.block([u, v])  np.block(x)  np.diagflat(x)
np.diagflat(u, -1)  np.compress([True, False, True], x, axis=1)  np.compress([False, True], x)
np.extract(ARRAYS["b"], x)  np.delete(u, 1)  np.delete(x, [0, -1], axis=1)  np.delete(c, slice(None, None, 2), 2)
np.delete(x, [True, False], 0)  np.delete(x, 2)  x[ARRAYS["b"]]  x[[True, False]]  x[:, [True, False, True]]
c[ARRAYS["b"]]  c[..., [False] * 4]  c[ARRAYS["b"], 1:3]  c[[0, 1, 0], [2, 1, 0]]  c[[0, 1], :, [3, -1]]
c[:, [0, 1], [2, -3]]  c[0, [0, 1], [2, 3]]  c[[0, 1], 1, [2, 3]]  c[[[0], [1]], [0, 2]]  c[[0, 1], [0, 2], [1, 3]]
c[None, [0, 1], ..., [1, 2]]  c[[0, 1], None, [1, 2]]  c[:, k[:2], k[1:3]]  x[i[:, 0] * 0, k[:2]]
x[k[1], [True, False, True]]  c[1, :, [True, False, True, False]]  c[[1, 0], [0, 1], ::-2]  c[0, ..., [1]]
x[np.arange(2), k[:2]]  x[np.arange(2), [2, 0]]  c[..., [1, 1, 0], [3, 3, 3]]  x[[], []]  x[np.zeros((2, 3), bool)]
c[[1], [True, False, True], 0]  c[:, ARRAYS["c"][0] > 0]  m[[0, 1, 2], [0, 1, 2]]
"""


# Known without values: no nodes.
KNOWN = ("np.size(x)", "np.size(c, 1)", "np.size(c, axis=(0, 2))", "x.size", "x[0, 0].size", "x.ndim", "x.shape")


def lines(text: str) -> list[str]:
    return [line for line in re.split(r"\s{2,}|\n", text) if line]


LINES = [line for text in (ELEMENTWISE, REDUCTIONS, LINEAR, SHAPES) for line in lines(text)]


def nodes() -> dict[str, gl.Node]:
    return {name: gl.input(name, array.shape, dtype=array.dtype.name) for name, array in ARRAYS.items()}


def run(line: str, names: dict[str, Any]) -> Any:
    return eval(line, {"np": np, "ARRAYS": ARRAYS, **names})


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


@pytest.mark.parametrize("line", KNOWN)
def test_what_is_known_without_values_is_a_number(line: str) -> None:
    assert run(line, nodes()) == run(line, ARRAYS)


@pytest.mark.parametrize("backend", ["numba"])
def test_compiled_lines_are_numpys_too(backend: str) -> None:
    spread = LINES[::3]  # a function per line would take minutes; each operation has laws of its own
    for start in range(0, len(spread), 40):
        part, given = spread[start : start + 40], nodes()
        outputs = [run(line, given) for line in part]
        used = {name for node in outputs for name in gl.symbols(node)}
        results = gl.compile(outputs, backend=backend)(**{name: ARRAYS[name] for name in used})
        for line, got in zip(part, results, strict=True):
            assert_same(got, expected(line), line)


def test_every_numpy_function_that_nodes_take_part_in_has_a_line() -> None:
    used = {run(name, {}) for line in (*LINES, *KNOWN) for name in re.findall(r"np(?:\.\w+)+", line)}
    public = {f for module in (np, np.linalg) for f in vars(module).values() if callable(f)}
    missing = [numpy_name(f) for f in NUMPY_BUILDERS if f in public - used]
    assert not missing
