"""Losses: graphs from predictions and targets to one number that training makes small."""

from __future__ import annotations

from typing import Any

from graphlearn.errors import DTypeError, ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.options import check_choice, check_flag
from graphlearn.ops.activations import binary_cross_entropy as _bce
from graphlearn.ops.activations import square
from graphlearn.ops.intrinsics import absolute, equal, log, log1p, where
from graphlearn.ops.normalised import one_hot, softmax_cross_entropy
from graphlearn.ops.reductions import mean, sum_
from graphlearn.ops.targets import demanding
from graphlearn.types import format_shape

__all__ = ["binary_cross_entropy", "cross_entropy", "half_squared_error", "mae", "mse"]

REDUCTIONS = ("mean", "sum", "none")


def mse(prediction: Any, target: Any, *, reduction: str = "mean") -> Node:
    """Squared error ``(y - t)**2``.

    Args:
        prediction: any shape, in unit u.
        target: of the same shape and unit.
        reduction: ``"mean"`` over all entries, ``"sum"``, or ``"none"``.

    Returns:
        A scalar in unit u squared, or one entry per prediction.

    Raises:
        ShapeError: the shapes differ; (N, 1) against (N,) would broadcast to (N, N).
        OptionError: no such reduction.
    """
    y, t = _same_shape("mse", prediction, target)
    return _reduce(square(y - t), reduction)


def half_squared_error(prediction: Any, target: Any, *, reduction: str = "mean") -> Node:
    """Half the squared error, ``(y - t)**2 / 2``, whose derivative is ``y - t``.

    Args:
        prediction: any shape, in unit u.
        target: of the same shape and unit.
        reduction: ``"mean"`` over all entries, ``"sum"`` (the textbook's sum of squares), or ``"none"``.

    Returns:
        A scalar in unit u squared, or one entry per prediction.

    Raises:
        ShapeError: the shapes differ.

    Source: Bishop (2006), Pattern Recognition and Machine Learning, eq. 1.2 (with ``reduction="sum"``).
    """
    y, t = _same_shape("half_squared_error", prediction, target)
    return _reduce(0.5 * square(y - t), reduction)


def mae(prediction: Any, target: Any, *, reduction: str = "mean") -> Node:
    """Absolute error ``|y - t|``; its derivative at 0 is 0.

    Args:
        prediction: any shape, in unit u.
        target: of the same shape and unit.
        reduction: ``"mean"`` over all entries, ``"sum"``, or ``"none"``.

    Returns:
        A scalar in unit u, or one entry per prediction.

    Raises:
        ShapeError: the shapes differ.
    """
    y, t = _same_shape("mae", prediction, target)
    return _reduce(absolute(y - t), reduction)


def binary_cross_entropy(prediction: Any, target: Any, *, from_logits: bool = True, reduction: str = "mean") -> Node:
    """Cross-entropy of two classes, ``-(t log p + (1 - t) log(1 - p))``, in nats.

    Args:
        prediction: logits z with ``p = sigmoid(z)``; or with ``from_logits=False`` the probabilities p themselves.
        target: probability of class 1, from 0 to 1, of the same shape.
        from_logits: logits give a finite loss and gradient for every z. From probabilities the loss is infinite where
            p has rounded to 0 or 1 against the target (in float32 from z = 17 on).
        reduction: ``"mean"`` over all entries, ``"sum"``, or ``"none"``.

    Returns:
        A scalar, or one entry per prediction.

    Raises:
        ShapeError: the shapes differ.

    Source: Bishop (2006), Pattern Recognition and Machine Learning, eq. 4.90.
    """
    y, t = _same_shape("binary_cross_entropy", prediction, target)
    if check_flag(from_logits, "from_logits"):
        return _reduce(_bce(y, t), reduction)
    return _reduce(-(_weighted(t, log(y)) + demanding(_weighted(1 - t, log1p(-y)), t)), reduction)


def cross_entropy(prediction: Any, target: Any, *, from_logits: bool = True, reduction: str = "mean") -> Node:
    """Cross-entropy of several classes, ``-sum(t log p)`` over the last axis, in nats.

    Args:
        prediction: logits z of shape (N, classes) with ``p = softmax(z)``; or with ``from_logits=False`` the
            probabilities p themselves, with rows that sum to 1.
        target: class numbers 0, 1, ... of an integer dtype and shape (N,); or probabilities, e.g. one-hot rows, of
            shape (N, classes).
        from_logits: logits give a finite loss and gradient for every z.
        reduction: ``"mean"`` over rows, ``"sum"``, or ``"none"``.

    Returns:
        A scalar, or one entry per row.

    Raises:
        ShapeError: shapes that do not fit together, or a number of classes that is not fixed.
        DTypeError: class numbers that are not integers.

    Source: Bishop (2006), Pattern Recognition and Machine Learning, eqs. 4.108 and 4.109.
    """
    y, t = as_node(prediction), as_node(target)
    with blaming("cross_entropy", y, t):
        classes = _classes(y)
        numbered = _is_numbered(y, t)
    rows = one_hot(t, classes, "float32" if y.dtype == "float32" else "float64") if numbered else t
    if check_flag(from_logits, "from_logits"):
        # Rows from one_hot sum to 1, so the gradient has its textbook form p - t; given rows need not.
        return _reduce(softmax_cross_entropy(y, rows, normalized=numbered), reduction)
    costs = demanding(_weighted(rows, log(y)), t, classes if numbered else 0)
    return _reduce(-sum_(costs, -1), reduction)


def _weighted(weight: Node, value: Node) -> Node:
    """``weight * value``, and 0 where the weight is 0, even if the value is infinite."""
    return where(equal(weight, 0), 0, weight * value)


def _reduce(errors: Node, reduction: str) -> Node:
    check_choice(reduction, REDUCTIONS, "reduction")
    return errors if reduction == "none" else mean(errors) if reduction == "mean" else sum_(errors)


def _same_shape(what: str, prediction: Any, target: Any) -> tuple[Node, Node]:
    y, t = as_node(prediction), as_node(target)
    if y.shape != t.shape:
        with blaming(what, y, t):
            raise ShapeError(
                f"{what} needs a prediction and a target of one shape; got {format_shape(y.shape)} and "
                f"{format_shape(t.shape)}. Broadcasting would compare every prediction with every target; declare the "
                f"target input with the shape {format_shape(y.shape)}, or reshape one of them."
            )
    return y, t


def _classes(y: Node) -> int:
    if y.ndim < 1 or isinstance(y.shape[-1], str) or y.shape[-1] < 2:
        raise ShapeError(
            "cross_entropy needs a prediction of shape (N, classes) with 2 classes or more; got "
            f"{format_shape(y.shape)}. For one logit per row use binary_cross_entropy."
        )
    return int(y.shape[-1])


def _is_numbered(y: Node, t: Node) -> bool:
    """Whether the target holds class numbers (True) or rows of probabilities (False)."""
    if t.shape == y.shape:
        return False
    if t.shape != y.shape[:-1]:
        raise ShapeError(
            f"cross_entropy needs class numbers of shape {format_shape(y.shape[:-1])} or rows of shape "
            f"{format_shape(y.shape)}; got a target of shape {format_shape(t.shape)}. Declare the target input with "
            "one of these."
        )
    if t.type.is_float or t.dtype == "bool":
        raise DTypeError(
            f"cross_entropy needs class numbers of an integer dtype; got {t!r}. Declare the target input with "
            "dtype='int64', or give rows of probabilities of the prediction's shape."
        )
    return True


def __dir__() -> list[str]:
    return sorted(__all__)
