"""Einstein's summation: products of arrays summed over labelled axes. Its derivative is a summation again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import PRODUCT, Notation, Reach
from graphlearn.ops.intrinsics import not_equal
from graphlearn.ops.linear import matmul
from graphlearn.ops.reach import any_over, padded
from graphlearn.ops.reductions import sum_
from graphlearn.ops.shape import broadcast_to, cast, reshape, transpose
from graphlearn.ops.structural import build, compound, numpy_builder
from graphlearn.ops.triangles import diagonal
from graphlearn.types import ArrayType, Dim, Shape, format_shape, promote

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _split(subscripts: str) -> tuple[list[str], str]:
    """Labels of each operand, and of the result."""
    left, _, right = subscripts.partition("->")
    return left.split(","), right


def _lengths(labels: Sequence[str], shapes: Sequence[Shape]) -> dict[str, Dim]:
    """Length of each label.

    Raises:
        ShapeError: an operand has another number of axes than labels, or a label has two lengths.
    """
    found: dict[str, Dim] = {}
    for one, shape in zip(labels, shapes, strict=True):
        if len(one) != len(shape):
            raise ShapeError(
                f"einsum needs a label for each axis; got {one!r} for {format_shape(shape)}. Write one letter per "
                "axis, or ... for those that are not named."
            )
        for label, dim in zip(one, shape, strict=True):
            known = found.setdefault(label, dim)
            if known != dim and 1 not in (known, dim):
                raise ShapeError(
                    f"einsum needs axes of one label to have one length; got {known} and {dim} for {label!r}. "
                    "Transpose an operand, or give one axis another label."
                )
            found[label] = dim if known == 1 else known
    return found


def _infer(types: tuple[ArrayType, ...], subscripts: str) -> ArrayType:
    labels, result = _split(subscripts)
    if len(labels) != len(types):
        raise ShapeError(
            f"einsum needs labels for each operand; got {len(labels)} for {len(types)} operands. Separate them by "
            "commas."
        )
    lengths = _lengths(labels, [t.shape for t in types])
    wrong = [one for one, t in zip(labels, types, strict=True) if tuple(lengths[label] for label in one) != t.shape]
    if wrong:
        raise ShapeError(f"einsum needs operands that are not repeated; got {wrong[0]!r}. Drop its axes of length 1.")
    return ArrayType(tuple(lengths[label] for label in result), promote(types)[0])


def _reference(*operands: Any, subscripts: str) -> Any:
    return np.einsum(subscripts, *operands, optimize=len(operands) > 2)


def _adjoint(node: Node, g: Node) -> list[Node]:
    labels, result = _split(node.attr("subscripts"))
    shares = []
    for k, own in enumerate(labels):
        rest = [(one, x) for j, (one, x) in enumerate(zip(labels, node.inputs, strict=True)) if j != k]
        known = set(result).union(*(one for one, _ in rest))
        reached = "".join(label for label in own if label in known)
        share = einsum(",".join([result, *(one for one, _ in rest)]) + "->" + reached, g, *(x for _, x in rest))
        # A label that no other array has was summed: its places have equal shares.
        places = tuple(d if label in known else 1 for label, d in zip(own, node.inputs[k].shape, strict=True))
        shares.append(broadcast_to(reshape(share, places), node.inputs[k].shape))
    return shares


def _needed(node: Node, condition: Node) -> list[Node]:
    """An entry of the result needs the entries that have its labels."""
    labels, result = _split(node.attr("subscripts"))
    full = padded(condition, node.ndim)
    found = []
    for own in labels:
        lines = any_over(full, [k for k, label in enumerate(result) if label not in own])
        kept = "".join(label for label in result if label in own)
        rest = reshape(lines, tuple(lines.shape[result.index(label)] for label in kept))
        found.append(_ordered(rest, kept, own))
    return found


# --- expansion: pairs of operands, from left to right ----------------------------------------------------------------


def _expand(node: Node) -> Node:
    labels, result = _split(node.attr("subscripts"))
    total, have = node.inputs[0], labels[0]
    for k in range(1, len(labels)):
        needed = set(result).union(*labels[k + 1 :])
        total, have = _contract(total, have, node.inputs[k], labels[k], needed)
    total = _ordered(*_without(total, have, set(result)), result)
    return not_equal(total, 0) if node.dtype == "bool" and total.dtype != "bool" else cast(total, node.dtype)


def _without(x: Node, labels: str, needed: set[str]) -> tuple[Node, str]:
    """The array summed over the labels that nobody needs."""
    gone = tuple(k for k, label in enumerate(labels) if label not in needed)
    return (sum_(x, gone) if gone else x), "".join(label for label in labels if label in needed)


def _ordered(x: Node, labels: str, wanted: str) -> Node:
    """The array with its axes in another order, and axes of length 1 for the labels that it has not."""
    moved = transpose(x, [labels.index(label) for label in wanted if label in labels])
    rest = iter(moved.shape)
    return reshape(moved, tuple(next(rest) if label in labels else 1 for label in wanted))


def _contract(a: Node, one: str, b: Node, two: str, needed: set[str]) -> tuple[Node, str]:
    """Two operands as one: a matrix product where labels are summed, else a product entry by entry."""
    a, one = _without(a, one, needed | set(two))
    b, two = _without(b, two, needed | set(one))
    batch = "".join(label for label in one if label in two and label in needed)
    inner = "".join(label for label in one if label in two and label not in needed)
    rows = "".join(label for label in one if label not in two)
    columns = "".join(label for label in two if label not in one)
    length = dict(zip(one + two, a.shape + b.shape, strict=True))
    if not inner or not (rows or columns) or not _may_merge(inner, length):
        labels = batch + rows + columns + inner
        return _without(_ordered(a, one, labels) * _ordered(b, two, labels), labels, needed)
    # A free axis cannot be merged with others: it stays an axis of the batch, of length 1 in the other operand.
    loose = "".join(x for group in (rows, columns) if not _may_merge(group, length) for x in group)
    rows, columns = ("".join(x for x in group if x not in loose) for group in (rows, columns))
    outer = batch + loose
    left = _ordered(a, one, outer + rows + inner)
    right = _ordered(b, two, outer + inner + columns)
    sizes = [tuple(length[label] for label in group) for group in (rows, inner, columns)]
    m, k, n = (_merged(size) for size in sizes)
    lead = len(outer)
    made = matmul(reshape(left, (*left.shape[:lead], m, k)), reshape(right, (*right.shape[:lead], k, n)))
    return reshape(made, (*made.shape[:lead], *sizes[0], *sizes[2])), outer + rows + columns


def _may_merge(labels: str, length: dict[str, Dim]) -> bool:
    return len(labels) < 2 or all(isinstance(length[label], int) for label in labels)


def _merged(sizes: tuple[Dim, ...]) -> Dim:
    return sizes[0] if len(sizes) == 1 else math.prod(d for d in sizes if isinstance(d, int))


# --- notation and record ---------------------------------------------------------------------------------------------


def _latex(node: Node) -> str:
    labels, result = _split(node.attr("subscripts"))
    summed = "".join(dict.fromkeys(label for one in labels for label in one if label not in result))
    factors = r" \, ".join(f"{{{{{{{k}}}}}}}_{{{{{one}}}}}" for k, one in enumerate(labels))
    return (rf"\sum_{{{{{summed}}}}} " if summed else "") + factors


def _text(node: Node) -> str:
    operands = ", ".join(f"{{{k}}}" for k in range(len(node.inputs)))
    return f"einsum({node.attr('subscripts').replace('->', '→')}: {operands})"


EINSUM = compound(
    "einsum",
    infer=_infer,
    reference=_reference,
    adjoint=_adjoint,
    expand=_expand,
    reach=Reach(_needed, "operands"),
    notation=Notation(_latex, _text, latex_binds=PRODUCT - 1, latex_needs=(100,) * 16),
    doc="Products of entries summed over the labels of axes that the result has not.",
)


# --- the public function ---------------------------------------------------------------------------------------------


def einsum(subscripts: Any, *operands: Any) -> Node:
    """Einstein's summation, as `numpy.einsum`.

    Args:
        subscripts: a letter for each axis of each operand, and of the result after ``->``: ``"ij,jk->ik"``. Without it
            the result has the letters that occur once, in the order of the alphabet. A letter twice in an operand takes
            its diagonal; ``...`` stands for axes that broadcast. Or numbers in place of letters, after each operand and
            at the end: ``einsum(x, [0, 1], y, [1, 2], [0, 2])``.
        operands: nodes or arrays.

    Returns:
        The products of entries, summed over all letters that the result has not. Three operands and more are combined
        from left to right. The derivative by an operand is the same with the upstream adjoint in its place.

    Raises:
        ShapeError: subscripts that do not fit the operands, or letters of unequal lengths.
    """
    if not isinstance(subscripts, str):
        with blaming("einsum", *[x for x in (subscripts, *operands) if isinstance(x, Node)]):
            subscripts, operands = _lettered((subscripts, *operands))
    nodes = [as_node(x) for x in operands]
    with blaming("einsum", *nodes):
        labels, result = _parse(subscripts, [x.ndim for x in nodes])
        lengths = _lengths(labels, [x.shape for x in nodes])
        ready = [_regular(x, one, lengths) for x, one in zip(nodes, labels, strict=True)]
    if len(ready) == 1:
        ((x, have),) = ready
        total = _ordered(*_without(x, have, set(result)), result)
        return not_equal(total, 0) if nodes[0].dtype == "bool" else cast(total, nodes[0].dtype)
    return build(EINSUM, [x for x, _ in ready], subscripts=",".join(one for _, one in ready) + "->" + result)


def _regular(x: Node, labels: str, lengths: dict[str, Dim]) -> tuple[Node, str]:
    """The diagonal where a letter stands twice, and without axes of length 1 that would be repeated."""
    for label in [label for label, times in Counter(labels).items() if times > 1]:
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = diagonal(x, 0, first, second)
            labels = labels[:first] + labels[first + 1 : second] + labels[second + 1 :] + label
    kept = [k for k, (label, d) in enumerate(zip(labels, x.shape, strict=True)) if d == lengths[label]]
    return reshape(x, tuple(x.shape[k] for k in kept)), "".join(labels[k] for k in kept)


def _lettered(given: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Subscripts as text, and the operands, of numbers that stand after each operand and at the end."""
    count = len(given) // 2
    operands, lists = given[: 2 * count : 2], [*given[1 : 2 * count : 2], *given[2 * count :]]
    if not count or not all(isinstance(one, (list, tuple)) and all(map(_is_label, one)) for one in lists):
        raise ShapeError(
            "einsum needs subscripts as text, such as 'ij,jk->ik', or a list of numbers from 0 to 51 after each "
            f"operand; got {given[0]!r} first, and {lists!r}. Write letters."
        )
    texts = ["".join("..." if k is Ellipsis else LETTERS[k] for k in one) for one in lists]
    return ",".join(texts[:count]) + (f"->{texts[count]}" if len(given) % 2 else ""), operands


def _is_label(label: Any) -> bool:
    whole = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
    return label is Ellipsis or (whole and 0 <= label < len(LETTERS))


def _parse(subscripts: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Letters of each operand and of the result, with letters of their own for the axes of ``...``."""
    text = subscripts.replace(" ", "")
    left, arrow, result = text.partition("->")
    labels = left.split(",")
    if len(labels) != len(ranks):
        raise ShapeError(
            f"einsum needs labels for each operand; got {len(labels)} in {subscripts!r} for {len(ranks)} operands. "
            "Separate them by commas."
        )
    for part in [*labels, result]:
        plain = part.replace("...", "", 1)
        if plain and not (plain.isascii() and plain.isalpha()):
            raise ShapeError(
                f"einsum needs letters, and ... at most once, in each part; got {part!r}. Write 'ij,jk->ik'."
            )
    free = [letter for letter in LETTERS if letter not in text]
    widths = [max(rank - len(one) + 3, 0) if "..." in one else 0 for one, rank in zip(labels, ranks, strict=True)]
    dots = "".join(free[: max(widths)])
    filled = [one.replace("...", dots[len(dots) - width :]) for one, width in zip(labels, widths, strict=True)]
    if not arrow:
        counts = Counter("".join(labels).replace(".", ""))
        result = "..." * bool(dots) + "".join(sorted(label for label, times in counts.items() if times == 1))
    result = result.replace("...", dots)
    unknown = [label for label in result if label not in "".join(filled)]
    if unknown or len(set(result)) != len(result):
        raise ShapeError(
            f"einsum needs letters of the operands in the result, each once; got {subscripts!r}. Drop "
            f"{(unknown or [label for label in result if result.count(label) > 1])[0]!r} after ->."
        )
    return filled, result


numpy_builder(np.einsum, lambda subscripts, *operands: einsum(subscripts, *operands))
