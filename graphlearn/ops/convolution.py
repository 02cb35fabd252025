"""Convolution, as deep learning means it (the kernel is not flipped: a cross-correlation), and pooling.

The layout is channels last: rows are samples and the last axis holds features, as everywhere here, so that a bias adds
to ``conv2d(x, w)`` as to ``x @ W`` and a kernel of size 1 is a matrix product.

Three operations, each linear in both operands, are the derivatives of one another: `conv`, by its image ``conv_image``
and by its kernel ``conv_kernel``. So derivatives of any order are convolutions, and no matrix is built for them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.node import Node
from graphlearn.graph.op import CALL, PRODUCT, Notation
from graphlearn.ops.joining import pad
from graphlearn.ops.linear import matmul, matrix_transpose
from graphlearn.ops.reach import PRODUCTS
from graphlearn.ops.reductions import sum_
from graphlearn.ops.shape import cast, reshape
from graphlearn.ops.slicing import index
from graphlearn.ops.structural import build, compound
from graphlearn.ops.windows import (
    numbers_text,
    overlap,
    overlap_reference,
    slid,
    steps_text,
    windows_reference,
    windows_shape,
)
from graphlearn.types import ArrayType, Dim, Shape, format_shape, promote, to_float

Numbers = tuple[int, ...]
Borders = tuple[tuple[int, int], ...]


# --- shapes ----------------------------------------------------------------------------------------------------------


def _dtype(types: tuple[ArrayType, ...]) -> str:
    return to_float(promote(types)[0])  # whole numbers count as reals


def _entries(shape: Shape) -> int:
    """The number of entries of a shape without free axes."""
    return math.prod(d for d in shape if isinstance(d, int))


def _padded(shape: Shape, padding: Borders) -> Shape:
    """The shape of an image with its borders."""
    first = len(shape) - len(padding) - 1
    return tuple(
        dim + sum(padding[k - first]) if isinstance(dim, int) and first <= k < len(shape) - 1 else dim
        for k, dim in enumerate(shape)
    )


def _counts(image: Shape, size: Numbers, stride: Numbers, padding: Borders, dilation: Numbers, what: str) -> Shape:
    """The shape of the result without its channels.

    Raises:
        ShapeError: too few axes, a free one among those that are convolved, or a kernel that does not fit.
    """
    many = len(stride)
    if len(image) <= many or not many == len(padding) == len(dilation) == len(size):
        raise ShapeError(
            f"{what} needs an image of shape (..., {', '.join(['length'] * many)}, channels) and a kernel with a size "
            f"for each; got {format_shape(image)} and the sizes {format_shape(size)}. Add the axes with gl.expand_dims."
        )
    first = len(image) - many - 1
    return windows_shape(_padded(image, padding), first, size, stride, dilation, what)[: first + many]


def _size_of(kernel: Shape) -> Numbers:
    return tuple(d for d in kernel[:-2] if isinstance(d, int))


def _infer_conv(types: tuple[ArrayType, ...], stride: Numbers, padding: Borders, dilation: Numbers) -> ArrayType:
    image, kernel = types[0].shape, types[1].shape
    if len(kernel) != len(stride) + 2 or not image or kernel[-2] != image[-1]:
        raise ShapeError(
            f"conv needs an image (..., channels) and a kernel ({'size, ' * len(stride)}channels, features) of equally "
            f"many channels; got {format_shape(image)} and {format_shape(kernel)}. Transpose to channels last."
        )
    counts = _counts(image, _size_of(kernel), stride, padding, dilation, "conv")
    return ArrayType((*counts, kernel[-1]), _dtype(types))


def _infer_image(
    types: tuple[ArrayType, ...], stride: Numbers, padding: Borders, dilation: Numbers, shape: tuple[Dim, ...]
) -> ArrayType:
    given, kernel = types[0].shape, types[1].shape
    fits = len(kernel) == len(stride) + 2 and bool(shape) and kernel[-2] == shape[-1]
    if not fits or given != (*_counts(shape, _size_of(kernel), stride, padding, dilation, "conv_image"), kernel[-1]):
        raise ShapeError(
            f"conv_image needs the result of a convolution of {format_shape(shape)} with its kernel; got "
            f"{format_shape(given)} and {format_shape(kernel)}. Give the shape that was convolved."
        )
    return ArrayType(shape, _dtype(types))


def _infer_kernel(
    types: tuple[ArrayType, ...], stride: Numbers, padding: Borders, dilation: Numbers, size: Numbers
) -> ArrayType:
    image, result = types[0].shape, types[1].shape
    if not result or result[:-1] != _counts(image, size, stride, padding, dilation, "conv_kernel"):
        raise ShapeError(
            f"conv_kernel needs an image and the result of its convolution with a kernel of size {format_shape(size)}; "
            f"got {format_shape(image)} and {format_shape(result)}. Give the size of that kernel."
        )
    return ArrayType((*size, image[-1], result[-1]), _dtype(types))


# --- references: NumPy, with its own products ------------------------------------------------------------------------


def _real(*operands: Any) -> tuple[Any, ...]:
    """Operands of which one is real, or all as float64."""
    arrays = [np.asarray(x) for x in operands]
    whole = np.result_type(*arrays).kind not in "fc"
    return tuple([a.astype(np.float64) if whole else a for a in arrays])


def _bordered(x: Any, padding: Borders) -> Any:
    return np.pad(x, (*[(0, 0)] * (x.ndim - len(padding) - 1), *padding, (0, 0)))


def _conv(x: Any, w: Any, stride: Numbers, padding: Borders, dilation: Numbers) -> Any:
    x, w = _real(x, w)
    image, many = _bordered(x, padding), len(stride)
    every = windows_reference(image, image.ndim - many - 1, w.shape[:many], stride, dilation)
    return np.tensordot(every, w, many + 1)


def _conv_image(x: Any, w: Any, stride: Numbers, padding: Borders, dilation: Numbers, shape: tuple[int, ...]) -> Any:
    many, (x, w) = len(stride), _real(x, w)
    whole = tuple(int(d) for d in _padded(shape, padding))
    each = np.tensordot(x, w, ([-1], [-1]))
    image = overlap_reference(each, len(shape) - many - 1, stride, dilation, whole)
    inner = [slice(low, low + n) for (low, _), n in zip(padding, shape[-many - 1 : -1], strict=True)]
    return image[(..., *inner, slice(None))]


def _conv_kernel(x: Any, g: Any, stride: Numbers, padding: Borders, dilation: Numbers, size: Numbers) -> Any:
    x, g = _real(x, g)
    image, many = _bordered(x, padding), len(stride)
    every = windows_reference(image, image.ndim - many - 1, size, stride, dilation)
    axes = range(g.ndim - 1)
    return np.tensordot(every, g, (axes, axes))


# --- expansions: windows side by side, and a matrix product ----------------------------------------------------------


def _rows(lead: Shape, *dims: Dim) -> Shape:
    """Leading axes and places as the rows of one matrix, where no axis is free; else a matrix for each sample."""
    if all(isinstance(d, int) for d in lead):
        return (_entries((*lead, dims[0])), *dims[1:])
    return (*lead, *dims)


def _columns(x: Node, padding: Borders, size: Numbers, stride: Numbers, dilation: Numbers) -> Node:
    """A row for each place of the kernel, with the entries that it meets there."""
    first = x.ndim - len(stride) - 1
    bordered = pad(x, (*[(0, 0)] * first, *padding, (0, 0)))
    every = slid(bordered, first, size, stride, dilation)
    places = _entries(every.shape[first : first + len(stride)])
    return reshape(every, _rows(x.shape[:first], places, _entries((*size, x.shape[-1]))))


def _matrix(w: Node) -> Node:
    return reshape(w, (_entries(w.shape[:-1]), w.shape[-1]))


def _result_rows(g: Node, many: int) -> Node:
    """The result of a convolution as the rows that the product gave."""
    first = g.ndim - many - 1
    return reshape(g, _rows(g.shape[:first], _entries(g.shape[first:-1]), g.shape[-1]))


def _operands(node: Node) -> list[Node]:
    """The operands, of which one is real: sums of products of whole numbers would leave their range."""
    real = any(n.type.is_float for n in node.inputs)
    return [n if real else cast(n, node.dtype) for n in node.inputs]


def _expand_conv(node: Node) -> Node:
    x, w = _operands(node)
    stride, padding, dilation = node.attr("stride"), node.attr("padding"), node.attr("dilation")
    columns = _columns(x, padding, _size_of(w.shape), stride, dilation)
    return reshape(matmul(columns, _matrix(w)), node.shape)


def _expand_image(node: Node) -> Node:
    g, w = _operands(node)
    stride, padding, dilation = node.attr("stride"), node.attr("padding"), node.attr("dilation")
    first = node.ndim - len(stride) - 1
    columns = matmul(_result_rows(g, len(stride)), matrix_transpose(_matrix(w)))
    every = reshape(columns, (*g.shape[:-1], *w.shape[:-1]))
    image = overlap(every, _padded(node.shape, padding), first, stride, dilation)
    inner = [slice(low, low + int(n)) for (low, _), n in zip(padding, node.shape[first:-1], strict=True)]
    return index(image, (*[slice(None)] * first, *inner))


def _expand_kernel(node: Node) -> Node:
    x, g = _operands(node)
    stride, padding, dilation = node.attr("stride"), node.attr("padding"), node.attr("dilation")
    columns = _columns(x, padding, node.attr("size"), stride, dilation)
    product = matmul(matrix_transpose(columns), _result_rows(g, len(stride)))
    samples = tuple(range(product.ndim - 2))
    return reshape(sum_(product, samples) if samples else product, node.shape)


# --- records ---------------------------------------------------------------------------------------------------------


def _settings(node: Node) -> dict[str, Any]:
    return {name: node.attr(name) for name in ("stride", "padding", "dilation")}


def conv(x: Node, w: Node, **settings: Any) -> Node:
    """The convolution with attributes in canonical form."""
    return build(CONV, [x, w], **settings)


def conv_image(g: Node, w: Node, shape: Shape, **settings: Any) -> Node:
    """What a convolution's upstream adjoint gives its image of a shape."""
    return build(CONV_IMAGE, [g, w], shape=shape, **settings)


def conv_kernel(x: Node, g: Node, size: Numbers, **settings: Any) -> Node:
    """What a convolution's upstream adjoint gives its kernel of a size."""
    return build(CONV_KERNEL, [x, g], size=size, **settings)


def _adjoint_conv(node: Node, g: Node) -> tuple[Node, Node]:
    x, w = node.inputs
    settings = _settings(node)
    return conv_image(g, w, x.shape, **settings), conv_kernel(x, g, _size_of(w.shape), **settings)


def _adjoint_image(node: Node, g: Node) -> tuple[Node, Node]:
    upstream, w = node.inputs
    settings = _settings(node)
    return conv(g, w, **settings), conv_kernel(g, upstream, _size_of(w.shape), **settings)


def _adjoint_kernel(node: Node, g: Node) -> tuple[Node, Node]:
    x, upstream = node.inputs
    settings = _settings(node)
    return conv_image(upstream, g, x.shape, **settings), conv(x, g, **settings)


def settings_text(node: Node) -> str:
    """``, stride=2, padding=1`` as far as they are not the usual ones."""
    borders = node.attr("padding")
    found = ""
    if any(any(pair) for pair in borders):
        even = all(low == high for low, high in borders)
        found = f", padding={numbers_text([low for low, _ in borders]) if even else borders}"
    return steps_text(node) + found


def _notation(name: str, latex: str) -> Notation:
    """A sign between the operands in LaTeX, a call in text."""

    def sign(node: Node) -> str:
        text = settings_text(node)[2:]
        return rf"{{0}} {latex}" + (rf"_{{{{\text{{{{{text}}}}}}}}}" if text else "") + " {1}"

    return Notation(
        sign,
        lambda n: f"{name}({{0}}, {{1}}{settings_text(n)})",
        CALL,
        (),
        latex_binds=PRODUCT,
        latex_needs=(PRODUCT + 1, PRODUCT + 1),
    )


_BOOK = "Goodfellow, Bengio and Courville (2016), Deep Learning, section 9.5, eq. "
CONV = compound(
    "conv",
    infer=_infer_conv,
    reference=_conv,
    adjoint=_adjoint_conv,
    expand=_expand_conv,
    reach=PRODUCTS,
    notation=_notation("conv", r"\star"),
    doc="Convolution of images with a kernel that is not flipped: a weighted sum of what it meets at each place.",
    source=_BOOK + "9.8",
)
CONV_IMAGE = compound(
    "conv_image",
    infer=_infer_image,
    reference=_conv_image,
    adjoint=_adjoint_image,
    expand=_expand_image,
    reach=PRODUCTS,
    notation=_notation("conv_image", r"\ast"),
    doc="The adjoint of a convolution by its image: every entry spread over the places that it was summed from.",
    source=_BOOK + "9.13",
)
CONV_KERNEL = compound(
    "conv_kernel",
    infer=_infer_kernel,
    reference=_conv_kernel,
    adjoint=_adjoint_kernel,
    expand=_expand_kernel,
    reach=PRODUCTS,
    notation=_notation("conv_kernel", r"\star"),
    doc="The adjoint of a convolution by its kernel: the image correlated with the upstream adjoint, over all samples.",
    source=_BOOK + "9.11",
)
