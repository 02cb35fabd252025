"""Indices that are arrays: several in step, truths, nodes; out of range, and with derivatives."""

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.errors import DataError, ShapeError, UnsupportedOp

x, n = gl.input("x", (3, 4)), gl.input("n", ("batch", 4))
rows, columns = gl.input("rows", 2, dtype="int64"), gl.input("columns", 2, dtype="int64")
VALUES = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_an_entry_of_each_row_is_the_loss_of_a_first_course(backend):
    labels = gl.input("labels", 3, dtype="int64")
    loss = -gl.mean(gl.log_softmax(x)[np.arange(3), labels])
    at = {"x": VALUES / 7, "labels": np.array([2, 0, -1])}
    value, gradient = gl.compile([loss, gl.grad(loss, x)], backend=backend, inputs=[x, labels])(**at)
    shares = np.exp(at["x"]) / np.exp(at["x"]).sum(1, keepdims=True)
    targets = np.eye(4)[at["labels"]]
    np.testing.assert_allclose(value, -np.mean(np.log(shares)[np.arange(3), at["labels"]]), rtol=1e-14)
    np.testing.assert_allclose(gradient, (shares - targets) / 3, rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_place_that_is_taken_twice_has_both_derivatives(backend):
    total = gl.sum(x[rows, columns] * np.array([1.0, 10.0]))
    gradient = gl.grad(total, x)
    run = gl.compile([gradient, gl.grad(gl.sum(gradient * x[rows, columns][0]), x)], backend=backend)
    first, second = run(x=VALUES, rows=[1, -2], columns=[3, -1])
    np.testing.assert_array_equal(first, 11.0 * (VALUES == 7))
    np.testing.assert_array_equal(second, 11.0 * (VALUES == 7))
    mask = VALUES > 6
    np.testing.assert_array_equal(gl.evaluate(gl.grad(gl.sum(x[mask] ** 2), x), {x: VALUES}), 2 * VALUES * mask)


@pytest.mark.parametrize(("row", "column", "message"), [(3, 0, "-3 to 2 .* got 3"), (0, -5, "-4 to 3 .* got -5")])
def test_numbers_out_of_range_are_refused_by_their_own_axis(row, column, message):
    picked = x[rows, columns]
    at = {"x": VALUES, "rows": [0, row], "columns": [1, column]}
    with pytest.raises(DataError, match=message):
        gl.evaluate(picked, at)
    with pytest.raises(DataError, match=message):
        gl.compile(picked)(**at)
    with pytest.raises(DataError, match=f"indexing needs places from {message}"):
        x[[0, row], [1, column]]


def test_numbers_that_compiled_code_computes_out_of_range_take_nan():
    weight = gl.parameter("weight", ())
    picked = x[gl.cast(weight * [1.0, 7.0], "int64"), columns]
    values, gradient = gl.compile([picked, gl.grad(gl.sum(picked), x)])(x=VALUES, weight=1.0, columns=[2, 0])
    np.testing.assert_array_equal(values, [6, np.nan])
    np.testing.assert_array_equal(gradient, VALUES == 6)


def test_known_numbers_are_one_constant():
    assert x[[0, 2], [1, -1]] is x[[0, -1], [1, 3]]
    assert x[[0, 2], [1, -1]].inputs[1].op.name == "constant"


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: x[[True, False]], ShapeError, r"truths of the lengths .*\(3,\); got \(2,\)\. Compare.*x: float64"),
        (lambda: x[VALUES.T > 1], ShapeError, r"\(3, 4\); got \(4, 3\)"),
        (lambda: x[np.ones((3, 4, 1), bool)], ShapeError, "at most one index for each axis"),
        (lambda: n[[True, False]], ShapeError, r"\(batch,\); got \(2,\)\. Give the free axis .*gl\.where"),
        (lambda: n[[0, 1], [0, 1]], ShapeError, r"got the free axis 'batch' of \(batch, 4\)\. .*gl\.take_along_axis"),
        (lambda: x[[0, 1], [0, 1, 2]], ShapeError, r"broadcasting needs equal lengths.*\n.*operands of indexing: x"),
        (lambda: x[x > 0], UnsupportedOp, r"arrays of truths that are known\. .*gl\.where\(condition, x, 0\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_cure(make, kind, message):
    with pytest.raises(kind, match=f"(?s){message}"):
        make()


def _random_key(random, shape):
    """A key of integers, slices, new axes, truths and arrays; and the same with some arrays as nodes."""
    key, with_nodes, given, axis = [], [], {}, 0
    together = [(2,), (1,), (3, 1), (2, 3), ()][random.integers(5)]
    while axis < len(shape) and random.random() < 0.9:
        kind, length = random.integers(6), shape[axis]
        if kind == 0:
            one = int(random.integers(-length, length))
        elif kind == 1:
            one = slice(None, None, int(random.choice([-2, -1, 1, 2])))
        elif kind == 2:
            one = random.random(shape[axis : axis + 2]) < 0.5
        elif kind == 3:
            one = None
        else:
            one = np.asarray(random.integers(-length, length, size=together))
        key.append(one)
        axis += 0 if one is None else max(np.ndim(one), 1) if kind == 2 else 1
        if kind == 4:
            node = gl.input(f"i{len(given)}", one.shape, dtype="int64")
            given[node], one = one, node
        with_nodes.append(one)
    return tuple(key), tuple(with_nodes), given


@pytest.mark.parametrize("seed", range(200))
def test_a_random_index_means_what_it_means_in_numpy(seed):
    random = np.random.Generator(np.random.Philox(seed))
    array = random.normal(size=random.integers(1, 4, size=random.integers(1, 5)))
    leaf = gl.input("leaf", array.shape)
    key, with_nodes, given = _random_key(random, array.shape)
    try:
        wanted = array[key]
    except IndexError:  # arrays that do not broadcast
        with pytest.raises(ShapeError):
            leaf[with_nodes]
        return
    part = leaf[with_nodes]
    weights = random.normal(size=part.shape)
    gradient = gl.grad(gl.sum(part * weights), leaf)
    placed = np.zeros(array.shape)
    np.add.at(placed, key, weights)
    values, slopes = gl.evaluate([part, gradient], {leaf: array, **given})
    np.testing.assert_array_equal(values, wanted)
    np.testing.assert_allclose(slopes, placed, rtol=1e-12, atol=1e-14)


def test_a_free_axis_beside_numbers_in_step_stays_free():
    cube = gl.input("cube", ("batch", 3, 4))
    assert cube[:, [0, 1], [2, 3]].shape == ("batch", 2)
    assert cube[..., VALUES > 4].shape == ("batch", 7)
    array = np.arange(24.0).reshape(2, 3, 4)
    picked = gl.compile(cube[:, rows, columns])(cube=array, rows=[2, 0], columns=[1, 1])
    np.testing.assert_array_equal(picked, array[:, [2, 0], [1, 1]])
