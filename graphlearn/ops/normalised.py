"""Softmax and its relatives: compounds whose exponentials never overflow."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlearn.errors import DTypeError, OptionError, ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.leaves import constant
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import CALL, Notation, Opening
from graphlearn.graph.options import check_flag
from graphlearn.ops.intrinsics import equal, exp, log, logical_and, where
from graphlearn.ops.reach import LINES
from graphlearn.ops.reductions import largest, max_, sum_
from graphlearn.ops.shape import cast, expand_dims, squeeze
from graphlearn.ops.structural import axis_text, build, compound
from graphlearn.ops.targets import numbering
from graphlearn.types import ArrayType, Dim, format_shape, normalize_axis, promote, to_float


def _axis(x: Node, axis: int, what: str) -> int:
    with blaming(what, x):
        if x.ndim == 0:
            raise ShapeError(f"{what} needs an array of rank 1 or more; got a scalar. Use sigmoid for a single logit.")
        return normalize_axis(axis, x.ndim, what)


def _infer_like(types: tuple[ArrayType, ...], axis: int) -> ArrayType:
    return ArrayType(types[0].shape, to_float(types[0].dtype))


def _drop_axis(shape: tuple[Dim, ...], axis: int) -> tuple[Dim, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _infer_lse(types: tuple[ArrayType, ...], axis: int) -> ArrayType:
    return ArrayType(_drop_axis(types[0].shape, axis), to_float(types[0].dtype))


def _infer_cross_entropy(types: tuple[ArrayType, ...], axis: int, normalized: bool) -> ArrayType:
    z, t = types
    fits = t.rank == z.rank and all(d in (1, length) for d, length in zip(t.shape, z.shape, strict=True))
    if not fits or t.shape[axis] != z.shape[axis]:
        raise ShapeError(
            f"cross-entropy needs logits and targets of one shape; got {format_shape(z.shape)} and "
            f"{format_shape(t.shape)}. Give rows of that shape, such as one_hot makes; class numbers of shape (N,) are "
            "taken by gl.losses.cross_entropy."
        )
    dtype, _ = promote(types)
    return ArrayType(_drop_axis(z.shape, axis), to_float(dtype))


# --- references: NumPy, with the largest entry taken out -----------------------------------------------------------


def _real(x: Any) -> Any:
    return np.asarray(x, np.float64) if np.asarray(x).dtype.kind != "f" else np.asarray(x)


def _top(x: Any, axis: int) -> Any:
    """The largest entry, or 0 where it is infinite: inf - inf would be NaN."""
    top = largest(x, axis, keepdims=True)
    return np.where(np.isfinite(top), top, np.zeros_like(top))


def _below_top(x: Any, axis: int) -> Any:
    """What an entry is below the largest; 0 where both are the same infinity."""
    top = largest(x, axis, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(top) & (x == top), np.zeros_like(top), x - top)


def logsumexp_reference(x: Any, axis: int) -> Any:
    """``log(sum(exp(x)))`` along an axis."""
    x = _real(x)
    top = _top(x, axis)
    return np.squeeze(np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top, axis=axis)


def softmax_reference(x: Any, axis: int) -> Any:
    """``exp(x) / sum(exp(x))`` along an axis."""
    x = _real(x)
    e = np.exp(_below_top(x, axis))
    return e / np.sum(e, axis=axis, keepdims=True)


def log_softmax_reference(x: Any, axis: int) -> Any:
    """``x - logsumexp(x)`` along an axis."""
    x = _real(x)
    shifted = _below_top(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def cross_entropy_reference(z: Any, t: Any, axis: int, normalized: bool) -> Any:
    """``-sum(t * log_softmax(z))`` along an axis; a target of 0 contributes 0 even where the logarithm is -inf."""
    t = np.asarray(t)
    logs = log_softmax_reference(z, axis)
    return -np.sum(np.where(t == 0, np.zeros_like(logs), t * logs), axis=axis)


# --- expansions: what backends run -----------------------------------------------------------------------------------


def _shifted(x: Node, axis: int) -> Node:
    """What an entry is below the largest; 0 where both are the same infinity: inf - inf would be NaN."""
    top = max_(x, axis, keepdims=True)
    return where(logical_and(equal(abs(top), np.inf), equal(x, top)), 0, x - top)


def _expand_softmax(node: Node) -> Node:
    e = exp(_shifted(*_operand(node)))
    return e / sum_(e, node.attr("axis"), keepdims=True)


def _expand_log_softmax(node: Node) -> Node:
    x, axis = _operand(node)
    return _shifted(x, axis) - log(sum_(exp(_shifted(x, axis)), axis, keepdims=True))


def _expand_logsumexp(node: Node) -> Node:
    x, axis = _operand(node)
    top = max_(x, axis, keepdims=True)
    top = where(equal(abs(top), np.inf), 0, top)  # inf - inf would be NaN
    return squeeze(log(sum_(exp(x - top), axis, keepdims=True)) + top, axis)


def _operand(node: Node) -> tuple[Node, int]:
    """The operand as a real array: a difference of whole numbers would leave their range."""
    x = node.inputs[0]
    return x if x.type.is_float else cast(x, node.dtype), node.attr("axis")


def _expand_cross_entropy(node: Node) -> Node:
    z, t = node.inputs
    axis = node.attr("axis")
    logs = log_softmax(z, axis)
    return -sum_(where(equal(t, 0), 0, t * logs), axis)


# --- adjoints --------------------------------------------------------------------------------------------------------


def _adjoint_softmax(node: Node, g: Node) -> tuple[Node]:
    inner = sum_(g * node, node.attr("axis"), keepdims=True)
    return (node * (g - inner),)


def _adjoint_log_softmax(node: Node, g: Node) -> tuple[Node]:
    axis = node.attr("axis")
    return (g - softmax(node.inputs[0], axis) * sum_(g, axis, keepdims=True),)


def _adjoint_logsumexp(node: Node, g: Node) -> tuple[Node]:
    axis = node.attr("axis")
    return (expand_dims(g, axis) * softmax(node.inputs[0], axis),)


def _adjoint_cross_entropy(node: Node, g: Node) -> tuple[Node, Node | None]:
    z, t = node.inputs
    axis = node.attr("axis")
    g = expand_dims(g, axis)
    p = softmax(z, axis)
    weight = p if node.attr("normalized") else p * sum_(t, axis, keepdims=True)
    by_target = g * -log_softmax(z, axis) if t.type.is_float else None
    return g * (weight - t), by_target


# --- records ---------------------------------------------------------------------------------------------------------


def _named_call(name: str, latex: str) -> Notation:
    """``softmax(z)``, with the axis where it is not the last."""
    return Notation(
        lambda n: (
            latex + (rf"_{{{{\text{{{{axis={n.attr('axis')}}}}}}}}}" if _is_inner(n) else "") + r"\left({0}\right)"
        ),
        lambda n: f"{name}({{0}}{axis_text(n) if _is_inner(n) else ''})",
        CALL,
    )


def _is_inner(node: Node) -> bool:
    return bool(node.attr("axis") != node.inputs[0].ndim - 1)


SOFTMAX = compound(
    "softmax",
    infer=_infer_like,
    reference=softmax_reference,
    adjoint=_adjoint_softmax,
    expand=_expand_softmax,
    reach=LINES,
    notation=_named_call("softmax", r"\operatorname{{softmax}}"),
    doc="Exponentials divided by their sum along an axis.",
    source="Bridle (1990), Probabilistic interpretation of feedforward classification network outputs",
)
LOG_SOFTMAX = compound(
    "log_softmax",
    infer=_infer_like,
    reference=log_softmax_reference,
    adjoint=_adjoint_log_softmax,
    expand=_expand_log_softmax,
    reach=LINES,
    notation=_named_call("log softmax", r"\log\operatorname{{softmax}}"),
    doc="Logarithm of softmax, finite where softmax rounds to 0.",
)
LOGSUMEXP = compound(
    "logsumexp",
    infer=_infer_lse,
    reference=logsumexp_reference,
    adjoint=_adjoint_logsumexp,
    expand=_expand_logsumexp,
    reach=LINES,
    notation=_named_call("logsumexp", r"\operatorname{{logsumexp}}"),
    doc="Logarithm of the sum of exponentials along an axis; a smooth maximum.",
)


def _open_cross_entropy(node: Node) -> Opening:
    z, t = node.inputs
    p = softmax(z, node.attr("axis"))
    return Opening(-sum_(t * log(p), node.attr("axis")), p, "p", -t / p)


CROSS_ENTROPY = compound(
    "cross_entropy",
    infer=_infer_cross_entropy,
    reference=cross_entropy_reference,
    adjoint=_adjoint_cross_entropy,
    expand=_expand_cross_entropy,
    open=_open_cross_entropy,
    reach=LINES,
    notation=Notation(
        r"\operatorname{{CE}}\left(\operatorname{{softmax}}\left({0}\right), {1}\right)", "CE(softmax({0}), {1})", CALL
    ),
    doc="Cross-entropy of softmax(z) and targets along an axis, from the logits z.",
    source="Bishop (2006), Pattern Recognition and Machine Learning, eqs. 4.108 and 4.109",
)


def softmax(x: Any, axis: int = -1) -> Node:
    """Exponentials divided by their sum along an axis.

    Args:
        x: logits, a node or array of rank 1 or more; whole numbers and bools count as float64.
        axis: the axis that sums to 1.

    Returns:
        The shape of ``x``; nothing of nothing, but a free axis that turns out to have length 0 is refused. A row of
        -inf alone has equal shares, as any row of equal entries, and so have the entries of inf in a row that has some;
        NaN in SciPy. Where a share rounds to 0, what is infinite by it has a derivative of NaN: 0 times infinity. Of an
        entropy write ``-sum(softmax(x) * log_softmax(x))``, which is finite.

    Raises:
        ShapeError: an axis out of range, or a scalar.
    """
    x = as_node(x)
    place = _axis(x, axis, "softmax")
    return _as_real(x) if x.shape[place] == 0 else build(SOFTMAX, [x], axis=place)


def log_softmax(x: Any, axis: int = -1) -> Node:
    """Logarithm of softmax along an axis, accurate where softmax rounds to 0.

    Args:
        x: logits, a node or array of rank 1 or more; whole numbers and bools count as float64.
        axis: the axis along which the exponentials of the result sum to 1.

    Returns:
        The shape of ``x``; nothing of nothing, but a free axis that turns out to have length 0 is refused. A row of
        -inf alone has equal shares, and so have the entries of inf in a row that has some; NaN in SciPy.

    Raises:
        ShapeError: an axis out of range, or a scalar.
    """
    x = as_node(x)
    place = _axis(x, axis, "log_softmax")
    return _as_real(x) if x.shape[place] == 0 else build(LOG_SOFTMAX, [x], axis=place)


def logsumexp(x: Any, axis: int = -1) -> Node:
    """Logarithm of the sum of exponentials along one axis, which it removes.

    Args:
        x: node or array of rank 1 or more; whole numbers and bools count as float64.
        axis: the axis that is summed over.

    Returns:
        The shape of ``x`` without the axis; -inf, the logarithm of 0, where it has no entries, but a free axis that
        turns out to have length 0 is refused. A row of -inf alone gives -inf, and its derivative equal shares, the
        limit for equal entries; so are the shares of the entries of inf in a row that has some.

    Raises:
        ShapeError: an axis out of range, or a scalar.
    """
    x = as_node(x)
    place = _axis(x, axis, "logsumexp")
    # log(sum(x)) of no entries is -inf, and still a node of x, by which its derivative is empty.
    return log(sum_(_as_real(x), place)) if x.shape[place] == 0 else build(LOGSUMEXP, [x], axis=place)


def _as_real(x: Node) -> Node:
    return x if x.type.is_float else cast(x, "float64")


def softmax_cross_entropy(z: Any, t: Any, axis: int = -1, normalized: bool = False) -> Node:
    """Cross-entropy of ``softmax(z)`` and the targets, per row.

    Args:
        z: logits ``(..., classes)``.
        t: probabilities of the same shape, e.g. from `one_hot`.
        axis: the axis of classes, which is removed.
        normalized: the caller's promise that targets sum to 1, which gives the gradient its textbook form ``p - t``.
    """
    z = as_node(z)
    axis = _axis(z, axis, "softmax_cross_entropy")
    promised = check_flag(normalized, "softmax_cross_entropy with normalized")
    return build(CROSS_ENTROPY, [z, as_node(t)], axis=axis, normalized=promised)


def one_hot(labels: Any, classes: int, dtype: str = "float64") -> Node:
    """Rows with a single 1 at the class number.

    Args:
        labels: integer class numbers of any shape.
        classes: number of classes; a label outside ``0 .. classes - 1`` gives a row of zeros.
        dtype: dtype of the result.

    Returns:
        shape ``labels.shape + (classes,)``.

    Raises:
        DTypeError: labels that are not integers.
        OptionError: a number of classes that is no whole number from 0 on.
    """
    labels = as_node(labels)
    with blaming("one_hot", labels):
        if isinstance(classes, bool) or not isinstance(classes, (int, np.integer)) or classes < 0:
            raise OptionError(f"one_hot needs a number of classes from 0 on; got {classes!r}. Count the classes.")
        if labels.dtype not in ("int32", "int64", "uint8"):
            raise DTypeError(
                f"one_hot needs integer class numbers; got {labels.type}. Declare the input with dtype='int64'."
            )
    rows = cast(equal(expand_dims(labels, -1), constant(np.arange(classes))), dtype)
    return numbering(rows, labels, classes)
