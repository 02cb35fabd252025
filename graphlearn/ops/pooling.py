"""What is called in a network: conv1d, conv2d, and pooling, which is a maximum or a mean over windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.errors import OptionError, ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.ops.convolution import Borders, Numbers, conv
from graphlearn.ops.joining import flip, pad
from graphlearn.ops.reductions import max_, mean
from graphlearn.ops.shape import expand_dims, reshape
from graphlearn.ops.structural import numpy_builder
from graphlearn.ops.windows import each_axis, slid, windows_shape
from graphlearn.types import Dim, format_shape

Padding = int | str | Sequence[Any]


def _one_border(given: Any, dim: Dim, size: int, stride: int, dilation: int) -> tuple[int, int] | None:
    """Entries before and after an axis; None where ``given`` means nothing."""
    if given == "valid":
        return 0, 0
    if given == "same":
        if isinstance(dim, str):
            return None
        missing = max((-(-dim // stride) - 1) * stride + (size - 1) * dilation + 1 - dim, 0)
        return missing // 2, missing - missing // 2
    pair = tuple(given) if isinstance(given, (tuple, list)) else (given, given)
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 0 for n in pair)
    return (int(pair[0]), int(pair[1])) if len(pair) == 2 and whole else None


def _borders(
    given: Padding, lengths: Sequence[Dim], size: Numbers, stride: Numbers, dilation: Numbers, what: str
) -> Borders:
    """Entries to add before and after each axis.

    Raises:
        ShapeError: something else than is documented for `conv2d`.
    """
    each = list(given) if isinstance(given, (tuple, list)) else [given] * len(size)
    found = [_one_border(*setting) for setting in zip(each, lengths, size, stride, dilation, strict=False)]
    if len(each) != len(size) or None in found:
        raise ShapeError(
            f"{what} needs as padding 'same' (along axes of fixed length), 'valid', a whole number from 0 on, or for "
            f"each of {len(size)} axes a number or a pair of them; got {given!r}. Write padding=1, for instance."
        )
    return tuple(pair for pair in found if pair is not None)


def _convolve(many: int, x: Any, w: Any, stride: Any, padding: Padding, dilation: Any) -> Node:
    x, w, what = as_node(x), as_node(w), f"conv{many}d"
    with blaming(what, x, w):
        if w.ndim != many + 2 or x.ndim < many + 1:
            lengths = "length, " if many == 1 else "height, width, "
            raise ShapeError(
                f"{what} needs an array (..., {lengths}channels) and a kernel ({lengths}channels, features); got "
                f"{format_shape(x.shape)} and {format_shape(w.shape)}. Add axes with gl.expand_dims, and transpose to "
                "channels last."
            )
        steps, apart = each_axis(stride, many, "the stride"), each_axis(dilation, many, "the dilation")
        size = tuple(d for d in w.shape[:many] if isinstance(d, int))
        borders = _borders(padding, x.shape[-many - 1 : -1], size, steps, apart, what)
    return conv(x, w, stride=steps, padding=borders, dilation=apart)


def conv1d(
    x: Any,
    w: Any,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
) -> Node:
    """Convolution along one axis: at each place the kernel's weighted sum of what it meets.

    The kernel is not flipped, as usual in deep learning: this is mathematics' cross-correlation.

    Args:
        x: ``(..., length, channels)``: rows are samples, and the length is fixed.
        w: kernel ``(size, channels, features)``.
        stride: places from one result to the next.
        padding: zeros before and after: a number; a list of one pair; ``"valid"``, none; ``"same"``, so many that the
            result has ``ceil(length / stride)`` places, an odd one behind.
        dilation: places from one entry that the kernel meets to the next.

    Returns:
        ``(..., places, features)`` with ``(length + padding - (size - 1) * dilation - 1) // stride + 1`` places; whole
        numbers count as reals.

    Raises:
        ShapeError: other ranks, numbers of channels that differ, or a kernel longer than what it slides along.

    Example:
        >>> import graphlearn as gl
        >>> x = gl.constant([[1.0], [2.0], [4.0], [7.0]])
        >>> gl.evaluate(gl.conv1d(x, [[[-1.0]], [[1.0]]])).ravel()
        array([1., 2., 3.])
    """
    return _convolve(1, x, w, stride, padding, dilation)


def conv2d(
    x: Any,
    w: Any,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
) -> Node:
    """Convolution of images: at each place the kernel's weighted sum of what it meets.

    The kernel is not flipped, as usual in deep learning: this is mathematics' cross-correlation.

    Args:
        x: ``(..., height, width, channels)``: rows are samples, and an image has a fixed size.
        w: kernel ``(height, width, channels, features)``.
        stride: places from one result to the next, one number or one for each axis.
        padding: zeros around the image: a number; for each axis a number or a pair; ``"valid"``, none; ``"same"``, so
            many that an axis of the result has ``ceil(length / stride)`` places, an odd one behind.
        dilation: places from one entry that the kernel meets to the next, one number or one for each axis.

    Returns:
        ``(..., rows, columns, features)``, counted as for `conv1d`; whole numbers count as reals.

    Raises:
        ShapeError: other ranks, numbers of channels that differ, or a kernel larger than what it slides along.

    Example:
        >>> import graphlearn as gl
        >>> images, kernel = gl.input("images", ("batch", 8, 8, 3)), gl.parameter("kernel", (3, 3, 3, 16))
        >>> gl.conv2d(images, kernel, padding="same")
        <conv float64[batch,8,8,16]>
    """
    return _convolve(2, x, w, stride, padding, dilation)


def correlate(a: Any, v: Any, mode: str = "valid") -> Node:
    """`numpy.correlate` of two vectors of fixed length: a convolution whose kernel is not flipped.

    Whole numbers count as reals, where NumPy stays with them.

    Args:
        a: node or array of rank 1.
        v: likewise; what slides, unless it is the longer one.
        mode: ``"valid"``, where they overlap wholly; ``"same"``, as long as the longer one; ``"full"``.

    Raises:
        ShapeError: no vectors, without entries, or of free length.
        OptionError: another mode.
    """
    first, second = as_node(a), as_node(v)
    with blaming("correlate", first, second):
        lengths = [d for n in (first, second) if n.ndim == 1 for d in n.shape if isinstance(d, int) and d]
        if len(lengths) != 2:
            raise ShapeError(
                f"correlate needs two vectors of fixed length with entries; got {format_shape(first.shape)} and "
                f"{format_shape(second.shape)}. Use gl.conv1d for rows of them."
            )
        if mode not in ("valid", "same", "full"):
            raise OptionError(f"correlate needs the mode 'valid', 'same' or 'full'; got {mode!r}. Write one of these.")
    if lengths[1] > lengths[0]:  # as NumPy: the shorter one slides, which turns the result round
        return flip(correlate(second, first, mode))
    short = lengths[1]
    border = {"valid": (0, 0), "same": (short // 2, (short - 1) // 2), "full": (short - 1, short - 1)}[mode]
    return reshape(conv1d(expand_dims(first, 1), expand_dims(second, (1, 2)), padding=[border]), -1)


def convolve(a: Any, v: Any, mode: str = "full") -> Node:
    """`numpy.convolve` of two vectors of fixed length: the shorter one is flipped; see `correlate`."""
    first, second = as_node(a), as_node(v)
    fixed = [n.shape[0] for n in (first, second) if n.ndim == 1 and isinstance(n.shape[0], int)]
    if len(fixed) == 2 and fixed[1] > fixed[0]:
        first, second = second, first
    return correlate(first, flip(second) if len(fixed) == 2 else second, mode)


def _pooled_windows(
    many: int, x: Any, size: Any, stride: Any, padding: Padding, fill: Any, what: str
) -> tuple[Node, tuple[int, ...]]:
    """The windows of an image with a border, and the axes of their entries."""
    x = as_node(x)
    with blaming(what, x):
        if x.ndim < many + 1:
            lengths = "length, " if many == 1 else "height, width, "
            raise ShapeError(
                f"{what} needs an array (..., {lengths}channels); got {format_shape(x.shape)}. Add axes with "
                "gl.expand_dims."
            )
        sizes = each_axis(size, many, "the size of windows")
        steps, apart = sizes if stride is None else each_axis(stride, many, "the stride"), (1,) * many
        first = x.ndim - many - 1
        borders = _borders(padding, x.shape[first:-1], sizes, steps, apart, what)
        if any(max(pair) >= n for pair, n in zip(borders, sizes, strict=True)):
            raise ShapeError(
                f"{what} needs a padding smaller than the windows, so that each holds an entry; got {borders} for "
                f"windows of {sizes}. Take less padding or larger windows."
            )
        whole = [d + sum(pair) if isinstance(d, int) else d for d, pair in zip(x.shape[first:], borders, strict=False)]
        windows_shape((*x.shape[:first], *whole, x.shape[-1]), first, sizes, steps, apart, what)
    bordered = pad(x, (*[(0, 0)] * first, *borders, (0, 0)), constant_values=fill(x))
    return slid(bordered, first, sizes, steps, apart), tuple(range(first + many, first + 2 * many))


def _lowest(x: Node) -> Any:
    """What no entry is below."""
    return -np.inf if x.type.is_float else False if x.dtype == "bool" else int(np.iinfo(x.dtype).min)


def _max_pool(many: int, x: Any, size: Any, stride: Any, padding: Padding) -> Node:
    return max_(*_pooled_windows(many, x, size, stride, padding, _lowest, f"max_pool{many}d"))


def _avg_pool(many: int, x: Any, size: Any, stride: Any, padding: Padding) -> Node:
    return mean(*_pooled_windows(many, x, size, stride, padding, lambda _: 0, f"avg_pool{many}d"))


def max_pool1d(
    x: Any, size: int | Sequence[int], stride: int | Sequence[int] | None = None, padding: Padding = 0
) -> Node:
    """The largest entry of every window along one axis; see `max_pool2d`.

    Args:
        x: ``(..., length, channels)``.
        size: entries of a window.
        stride: places from one window to the next; default: the size, so that windows do not overlap.
        padding: as for `conv1d`, but of entries that are never the largest.

    Returns:
        ``(..., windows, channels)``.
    """
    return _max_pool(1, x, size, stride, padding)


def max_pool2d(
    x: Any, size: int | Sequence[int], stride: int | Sequence[int] | None = None, padding: Padding = 0
) -> Node:
    """The largest entry of every window of an image, for each channel.

    Args:
        x: ``(..., height, width, channels)``, an image of fixed size.
        size: entries of a window, one number or one for each axis.
        stride: places from one window to the next; default: the size, so that windows do not overlap. What does not
            fill a window at the end is left out.
        padding: as for `conv2d`, but of entries that are never the largest.

    Returns:
        ``(..., rows, columns, channels)``. Entries of a window that tie share its derivative equally.

    Raises:
        ShapeError: other ranks, windows larger than the image, or a padding as large as the windows.
    """
    return _max_pool(2, x, size, stride, padding)


def avg_pool1d(
    x: Any, size: int | Sequence[int], stride: int | Sequence[int] | None = None, padding: Padding = 0
) -> Node:
    """The mean of every window along one axis; see `avg_pool2d`.

    Args:
        x: ``(..., length, channels)``.
        size: entries of a window.
        stride: places from one window to the next; default: the size, so that windows do not overlap.
        padding: as for `conv1d`: zeros, which count in the mean.

    Returns:
        ``(..., windows, channels)``.
    """
    return _avg_pool(1, x, size, stride, padding)


def avg_pool2d(
    x: Any, size: int | Sequence[int], stride: int | Sequence[int] | None = None, padding: Padding = 0
) -> Node:
    """The mean of every window of an image, for each channel.

    Args:
        x: ``(..., height, width, channels)``, an image of fixed size.
        size: entries of a window, one number or one for each axis.
        stride: places from one window to the next; default: the size, so that windows do not overlap. What does not
            fill a window at the end is left out.
        padding: as for `conv2d`: zeros, which count in the mean.

    Returns:
        ``(..., rows, columns, channels)``.

    Raises:
        ShapeError: other ranks, windows larger than the image, or a padding as large as the windows.
    """
    return _avg_pool(2, x, size, stride, padding)


numpy_builder(np.correlate, lambda a, v, mode="valid": correlate(a, v, mode))
numpy_builder(np.convolve, lambda a, v, mode="full": convolve(a, v, mode))
