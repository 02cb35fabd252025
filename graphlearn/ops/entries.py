"""Entries of vector functions as operations on numbers: the i-th entry of softmax, the largest of n, one row's loss.

They are what remains of softmax and its relatives when a graph is written out entry by entry: their formulas are those
of the textbook, their kernels never overflow, and their derivatives are the entries of the textbook's Jacobians.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from graphlearn.graph.node import apply
from graphlearn.graph.op import CALL, Notation, Op
from graphlearn.ops.algebra import GRAPH, NUMPY
from graphlearn.ops.elementwise import infer_float, infer_same

Numbers = Sequence[Any]


def _sum(terms: Numbers) -> Any:
    return functools.reduce(operator.add, terms)


def _top(m: Any, z: Numbers) -> Any:
    return functools.reduce(m.maximum, z)


def _call(m: Any, op: Op, numbers: Numbers) -> Any:
    """Another of these operations inside a derivative: a node in a graph, its formula in any other algebra."""
    return apply(op, *numbers) if m is GRAPH else (op.formula(m, *numbers) if op.formula else None)


def _listed(count: int, first: int = 0) -> str:
    return ", ".join(f"{{{k}}}" for k in range(first, first + count))


def _entry_notation(name: str, count: int, place: int) -> Notation:
    latex = rf"\operatorname{{{{{name}}}}}\left({_listed(count)}\right)_{{{{{place}}}}}".replace(r"_soft", r"\_soft")
    return Notation(latex, f"{name}({_listed(count)})[{place}]", CALL)


def _defined(
    name: str,
    count: int,
    *,
    formula: Callable[..., Any],
    kernel: Callable[..., Any],
    partials: Sequence[Callable[..., Any]],
    notation: Notation,
    doc: str,
    textbook: Sequence[Callable[..., Any]] = (),
    infer: Callable[..., Any] = infer_float,
    kink: str = "",
) -> Op:
    """A record that stands beside the registry, since there is one for each number of operands and each place."""
    return Op(
        name, "defined", infer, notation, reference=functools.partial(kernel, NUMPY), partials=tuple(partials),
        textbook=tuple(textbook), formula=formula, kernel=kernel, doc=doc, kink=kink,
    )  # fmt: skip


@functools.lru_cache(maxsize=4096)
def softmax_entry(count: int, place: int) -> Op:
    """One entry of softmax of ``count`` numbers; its derivatives are ``p_i (1 - p_i)`` and ``-p_i p_j``."""

    def formula(m: Any, *z: Any) -> Any:
        return m.exp(z[place]) / _sum([m.exp(x) for x in z])

    def kernel(m: Any, *z: Any) -> Any:
        top = _top(m, z)
        return m.exp(z[place] - top) / _sum([m.exp(x - top) for x in z])

    def other(m: Any, k: int, z: Numbers) -> Any:
        return _call(m, softmax_entry(count, k), z)

    def partial(k: int, m: Any, *operands: Any) -> Any:
        *z, p = operands
        if k != place:
            return -p * other(m, k, z)
        # 1 - p would lose all digits where p is nearly 1.
        return p * _sum([other(m, j, z) for j in range(count) if j != k]) if count > 1 else 0

    def textbook(k: int, m: Any, *operands: Any) -> Any:
        *z, p = operands
        return p * (1 - p) if k == place else -p * other(m, k, z)

    return _defined(
        f"softmax[{place}]", count, formula=formula, kernel=kernel, notation=_entry_notation("softmax", count, place),
        partials=[functools.partial(partial, k) for k in range(count)],
        textbook=[functools.partial(textbook, k) for k in range(count)],
        doc="One entry of softmax.",
    )  # fmt: skip


@functools.lru_cache(maxsize=4096)
def log_softmax_entry(count: int, place: int) -> Op:
    """One entry of log_softmax of ``count`` numbers; its derivatives are ``1 - p_i`` and ``-p_j``."""

    def formula(m: Any, *z: Any) -> Any:
        return z[place] - m.log(_sum([m.exp(x) for x in z]))

    def kernel(m: Any, *z: Any) -> Any:
        top = _top(m, z)
        return (z[place] - top) - m.log(_sum([m.exp(x - top) for x in z]))

    def partial(k: int, m: Any, *operands: Any) -> Any:
        *z, _ = operands
        p = [_call(m, softmax_entry(count, j), z) for j in range(count)]
        if k != place:
            return -p[k]
        return _sum([p[j] for j in range(count) if j != k]) if count > 1 else 0

    def textbook(k: int, m: Any, *operands: Any) -> Any:
        *z, _ = operands
        p = _call(m, softmax_entry(count, k), z)
        return 1 - p if k == place else -p

    return _defined(
        f"log_softmax[{place}]", count, formula=formula, kernel=kernel,
        notation=_entry_notation("log_softmax", count, place),
        partials=[functools.partial(partial, k) for k in range(count)],
        textbook=[functools.partial(textbook, k) for k in range(count)],
        doc="One entry of log_softmax.",
    )  # fmt: skip


@functools.lru_cache(maxsize=4096)
def logsumexp_of(count: int) -> Op:
    """``log(exp(x) + exp(y) + ...)``; its derivatives are the entries of softmax."""

    def formula(m: Any, *z: Any) -> Any:
        return m.log(_sum([m.exp(x) for x in z]))

    def kernel(m: Any, *z: Any) -> Any:
        top = _top(m, z)
        shift = m.where(m.equal(m.abs(top), math.inf), 0, top)  # inf - inf would be NaN
        return m.log(_sum([m.exp(x - shift) for x in z])) + shift

    def partial(k: int, m: Any, *operands: Any) -> Any:
        return _call(m, softmax_entry(count, k), operands[:-1])

    latex = rf"\operatorname{{{{logsumexp}}}}\left({_listed(count)}\right)"
    return _defined(
        "logsumexp", count, formula=formula, kernel=kernel, doc="Logarithm of a sum of exponentials.",
        partials=[functools.partial(partial, k) for k in range(count)],
        notation=Notation(latex, f"logsumexp({_listed(count)})", CALL),
    )  # fmt: skip


@functools.lru_cache(maxsize=4096)
def cross_entropy_of(count: int, normalized: bool) -> Op:
    """Cross-entropy of softmax of ``count`` logits and as many targets; its derivatives by the logits are ``p - t``.

    Args:
        count: number of classes; the operands are the logits, then the targets.
        normalized: the caller's promise that targets sum to 1, under which the formula is ``logsumexp(z) - sum(t z)``.
    """

    def formula(m: Any, *operands: Any) -> Any:
        z, t = operands[:count], operands[count:]
        total = m.log(_sum([m.exp(x) for x in z]))
        if normalized:
            return total - _sum([y * x for x, y in zip(z, t, strict=True)])
        return -_sum([y * (x - total) for x, y in zip(z, t, strict=True)])

    def kernel(m: Any, *operands: Any) -> Any:
        z, t = operands[:count], operands[count:]
        top = _top(m, z)
        rest = m.log(_sum([m.exp(x - top) for x in z]))
        # A target of 0 contributes 0 even where the logarithm is -inf.
        return -_sum([m.where(m.equal(y, 0), 0, y * ((x - top) - rest)) for x, y in zip(z, t, strict=True)])

    def partial(k: int, m: Any, *operands: Any) -> Any:
        z, t = operands[:count], operands[count : 2 * count]
        if k >= count:
            return -z[k - count] if normalized else -_call(m, log_softmax_entry(count, k - count), z)
        p = _call(m, softmax_entry(count, k), z)
        return p - t[k] if normalized else p * _sum(t) - t[k]

    z_text, t_text = _listed(count), _listed(count, count)
    latex = (
        rf"\operatorname{{{{CE}}}}\left(\operatorname{{{{softmax}}}}\left({z_text}\right), \left({t_text}\right)\right)"
    )
    return _defined(
        "cross_entropy", 2 * count, formula=formula, kernel=kernel, doc="Cross-entropy of softmax and targets.",
        partials=[functools.partial(partial, k) for k in range(2 * count)],
        notation=Notation(latex, f"CE(softmax({z_text}), ({t_text}))", CALL),
    )  # fmt: skip


@functools.lru_cache(maxsize=4096)
def extreme_of(name: str, count: int) -> Op:
    """The ``"maximum"`` or ``"minimum"`` of ``count`` numbers; those that tie share its derivative equally."""

    def formula(m: Any, *x: Any) -> Any:
        return functools.reduce(getattr(m, name), x)

    def partial(k: int, m: Any, *operands: Any) -> Any:
        *x, y = operands
        ties = _sum([m.where(m.equal(v, y), 1.0, 0.0) for v in x])
        return m.where(m.equal(x[k], y), 1 / ties, 0)

    def textbook(k: int, m: Any, *operands: Any) -> Any:
        return m.where(m.equal(operands[k], operands[-1]), 1, 0)

    word = name[:3]
    return _defined(
        name, count, formula=formula, kernel=formula, infer=infer_same, doc=f"The {word}imum of several numbers.",
        partials=[functools.partial(partial, k) for k in range(count)],
        textbook=[functools.partial(textbook, k) for k in range(count)],
        notation=Notation(rf"\{word}\left({_listed(count)}\right)", f"{word}({_listed(count)})", CALL),
        kink=f"numbers that tie for the {word}imum share its derivative equally",
    )  # fmt: skip


@functools.lru_cache(maxsize=4096)
def norm_of(count: int) -> Op:
    """The length of a vector of ``count`` numbers; its derivatives are ``x / length``, and 0 where the length is 0."""

    def formula(m: Any, *x: Any) -> Any:
        return m.sqrt(_sum([v * v for v in x]))

    def kernel(m: Any, *x: Any) -> Any:
        top = _top(m, [m.abs(v) for v in x])
        scale = m.where(m.logical_or(m.equal(top, 0), m.equal(top, math.inf)), 1, top)
        return scale * m.sqrt(_sum([m.square(v / scale) for v in x]))  # no square leaves the range of numbers

    def partial(k: int, m: Any, *operands: Any) -> Any:
        y = operands[-1]
        return m.guarded(m.equal(y, 0), 0, operands[k] / m.guarded(m.equal(y, 0), 1, y))

    def textbook(k: int, m: Any, *operands: Any) -> Any:
        return operands[k] / operands[-1]

    return _defined(
        "norm", count, formula=formula, kernel=kernel, doc="Length of a vector.",
        partials=[functools.partial(partial, k) for k in range(count)],
        textbook=[functools.partial(textbook, k) for k in range(count)],
        notation=Notation(rf"\left\|{_listed(count)}\right\|", f"norm({_listed(count)})", CALL),
        kink="the derivative of a norm at 0 is 0",
    )  # fmt: skip
