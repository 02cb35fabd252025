"""Products of our own: every shape, transposed or not, with what follows them, beside the reference."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.native import lanes_for
from graphlearn.errors import NonFiniteError
from graphlearn.program.steps import MatMul

BOUND = {"float32": 2e-5, "float64": 1e-13}
STEPS = {"SGD": lambda: gl.optim.SGD(0.05), "momentum": lambda: gl.optim.SGD(0.05, momentum=0.9), "Adam": gl.optim.Adam}


def trained(sizes, rows, batch, activation, optimizer, precision, backend, loss="mse", **options):
    """A network after two epochs, its input spread so that every product counts."""
    random = np.random.default_rng(0)
    x = gl.input("x", ("batch", sizes[0]))
    output = gl.nn.MLP(list(sizes), activation=activation)(x)
    t = gl.input("t", ("batch", sizes[-1]))
    model = gl.Model(output, loss=getattr(gl.losses, loss)(output, t), precision=precision)
    data = {"x": random.normal(size=(rows, sizes[0])), "t": random.normal(size=(rows, sizes[-1]))}
    model.fit(data, optimizer=optimizer(), epochs=2, batch_size=batch, backend=backend, progress=False, **options)
    return model


def program_of(model):
    return model._trainer._latest[2].program


def blocks_of(model):
    return [step for step in program_of(model).steps if isinstance(step, MatMul) and step.blocks]


def agree(one, other, precision):
    for name, value in one.values.items():
        reference = np.asarray(other.values[name])
        scale = np.abs(reference).max()
        np.testing.assert_allclose(value, reference, rtol=0, atol=BOUND[precision] * scale, err_msg=name)


WIDTHS = (16, 17, 31, 33, 64, 100)


@pytest.mark.parametrize("precision", BOUND)
@pytest.mark.parametrize("width", WIDTHS)
def test_widths_that_leave_columns_over(width, precision):
    sizes = (24, width, 2 * lanes_for(precision) + 1, 3)
    made = [trained(sizes, 60, 20, "tanh", STEPS["momentum"], precision, backend) for backend in ("numba", "numpy")]
    assert blocks_of(made[0])
    agree(*made, precision)


@pytest.mark.parametrize("precision", BOUND)
@pytest.mark.parametrize(("rows", "batch"), [(5, 5), (9, 9), (64, 16), (61, 29), (200, 67)])
def test_batches_of_any_length_and_smaller_last_ones(rows, batch, precision):
    sizes = (35, 48, 33, 2)
    made = [trained(sizes, rows, batch, "relu", STEPS["SGD"], precision, backend) for backend in ("numba", "numpy")]
    assert blocks_of(made[0])
    agree(*made, precision)


@pytest.mark.parametrize(
    ("activation", "optimizer"), [("relu", "SGD"), ("tanh", "Adam"), ("gelu", "momentum"), ("elu", "Adam")]
)
def test_what_follows_a_product_is_done_block_by_block(activation, optimizer):
    sizes = (30, 45, 37, 2)
    made = [trained(sizes, 50, 23, activation, STEPS[optimizer], "float64", backend) for backend in ("numba", "numpy")]
    followed = [step for step in blocks_of(made[0]) if step.then]
    assert len(followed) >= 2
    assert any(step.then.reductions for step in followed)
    agree(*made, "float64")


def test_rows_that_lie_far_apart_are_copied():
    width = 4096 // 8 + 5
    made = [
        trained((7, width, 70, 2), 150, 150, "tanh", STEPS["SGD"], "float64", backend) for backend in ("numba", "numpy")
    ]
    rooms = {name for step in blocks_of(made[0]) for name in step.blocks.rooms}
    assert rooms == {"left", "right", "block"}
    agree(*made, "float64")


def test_long_products_are_left_to_the_library():
    x, t = gl.input("x", ("batch", 2100)), gl.input("t", ("batch", 40))
    output = gl.nn.MLP([2100, 40])(x)
    model = gl.Model(output, loss=gl.losses.mse(output, t))
    data = {"x": np.ones((20, 2100)), "t": np.ones((20, 40))}
    model.fit(data, optimizer=gl.optim.SGD(1e-4), epochs=1, batch_size=20, progress=False)
    sizes = [step.sizes for step in blocks_of(model)]
    assert (20, 40, 2100) not in sizes and (2100, 40, 20) in sizes
    assert "20x40x2100 (more than 2,048 terms)" in " ".join(model.describe().split())
    assert "gemm" in model.source


@pytest.mark.parametrize(("width", "own"), [(40, True), (512, False)])
def test_several_threads_are_the_librarys_and_one_is_ours(width, own, monkeypatch):
    monkeypatch.setattr("graphlearn.backends.numba.backend.available", lambda: 4)
    model = trained((width, width, width), 512, 512, "tanh", STEPS["SGD"], "float32", "numba", threads=2)
    assert bool(blocks_of(model)) == own
    assert ("matrix products use one" in model.describe()) == own


def test_only_so_many_products_are_written_out_the_largest_first():
    sizes = (20, *[24] * 9, *[20] * 6, 2)
    model = trained(sizes, 20, 20, "tanh", STEPS["SGD"], "float64", "numba")
    chosen = [np.prod(step.sizes) for step in blocks_of(model)]
    others = [np.prod(s.sizes) for s in program_of(model).steps if isinstance(s, MatMul) and not s.blocks]
    assert len(chosen) == 16 and min(chosen) >= max(others)
    assert "20x20x20 (16 larger ones are)" in " ".join(model.describe().split())


def test_a_product_that_two_loops_read_is_stored():
    x, t = gl.input("x", ("batch", 20)), gl.input("t", ("batch", 24))
    w = gl.parameter("w", value=np.random.default_rng(0).normal(size=(20, 24)))
    z = x @ w
    loss = gl.mean((gl.softmax(z, axis=1) - t) ** 2) + gl.mean(gl.max(z, axis=1))
    data = {"x": np.random.default_rng(1).normal(size=(30, 20)), "t": np.ones((30, 24)) / 24}
    losses = []
    for backend in ("numba", "numpy"):
        model = gl.Model(z, loss=loss, precision="float64")
        losses.append(
            model.fit(
                data, optimizer=gl.optim.SGD(0.1), epochs=3, batch_size=10, backend=backend, progress=False
            ).losses
        )
        if backend == "numba":
            assert any(step.then is None for step in blocks_of(model))
    np.testing.assert_allclose(*losses, rtol=1e-12)


@pytest.mark.parametrize("seed", range(2))
def test_the_same_bits_whatever_the_chunks(seed):
    random = np.random.default_rng(seed)
    sizes = [int(n) for n in random.integers(16, 70, size=3)]
    runs = [
        trained((*sizes, 2), 37, 11, "tanh", STEPS["Adam"], "float32", "numba", callbacks=callbacks)
        for callbacks in ((), [lambda model, epoch, logs: None])
    ]
    for name, value in runs[0].values.items():
        np.testing.assert_array_equal(value, runs[1].values[name])


def test_infinite_and_missing_numbers_pass_through_blocks():
    x, t = gl.input("x", ("batch", 32)), gl.input("t", ("batch", 32))
    w = gl.parameter("w", value=np.eye(32))
    output = gl.relu(x @ w)
    model = gl.Model(output, loss=gl.losses.mse(output, t), precision="float64")
    data = {"x": np.ones((32, 32)), "t": np.ones((32, 32))}
    data["x"][3, 5] = 1e200
    with pytest.raises(NonFiniteError):
        model.fit(data, optimizer=gl.optim.SGD(0.1), epochs=1, batch_size=32, progress=False, shuffle=False)
    np.testing.assert_array_equal(model.values["w"], np.eye(32))


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_operands_that_lie_transposed(left, right):
    random = np.random.default_rng(0)
    shapes = (37, 29) if left else (29, 37), (45, 37) if right else (37, 45)
    a, b = (gl.parameter(name, value=random.normal(size=shape)) for name, shape in zip("ab", shapes, strict=True))
    product = (a.T if left else a) @ (b.T if right else b)
    loss = gl.mean(gl.tanh(product * 0.1) ** 2)
    losses = []
    for backend in ("numba", "numpy"):
        model = gl.Model(product, loss=loss, precision="float64")
        losses.append(model.fit({}, optimizer=gl.optim.SGD(0.1), epochs=4, backend=backend, progress=False).losses)
        if backend == "numba":
            assert blocks_of(model)
    np.testing.assert_allclose(*losses, rtol=1e-12)


@pytest.mark.parametrize("precision", BOUND)
def test_a_last_column_alone_is_followed_and_added(precision):
    width = lanes_for(precision) + 1
    x, t = gl.input("x", ("batch", 200)), gl.input("t", ("batch", width))
    w, s = (gl.parameter(name, shape) for name, shape in (("w", (200, width)), ("s", (width, width))))
    z = x @ w
    y = z + gl.relu(z) @ s
    random = np.random.default_rng(0)
    data = {"x": random.normal(size=(64, 200)), "t": random.normal(size=(64, width))}
    made = [gl.Model(y, loss=gl.losses.mse(y, t), precision=precision) for _ in range(2)]
    for model, backend in zip(made, ("numba", "numpy"), strict=True):
        model.fit(data, optimizer=gl.optim.SGD(0.05), epochs=2, batch_size=32, backend=backend, progress=False)
    assert blocks_of(made[0])
    agree(*made, precision)
