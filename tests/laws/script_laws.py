"""What must hold for every script. Each law raises an AssertionError that says what differs, and where."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

import graphlearn as gl
from graphlearn.backends.function import Function
from graphlearn.backends.numba.tape import Tape, record_tape
from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.simplify import rewrite_graph
from graphlearn.calculus.specialize import free_axes
from graphlearn.errors import DataError, UnsupportedOp
from graphlearn.graph.kin import kin
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import Node, as_node, new_node
from graphlearn.graph.scope import scope
from graphlearn.graph.traverse import leaves, topological
from graphlearn.ops.reductions import sum_
from graphlearn.teach.check import numeric_grad
from tests.laws.scripts import ON_ARRAYS, ON_NODES, Script, compute, nodes_of

# Relative to the largest entry: one operation, and a whole script, whose errors grow from line to line.
_ONE_LINE = {"float64": 2e-13, "float32": 4e-6}
_WHOLE = {"float64": 1e-9, "float32": 2e-2}
_NEAR = (-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12)  # five-point central difference


class Unclear(Exception):
    """The script bends too much near its point for differences to judge it; not a failure."""


def check_values(script: Script) -> None:
    """Every line has the value, shape and dtype that NumPy gives it on the values that its operands have."""
    inputs = script.inputs()
    nodes = nodes_of(script, inputs)
    found = _evaluated(script, inputs, nodes)
    for line in script.lines:
        wanted = np.asarray(compute(line.text, ON_ARRAYS, found))
        node, value = nodes[line.name], found[line.name]
        where = f"{line.name} = {line.text}"
        assert value.shape == wanted.shape, f"shape {value.shape} instead of {wanted.shape}: {where}"
        assert node.dtype == wanted.dtype.name, f"dtype {node.dtype} instead of {wanted.dtype}: {where}"
        coarse = any(found[name].dtype == np.float32 for name in line.uses)
        _close(value, wanted, dict.fromkeys(_ONE_LINE, _ONE_LINE["float32"]) if coarse else _ONE_LINE, where)


def check_derivatives(script: Script) -> None:
    """Reverse mode = forward mode = differences of NumPy's values = the complex step where all is analytic."""
    inputs, output, wrt = _real(script)
    gradients = gl.grad(output, wrt, disconnected="zero")
    at = _at(script, inputs)
    along = _directions(script, wrt)
    moves = [new_node(INPUT, (), (), w.type, f"d{w.name}", "") for w in wrt]
    pushed = gl.jvp(output, wrt, moves)
    given = {**at, **dict(zip(moves, along.values(), strict=True))}
    values = evaluate([pushed, *gradients], given, sizes=script.sizes)
    slope = float(values[0])
    parts = [float(np.sum(g * along[w])) for g, w in zip(values[1:], wrt, strict=True)]
    size = max(1e-3, max(float(np.max(np.abs(g), initial=0)) for g in values[1:]), abs(slope))
    for gradient, w in zip(values[1:], wrt, strict=True):
        assert np.all(np.isfinite(gradient)), f"the gradient by {w.name} is not finite: {gradient}"
    assert abs(slope - sum(parts)) <= 1e-10 * size, f"forward mode gives {slope}, reverse mode {sum(parts)}"
    _check_differences(script, {w.name: along[w] for w in wrt}, sum(parts), size)
    try:
        exact = numeric_grad(output, wrt, at, method="complex")
    except UnsupportedOp:
        return  # something is not analytic
    for w, gradient, other in zip(wrt, values[1:], exact, strict=True):
        _close(gradient, np.asarray(other), {"float64": 1e-9}, f"the complex step by {w.name}", size)


def _check_differences(script: Script, along: Mapping[str, np.ndarray], slope: float, size: float) -> None:
    curve = _curve(script, along)
    coarse, fine = (sum(w * curve(k * step) for k, w in _NEAR) / step for step in (4e-6, 1e-6))
    doubt = abs(coarse - fine)
    if not doubt <= 1e-4 * size:
        raise Unclear(f"differences give {coarse} and {fine}")
    assert abs(fine - slope) <= 1e-6 * size + 20 * doubt, f"NumPy's differences give {fine}, the gradient {slope}"


def _curve(script: Script, along: Mapping[str, np.ndarray]) -> Callable[[float], float]:
    def value(step: float) -> float:
        found = {name: a + step * along[name] if name in along else a for name, a in script.arrays.items()}
        for line in script.lines:
            found[line.name] = compute(line.text, ON_ARRAYS, found)
        return float(found[script.output])

    return value


def check_second_order(script: Script) -> None:
    """Forward over reverse = reverse over reverse = differences of the gradient; and the Hessian is symmetric."""
    inputs, output, wrt = _real(script)
    gradients = gl.grad(output, wrt, disconnected="zero")
    at = _at(script, inputs)
    along = _directions(script, wrt)
    hint = {w: new_node(INPUT, (), (), w.type, f"d{w.name}", "") for w in wrt}
    at_both = {**at, **{hint[w]: along[w] for w in wrt}}
    pushed = gl.jvp(gradients, wrt, [hint[w] for w in wrt])
    total: Node = as_node(0.0)
    for gradient, w in zip(gradients, wrt, strict=True):
        total = total + sum_(gradient * hint[w])
    again = gl.grad(total, wrt, disconnected="zero") if total.type.is_float else ()
    try:
        one = evaluate(list(pushed), at_both, sizes=script.sizes)
        two = evaluate(list(again), at_both, sizes=script.sizes)
    except DataError as error:  # refused with its reason, as a singular system of equations is
        raise Unclear(str(error)) from error
    size = max(1e-3, *(float(np.max(np.abs(a), initial=0)) for a in (*one, *two)))
    for w, left, right in zip(wrt, one, two, strict=True):
        assert np.all(np.isfinite(right)), f"the second derivative by {w.name} is not finite: {right}"
        _close(left, right, {"float64": 1e-9}, f"the Hessian by {w.name}, forward and reverse over reverse", size)
    curved = sum(float(np.sum(left * along[w])) for left, w in zip(one, wrt, strict=True))

    def slope(step: float) -> float:
        moved = {**at, **{w: at[w] + step * along[w] for w in wrt}}
        found = evaluate(list(gradients), moved, sizes=script.sizes)
        return sum(float(np.sum(g * along[w])) for g, w in zip(found, wrt, strict=True))

    coarse, fine = (sum(weight * slope(k * h) for k, weight in _NEAR) / h for h in (4e-6, 1e-6))
    doubt = abs(coarse - fine)
    if not doubt <= 1e-4 * size:
        raise Unclear(f"differences of the gradient give {coarse} and {fine}")
    assert abs(fine - curved) <= 1e-5 * size + 20 * doubt, f"differences give {fine}, the second derivative {curved}"


def check_rewriting(script: Script) -> None:
    """Neither interning nor simplification changes a value; the same script makes the same nodes."""
    inputs, output, wrt = _real(script)
    assert nodes_of(script, inputs)[script.output] is output, "the same code gave another node"
    apart = _without_sharing(script, inputs)
    assert len(topological([apart])) >= len(topological([output]))
    roots = [output, *gl.grad(output, wrt, disconnected="zero")]
    others = [apart, *gl.grad(apart, wrt, disconnected="zero")]
    at = _at(script, inputs)
    plain, unshared = (evaluate(r, at, sizes=script.sizes) for r in (roots, others))
    simplified = rewrite_graph(roots).mapping
    short = evaluate([simplified[r] for r in roots], at, sizes=script.sizes)
    size = max([1.0, *(float(np.max(np.abs(a), initial=0)) for a in plain[1:])])
    bounds = _bounds(roots)
    for what, values in (("without interning", unshared), ("after simplification", short)):
        for root, value, other in zip(roots, plain, values, strict=True):
            assert other.shape == value.shape and other.dtype == value.dtype, f"another type {what}: {root!r}"
            _close(other, value, bounds, what, size)


def _without_sharing(script: Script, inputs: Mapping[str, Node]) -> Node:
    """The output where every line is made anew in each place that uses it first: scopes keep equal lines apart."""
    found: dict[str, Node] = dict(inputs)
    for number, line in enumerate(script.lines):
        with scope(f"line{number}"):
            found[line.name] = as_node(compute(line.text, ON_NODES, found))
    return found[script.output]


def check_backend(script: Script, backend: str = "numba", precision: str = "float64") -> None:
    """A compiled function gives the reference's values, gradients and types."""
    inputs, output, wrt = _real(script)
    nodes = nodes_of(script, inputs)
    shown = [nodes[line.name] for line in script.lines[-6:-1]]
    roots = [output, *gl.grad(output, wrt, disconnected="zero"), *shown]
    at = {leaf: script.arrays[name] for name, leaf in inputs.items()}
    used = {n for n in topological(roots) if n in at}
    given = {leaf: array for leaf, array in at.items() if leaf in used}
    sizes_known = {d for leaf in given for d in leaf.shape if isinstance(d, str)}
    if any(axis not in sizes_known for axis in script.sizes):
        given = at  # what is not used still tells the length of its axes
    wanted = Function(roots, None, None, "numpy", precision)(given)
    found = Function(roots, None, None, backend, precision)(given)
    size = max([1.0, *(float(np.max(np.abs(a), initial=0)) for a in wanted if a.dtype.kind == "f")])
    bounds = _bounds(roots, precision)
    for root, value, other in zip(roots, wanted, found, strict=True):
        assert other.shape == value.shape and other.dtype == value.dtype, f"{backend} gives another type: {root!r}"
        _close(other, value, bounds, f"{backend} at {root!r}", size)


def check_scalarized(script: Script) -> None:
    """The graph of single numbers has the value and the gradients of the graph of arrays, run as a tape too."""
    inputs, output, wrt = _real(script)
    try:
        number = gl.scalarize(output, **{axis: script.sizes[axis] for axis in free_axes(topological([output]))})
    except UnsupportedOp:
        return  # something in it is not written out, such as an inverse
    entries = [leaf for leaf in leaves([number]) if leaf.type.is_float]
    roots = [number, *gl.grad(number, entries, disconnected="zero")]
    at = _at(script, inputs)
    plain = evaluate([output, *gl.grad(output, wrt, disconnected="zero")], at, sizes=script.sizes)
    gradients = dict(zip(wrt, plain[1:], strict=True))
    size = max([1.0, *(float(np.max(np.abs(g), initial=0)) for g in plain)])
    found = [evaluate(roots, at)]
    if isinstance(record_tape(roots, leaves(roots), "float64"), Tape):
        given = {leaf: array for leaf, array in at.items() if leaf in gradients or not leaf.type.is_float}
        found.append(Function(roots, None, None, "numba", "float64")(given))
    for values in found:
        _close(np.asarray(values[0]), plain[0], _bounds([output]), "the value, scalarized", size)
        for entry, value in zip(entries, values[1:], strict=True):
            known = kin(entry)
            array, place = (entry, ()) if known is None else (known.ancestors[-1], known.place or ())
            _close(np.asarray(value), gradients[array][place], _bounds([output]), f"the gradient by {entry.name}", size)


# --- helpers ---------------------------------------------------------------------------------------------------------


def _real(script: Script) -> tuple[dict[str, Node], Node, list[Node]]:
    """Inputs, the output, and the real inputs."""
    inputs = script.inputs()
    output = nodes_of(script, inputs)[script.output]
    return inputs, output, [leaf for leaf in inputs.values() if leaf.type.is_float]


def _at(script: Script, inputs: Mapping[str, Node]) -> dict[Node, np.ndarray]:
    return {leaf: script.arrays[name] for name, leaf in inputs.items()}


def _evaluated(script: Script, inputs: Mapping[str, Node], nodes: Mapping[str, Node]) -> dict[str, np.ndarray]:
    values = evaluate(list(nodes.values()), _at(script, inputs), sizes=script.sizes)
    return dict(zip(nodes, values, strict=True))


def _bounds(roots: Sequence[Node], precision: str = "float64") -> dict[str, float]:
    """The tolerances of a graph; anything in float32 makes all that follows as coarse."""
    coarse = precision == "float32" or any(n.dtype == "float32" for n in topological(roots))
    return dict.fromkeys(_WHOLE, _WHOLE["float32" if coarse else "float64"])


def _directions(script: Script, wrt: Sequence[Node]) -> dict[Node, np.ndarray]:
    values = np.random.Generator(np.random.Philox(len(script.lines)))
    return {w: values.standard_normal(script.arrays[w.name].shape).astype(w.dtype) for w in wrt}


def _close(
    value: np.ndarray, wanted: np.ndarray, tolerances: Mapping[str, float], what: str, size: float | None = None
) -> None:
    """Equal to within a share of the largest entry; exactly, where the numbers are whole."""
    if value.dtype.kind != "f":
        assert np.array_equal(value, wanted), f"{what}: {value} instead of {wanted}"
        return
    largest = max(1.0, float(np.max(np.abs(wanted), initial=0))) if size is None else size
    bound = tolerances[value.dtype.name] * largest
    error = float(np.max(np.abs(np.asarray(value, np.float64) - np.asarray(wanted, np.float64)), initial=0))
    assert error <= bound, f"{what}: off by {error:.3g}, more than {bound:.3g}: {value} instead of {wanted}"


SMOOTH_LAWS: dict[str, Callable[[Script], None]] = {
    "values": check_values,
    "derivatives": check_derivatives,
    "second order": check_second_order,
    "rewriting": check_rewriting,
    "scalarized": check_scalarized,
    "numba": check_backend,
}
ROUGH_LAWS: dict[str, Callable[[Script], None]] = {
    "values": check_values,
    "rewriting": check_rewriting,
    "scalarized": check_scalarized,
    "numba": check_backend,
    "numba, float32": functools.partial(check_backend, precision="float32"),
}
