"""Jacobians and Hessians against differences and closed forms, by rows and by columns, with free axes."""

import numpy as np
import pytest

import graphlearn as gl


def differences(function, at, step=1e-6):
    """Central differences of an array-valued function, output axes first."""
    at = np.asarray(at, np.float64)
    columns = []
    for place in np.ndindex(at.shape):
        move = np.zeros(at.shape)
        move[place] = step
        columns.append((np.asarray(function(at + move)) - np.asarray(function(at - move))) / (2 * step))
    stacked = np.stack(columns, -1)
    return stacked.reshape(stacked.shape[:-1] + at.shape)


AT = np.array([[0.3, -0.7, 1.1], [0.9, 0.2, -0.4]])
FUNCTIONS = {
    "more rows than columns": lambda x: gl.sin(x) @ np.arange(15.0).reshape(3, 5),
    "more columns than rows": lambda x: gl.sum(gl.exp(x), axis=0),
    "a scalar": lambda x: gl.logsumexp(gl.reshape(x, 6)),
    "softmax": lambda x: gl.softmax(x, axis=1),
    "a part": lambda x: gl.square(x)[1, ::-1],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_jacobian_is_that_of_differences(name):
    x = gl.input("x", (2, 3))
    y = FUNCTIONS[name](x)
    found = gl.jacobian(y, x)
    assert found.shape == (*y.shape, 2, 3)
    wanted = differences(lambda a: gl.evaluate(y, {x: a}), AT)
    np.testing.assert_allclose(gl.evaluate(found, {x: AT}), wanted, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(gl.compile(found)(x=AT), gl.evaluate(found, {x: AT}), rtol=1e-13, atol=1e-15)


def test_free_axes_decide_the_direction():
    x, w = gl.input("x", ("batch", 2)), gl.parameter("w", value=[[1.0], [2.0]])
    y = gl.tanh(x @ w)
    at = {x: [[0.1, 0.2], [0.3, -0.4], [0.5, 0.6]]}
    by_w = gl.jacobian(y, w)  # forward: one column per weight
    assert by_w.shape == ("batch", 1, 2, 1)
    wanted = differences(lambda a: gl.evaluate(y, {**at, w: a}), [[1.0], [2.0]])
    np.testing.assert_allclose(gl.evaluate(by_w, at), wanted, rtol=1e-7)
    by_x = gl.jacobian(gl.sum(y, axis=0), x)  # reverse: one row per output
    assert by_x.shape == (1, "batch", 2)
    wanted = differences(lambda a: gl.evaluate(gl.sum(y, axis=0), {x: a}), at[x])
    np.testing.assert_allclose(gl.evaluate(by_x, at), wanted, rtol=1e-7)
    with pytest.raises(gl.errors.ShapeError, match="both have a free axis"):
        gl.jacobian(y, x)


def test_a_hessian_is_symmetric_and_that_of_differences():
    w = gl.parameter("w", value=[0.3, -0.7, 1.1])
    loss = gl.sum(gl.tanh(w)) * gl.sum(gl.exp(w))
    found = gl.evaluate(gl.hessian(loss, w), {})
    np.testing.assert_allclose(found, found.T, rtol=1e-13)
    wanted = differences(lambda a: gl.evaluate(gl.grad(loss, w), {w: a}), [0.3, -0.7, 1.1])
    np.testing.assert_allclose(found, wanted, rtol=1e-7)
    v = np.array([1.0, 2.0, -1.0])
    np.testing.assert_allclose(gl.evaluate(gl.jvp(gl.grad(loss, w), w, v), {}), found @ v, rtol=1e-12)


def test_blocks_of_several_nodes():
    a, b = gl.parameter("a", value=2.0), gl.parameter("b", value=[1.0, 3.0])
    loss = a * a * gl.sum(b * b)
    (aa, ab), (ba, bb) = gl.hessian(loss, [a, b])
    assert gl.evaluate(aa, {}) == 20
    np.testing.assert_allclose(gl.evaluate(ab, {}), [8.0, 24.0])
    np.testing.assert_allclose(gl.evaluate(ba, {}), [8.0, 24.0])
    np.testing.assert_allclose(gl.evaluate(bb, {}), 8 * np.eye(2))
    first, second = gl.jacobian(gl.sum(b) * a, [a, b])
    assert (first.shape, second.shape) == ((), (2,))


def test_arrays_without_entries_have_jacobians_without_entries():
    x, e, rows = gl.input("x", (2,)), gl.input("e", (0, 3)), gl.input("rows", ("N", 2))
    at = {"e": np.zeros((0, 3)), "x": [1.0, 2.0]}
    for output, wrt, shape in [
        (gl.exp(e), e, (0, 3, 0, 3)),
        (gl.sum(e * e), e, (0, 3)),
        (gl.sum(e) * x, e, (2, 0, 3)),
        (gl.sum(e, axis=1) * gl.sum(x), x, (0, 2)),
    ]:
        given = {name: at[name] for name in gl.symbols(output)}
        assert gl.evaluate(gl.jacobian(output, wrt), given).shape == shape
    assert gl.evaluate(gl.hessian(gl.sum(e * e), e), {"e": at["e"]}).shape == (0, 3, 0, 3)
    assert gl.jacobian(gl.sum(e) * gl.sum(rows, axis=1), e).shape == ("N", 0, 3)


def test_what_does_not_depend_has_zeros_and_bad_input_is_named():
    x, y = gl.input("x", (2,)), gl.input("y", (3,))
    np.testing.assert_array_equal(gl.evaluate(gl.jacobian(gl.exp(x), y), {x: [0, 0], y: [0, 0, 0]}), np.zeros((2, 3)))
    with pytest.raises(gl.errors.DTypeError, match="a jacobian needs real nodes"):
        gl.jacobian(x > 0, x)
    with pytest.raises(gl.errors.ShapeError, match="scalar"):
        gl.hessian(gl.exp(x), x)
