"""Entries by number: NumPy's values, adjoints that add up, and indices out of range, wherever they are found."""

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.errors import DataError, DTypeError, OptionError, ShapeError
from graphlearn.ops.places import check_places

x, v, n = gl.input("x", (3, 4, 5)), gl.input("v", 5), gl.input("n", ("batch", 4))
i, labels = gl.input("i", (2, 3), "int64"), gl.input("labels", "batch", "int32")
X, V, AT = np.arange(60.0).reshape(3, 4, 5), np.arange(5.0), np.array([[2, 0, -1], [1, 1, 0]])
BACKENDS = ("numpy", "numba")


@pytest.mark.parametrize(
    "key",
    [
        AT, (slice(None), AT), (..., AT), (slice(None), 0, ..., [1, 2]), (slice(None), 0, [1, 2]),
        ([1, 2], slice(None), 0),
        (slice(None), 0, None, [1, 2]), (slice(None), [1, 2], None, 0), (0, None, [1, 2]), (None, 0, [1, 2]), [], [2],
        (slice(1, None), slice(None, None, -1), [0, 2]), np.array([1, 0], np.int16), (0, slice(None), AT), (AT, 0, 1),
        (slice(None), -1, AT, None),
    ],
)  # fmt: skip
def test_one_array_among_the_indices_means_what_it_means_in_numpy(key):
    got = gl.evaluate(x[key], {x: X})
    assert got.shape == x[key].shape == X[key].shape
    np.testing.assert_array_equal(got, X[key])


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_node_as_index(place):
    before = (slice(None),) * place
    np.testing.assert_array_equal(gl.evaluate(x[(*before, i)], {x: X, i: AT}), X[(*before, AT)])


@pytest.mark.parametrize(
    "make",
    [
        lambda a: np.take(a, [1, 0, 59]),
        lambda a: np.take(a, [[1, -5]], 1, mode="wrap"),
        lambda a: np.take(a, [[1, -5, 9]], 2, mode="clip"),
        lambda a: np.take(a, 2, axis=1),
        lambda a: np.take_along_axis(a, np.array([[[3], [1], [0], [-1]]]), 2),
        lambda a: np.take_along_axis(a, np.zeros((3, 1, 5), np.int32), 1),
        lambda a: np.take_along_axis(a[:1], np.array([[[1]], [[2]]]), 1),
        lambda a: np.take_along_axis(a, np.array([3, 1]), None),
    ],
)
def test_numpys_own_functions(make):
    got = gl.evaluate(make(x), {x: X})
    assert got.shape == make(X).shape
    np.testing.assert_array_equal(got, make(X))


def test_shapes_with_free_axes():
    assert x[labels].shape == ("batch", 4, 5)
    assert n[[0, 2]].shape == (2, 4)
    assert n[:, [0, 2, 2]].shape == ("batch", 3)
    assert gl.take_along_axis(n, gl.expand_dims(labels, 1), 1).shape == ("batch", 1)
    assert gl.grad(gl.sum(n[[0, 2]] ** 2), n).shape == ("batch", 4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_scatter_add_is_numpys_add_at(axis):
    updates = np.arange(np.take(X, AT, axis).size, dtype=float).reshape(np.take(X, AT, axis).shape)
    wanted = X.copy()
    np.add.at(wanted, (slice(None),) * axis + (AT,), updates)
    np.testing.assert_array_equal(gl.evaluate(gl.scatter_add(x, i, updates, axis), {x: X, i: AT}), wanted)
    got = gl.evaluate(gl.scatter_add(X.shape, i, 2.0, axis), {i: AT})
    np.add.at(zeros := np.zeros_like(X), (slice(None),) * axis + (AT,), 2.0)
    np.testing.assert_array_equal(got, zeros)


def test_dtypes():
    whole = gl.input("w", 4, "uint8")
    assert gl.take(whole, [1]).dtype == "uint8"
    assert gl.scatter_add((4,), [1], np.ones(1, np.uint8)).dtype == "int64"
    assert gl.scatter_add((4,), [1], np.ones(1, np.float32)).dtype == "float32"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_rows_with_a_single_1_choose_as_an_index_does(backend, dtype):
    rows, numbers = gl.input("rows", (3, 2)), gl.input("numbers", ("n", 2), dtype)
    outputs = [gl.one_hot(numbers, 3) @ rows, rows[numbers]]
    outputs += [gl.one_hot(numbers, 2, kind) for kind in ("bool", "float32", "int64")]
    at = {"rows": np.arange(6.0).reshape(3, 2), "numbers": np.array([[0, 2], [1, 1]], dtype)}
    chosen, taken, *ones = gl.compile(outputs, backend=backend)(at)
    np.testing.assert_array_equal(chosen, taken)
    assert [a.dtype.name for a in ones] == ["bool", "float32", "int64"]
    assert all(a.tolist() == [[[1, 0], [0, 0]], [[0, 1], [0, 1]]] for a in ones)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_embedding_adds_up_what_is_taken_twice(backend):
    rows = gl.input("rows", ("words", 2))
    gradient = gl.grad(gl.sum(rows[labels] ** 3), rows)
    at = {"rows": np.arange(6.0).reshape(3, 2), "labels": np.array([2, 0, 2, -1], np.int32)}
    got = gl.compile(gradient, backend=backend)(at)
    np.testing.assert_allclose(got, 3 * at["rows"] ** 2 * np.array([[1], [0], [3]]))


def test_every_derivative_is_a_difference():
    w, picked = gl.input("w", (4, 3)), gl.input("p", (4, 2), "int64")
    loss = gl.sum(gl.take_along_axis(w, picked, 1) ** 3) + gl.sum(gl.scatter_add(w, [0, 0, 3], w[:3] ** 2) ** 2)
    at = {w: np.linspace(-1, 1, 12).reshape(4, 3), picked: [[0, 0], [1, -1], [2, 0], [1, 1]]}
    for order in (1, 2):
        assert gl.check_grad(loss, w, at=at, order=order).ok


# --- what does not fit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: x[[3]], DataError, r"-3 to 2 along an axis of length 3; got 3 in row 0.*x: float64\[3,4,5\]"),
        (lambda: gl.take(v, [[0, 1], [9, -6]]), DataError, r"got 9 in row 1, column 0.*2 such entries"),
        (lambda: gl.take(gl.input("e", 0), [0]), DataError, "The axis has no entries"),
        (lambda: gl.take_along_axis(v, [7]), DataError, "take_along_axis needs places from -5 to 4"),
        (lambda: gl.scatter_add((4,), [4], [1.0]), DataError, "scatter_add needs places from -4 to 3"),
        (lambda: gl.take(v, [0.5]), DTypeError, r"whole numbers as indices; got float64\[1\]\. Declare"),
        (lambda: gl.take(v, [True]), DTypeError, r"gl\.where\(condition, x, 0\)"),
        (lambda: gl.take(v, [0], 1), ShapeError, "axes from -1 to 0"),
        (lambda: gl.take(v, [0], mode="nearest"), OptionError, "'raise', 'clip' or 'wrap'; got 'nearest'"),
        (lambda: gl.take(n, [0], 0, "wrap"), ShapeError, "fixed length with entries; got 'batch'"),
        (lambda: gl.take_along_axis(x, [0]), ShapeError, r"the array's rank; got \(1,\) for \(3, 4, 5\)"),
        (lambda: gl.take_along_axis(x, np.zeros((2, 4, 1), int), 2), ShapeError, "broadcasting needs equal lengths"),
        (lambda: gl.scatter_add(v, [0, 1], np.ones(3)), ShapeError, r"broadcast to \(2,\); got \(3,\)"),
        (lambda: n[[0], [1]], ShapeError, r"fixed length for arrays in step; got the free axis 'batch'.*gl\.take_al"),
        (lambda: x[[0, 1], [1, 2, 3]], ShapeError, "broadcasting needs equal lengths"),
        (lambda: x[[0, 1], [1, 4]], DataError, "indexing needs places from -4 to 3 along an axis of length 4; got 4"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_a_cure(make, error, message):
    with pytest.raises(error, match=f"(?s){message}"):
        make()


def test_the_reference_names_the_operands_of_an_index_out_of_range():
    with pytest.raises(
        DataError, match=r"(?s)got 5 in row 1.*operands of take: v: float64\[5\], labels: int32\[batch\]"
    ):
        gl.evaluate(v[labels], {v: V, labels: [0, 5]})
    with pytest.raises(DataError, match="got -6 in row 0"):
        gl.evaluate(v[labels * 3], {v: V, labels: [-2]})


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_compiled_function_checks_what_the_data_decide(backend):
    function = gl.compile(gl.take(n, labels, 0), backend=backend)
    at = {"n": np.ones((3, 4)), "labels": [2, -3, 0]}
    with pytest.raises(ShapeError):
        function({**at, "labels": [[0]]})
    assert gl.compile(v[labels], backend=backend)(v=V, labels=[4, -5]).tolist() == [4, 0]
    with pytest.raises(DataError, match="'labels' of the call needs places from -5 to 4"):
        gl.compile(v[labels], backend=backend)(v=V, labels=[0, 5])
    assert function(at).shape == (3, 4)
    with pytest.raises(DataError, match="'labels' of the call needs places from -3 to 2 along an axis of length 3"):
        function({**at, "labels": [0, 3, 1]})
    with pytest.raises(DataError, match="the constant index needs places from -1 to 0"):
        gl.compile(n[[1]], backend=backend)(n=np.ones((1, 4)))


def test_compiled_code_neither_reads_nor_writes_out_of_range():
    weight = gl.parameter("weight", value=1.0)
    numbers = gl.cast(v * weight, "int64")  # not data alone, so that nothing is checked before
    outputs = [gl.take(v, numbers), gl.scatter_add((3,), numbers, v), gl.take_along_axis(gl.cast(v, "int64"), numbers)]
    outputs += [gl.grad(gl.sum(gl.take_along_axis(v, numbers) ** 2), v)]
    far = np.array([0.0, 4.0, 5.0, -1e9, -6.0])
    taken, added, whole, gradient = gl.compile(outputs)(v=far, weight=1.0)
    np.testing.assert_array_equal(taken, [0, -6, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(added, [0, 0, 0])
    np.testing.assert_array_equal(whole, [0, -6, 0, 0, 0])
    np.testing.assert_array_equal(gradient, [0, 0, 0, 0, -12])


def test_training_checks_indices_and_learns_an_embedding():
    table = gl.parameter("table", (5, 2))
    words, target = gl.input("words", ("batch", 3), "int64"), gl.input("target", ("batch", 3, 2))
    model = gl.Model(table[words], loss=gl.mean((table[words] - target) ** 2))
    data = {"words": np.array([[0, 1, 2], [3, 4, -1]]), "target": np.arange(12.0).reshape(2, 3, 2) % 8}
    with pytest.raises(DataError, match=r"data\['words'\] needs places from -5 to 4 along an axis of length 5; got 6"):
        model.fit({**data, "words": data["words"] + 6}, optimizer=gl.optim.SGD(0.1), epochs=1)
    history = model.fit(data, optimizer=gl.optim.Adam(0.1), epochs=400)
    # The last word has two targets, one apart from their mean in each of four numbers.
    np.testing.assert_allclose(model.values["table"], [[0, 1], [2, 3], [4, 5], [6, 7], [1, 2]], atol=1e-2)
    assert history.losses[-1] == pytest.approx(4 / 12, abs=1e-3)
    with pytest.raises(DataError, match=r"inputs\['words'\]"):
        model.predict({"words": [[0, 1, 5]]})


def test_a_scalar_has_a_place_of_its_own():
    assert check_places(-1, 1, "take") == -1
    with pytest.raises(DataError, match=r"got 1\. Count"):
        check_places(1, 1, "take")
