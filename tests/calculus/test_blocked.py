"""A gradient that is zero everywhere, since no way has a derivative, comes with a warning that names the culprit."""

import warnings

import numpy as np
import pytest

import graphlearn as gl

x = gl.input("x", (3,))
AT = {"x": [0.5, 1.5, -2.0]}
BLOCKED = {
    "floor": lambda v: gl.sum(gl.floor(v)),
    "sign": lambda v: gl.sum(gl.sign(v) * 2.0),
    "greater": lambda v: gl.mean(gl.where(v > 0, 1.0, 0.0)),
    "cast": lambda v: gl.sum(gl.cast(gl.cast(v, "int64"), "float64")),
    "argmax": lambda v: gl.sum(gl.cast(gl.argmax(v), "float64")),
    "round": lambda v: gl.exp(gl.sum(gl.round(gl.tanh(v)))),
}


@pytest.mark.parametrize("name", BLOCKED)
def test_the_warning_names_the_operation_and_the_cure(name):
    output = BLOCKED[name](x)
    with pytest.warns(gl.ZeroGradientWarning, match=rf"by 'x' is zero everywhere: .*{name}.*Put a smooth") as caught:
        gradient = gl.grad(output, x)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(gl.evaluate(gradient, AT), [0, 0, 0])


@pytest.mark.parametrize("derive", [gl.value_and_grad, gl.hessian, gl.grad, gl.derive])
def test_the_warning_points_at_the_line_of_the_user(derive):
    with pytest.warns(gl.ZeroGradientWarning, match="by 'x' is zero") as caught:
        derive(gl.sum(gl.floor(x)), x)
    assert [w.filename for w in caught] == [__file__]


@pytest.mark.parametrize(
    "derive",
    [
        lambda y: gl.jacobian(y, x),
        lambda y: gl.jvp(y, x, np.ones(3)),
        lambda y: gl.vjp(y, x, np.ones(y.shape)),
    ],
    ids=["jacobian", "jvp", "vjp"],
)
@pytest.mark.parametrize("shape", ["scalar", "array"])
def test_products_and_matrices_warn_too(derive, shape):
    whole = gl.floor(x) * 2.0
    with pytest.warns(gl.ZeroGradientWarning, match="by 'x' is zero everywhere: .*floor.*simplefilter") as caught:
        found = derive(gl.sum(whole) if shape == "scalar" else whole)
    assert [w.filename for w in caught] == [__file__]
    assert not np.any(gl.evaluate(found, AT))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        derive(gl.sum(whole * x) if shape == "scalar" else whole * x)
        derive(gl.sum(gl.relu(x)))
        derive(gl.constant([1.0, 2.0]))  # no influence at all is what these functions say zeros for


def test_one_output_that_moves_is_enough():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gl.jvp((gl.sum(gl.floor(x)), gl.sum(x)), x, np.ones(3))
        gl.vjp((gl.sum(gl.floor(x)), gl.sum(x)), x, (1.0, 1.0))


def test_a_named_node_and_a_better_operation_are_named():
    hard = (x > 0).named("hard")
    with pytest.warns(
        gl.ZeroGradientWarning, match=r"greater 'hard' \(test_blocked.py:\d+\).*such as gl.sigmoid of"
    ) as w:
        gl.grad(gl.sum(gl.where(hard, 1.0, 0.0)), x)
    assert hard in w[0].message.nodes


@pytest.mark.parametrize(
    "build",
    [
        lambda v: gl.sum(gl.floor(v) * v),  # another way has a derivative
        lambda v: gl.sum(gl.where(v > 0, v, 0.0)),
        lambda v: gl.sum(v) * 0.0,
        lambda v: gl.sum(gl.relu(v)),
    ],
)
def test_nothing_is_said_where_a_derivative_gets_through(build):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gl.grad(build(x), x)
        gl.grad(gl.sum(gl.floor(x)), x, disconnected="zero")


@pytest.mark.parametrize(
    "build",
    [
        lambda v: gl.sum(gl.relu(v)),
        lambda v: gl.sum(gl.leaky_relu(v) + gl.relu6(v) + gl.maximum(v, 0.25)),
        lambda v: gl.sum(gl.where(v > 0.125, 3.0 * v, -v)),
        lambda v: gl.sum(abs(v)),
        gl.max,
        gl.min,
    ],
)
def test_nothing_is_said_of_second_derivatives_that_are_truly_zero(build):
    """The masks that end the influence were made by differentiation, or made masks by it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = [
            gl.hessian(build(x), x),
            gl.jvp(gl.grad(build(x), x), x, np.ones(3)),
            gl.grad(gl.sum(gl.grad(build(x), x)), x),
            gl.jacobian(gl.grad(build(x), x), x),
        ]
    for found in second:
        np.testing.assert_array_equal(gl.evaluate(found, AT), np.zeros(found.shape))


def test_a_second_derivative_that_only_a_convention_makes_zero_is_told():
    with pytest.warns(gl.ZeroGradientWarning, match="only through floor"):
        gl.hessian(gl.sum(gl.floor(x) * x), x)


def test_derive_and_fit_warn_too():
    b, t = gl.input("b", "batch"), gl.input("t", "batch")
    w, step = gl.parameter("w", value=1.0), gl.parameter("step", value=0.5)
    y = gl.where(b > step, w * b, 0.0)
    loss = gl.losses.mse(y, t)
    with pytest.warns(gl.ZeroGradientWarning, match="by 'step' is zero everywhere.*leave it out of wrt"):
        gl.derive(loss, [w, step])
    model = gl.Model(y, loss=loss)
    with pytest.warns(gl.ZeroGradientWarning, match="by 'step' is zero everywhere.*which fit does not train") as caught:
        model.fit({"b": [1.0, 2.0], "t": [2.0, 4.0]}, optimizer=gl.optim.SGD(0.1), epochs=3, backend="numpy")
    assert caught[0].filename == __file__
    assert model.values["step"] == 0.5
