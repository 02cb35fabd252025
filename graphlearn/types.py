"""The type of an array: shape and dtype. The only place where shapes and dtypes are combined.

A dimension is an int or a name. A named axis is a free length fixed at run time; it equals only itself and broadcasts
with 1; nothing is computed from it.
"""

from __future__ import annotations

import functools
import math
import operator
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphlearn.errors import DTypeError, ShapeError

Dim = int | str
Shape = tuple[Dim, ...]
# What is taken along an axis: all of it (None), one place (an int, and the axis goes), or (first, count, step).
Pick = int | tuple[int, int, int] | None
Region = tuple[Pick, ...]

DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")
_NAMES = {np.dtype(name): name for name in DTYPES}  # NumPy takes 1 us to tell a dtype's name
TEXT = "UST"  # kinds of NumPy dtypes that hold text
# What to do with an array of a kind that graphs do not compute with.
_CURES = {
    **dict.fromkeys(TEXT, "Number the classes first: names, numbers = numpy.unique(labels, return_inverse=True)."),
    "c": "Take its real part, its imaginary part or its absolute value.",
    "O": "Fill what is missing in it; whole numbers beyond int64 must become real: convert it with astype('float64').",
    "M": "Subtract a date, then divide by a unit: (dates - dates[0]) / numpy.timedelta64(1, 'D').",
    "m": "Divide by a unit: spans / numpy.timedelta64(1, 'D').",
    "V": "Take one of its fields.",
}
ODD_SCALARS = TEXT + "O"  # kinds of what NumPy makes of a word, of None and of any object
_KIND_RANK = {"b": 0, "u": 1, "i": 1, "f": 2}


class ArrayType(NamedTuple):
    """Shape and dtype of a value. A tuple, since every node made hashes and compares types.

    Args:
        shape: tuple of ints and axis names; ``()`` is a scalar.
        dtype: one of `DTYPES`.
        weak: a Python scalar, which takes the dtype of what it meets (NEP 50).
    """

    shape: Shape
    dtype: str = "float64"
    weak: bool = False

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def is_float(self) -> bool:
        """Whether values are real numbers, so that derivatives make sense."""
        return self.dtype in ("float32", "float64")

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Names of the free axes, in order of appearance."""
        return tuple(dict.fromkeys(d for d in self.shape if isinstance(d, str)))

    def with_shape(self, shape: Shape) -> ArrayType:
        """The same dtype with another shape."""
        return ArrayType(shape, self.dtype, self.weak and not shape)

    def with_dtype(self, dtype: str) -> ArrayType:
        """The same shape with another (strong) dtype."""
        return ArrayType(self.shape, dtype)


def format_shape(shape: Sequence[Dim]) -> str:
    """``(N, 2)``, with the trailing comma of a 1-tuple."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def check_dtype(dtype: object, what: str) -> str:
    """Return the canonical name of a supported dtype.

    Args:
        dtype: anything that `numpy.dtype` accepts.
        what: whose dtype it is, for the message.

    Raises:
        DTypeError: the dtype is not one of `DTYPES`.
    """
    known = _NAMES.get(dtype) if isinstance(dtype, np.dtype) else None
    if known is not None:
        return known
    try:
        found = np.dtype(dtype)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        found = None
    if found is None or found.name not in DTYPES:
        got = repr(dtype) if found is None else dtype_words(found)
        cure = "Write one of these." if found is None else dtype_cure(found)
        raise DTypeError(f"{what} needs one of the dtypes {', '.join(DTYPES)}; got {got}. {cure}")
    return str(found.name)


def dtype_words(dtype: np.dtype[Any]) -> str:
    """A dtype as messages name it: NumPy's names for text, ``<U1`` and ``str32``, say nothing to a reader."""
    return "text" if dtype.kind in TEXT else f"dtype {dtype}"


def dtype_cure(dtype: np.dtype[Any]) -> str:
    """What to do with an array of a dtype that graphs do not compute with."""
    return _CURES.get(dtype.kind, "Convert it with astype('float64') first.")


def odd_scalar(value: object) -> tuple[str, str]:
    """How messages name a single value that is no number, and what to do about it."""
    if isinstance(value, (str, bytes)):
        return f"the text {value!r}", "Write a number without quotes; a name becomes a node with gl.input(name)."
    if value is None:
        return "None", "Put a number or a node in its place."
    return f"{type(value).__name__}", "Put a number or a node in its place."


def check_shape(shape: int | str | Sequence[Dim], what: str) -> Shape:
    """Return a shape as a tuple of non-negative ints and axis names.

    Raises:
        ShapeError: a dimension is neither a non-negative int nor a name.
    """
    dims = tuple(shape) if isinstance(shape, (tuple, list, np.ndarray)) else (shape,)
    checked: list[Dim] = []
    for dim in dims:
        if isinstance(dim, str) and dim.isidentifier():
            checked.append(dim)
        elif isinstance(dim, (int, np.integer)) and not isinstance(dim, bool) and 0 <= dim < 2**63:
            checked.append(int(dim))
        else:
            raise ShapeError(
                f"{what} needs dimensions that are non-negative ints or axis names; got {dim!r} in {shape!r}. "
                "Write ('batch', 2), for instance."
            )
    return tuple(checked)


def broadcast_shapes(shapes: Sequence[Shape]) -> Shape:
    """Combine shapes by NumPy's rule, with named axes.

    Raises:
        ShapeError: two dimensions differ and neither is 1.
    """
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    rank = max(len(shape) for shape in shapes)
    return tuple(_broadcast_axis(shapes, k - rank) for k in range(rank))


def _broadcast_axis(shapes: Sequence[Shape], axis: int) -> Dim:
    dims = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
    if len(dims) > 1:
        got = " and ".join(format_shape(shape) for shape in shapes)
        pair = " and ".join(map(str, sorted(dims, key=str)))
        raise ShapeError(
            f"broadcasting needs equal lengths, or 1, in each axis counted from the right; got {got}, where {pair} "
            "meet. Reshape or transpose an operand first."
        )
    return dims.pop() if dims else 1


def promote(types: Sequence[ArrayType]) -> tuple[str, bool]:
    """Common dtype by NEP 50, and whether it is still weak.

    Returns:
        (dtype, weak): weak only if every operand is weak.
    """
    return _promoted(tuple(types))


@functools.lru_cache(maxsize=4096)
def _promoted(types: tuple[ArrayType, ...]) -> tuple[str, bool]:
    strong = [t.dtype for t in types if not t.weak]
    weak = [t.dtype for t in types if t.weak]
    top = max(weak, key=_rank_of, default=None)
    if not strong:
        return str(top), True
    dtype = np.result_type(*strong).name
    if top is not None and _rank_of(top) > _rank_of(dtype):
        dtype = "int64" if _rank_of(top) == 1 else "float64"
    return check_dtype(dtype, f"an operation on {' and '.join(map(str, types))}"), False


def _rank_of(dtype: str) -> int:
    return _KIND_RANK[np.dtype(dtype).kind]


def to_float(dtype: str) -> str:
    """The dtype in which a real function of ``dtype`` is computed: ints and bools become float64."""
    return dtype if dtype.startswith("float") else "float64"


def normalize_axes(axis: int | Sequence[int] | None, rank: int, what: str) -> tuple[int, ...]:
    """Sorted non-negative axes; ``None`` means all.

    Raises:
        ShapeError: an axis is no whole number, out of range, or given twice.
    """
    if axis is None:
        return tuple(range(rank))
    axes = whole_axes(axis, what)
    if axes and rank == 0:
        raise ShapeError(f"{what} needs an array of rank 1 or more for an axis; got a scalar and axis {axes[0]}.")
    for a in axes:
        if not -rank <= a < rank:
            raise ShapeError(
                f"{what} needs axes from {-rank} to {rank - 1} for an array of rank {rank}; got {a}. Count from 0."
            )
    normal = sorted(a % rank for a in axes)
    if len(set(normal)) != len(normal):
        raise ShapeError(f"{what} needs each axis once; got {tuple(axes)}. Drop the repeated one.")
    return tuple(normal)


def reduced_axes(axis: int | Sequence[int] | None, rank: int, what: str) -> tuple[int, ...]:
    """`normalize_axes` for reductions: as in NumPy, the axis 0 or -1 of a scalar is none at all.

    Raises:
        ShapeError: an axis is no whole number, out of range, or given twice.
    """
    alone = rank == 0 and axis is not None and not isinstance(axis, (tuple, list, np.ndarray))
    return () if alone and whole_axes(axis, what)[0] in (0, -1) else normalize_axes(axis, rank, what)


def normalize_axis(axis: int, rank: int, what: str) -> int:
    """One non-negative axis.

    Raises:
        ShapeError: several, none, no whole number, or out of range.
    """
    found = whole_axes(axis, what)
    if len(found) != 1:
        raise ShapeError(f"{what} needs one axis; got {axis!r}. Call it for one after the other.")
    return normalize_axes(found, rank, what)[0]


def whole_axes(
    axis: object, what: str, meant: str = "axes", hint: str = "Count the axes from 0; a name is no axis number."
) -> list[int]:
    """The axis numbers, or other whole numbers, that a caller wrote, one or several.

    Raises:
        ShapeError: something in it is no whole number.
    """
    try:
        return [operator.index(a) for a in (axis if isinstance(axis, (tuple, list, np.ndarray)) else (axis,))]
    except TypeError:
        raise ShapeError(f"{what} needs whole numbers as {meant}; got {axis!r}. {hint}") from None


def reduce_shape(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """Shape after reducing ``axes``."""
    if keepdims:
        return tuple(1 if k in axes else dim for k, dim in enumerate(shape))
    return tuple(dim for k, dim in enumerate(shape) if k not in axes)


def matmul_shape(left: Shape, right: Shape) -> Shape:
    """Shape of ``left @ right`` with NumPy's batching and 1-D rules.

    Raises:
        ShapeError: a scalar operand, or inner lengths that differ.
    """
    if not left or not right:
        raise ShapeError("matmul needs operands of rank 1 or more; got a scalar. Multiply with * instead.")
    rows = left if len(left) > 1 else (1, *left)
    columns = right if len(right) > 1 else (*right, 1)
    if rows[-1] != columns[-2]:
        raise ShapeError(
            f"matmul needs (m, k) @ (k, n); got {format_shape(left)} @ {format_shape(right)}, where {rows[-1]} meets "
            f"{columns[-2]}. Transpose an operand or reshape it first."
        )
    batch = broadcast_shapes([rows[:-2], columns[:-2]])
    head = (rows[-2],) if len(left) > 1 else ()
    tail = (columns[-1],) if len(right) > 1 else ()
    return (*batch, *head, *tail)


def reshape_shape(old: Shape, new: Sequence[Dim]) -> Shape:
    """Resolve one ``-1`` and check that the number of elements stays the same.

    Named axes may move but not be merged or split.

    Raises:
        ShapeError: the element counts differ, or a named axis would need arithmetic.
    """
    wanted = tuple(new)
    inferring = [isinstance(d, int) and d == -1 for d in wanted]
    if sum(inferring) > 1:
        raise ShapeError(
            f"reshape can infer one dimension; got -1 more than once in {format_shape(wanted)}. Give the others."
        )
    names = Counter(d for d in old if isinstance(d, str))
    left_over = names - Counter(d for d in wanted if isinstance(d, str))
    known = math.prod(d for d in wanted if isinstance(d, int) and d != -1)
    total = math.prod(d for d in old if isinstance(d, int))
    if any(inferring):
        inferred = _inferred_dimension(old, wanted, left_over, known, total)
        wanted = tuple(inferred if one else d for one, d in zip(inferring, wanted, strict=True))
    checked = check_shape(wanted, "reshape")
    sizes = math.prod(d for d in checked if isinstance(d, int))
    if sizes != total or Counter(d for d in checked if isinstance(d, str)) != names:
        raise ShapeError(
            f"reshape needs as many elements as before; got {format_shape(old)} -> {format_shape(checked)}. "
            + (
                "A free axis can be moved but not merged or split; give it a fixed length with gl.specialize."
                if names or any(isinstance(d, str) for d in checked)
                else f"Give dimensions whose product is {total}, or -1 for one of them."
            )
        )
    return checked


def region_shape(shape: Shape, region: Region) -> Shape:
    """Shape of the part of an array that a region takes.

    Args:
        shape: of the array.
        region: a pick for each axis.

    Raises:
        ShapeError: another number of axes, a place outside of its axis, or a part of a named axis.
    """
    if len(region) != len(shape):
        raise ShapeError(
            f"a slice needs a pick for each axis; got {len(region)} for {format_shape(shape)}. Add ':' for the others."
        )
    taken = [_picked(dim, pick, axis) for axis, (dim, pick) in enumerate(zip(shape, region, strict=True))]
    return tuple(dim for dim in taken if dim is not None)


def _picked(dim: Dim, pick: Pick, axis: int) -> Dim | None:
    """Length that is left of an axis; None where the axis goes."""
    if pick is None:
        return dim
    first, count, step = (pick, 1, 1) if isinstance(pick, int) else pick
    if isinstance(dim, str):
        raise ShapeError(
            f"a slice needs the whole of a free axis; got a part of axis {axis}, {dim!r}. Write ':' there, or give the "
            "axis a fixed length with gl.specialize."
        )
    if count and not (0 <= first < dim and 0 <= first + (count - 1) * step < dim):
        raise ShapeError(f"a slice needs places within axis {axis} of length {dim}; got {pick}. Count from 0.")
    return None if isinstance(pick, int) else count


def concatenate_shape(shapes: Sequence[Shape], axis: int) -> Shape:
    """Shape of arrays laid one after the other along an axis.

    Raises:
        ShapeError: other axes differ, or the axis is free in one of them.
    """
    first = shapes[0]
    if any(len(s) != len(first) or s[:axis] + s[axis + 1 :] != first[:axis] + first[axis + 1 :] for s in shapes):
        got = " and ".join(dict.fromkeys(format_shape(s) for s in shapes))
        raise ShapeError(f"concatenate needs equal shapes apart from axis {axis}; got {got}. Reshape or slice one.")
    total = 0
    for shape in shapes:
        dim = shape[axis]
        if isinstance(dim, str):
            raise ShapeError(
                f"concatenate needs fixed lengths along axis {axis}; got {format_shape(shape)}, where {dim!r} is free. "
                "Concatenate along another axis, or give it a fixed length with gl.specialize."
            )
        total += dim
    return (*first[:axis], total, *first[axis + 1 :])


def _inferred_dimension(old: Shape, wanted: Shape, left_over: Counter[str], known: int, total: int) -> Dim:
    if sum(left_over.values()) == 1 and known == total:
        return next(iter(left_over))
    if left_over or known == 0 or total % known:
        raise ShapeError(
            f"reshape cannot infer -1 in {format_shape(old)} -> {format_shape(wanted)}: the remaining elements do "
            "not fill one axis. Give the dimension, or give a free axis a fixed length with gl.specialize."
        )
    return total // known
