"""NumPy's protocols: ordinary NumPy code on nodes builds the graph, and what has no counterpart is refused by name."""

import inspect
import re

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.errors import DTypeError, GraphUseError, ShapeError, UnsupportedOp
from graphlearn.graph.leaves import input
from graphlearn.graph.node import apply
from graphlearn.graph.op import NUMPY_BUILDERS, NUMPY_CURES, OPS
from graphlearn.ops.linear import matmul
from graphlearn.ops.reductions import max_, mean, sum_
from graphlearn.ops.shape import broadcast_to, expand_dims, reshape, squeeze, transpose

x = input("x", (2, 3))
# Short compositions, whose top is another operation than the function names.
COMPOSED = (
    np.matmul, np.positive, np.reciprocal, np.rint, np.isinf, np.isfinite, np.logical_xor, np.heaviside, np.trunc,
    np.vecdot, np.matvec, np.vecmat, np.invert, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.signbit, np.copysign,
    np.conjugate, np.hypot, np.logaddexp, np.logaddexp2, np.fmax, np.fmin, np.fmod, np.float_power, np.divmod,
)  # fmt: skip
UFUNCS = [f for f in NUMPY_BUILDERS if isinstance(f, np.ufunc) and f not in COMPOSED]


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda f: f.__name__)
def test_every_ufunc_of_the_table_builds_its_op(ufunc):
    node = ufunc(*[x] * ufunc.nin)
    assert node.op.reference in (ufunc, node.op.reference)
    assert node.shape == (2, 3)
    assert node.inputs[0] is x
    if ufunc.nin == 2:
        assert ufunc(np.ones(3), x).inputs[1] is x
        assert ufunc(2.0, x).inputs[1] is x


def test_array_functions_build_their_ops():
    assert np.sum(x, axis=0) is sum_(x, 0)
    assert np.sum(x, keepdims=True) is sum_(x, keepdims=True)
    assert np.mean(x, 1) is mean(x, 1)
    assert np.max(x) is max_(x)
    assert np.reshape(x, (3, 2)) is reshape(x, (3, 2))
    assert np.transpose(x) is transpose(x)
    assert np.transpose(x, (1, 0)) is transpose(x)
    assert np.broadcast_to(x, (4, 2, 3)) is broadcast_to(x, (4, 2, 3))
    assert np.expand_dims(x, 0) is expand_dims(x, 0)
    assert np.squeeze(np.expand_dims(x, 0)) is squeeze(expand_dims(x, 0))
    assert np.where(x > 0, x, 0) is apply("where", x > 0, x, 0)
    assert np.matmul(x, np.ones((3, 1))).shape == matmul(x, np.ones((3, 1))).shape == (2, 1)


def test_what_numpy_makes_real_is_real():
    whole = input("i", 3, dtype="int64")
    assert np.fabs(whole).dtype == np.rint(whole).dtype == "float64"
    assert np.abs(whole).dtype == "int64"
    assert (~(x > 0)).dtype == "bool"


def test_an_array_on_the_left_does_not_swallow_the_node():
    for node in (np.ones(3) + x, np.float64(2) * x, np.ones((2, 3)) / x, np.ones((4, 2)) @ x, np.ones(3) < x):
        assert not isinstance(node, np.ndarray)


def test_ordinary_numpy_code_is_a_graph_builder():
    def softplus_loss(z, t):
        return np.mean(np.maximum(z, 0) - t * z + np.log1p(np.exp(-np.abs(z))))

    node = softplus_loss(x, np.ones((2, 3)))
    assert node.op.name == "mean"
    assert node.shape == ()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: np.lcm(x, x), r"np\.lcm has no operation.*on the arrays"),
        (lambda: np.nonzero(x), r"np\.nonzero has no operation.*depend on values.*gl\.where\(condition, x, 0\)"),
        (lambda: np.median(x), r"np\.median has no operation.*no sorting"),
        (lambda: np.round(input("i", 3, dtype="int64"), -1), r"no tens or hundreds; got decimals=-1"),
        (lambda: np.round(x, 0.5), r"a whole number of decimals; got 0\.5"),
        (lambda: x & x, r"np\.bitwise_and and & on a node need truths.*np\.logical_and\(a, b\)"),
        (lambda: 1 | x, r"np\.bitwise_or and \| on a node need truths"),
        (lambda: (x > 0) ^ x, r"need truths.*a \*\* b for a power"),
        (lambda: np.sum(x, 0, out=np.zeros(3)), r"np\.sum on a node does not take out; it takes"),
        (lambda: np.max(x, where=x > 0), r"np\.max needs a start.*Give initial=-inf"),
        (lambda: np.sum(x, where=x), r"np\.sum needs truths in where="),
        (lambda: np.sum(x, where=np.ones((4, 2, 3), bool)), r"broadcast to \(2, 3\); got \(4, 2, 3\)"),
        (lambda: np.sum(x, initial=np.ones(3)), r"a single number as initial=; got \(3,\)"),
        (lambda: np.max(input("w", 3, dtype="uint8"), initial=-1), r"a start from 0 to 255, which uint8 holds; got -1"),
        (lambda: np.mean(x, dtype=int), r"np\.mean needs a real dtype; got int64"),
        (lambda: np.average(x, 0, weights=np.ones(3)), r"weights of the shape \(2, 3\).*got \(3,\) for axis=0"),
        (lambda: np.dot(input("a", (2, 3, 4)), x), r"dot needs as many axes .* of \(2, 3, 4\) and \(-2,\) of \(2, 3\)"),
        (lambda: np.clip(x, None, None), r"np\.clip needs a bound"),
        (lambda: np.reciprocal(input("i", 3, dtype="int64")), r"needs real numbers.*Write 1 / node"),
        (lambda: np.invert(input("i", 3, dtype="int64")), r"need truths.*bits of numbers.*-x - 1"),
        (lambda: ~x, r"need truths"),
        (lambda: np.linalg.svd(x), r"np\.linalg\.svd has no operation.*singular values"),
        (lambda: np.sort(x), r"np\.sort has no operation.*on the arrays"),
        (lambda: np.add.reduce(x), r"np\.add\.reduce has no counterpart in a graph\. Write np\.sum\(x, axis=0\)"),
        (lambda: np.multiply.outer(x, x), r"np\.multiply\.outer has no .*gl\.tensordot\(a, b, 0\)"),
        (lambda: np.hypot.reduce(x), r"np\.hypot\.reduce has no .*Use the plain function, np\.hypot"),
        (lambda: np.where(x > 0), r"np\.where on a node needs a condition and two choices.*depend on values"),
        (lambda: np.sum([x, x]), r"has no values to put into an array.*np\.stack\(\[a, b\]\)"),
        (lambda: np.add(x, 1, out=np.zeros((2, 3))), r"np\.add with out"),
        (lambda: np.exp(x, where=np.ones((2, 3), bool)), r"np\.exp with where"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(call, message):
    with pytest.raises((UnsupportedOp, GraphUseError, ShapeError, DTypeError), match=f"(?s){message}") as caught:
        call()
    assert len(str(caught.value)) < 250  # a cure, not a list of all there is


GIVEN = {
    "a": np.array([0.5, 1.5, np.nan]), "b": np.array([[0.25, 3.0, 2.0]]), "x": np.array([0.5, 1.5, -2.0]),
    "X": np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 1.0]]), "y": np.array([1.0, 2.0, 4.0]),
    "numbers": np.array([2, 0, 2]), "n": np.array([4, 7, 11]),
}  # fmt: skip
KNOWN = {"classes": 3, "degree": 1, "columns": 4, "k": 1, "values": np.array([7.0, 8.0]), "choices": None}


@pytest.mark.parametrize(
    ("name", "advice", "wanted"),
    [
        ("lstsq", "np.linalg.solve(X.T @ X, X.T @ y)", lambda g: np.linalg.lstsq(g["X"], g["y"])[0]),
        ("pinv", "np.linalg.solve(X.T @ X, X.T)", lambda g: np.linalg.pinv(g["X"])),
        ("bincount", "np.sum(gl.one_hot(numbers, classes), axis=0)", lambda g: np.bincount(g["numbers"], minlength=3)),
        ("nanargmax", "np.argmax(np.where(np.isnan(a), -np.inf, a))", lambda g: np.nanargmax(g["a"])),
        ("insert", "np.concatenate([x[:k], values, x[k:]])", lambda g: np.insert(g["x"], 1, KNOWN["values"])),
        ("unravel_index", "n % columns", lambda g: np.unravel_index(g["n"], (3, 4))[1]),
        ("unravel_index", "(n - n % columns) / columns", lambda g: np.unravel_index(g["n"], (3, 4))[0]),
        ("array_equiv", "np.array_equal(*np.broadcast_arrays(x, b))", lambda g: np.array_equiv(g["x"], g["b"])),
        ("choose", "np.select([gl.equal(numbers, 0), gl.equal(numbers, 1)], [x, 2 * x])", lambda g: [0, 1.5, 0]),
    ],
)
def test_what_is_advised_in_place_of_a_function_is_that_function(name, advice, wanted):
    nodes = {key: input(key, array.shape, dtype=array.dtype.name) for key, array in GIVEN.items()}
    if name not in ("nanargmax", "array_equiv", "choose"):
        assert advice in NUMPY_CURES[name]
    node = eval(advice, {"np": np, "gl": gl, **KNOWN, **nodes})
    used = {key: GIVEN[key] for key in gl.symbols(node)}
    assert np.allclose(evaluate(node, used), wanted(GIVEN), rtol=1e-12)


def test_every_function_of_numpy_builds_nodes_or_is_refused_with_a_cure():
    dispatched = type(np.sum)
    functions = {
        f for module in (np, np.linalg, np.fft) for f in vars(module).values() if isinstance(f, (dispatched, np.ufunc))
    }
    assert len(functions) > 300
    lost = sorted(f.__name__ for f in functions if f not in NUMPY_BUILDERS and f.__name__ not in NUMPY_CURES)
    assert not lost
    for function in functions - set(NUMPY_BUILDERS):
        with pytest.raises(UnsupportedOp, match=re.escape(NUMPY_CURES[function.__name__])) as caught:
            x.__array_function__(function, (), (x,), {})
        assert len(str(caught.value)) < 300


def test_arguments_stand_where_numpy_places_them():
    assert np.sum(x, 0, "float32").dtype == "float32"
    assert np.sum(x, 0, None, None, True) is x.sum(0, None, None, True) is gl.sum(x, 0, keepdims=True)
    assert np.max(x, 0, None, True) is x.max(0, None, True) is gl.max(x, 0, keepdims=True)
    assert np.var(x, 0, None, None, 1) is x.var(0, None, None, 1) is gl.var(x, 0, ddof=1)
    assert np.take(x, [0], 1, None, "wrap") is gl.take(x, [0], 1, "wrap")
    assert np.reshape(x, (3, 2), "C") is np.reshape(x, shape=(3, 2)) is x.reshape(3, 2)
    assert np.zeros_like(x, dtype=None, shape=None) is np.zeros_like(x)


def test_the_parameters_of_builders_are_numpys():
    for function, builder in NUMPY_BUILDERS.items():
        if isinstance(function, np.ufunc) or function in (np.where, np.ndarray.__getitem__):
            continue
        theirs = inspect.signature(function).parameters
        if not any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in theirs.values()):
            assert set(inspect.signature(builder).parameters) <= set(theirs), function


@pytest.mark.parametrize("name", sorted({*OPS, *gl.__all__} & set(np.__all__) - {"random"}))
def test_every_operation_with_a_namesake_is_built_by_it(name):
    assert getattr(np, name) in NUMPY_BUILDERS


def test_functions_that_are_short_compositions():
    a = np.array([[0.5, -1.5, 2.0], [4.0, 3.0, -0.125]])
    z = input("z", dtype="float32")
    for node, wanted in (
        (np.square(x), np.square(a)),
        (np.dot(x, a.T), a @ a.T),
        (np.dot(x, 2.0), 2 * a),
        (np.dot(x, np.ones(3)), a @ np.ones(3)),
        (np.clip(x, -1, 1), np.clip(a, -1, 1)),
        (np.clip(x, a_min=0, a_max=None), np.clip(a, 0, None)),
        (np.clip(x, None, 1), np.clip(a, None, 1)),
        (np.clip(x, min=0, max=1), np.clip(a, 0, 1)),
        (np.reciprocal(x), 1 / a),
        (np.round(x), np.round(a)),
        (np.rint(x), np.rint(a)),
        (np.positive(x), a),
        (np.amax(x, 0), np.max(a, 0)),
        (np.astype(x, "float32"), a.astype("float32")),
    ):
        value = evaluate(node, {x: a})
        assert value.dtype == wanted.dtype and np.array_equal(value, wanted)
    assert np.reciprocal(z).dtype == "float32"
    assert np.square(x) is gl.square(x)
    assert np.rint(input("i", dtype="int64")).dtype == "float64"
    assert np.round(input("i", dtype="int64")).dtype == gl.floor(input("i", dtype="int64")).dtype == "int64"


def test_options_that_an_op_lacks_are_refused_by_name():
    with pytest.raises(GraphUseError, match=r"np\.cumsum on a node does not take out; it takes a, axis, dtype"):
        np.cumsum(x, out=np.zeros(6))


def test_in_place_operators_make_new_nodes():
    node = x
    node += 1
    assert node is x + 1
    array = np.ones((2, 3))
    with pytest.raises(UnsupportedOp, match="with out"):
        array += x
