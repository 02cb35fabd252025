"""What a node has in common with an array: NumPy's protocols, so that NumPy code builds the graph, and its methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from graphlearn.errors import UnsupportedOp
from graphlearn.graph.op import NUMPY_BUILDERS
from graphlearn.graph.refusals import no_builder, no_method


def builder(function: Any) -> Callable[..., Any]:
    """What builds nodes in the place of a NumPy function.

    Raises:
        UnsupportedOp: nothing does; the message says what to write instead.
    """
    try:
        return NUMPY_BUILDERS[function]
    except KeyError:
        raise UnsupportedOp(no_builder(function)) from None


class ArrayMethods:
    """Methods of `numpy.ndarray` that build nodes. Each is the function of its name; see ``gl.sum`` and so on."""

    __slots__ = ()

    def _call(self, function: Any, *args: Any, **options: Any) -> Self:
        node: Self = builder(function)(self, *args, **options)
        return node

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or (options and ufunc.signature is None):  # a product of vectors takes an axis
            raise UnsupportedOp(no_method(ufunc, method, options), nodes=(self,))
        return builder(ufunc)(*inputs, **options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return builder(function)(*args, **kwargs)

    def __getitem__(self, key: Any) -> Self:
        return self._call(np.ndarray.__getitem__, key)

    def __floordiv__(self, other: Any) -> Self:
        return self._call(np.floor_divide, other)

    def __rfloordiv__(self, other: Any) -> Self:
        node: Self = builder(np.floor_divide)(other, self)
        return node

    def __divmod__(self, other: Any) -> tuple[Self, Self]:
        both: tuple[Self, Self] = builder(np.divmod)(self, other)
        return both

    def __rdivmod__(self, other: Any) -> tuple[Self, Self]:
        both: tuple[Self, Self] = builder(np.divmod)(other, self)
        return both

    @property
    def T(self) -> Self:  # NumPy's name
        """The transpose: axes in reverse order."""
        return self._call(np.transpose)

    @property
    def mT(self) -> Self:  # NumPy's name
        """The last two axes exchanged: each matrix transposed."""
        return self._call(np.matrix_transpose)

    @property
    def size(self) -> Self | int:
        """Number of entries: an int, or a node where an axis is free."""
        count: Self | int = builder(np.size)(self)
        return count

    # --- reductions --------------------------------------------------------------------------------------------------

    def sum(
        self, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, **options: Any
    ) -> Self:
        """Sum over ``axis``; see `gl.sum`, and `numpy.sum` for ``dtype``, ``initial`` and ``where``."""
        return self._call(np.sum, axis, dtype, out, keepdims, **options)

    def mean(
        self, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, **options: Any
    ) -> Self:
        """Mean over ``axis``; see `gl.mean`, and `numpy.mean` for ``dtype`` and ``where``."""
        return self._call(np.mean, axis, dtype, out, keepdims, **options)

    def prod(
        self, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, **options: Any
    ) -> Self:
        """Product over ``axis``; see `gl.prod`, and `numpy.prod` for ``dtype``, ``initial`` and ``where``."""
        return self._call(np.prod, axis, dtype, out, keepdims, **options)

    def max(self, axis: Any = None, out: None = None, keepdims: bool = False, **options: Any) -> Self:
        """Largest entry over ``axis``; see `gl.max`, and `numpy.max` for ``initial`` and ``where``."""
        return self._call(np.max, axis, out, keepdims, **options)

    def min(self, axis: Any = None, out: None = None, keepdims: bool = False, **options: Any) -> Self:
        """Smallest entry over ``axis``; see `gl.min`, and `numpy.min` for ``initial`` and ``where``."""
        return self._call(np.min, axis, out, keepdims, **options)

    def var(
        self, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False,
        **options: Any,
    ) -> Self:  # fmt: skip
        """Variance over ``axis``; see `gl.var`, and `numpy.var` for ``dtype``, ``where`` and ``mean``."""
        return self._call(np.var, axis, dtype, out, ddof, keepdims, **options)

    def std(
        self, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False,
        **options: Any,
    ) -> Self:  # fmt: skip
        """Standard deviation over ``axis``; see `gl.std`, and `numpy.std` for ``dtype``, ``where`` and ``mean``."""
        return self._call(np.std, axis, dtype, out, ddof, keepdims, **options)

    def argmax(self, axis: Any = None, out: None = None, *, keepdims: bool = False) -> Self:
        """Place of the largest entry along ``axis``; see `gl.argmax`."""
        return self._call(np.argmax, axis, out, keepdims=keepdims)

    def argmin(self, axis: Any = None, out: None = None, *, keepdims: bool = False) -> Self:
        """Place of the smallest entry along ``axis``; see `gl.argmin`."""
        return self._call(np.argmin, axis, out, keepdims=keepdims)

    def any(self, axis: Any = None, out: None = None, keepdims: bool = False, **options: Any) -> Self:
        """Whether an entry along ``axis`` is not 0; see `gl.any`."""
        return self._call(np.any, axis, out, keepdims, **options)

    def all(self, axis: Any = None, out: None = None, keepdims: bool = False, **options: Any) -> Self:
        """Whether no entry along ``axis`` is 0; see `gl.all`."""
        return self._call(np.all, axis, out, keepdims, **options)

    def cumsum(self, axis: int | None = None, dtype: Any = None) -> Self:
        """Running sum along ``axis``; see `gl.cumsum`."""
        return self._call(np.cumsum, axis, dtype)

    def cumprod(self, axis: int | None = None, dtype: Any = None) -> Self:
        """Running product along ``axis``; see `gl.cumprod`."""
        return self._call(np.cumprod, axis, dtype)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Self:
        """Sum of a diagonal; see `gl.trace`."""
        return self._call(np.trace, offset, axis1, axis2)

    # --- shape -------------------------------------------------------------------------------------------------------

    def reshape(self, *shape: Any) -> Self:
        """The same entries in another shape; see `gl.reshape`."""
        return self._call(np.reshape, _unpacked(shape, (int, str)))

    def ravel(self) -> Self:
        """The entries in one row; see `gl.ravel`."""
        return self._call(np.ravel)

    def flatten(self) -> Self:
        """The entries in one row, as `ravel`: nodes are never copies of each other."""
        return self._call(np.ravel)

    def transpose(self, *axes: Any) -> Self:
        """The axes in another order, reversed where none is given; see `gl.transpose`."""
        return self._call(np.transpose, _unpacked(axes, int) if axes else None)

    def swapaxes(self, axis1: int, axis2: int) -> Self:
        """Two axes exchanged; see `gl.swapaxes`."""
        return self._call(np.swapaxes, axis1, axis2)

    def squeeze(self, axis: Any = None) -> Self:
        """Without axes of length 1; see `gl.squeeze`."""
        return self._call(np.squeeze, axis=axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Self:
        """A diagonal; see `gl.diagonal`."""
        return self._call(np.diagonal, offset, axis1, axis2)

    def repeat(self, repeats: int, axis: int | None = None) -> Self:
        """Each entry several times; see `gl.repeat`."""
        return self._call(np.repeat, repeats, axis=axis)

    def take(self, indices: Any, axis: int | None = None) -> Self:
        """Entries by number; see `gl.take`."""
        return self._call(np.take, indices, axis=axis)

    # --- entries -----------------------------------------------------------------------------------------------------

    def astype(self, dtype: Any) -> Self:
        """The entries in another dtype; see `gl.cast`."""
        return self._call(np.astype, dtype)

    def clip(self, min: Any = None, max: Any = None) -> Self:  # NumPy's names
        """The nearest number within bounds; see `gl.clip`."""
        return self._call(np.clip, min, max)

    def round(self, decimals: int = 0) -> Self:
        """Entries rounded to so many decimals; see `numpy.round`."""
        return self._call(np.round, decimals)

    def conj(self) -> Self:
        """The array itself: numbers of graphs are real."""
        return self._call(np.conjugate)

    def copy(self) -> Self:
        """The array itself: nodes never change."""
        return self._call(np.copy)

    def dot(self, other: Any) -> Self:
        """Product as `numpy.dot`; see `gl.dot`."""
        return self._call(np.dot, other)


def _unpacked(given: tuple[Any, ...], single: type | tuple[type, ...]) -> Any:
    """Lengths or axes given one by one, or as one sequence."""
    return given[0] if len(given) == 1 and not isinstance(given[0], single) else given
