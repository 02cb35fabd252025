"""Rules that rescue numbers: formulas that overflow or cancel become the operation that does not. All stabilising."""

from __future__ import annotations

from graphlearn.calculus.rules.patterns import (
    Rule,
    along_one_axis,
    both_ways,
    has_entries,
    is_op,
    number,
    one_minus,
    one_plus,
    opposite,
    square_root_of,
)
from graphlearn.graph.node import Node, apply
from graphlearn.ops.normalised import log_softmax, logsumexp, softmax, softmax_cross_entropy
from graphlearn.ops.reductions import sum_
from graphlearn.ops.shape import broadcast_to, reshape
from graphlearn.ops.statistics import NORM, STD, var
from graphlearn.ops.structural import build

# --- logarithms -------------------------------------------------------------------------------------------------------


def _log_softmax(node: Node) -> Node | None:
    """``log(softmax(x))``, which is -inf where softmax rounds to 0."""
    inner = node.inputs[0]
    return log_softmax(inner.inputs[0], inner.attr("axis")) if is_op(inner, "softmax") else None


def _minus_logsumexp(node: Node) -> Node | None:
    """``x - logsumexp(x)``, whose large parts cancel."""
    x, total = node.inputs
    found = along_one_axis(total, "logsumexp")
    return log_softmax(x, found[1]) if found is not None and found[0] is x else None


def _log_sigmoid(node: Node) -> Node | None:
    """``log(sigmoid(x))``, which is -inf from x = -746 on."""
    inner = node.inputs[0]
    return apply("log_sigmoid", inner.inputs[0]) if is_op(inner, "sigmoid") else None


def _log_one_minus_sigmoid(node: Node) -> Node | None:
    """``log1p(-sigmoid(x))``, which is -inf from x = 37 on."""
    inner = node.inputs[0]
    if is_op(inner, "neg") and is_op(inner.inputs[0], "sigmoid"):
        return apply("log_sigmoid", -inner.inputs[0].inputs[0])
    return None


def _softplus(node: Node) -> Node | None:
    """``log(1 + exp(x))``, which overflows from x = 710 on and is 0 below -37."""
    inner = node.inputs[0] if is_op(node, "log1p") else one_plus(node.inputs[0])
    return apply("softplus", inner.inputs[0]) if inner is not None and is_op(inner, "exp") else None


def _logsumexp(node: Node) -> Node | None:
    """``log(sum(exp(x)))``, which overflows from x = 710 on; several axes one after the other."""
    total = node.inputs[0]
    total = total.inputs[0] if is_op(total, "reshape") else total
    if not is_op(total, "sum") or not is_op(total.inputs[0], "exp"):
        return None
    axes = total.attr("axis")
    found = total.inputs[0].inputs[0]
    if not axes or not has_entries(found, *axes):
        return None
    for axis in sorted(axes, reverse=True):
        found = logsumexp(found, axis)
    return reshape(found, node.shape)


def _log1p(node: Node) -> Node | None:
    """``log(1 + x)`` and ``log(1 - x)``, which lose the digits of a small x."""
    inner = node.inputs[0]
    more, less = one_plus(inner), one_minus(inner)
    if more is not None:
        return apply("log1p", more)
    return None if less is None else apply("log1p", -less)


def _log_of_exp(node: Node) -> Node | None:
    """``log(exp(x))``, which overflows from x = 710 on."""
    inner = node.inputs[0]
    return inner.inputs[0] if is_op(inner, "exp" if is_op(node, "log") else "expm1") else None


# --- exponentials -----------------------------------------------------------------------------------------------------


def _expm1(node: Node) -> Node | None:
    """``exp(x) - 1``, which loses the digits of a small x."""
    x, y = node.inputs
    if is_op(node, "add"):
        pairs = [(e, one) for e, one in both_ways(node) if is_op(e, "exp") and number(one) == -1]
        return _spread_expm1(pairs[0][0], node) if pairs else None
    if is_op(x, "exp") and number(y) == 1:
        return _spread_expm1(x, node)
    return -_spread_expm1(y, node) if is_op(y, "exp") and number(x) == 1 else None


def _spread_expm1(exponential: Node, node: Node) -> Node:
    return broadcast_to(apply("expm1", exponential.inputs[0]), node.shape)


def _sigmoid(node: Node) -> Node | None:
    """``1 / (1 + exp(-x))`` and ``exp(x) / (1 + exp(x))``, of which the latter is inf / inf from x = 710 on."""
    above, below = node.inputs
    exponential = one_plus(below)
    if exponential is None or not is_op(exponential, "exp"):
        return None
    power = exponential.inputs[0]
    if above is exponential:
        return apply("sigmoid", power)
    positive = power.inputs[0] if is_op(power, "neg") else -power
    return broadcast_to(apply("sigmoid", positive), node.shape) if number(above) == 1 else None


def _times_sigmoid(node: Node) -> Node | None:
    """``y / (1 + exp(-x))``, whose derivative is inf / inf from x = -355 on, and which is 0 below -709.

    From x = -708.4 to there the sigmoid is subnormal and may have two bits less than the quotient: 3 units in the last
    place, which is within what a stabilising rule may cost.
    """
    above, below = node.inputs
    exponential = one_plus(below)
    if exponential is None or not is_op(exponential, "exp") or above is exponential or number(above) == 1:
        return None
    power = exponential.inputs[0]
    return above * apply("sigmoid", power.inputs[0] if is_op(power, "neg") else -power)


def _reciprocal_sigmoid(node: Node) -> Node | None:
    """``reciprocal(1 + exp(-x))``."""
    exponential = one_plus(node.inputs[0])
    if exponential is None or not is_op(exponential, "exp"):
        return None
    power = exponential.inputs[0]
    return apply("sigmoid", power.inputs[0] if is_op(power, "neg") else -power)


def _tanh(node: Node) -> Node | None:
    """``(exp(x) - exp(-x)) / (exp(x) + exp(-x))``, ``sinh(x) / cosh(x)`` and ``(exp(2x) - 1) / (exp(2x) + 1)``.

    They are inf / inf from x = 710 or 355 on.
    """
    above, below = node.inputs
    power = one_plus(below)
    if is_op(above, "expm1") and power is not None and is_op(power, "exp") and power.inputs == above.inputs:
        return apply("tanh", _half(above.inputs[0]))
    if is_op(above, "sinh") and is_op(below, "cosh") and above.inputs[0] is below.inputs[0]:
        return apply("tanh", above.inputs[0])
    if not (is_op(above, "sub") and is_op(below, "add")) or set(above.inputs) != set(below.inputs):
        return None
    x, y = above.inputs
    if not (is_op(x, "exp") and is_op(y, "exp") and opposite(x.inputs[0], y.inputs[0])):
        return None
    return apply("tanh", x.inputs[0])


def _half(x: Node) -> Node:
    if is_op(x, "mul"):
        for one, other in both_ways(x):
            if number(one) == 2 and other.shape == x.shape:
                return other
    return x / 2.0


def _softmax(node: Node) -> Node | None:
    """``exp(x) / sum(exp(x))`` along one axis, which is inf / inf from x = 710 on."""
    above, below = node.inputs
    found = along_one_axis(below, "sum")
    if found is None or found[0] is not above or not is_op(above, "exp"):
        return None
    return softmax(above.inputs[0], found[1]) if has_entries(above, found[1]) else None


def _softmax_shift(node: Node) -> Node | None:
    """``softmax(x - max(x))``: softmax takes the largest entry out itself."""
    inner = node.inputs[0]
    if not is_op(inner, "sub"):
        return None
    x, top = inner.inputs
    found = along_one_axis(top, "max")
    same = found is not None and found == (x, node.attr("axis"))
    return apply(node.op, x, **dict(node.attrs)) if same else None


def _exp_of_log_softmax(node: Node) -> Node | None:
    """``exp(log_softmax(x))``, which has the rounding of its exponent."""
    inner = node.inputs[0]
    return softmax(inner.inputs[0], inner.attr("axis")) if is_op(inner, "log_softmax") else None


# --- differences from 1, and roots ------------------------------------------------------------------------------------


def _one_minus(node: Node) -> Node | None:
    """``1 - sigmoid(x)``, ``1 - erf(x)`` and ``1 - tanh(x)**2``, which are 0 far from 0 where the truth is not."""
    inner = one_minus(node)
    if inner is None:
        return None
    if is_op(inner, "sigmoid"):
        return apply("sigmoid", -inner.inputs[0])
    if is_op(inner, "erf"):
        return apply("erfc", inner.inputs[0])
    root = square_root_of(inner)
    return apply("sech2", root.inputs[0]) if root is not None and is_op(root, "tanh") else None


def _root_of_square(node: Node) -> Node | None:
    """``sqrt(x**2)``, whose square overflows from x = 1e155 on, and whose derivative at 0 is 0 / 0."""
    root = square_root_of(node.inputs[0])
    return None if root is None else apply("abs", root)


def _norm(node: Node) -> Node | None:
    """``sqrt(sum(x**2))``, whose squares overflow from x = 1e155 on, and whose derivative at 0 is 0 / 0."""
    total = node.inputs[0]
    root = square_root_of(total.inputs[0]) if is_op(total, "sum") else None
    if root is None or not total.attr("axis"):
        return None
    return build(NORM, [root], axis=total.attr("axis"), keepdims=total.attr("keepdims"))


def _variance(node: Node) -> Node | None:
    """``mean(x**2) - mean(x)**2``, whose large parts cancel."""
    of_squares, squared = node.inputs
    average = square_root_of(squared)
    if average is None or not (is_op(of_squares, "mean") and is_op(average, "mean")):
        return None
    x = square_root_of(of_squares.inputs[0])
    if x is not average.inputs[0] or of_squares.attrs != average.attrs:
        return None
    return var(x, average.attr("axis"), keepdims=average.attr("keepdims"))


def _deviation(node: Node) -> Node | None:
    """``sqrt(var(x))``, whose squares overflow, and whose derivative where all entries are equal is 0 / 0."""
    inner = node.inputs[0]
    return build(STD, inner.inputs, **dict(inner.attrs)) if is_op(inner, "var") else None


def _x_log_x(node: Node) -> Node | None:
    """``x * log(x)``, which is 0 * inf at x = 0 where its limit is 0."""
    for x, logarithm in both_ways(node):
        if is_op(logarithm, "log") and logarithm.inputs[0] is x:
            return apply("xlogy", x, x)
    return None


# --- cross-entropies --------------------------------------------------------------------------------------------------


def _cross_entropy(node: Node) -> Node | None:
    """``sum(t * log_softmax(z))``: a target of 0 counts nothing, and the derivative is softmax minus target."""
    product = node.inputs[0]
    if not is_op(product, "mul"):
        return None
    for logs, t in both_ways(product):
        if not is_op(logs, "log_softmax"):
            continue
        axis, axes = logs.attr("axis"), node.attr("axis")
        if axis in axes and _fits(t, logs, axis) and logs.shape == product.shape:
            cost = softmax_cross_entropy(logs.inputs[0], t, axis)
            others = [k - (k > axis) for k in axes if k != axis]
            return reshape(-(sum_(cost, others) if others else cost), node.shape)
    return None


def _fits(t: Node, logs: Node, axis: int) -> bool:
    return t.ndim == logs.ndim and t.shape[axis] == logs.shape[axis]


def _binary_cross_entropy(node: Node) -> Node | None:
    """``t * log(sigmoid(z)) + (1 - t) * log(1 - sigmoid(z))``, from one logit."""
    first, second = node.inputs
    if not (is_op(first, "mul") and is_op(second, "mul")):
        return None
    for one, other in ((first, second), (second, first)):
        for (t, yes), (rest, no) in ((p, q) for p in both_ways(one) for q in both_ways(other)):
            logs = is_op(yes, "log_sigmoid") and is_op(no, "log_sigmoid")
            if logs and one_minus(rest) is t and opposite(yes.inputs[0], no.inputs[0]):
                return -apply("binary_cross_entropy", yes.inputs[0], t)
    return None


STABLE: tuple[Rule, ...] = (
    Rule("log_softmax", "stabilising", ("log",), _log_softmax),
    Rule("minus_logsumexp", "stabilising", ("sub",), _minus_logsumexp),
    Rule("log_sigmoid", "stabilising", ("log",), _log_sigmoid),
    Rule("log_one_minus_sigmoid", "stabilising", ("log1p",), _log_one_minus_sigmoid),
    Rule("softplus", "stabilising", ("log", "log1p"), _softplus),
    Rule("logsumexp", "stabilising", ("log",), _logsumexp),
    Rule("log_of_exp", "stabilising", ("log", "log1p"), _log_of_exp),
    Rule("log1p", "stabilising", ("log",), _log1p),
    Rule("tanh", "stabilising", ("div",), _tanh),
    Rule("sigmoid", "stabilising", ("div",), _sigmoid),
    Rule("times_sigmoid", "stabilising", ("div",), _times_sigmoid),
    Rule("reciprocal_sigmoid", "stabilising", ("reciprocal",), _reciprocal_sigmoid),
    Rule("softmax", "stabilising", ("div",), _softmax),
    Rule("softmax_shift", "stabilising", ("softmax", "log_softmax"), _softmax_shift),
    Rule("exp_of_log_softmax", "stabilising", ("exp",), _exp_of_log_softmax),
    Rule("expm1", "stabilising", ("add", "sub"), _expm1),
    Rule("one_minus", "stabilising", ("sub",), _one_minus),
    Rule("root_of_square", "stabilising", ("sqrt",), _root_of_square),
    Rule("norm", "stabilising", ("sqrt",), _norm),
    Rule("variance", "stabilising", ("sub",), _variance),
    Rule("deviation", "stabilising", ("sqrt",), _deviation),
    Rule("x_log_x", "stabilising", ("mul",), _x_log_x),
    Rule("cross_entropy", "stabilising", ("sum",), _cross_entropy),
    Rule("binary_cross_entropy", "stabilising", ("add",), _binary_cross_entropy),
)
