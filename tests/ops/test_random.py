"""Random numbers: published answers, the same bits everywhere, streams that share nothing, and what inference does."""

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.errors import DTypeError, NameClashError, OptionError, ShapeError
from graphlearn.ops.philox import philox, words

F32, F64 = "float32", "float64"
MILLION = 2**20


def draws():
    """A node of each kind and shape: rows that fill blocks of four words, rows that do not, and free axes."""
    for shape in ((), (2, 4), (2, 7), ("N", 3), (3, "N")):
        yield gl.random.uniform(shape)
        yield gl.random.uniform(shape, dtype=F32)
        yield gl.random.bernoulli(shape, 0.3)
    yield gl.random.normal(("N", 6))
    yield gl.random.normal((2, 7), dtype=F32)


# --- bits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [  # file kat_vectors of Random123, philox4x32 with 10 rounds
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_answers(counter, key, answer):
    found = philox(tuple(np.array([word], np.uint64) for word in counter), key)
    assert tuple(int(word[0]) for word in found) == answer


def test_an_entry_depends_on_its_row_and_place_alone():
    long, short = words(7, 3, 1, (9, 6)), words(7, 3, 1, (4, 6))
    np.testing.assert_array_equal(long[:4], short)
    np.testing.assert_array_equal(words(7, 3, 1, (4, 8))[:, :6], short)  # six entries fill two blocks as eight do


def test_seeds_steps_and_lanes_use_all_their_bits():
    seen = {tuple(words(seed, step, lane, (4,))) for seed, step, lane in (
        (0, 0, 0), (1, 0, 0), (2**32, 0, 0), (2**63, 0, 0), (0, 1, 0), (0, 2**32, 0), (0, 0, 1), (0, 0, 2**31),
    )}  # fmt: skip
    assert len(seen) == 8
    assert np.array_equal(words(2**64 - 1, 0, 0, (4,)), words(-1, 0, 0, (4,)))


def test_compiled_code_draws_the_same_bits():
    rows = gl.input("rows", "N")
    nodes = tuple(draws())
    outputs = (*nodes, gl.sum(rows))
    compute = gl.compile(outputs)
    for seed, step, length in ((0, 0, 6), (2**64 - 1, 2**40 + 3, 5), (3, 1, 1)):
        at = {"rows": np.zeros(length)}
        got = compute(at, seed=seed, step=step)
        wanted = gl.evaluate(outputs, at, seed=seed, step=step)
        for node, one, other in zip(outputs, got, wanted, strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            if node.op.name == "random_normal":
                np.testing.assert_allclose(one, other, rtol=8 * np.finfo(node.dtype).eps)
            else:
                np.testing.assert_array_equal(one, other)


def test_numbers_of_float32_are_the_first_bits_of_those_of_float64():
    unit, truth = gl.random.uniform((100, 5)), gl.random.bernoulli((100, 5), 0.1)
    for backend in ("numpy", "numba"):
        wide = gl.compile((unit, truth), backend=backend)(seed=5)
        narrow = gl.compile((unit, truth), backend=backend, precision=F32)(seed=5)
        np.testing.assert_array_equal(np.floor(wide[0] * 2**24) / 2**24, narrow[0])
        np.testing.assert_array_equal(wide[1], narrow[1])


# --- streams ----------------------------------------------------------------------------------------------------------


def test_every_call_is_a_stream_of_its_own_and_a_rebuilt_node_keeps_its_own():
    one, other = gl.random.uniform(4), gl.random.uniform(4)
    a, b, again = gl.evaluate((one, other, one.named("twin")))
    assert not np.intersect1d(a, b).size
    np.testing.assert_array_equal(a, again)
    np.testing.assert_array_equal(gl.evaluate(gl.simplify(one * 1)), a)


def test_streams_are_numbered_by_their_first_appearance():
    first, second = gl.random.uniform(4), gl.random.uniform(4)
    np.testing.assert_array_equal(gl.evaluate(first), gl.evaluate(second))
    forward, backward = gl.evaluate((first, second)), gl.evaluate((second, first))
    np.testing.assert_array_equal(forward[0], backward[0])
    np.testing.assert_array_equal(forward[1], backward[1])


def test_a_gradient_draws_the_numbers_of_its_loss():
    a, b = gl.parameter("a", value=np.ones(3)), gl.parameter("b", value=np.ones(3))
    early, late = gl.random.normal(3), gl.random.normal(3)
    loss = gl.sum(gl.square(a) * early) + gl.sum(gl.square(b) * late)
    noise = gl.evaluate((loss, early, late), seed=4)[1:]
    for compute in (gl.evaluate, lambda node, seed: gl.compile(node)({a: np.ones(3), b: np.ones(3)}, seed=seed)):
        np.testing.assert_allclose(compute(gl.grad(loss, b), seed=4), 2 * noise[1])
        np.testing.assert_allclose(compute(gl.simplify(gl.grad(loss, b)) * 1.0, seed=4), 2 * noise[1])
        moved = gl.jvp(loss, b, gl.constant(np.ones(3)))
        np.testing.assert_allclose(compute(moved, seed=4), 2 * noise[1].sum())
    twice = gl.hessian(loss, b)
    np.testing.assert_allclose(gl.evaluate(twice, {a: np.ones(3), b: np.ones(3)}, seed=4), np.diag(2 * noise[1]))


def test_a_derivative_that_is_a_part_of_its_loss_draws_the_same_and_leaves_the_part_as_it_is():
    w = gl.parameter("w", value=2.0)
    first, second = gl.random.uniform(), gl.random.uniform()
    loss = gl.exp(first) + w * second
    alone = gl.evaluate(second)
    slope = gl.grad(loss, w)
    assert gl.evaluate(slope) == gl.evaluate((loss, second))[1] != alone
    assert gl.evaluate(second) == alone


def test_seed_and_step_choose_the_numbers():
    noise = gl.random.uniform(1000)
    values = [gl.evaluate(noise, seed=seed, step=step) for seed, step in ((0, 0), (1, 0), (0, 1))]
    assert all(np.abs(np.corrcoef(values) - np.eye(3)).max() < 0.1 for _ in values)
    np.testing.assert_array_equal(gl.evaluate(noise, seed=np.int64(1)), values[1])


# --- distributions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [F32, F64])
def test_uniform_numbers_fill_their_interval_evenly(dtype):
    values = gl.evaluate(gl.random.uniform((MILLION // 8, 8), dtype=dtype), seed=11)
    assert values.dtype == dtype
    assert 0 <= values.min() < 1e-5 < 1 - 1e-5 < values.max() < 1
    counts = np.histogram(values, 256, (0, 1))[0]
    chi2 = np.sum((counts - MILLION / 256) ** 2) / (MILLION / 256)
    assert 180 < chi2 < 340  # 255 degrees of freedom: mean 255, deviation 22.6
    pairs = np.histogram2d(values[:, 0], values[:, 1], 16, ((0, 1), (0, 1)))[0]  # neighbours
    chi2 = np.sum((pairs - MILLION / 8 / 256) ** 2) / (MILLION / 8 / 256)
    assert 180 < chi2 < 340


@pytest.mark.parametrize("dtype", [F32, F64])
def test_normal_numbers_have_the_moments_and_tails_of_the_normal_distribution(dtype):
    values = gl.evaluate(gl.random.normal((MILLION,), dtype=dtype), seed=12).astype(F64)
    for power, moment, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert abs(np.mean(values**power) - moment) < 4 * np.sqrt(spread / MILLION), power
    for limit, part in ((1, 0.3173105), (2, 0.0455003), (3, 0.0026998)):
        assert abs(np.mean(np.abs(values) > limit) - part) < 4 * np.sqrt(part / MILLION)
    assert np.all(np.isfinite(values))
    assert 4 < np.abs(values).max() < 8.7


@pytest.mark.parametrize("p", [0.0, 1e-3, 0.25, 0.9, 1.0])
def test_truths_hold_as_often_as_they_should(p):
    values = gl.evaluate(gl.random.bernoulli((MILLION,), p), seed=13)
    assert values.dtype == bool
    assert abs(values.mean() - p) <= 4 * np.sqrt(p * (1 - p) / MILLION)


def test_probabilities_may_be_nodes_and_odd_ones_are_certain():
    p = gl.input("p", 6)
    truth = gl.random.bernoulli((1000, 6), p)
    at = {"p": [np.nan, -0.5, 0.0, 0.5, 1.0, np.inf]}
    for values in (gl.evaluate(truth, at), gl.compile(truth)(at)):
        assert values[:, :3].sum() == 0
        assert 400 < values[:, 3].sum() < 600
        assert values[:, 4:].all()


# --- derivatives ------------------------------------------------------------------------------------------------------


def test_numbers_can_be_differentiated_by_where_they_lie_and_how_wide():
    mean, std = gl.parameter("mean", value=0.5), gl.parameter("std", value=2.0)
    low, high = gl.parameter("low", value=-1.0), gl.parameter("high", value=1.5)
    loss = gl.sum(gl.square(gl.random.normal(5, mean, std))) + gl.sum(gl.exp(gl.random.uniform(5, low, high)))
    report = gl.check_grad(loss, at=None, seed=3, step=2)
    assert report.ok
    assert [entry.name for entry in report.entries] == ["mean", "std", "low", "high"]
    assert gl.check_grad(loss, at=None, order=2).ok


def test_a_truth_has_no_derivative_by_its_probability():
    p = gl.parameter("p", value=0.3)
    loss = gl.sum(gl.random.bernoulli(5, p) * 2.0) + 0 * p
    assert gl.evaluate(gl.grad(loss, p)) == 0


# --- dropout ----------------------------------------------------------------------------------------------------------


def test_dropout_keeps_the_mean_and_passes_derivatives_where_it_keeps():
    x = gl.parameter("x", value=np.arange(1.0, 10001.0))
    kept = gl.dropout(x, 0.2)
    values, gradient = gl.evaluate((kept, gl.grad(gl.sum(kept), x)))
    on = values != 0
    np.testing.assert_allclose(values[on], x.attr("value").array[on] / 0.8, rtol=1e-15)
    np.testing.assert_array_equal(gradient, np.where(on, 1.25, 0))
    assert abs(on.mean() - 0.8) < 0.016
    assert abs(values.mean() / 5000.5 - 1) < 0.02
    assert gl.check_grad(gl.sum(gl.tanh(kept[:50] / 100)), x, at={x: x.attr("value").array}, seed=2).ok


def test_what_dropout_sets_to_0_cannot_make_a_nan():
    x = gl.input("x", 200)
    at = {x: np.full(200, np.inf)}
    assert set(gl.evaluate(gl.dropout(x), at)) == {0.0, np.inf}


def test_inference_is_the_graph_without_dropout():
    x = gl.input("x", ("batch", 3))
    noise = gl.random.normal(3)
    output = gl.dropout(gl.tanh(gl.dropout(x, 0.9)) + noise, 0.5) * 2
    settled = gl.inference(output)
    assert settled is (gl.tanh(x) + noise) * 2
    assert gl.inference((output, x)) == (settled, x)
    at = {x: np.ones((2, 3))}
    drawn = gl.evaluate((output, noise), at, seed=1)[1]
    # what is left draws as it did in training
    np.testing.assert_array_equal(gl.evaluate(settled, at, seed=1), 2 * (np.tanh(np.ones((2, 3))) + drawn))


def test_rates_and_dtypes_at_the_edges():
    x = gl.input("x", 3)
    assert gl.dropout(x, 0) is x
    assert gl.dropout(gl.input("n", 3, "int64"), 0.5).dtype == F64
    assert gl.dropout(gl.input("s", 3, F32), 0.5).dtype == F32
    assert gl.inference(gl.dropout(gl.input("n", 3, "int64"), 0.5)).dtype == F64
    assert gl.random.uniform((0, 3)).shape == gl.evaluate(gl.random.normal((0, 3))).shape == (0, 3)
    for rate in (1, 1.5, -0.1, float("nan"), True, "half"):
        with pytest.raises(OptionError, match="dropout needs a rate from 0 to below 1"):
            gl.dropout(x, rate)


def test_numbers_of_a_graph_written_out_are_those_of_its_arrays():
    x, w = gl.input("x", ("N", 5)), gl.parameter("w", value=np.linspace(-1, 1, 5))
    kept = gl.dropout(gl.tanh(x * w), 0.5)
    loss = gl.sum(kept * gl.random.normal(5)) + gl.sum(gl.random.uniform(("N", 3)))
    single = gl.scalarize(loss, N=2)
    at = {"x": np.linspace(0, 1, 10).reshape(2, 5)}
    for backend in ("numpy", "numba"):
        value = gl.compile(single, backend=backend)({**at, "w": np.ones(5)}, seed=3, step=4)
        wanted = gl.evaluate(loss, {**at, "w": np.ones(5)}, seed=3, step=4)
        np.testing.assert_allclose(value, wanted, rtol=1e-13)
    slope = gl.grad(single, gl.symbols(single)["w[3]"])
    np.testing.assert_allclose(gl.evaluate(slope, at, seed=3), gl.evaluate(gl.grad(loss, w), at, seed=3)[3])
    ways = gl.paths(single, gl.symbols(single)["w[3]"], at=at)
    np.testing.assert_allclose(sum(np.prod(way) for way in ways.values()), gl.evaluate(slope, at))


# --- bad input --------------------------------------------------------------------------------------------------------


def test_errors_say_what_to_do():
    with pytest.raises(ShapeError, match=r"parameters that broadcast to \(3,\); got a result of shape \(2, 3\)"):
        gl.random.uniform(3, gl.input("low", (2, 3)), 1.0)
    with pytest.raises(ShapeError, match=r"probability that broadcasts to \(3,\); got \(2, 1\)"):
        gl.random.bernoulli(3, gl.input("p", (2, 1)))
    with pytest.raises(DTypeError, match="normal needs dtype float32 or float64; got int64"):
        gl.random.normal(3, dtype="int64")
    with pytest.raises(OptionError, match=r"probability from 0 to 1; got 1\.5"):
        gl.random.bernoulli(3, 1.5)
    noise = gl.random.uniform()
    for seed in (-1, 2**64, 1.0, True, None):
        with pytest.raises(OptionError, match="seed needs a whole number"):
            gl.evaluate(noise, seed=seed)
    with pytest.raises(OptionError, match="step needs a whole number"):
        gl.compile(noise, backend="numpy")(step=-1)
    with pytest.raises(NameClashError, match="called with seed= and step=; got a leaf called 'seed'"):
        gl.compile(noise + gl.input("seed"), backend="numpy")
