"""The branch that a `where` does not take makes no NaN, of first and of second order, on every backend.

The law over all operations is `tests/laws/test_masks.py`; here is what users write, and what stays as it is.
"""

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.calculus.masks import Masks
from graphlearn.calculus.paths import Ways
from graphlearn.graph.traverse import topological

x, y, m = gl.input("x", 3), gl.input("y", 3), gl.input("m")
X, W = gl.input("X", (4, 3)), gl.parameter("W", (3, 3))
A, b = gl.input("A", (2, 2)), gl.input("b", 2)
picked, rows = gl.input("picked", (2, 1), dtype="bool"), gl.input("rows", 4, dtype="bool")
AT = {
    x: [0.0, 1.0, 2.0],
    y: [0.0, -1.0, 2.0],
    m: -1.0,
    X: [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [-1.0, 0.0, 1.0], [2.0, 2.0, 2.0]],
    W: np.arange(9.0).reshape(3, 3) / 10,
    A: [[1.0, 2.0], [2.0, np.inf]],
    b: [1.0, 2.0],
    picked: [[False], [False]],
    rows: [False, True, False, True],
}
LOGS = gl.log(x)
LOSSES = {
    "broadcast": gl.sum(gl.where(picked, 1 / x, x)),
    "sum": gl.where(m > 0, gl.sum(gl.log(y)), 0.0),
    "matrix product": gl.where(m > 0, gl.sum(W @ gl.log(y)), 0.0),
    "norm": gl.sum(gl.where(gl.norm(x - x) > 0, x / gl.sqrt(gl.sum((x - x) * (x - x))), 0.0)),
    "turned twice": gl.sum(gl.where(x > 0, gl.log(x)[::-1][::-1], 0.0)),
    "solve": gl.where(m > 0, gl.solve(A, b)[0], 0.0),
    "determinant": gl.where(m > 0, gl.slogdet(A)[1], 0.0),
    "rows of a product": gl.sum(gl.where(rows[:, None], gl.log(X) @ W, 0.0)),
    "rows of softmax": gl.sum(gl.where(rows[:, None], gl.softmax(gl.log(X)) * W[0], 0.0)),
    "einsum": gl.sum(gl.where(rows[:, None], gl.einsum("ij,jk->ik", gl.sqrt(X), W), 0.0)),
    "products": gl.sum(gl.where(rows, gl.prod(gl.log(X), axis=1), 0.0)),
    "nested": gl.sum(gl.where(x > 0, gl.where(x > 1, gl.log(x - 1), gl.sqrt(x)), 0.0)),
    "nested, summed": gl.where(m > 0, gl.sum(gl.where(x > 1, gl.log(x), 1 / x)), gl.sum(x)),
    "two uses": gl.sum(gl.where(x > 5, LOGS, 0.0) + gl.where(x > 6, gl.sum(LOGS) * x, 0.0)),
    "mean of what counts": gl.where(
        gl.sum(gl.where(y > 5, 1.0, 0.0)) > 0, gl.sum(x) / gl.sum(gl.where(y > 5, y, 0.0)), 0.0
    ),
}
COMPILED = ("broadcast", "matrix product", "rows of a product", "nested")


def derivatives(loss):
    """First derivatives by every leaf, and second ones along arrays without zeros."""
    leaves = [n for n in gl.symbols(loss).values() if n.dtype == "float64"]
    first = gl.grad(loss, leaves, disconnected="zero")
    total = sum(gl.sum(g * np.arange(1.0, 1 + np.prod(g.shape, dtype=int)).reshape(g.shape)) for g in first)
    return [*first, *gl.grad(total, leaves, disconnected="zero")]


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("name", LOSSES)
def test_derivatives_are_finite(name):
    for found in gl.evaluate(derivatives(LOSSES[name]), AT):
        assert np.isfinite(found).all()


def test_compiled_ones_are_the_same():
    nodes = [n for name in COMPILED for n in derivatives(LOSSES[name])]
    given = {leaf.full_name: value for leaf, value in AT.items() if leaf in topological(nodes)}
    for one, other in zip(gl.evaluate(nodes, AT), gl.compile(nodes)(**given), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-12)


def test_where_a_branch_is_taken_the_derivative_is_its_own():
    at = {m: 1.0, y: [1.0, 2.0, 4.0], W: AT[W]}
    by_y, by_w = gl.evaluate(gl.grad(LOSSES["matrix product"], (y, W)), at)
    np.testing.assert_allclose(by_y, AT[W].sum(axis=0) / at[y])
    np.testing.assert_allclose(by_w, np.log([at[y]] * 3))
    by_rows = gl.evaluate(gl.grad(LOSSES["rows of a product"], W), AT)
    np.testing.assert_allclose(by_rows, np.log([AT[X][1], AT[X][3]]).sum(axis=0)[:, None] * np.ones(3))


def test_forward_mode_and_paths():
    moved = gl.evaluate(gl.jvp(LOSSES["matrix product"], (y, W), (np.ones(3), np.ones((3, 3)))), AT)
    assert moved == 0
    s = gl.input("s")
    loss = gl.where(s > 0, gl.log(s) * gl.sqrt(s), s)
    products = [way.product for way in Ways(loss, s)]
    assert len(products) == 3
    assert sum(gl.evaluate(products, {s: 0.0})) == 1


@pytest.mark.parametrize(
    "loss",
    [
        gl.sum(gl.where(x @ W > 0, x @ W, 0.0)),
        gl.sum(gl.relu(x @ W) ** 2),
        gl.sum(gl.where(gl.softplus(X @ W) > 1, gl.tanh(X @ W) / 2, X @ W)),
    ],
    ids=["rectifier", "relu", "smooth"],
)
def test_graphs_without_edges_have_no_masks(loss):
    masks = Masks(topological([loss]))
    assert not any(masks.watches(node) for node in topological([loss]))


def test_a_chain_of_one_shape_keeps_its_mask_outermost():
    gradient = gl.grad(gl.sum(gl.where(x > 0, gl.log(x) * 2, 0.0)), x)
    assert [n.op.name for n in topological([gradient])].count("where") == 1


def test_conditions_that_are_everywhere_make_no_mask():
    """Both branches use log(x), so that its adjoint may be anything everywhere."""
    gradient = gl.grad(gl.where(m > 0, gl.sum(LOGS), gl.sum(2 * LOGS)), x)
    assert gradient.op.name != "where"


def test_nested_choices_grow_with_their_number():
    def size(count):
        total = m * 0
        for k in range(count):
            total = gl.where(m > k, gl.log(m - k), total)
        return len(topological([gl.grad(total, m)]))

    assert size(800) < 2.2 * size(400)
