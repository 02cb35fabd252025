"""Convolution and pooling against plain loops and SciPy, their derivatives of two orders, and a network that learns."""

import itertools

import numpy as np
import pytest
from scipy import signal

import graphlearn as gl
from graphlearn.errors import OptionError, ShapeError

RANDOM = np.random.default_rng(0)
IMAGES, KERNEL = RANDOM.normal(size=(2, 6, 5, 2)), RANDOM.normal(size=(3, 2, 2, 3))
x, w = gl.input("x", ("batch", 6, 5, 2)), gl.input("w", (3, 2, 2, 3))
AT = {x: IMAGES, w: KERNEL}
SETTINGS = [  # stride, padding, dilation
    (1, 0, 1), (1, "valid", 1), (1, 1, 1), (2, (1, 2), 1), ((2, 1), ((1, 0), (0, 3)), (1, 2)), ((1, 3), 2, (2, 1)),
]  # fmt: skip


def both(given):
    return given if isinstance(given, tuple) else (given, given)


def convolved(images, kernel, stride, padding, dilation):
    """Entry by entry, as the definition says."""
    (s, t), (d, e) = both(stride), both(dilation)
    (up, down), (left, right) = ((0, 0), (0, 0)) if padding == "valid" else map(both, both(padding))
    images = np.pad(images, ((0, 0), (up, down), (left, right), (0, 0)))
    height, width, channels, features = kernel.shape
    rows = (images.shape[1] - (height - 1) * d - 1) // s + 1
    columns = (images.shape[2] - (width - 1) * e - 1) // t + 1
    result = np.zeros((len(images), rows, columns, features))
    for n, i, j, k in np.ndindex(result.shape):
        for a, b, c in np.ndindex(height, width, channels):
            result[n, i, j, k] += images[n, i * s + a * d, j * t + b * e, c] * kernel[a, b, c, k]
    return result


@pytest.mark.parametrize(("stride", "padding", "dilation"), SETTINGS)
def test_values_are_those_of_the_definition(stride, padding, dilation):
    y = gl.conv2d(x, w, stride, padding, dilation)
    wanted = convolved(IMAGES, KERNEL, stride, padding, dilation)
    assert y.shape == ("batch", *wanted.shape[1:])
    np.testing.assert_allclose(gl.evaluate(y, AT), wanted, rtol=1e-12, atol=1e-13)


def test_scipy_correlates_the_same():
    lines, kernel = RANDOM.normal(size=(7, 1)), RANDOM.normal(size=(3, 1, 1))
    for padding, mode in ((0, "valid"), ("same", "same"), (2, "full")):
        got = gl.evaluate(gl.conv1d(lines, kernel, padding=padding))[:, 0]
        np.testing.assert_allclose(got, signal.correlate(lines[:, 0], kernel[:, 0, 0], mode), rtol=1e-12)
    image, stamp = RANDOM.normal(size=(6, 7)), RANDOM.normal(size=(3, 2))
    got = gl.evaluate(gl.conv2d(image[..., None], stamp[..., None, None]))[..., 0]
    np.testing.assert_allclose(got, signal.correlate(image, stamp, "valid"), rtol=1e-12)


@pytest.mark.parametrize("function", [np.correlate, np.convolve])
@pytest.mark.parametrize("mode", ["valid", "same", "full"])
def test_numpys_own_functions_of_vectors(function, mode):
    for many, few in itertools.product((1, 2, 5, 6), repeat=2):
        one, other = RANDOM.normal(size=many), RANDOM.normal(size=few)
        got = gl.evaluate(function(gl.constant(one), other, mode))
        np.testing.assert_allclose(got, function(one, other, mode), rtol=1e-12, atol=1e-14)


def test_numpys_own_functions_refuse_what_is_no_vector():
    for function in (np.correlate, np.convolve):
        with pytest.raises(ShapeError, match=r"two vectors of fixed length with entries; got .*gl\.conv1d"):
            function(x, np.ones(2))
        with pytest.raises(ShapeError, match=r"two vectors"):
            function(gl.input("free", "n"), np.ones(2))
        with pytest.raises(OptionError, match="'valid', 'same' or 'full'; got 'wrap'"):
            function(gl.input("v", 3), np.ones(2), "wrap")


def test_same_keeps_the_length_and_puts_the_odd_zero_behind():
    line = gl.constant(np.arange(1.0, 6)[:, None])
    pair = gl.constant(np.array([1.0, 10]).reshape(2, 1, 1))
    assert gl.evaluate(gl.conv1d(line, pair, padding="same")).ravel().tolist() == [21, 32, 43, 54, 5]
    for stride, size, dilation in itertools.product((1, 2, 3), (1, 2, 3, 4), (1, 2)):
        kernel = np.ones((size, 1, 1))
        assert gl.conv1d(line, kernel, stride, "same", dilation).shape == (-(-5 // stride), 1)


def test_leading_axes_are_samples_and_a_kernel_of_size_1_is_a_matrix_product():
    weight = RANDOM.normal(size=(2, 4))
    np.testing.assert_allclose(gl.evaluate(gl.conv2d(x, weight[None, None]), AT), IMAGES @ weight, rtol=1e-13)
    many = RANDOM.normal(size=(2, 3, 6, 5, 2))
    apart = np.stack([convolved(each, KERNEL, 1, 0, 1) for each in many])
    np.testing.assert_allclose(gl.evaluate(gl.conv2d(many, KERNEL)), apart, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(gl.evaluate(gl.conv2d(many[0, 0], KERNEL)), apart[0, 0], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("stride", "padding", "dilation"), SETTINGS[2:])
def test_derivatives_are_differences(stride, padding, dilation, order):
    loss = gl.sum(gl.tanh(gl.conv2d(x, w, stride, padding, dilation)) ** 2)
    assert gl.check_grad(loss, [x, w], at=AT, order=order).ok


@pytest.mark.parametrize("batch", ["batch", 2])
def test_compiled_as_the_reference(batch):
    images = gl.input("images", (batch, 6, 5, 2))
    y = gl.conv2d(images, w, *SETTINGS[4])
    pools = [gl.max_pool2d(images, 3, 2, 1), gl.avg_pool2d(images, (2, 3), 1, 1)]
    loss = gl.sum(gl.tanh(y)) + sum(gl.sum(p**2) for p in pools)
    outputs = [y, *pools, *gl.grad(loss, [images, w])]
    at = {"images": IMAGES, "w": KERNEL}
    for got, wanted in zip(gl.compile(outputs)(at), gl.compile(outputs, backend="numpy")(at), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool"])
def test_whole_numbers_count_as_reals(dtype):
    pixels, stamp = np.full((4, 4, 1), 200).astype(dtype), np.full((3, 3, 1, 1), 3).astype(dtype)
    node = gl.conv2d(gl.constant(pixels), stamp)
    wanted = convolved(pixels[None].astype(float), stamp.astype(float), 1, 0, 1)[0]
    for backend in ("numpy", "numba"):
        got = gl.compile(node, backend=backend)()
        assert got.dtype == "float64"
        np.testing.assert_array_equal(got, wanted)
    assert gl.conv2d(pixels, stamp.astype("float32")).dtype == ("float32" if dtype != "int64" else "float64")


def test_no_samples_at_all():
    outputs = [gl.conv2d(x, w), gl.max_pool2d(x, 2), *gl.grad(gl.sum(gl.conv2d(x, w)), [x, w])]
    for backend in ("numpy", "numba"):
        found = gl.compile(outputs, backend=backend)(x=IMAGES[:0], w=KERNEL)
        assert [a.shape for a in found] == [(0, 4, 4, 3), (0, 3, 2, 2), (0, 6, 5, 2), (3, 2, 2, 3)]
        assert not found[-1].any()


def test_derivatives_of_a_convolution_are_convolutions():
    upstream = gl.input("upstream", ("batch", 4, 4, 3))
    by_image, by_kernel = gl.vjp(gl.conv2d(x, w), [x, w], upstream)
    assert (by_image.op.name, by_kernel.op.name) == ("conv_image", "conv_kernel")
    assert gl.vjp(by_image, [upstream], gl.input("u", x.shape))[0].op.name == "conv"
    assert gl.vjp(by_kernel, [upstream], gl.input("v", w.shape))[0].op.name == "conv"


# --- pooling ---------------------------------------------------------------------------------------------------------


def pooled(images, size, stride, padding, fill, join):
    """Window by window."""
    (height, width), (s, t), (p, q) = both(size), both(size if stride is None else stride), both(padding)
    images = np.pad(images, ((0, 0), (p, p), (q, q), (0, 0)), constant_values=fill)
    rows, columns = (images.shape[1] - height) // s + 1, (images.shape[2] - width) // t + 1
    cut = [[images[:, i * s : i * s + height, j * t : j * t + width] for j in range(columns)] for i in range(rows)]
    return np.stack([np.stack([join(c, axis=(1, 2)) for c in row], 1) for row in cut], 1)


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, None, 0), ((3, 2), (1, 2), 1), (3, 2, (1, 2)), (5, 1, 0)])
def test_pooling_is_a_maximum_or_a_mean_of_each_window(size, stride, padding):
    largest, mean = gl.max_pool2d(x, size, stride, padding), gl.avg_pool2d(x, size, stride, padding)
    wanted = pooled(IMAGES, size, stride, padding, -np.inf, np.max)
    np.testing.assert_array_equal(gl.evaluate(largest, AT), wanted)
    wanted = pooled(IMAGES, size, stride, padding, 0, np.mean)
    np.testing.assert_allclose(gl.evaluate(mean, AT), wanted, rtol=1e-13, atol=1e-15)
    for node in (largest, mean):
        assert gl.check_grad(gl.sum(node**2), x, at=AT).ok


def test_pooling_along_one_axis():
    line = gl.constant(np.array([3.0, 1, 4, 1, 5, 9, 2])[:, None])
    assert gl.evaluate(gl.max_pool1d(line, 2)).ravel().tolist() == [3, 4, 9]
    assert gl.evaluate(gl.max_pool1d(line, 3, 1, "same")).ravel().tolist() == [3, 4, 4, 5, 9, 9, 9]
    assert gl.evaluate(gl.avg_pool1d(line, 2, padding=1)).ravel().tolist() == [1.5, 2.5, 3, 5.5]


def test_ties_share_and_borders_never_win():
    line = gl.input("line", (4, 1))
    gradient = gl.grad(gl.sum(gl.max_pool1d(line, 2, padding=1)), line)
    at = {line: [[-7.0], [-5], [-5], [-9]]}
    assert gl.evaluate(gradient, at).ravel().tolist() == [1, 0.5, 0.5, 1]
    whole = gl.max_pool1d(gl.constant(np.array([[-3], [-4]])), 2, padding=1)
    assert (whole.dtype, gl.evaluate(whole).ravel().tolist()) == ("int64", [-3, -4])
    nan = gl.max_pool1d(gl.constant([[1.0], [np.nan], [0.0]]), 2, 1)
    assert np.isnan(gl.evaluate(nan)).all()


# --- what does not fit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: gl.conv1d(x, w), ShapeError, r"conv1d needs an array \(\.\.\., length, channels\) and a kernel"),
        (lambda: gl.conv2d(w[0, 0], w), ShapeError, r"got \(2, 3\) and \(3, 2, 2, 3\).*gl\.expand_dims"),
        (lambda: gl.conv2d(x, w[:, :, :1]), ShapeError, r"equally many channels; got \(batch, 6, 5, 2\) and \(3, 2, 1"),
        (lambda: gl.conv2d(x[:, :2], w), ShapeError, r"the length 2 of axis 1 for a window that spans 3.*w: float64"),
        (lambda: gl.conv2d(gl.transpose(x, (1, 0, 2, 3)), w), ShapeError, "axes of fixed length to slide along"),
        (lambda: gl.conv2d(x, w, padding="full"), ShapeError, "conv2d needs as padding 'same'.*got 'full'"),
        (lambda: gl.conv2d(x, w, padding=-1), ShapeError, "from 0 on.*got -1"),
        (lambda: gl.conv2d(x, w, padding=(1, 1, 1)), ShapeError, r"each of 2 axes.*got \(1, 1, 1\)"),
        (lambda: gl.conv2d(x, w, stride=0), ShapeError, "the stride needs a whole number from 1 on"),
        (lambda: gl.max_pool2d(x, 2, padding=2), ShapeError, "a padding smaller than the windows"),
        (lambda: gl.max_pool2d(x, 7), ShapeError, "max_pool2d needs axes that hold a window; got the length 6"),
        (lambda: gl.avg_pool2d(w[0, 0], 2), ShapeError, r"avg_pool2d needs an array \(\.\.\., height, width"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_a_cure(make, error, message):
    with pytest.raises(error, match=f"(?s){message}"):
        make()


# --- in use ----------------------------------------------------------------------------------------------------------


def test_a_derivation_says_which_entry_meets_which():
    t = gl.input("t", ("batch", 2, 2, 1))
    h = gl.conv2d(x, w, 2, 1).named("h")
    v = gl.parameter("v", value=RANDOM.normal(size=(2, 2, 3, 1)))
    y = gl.conv2d(h, v).named("y")
    loss = gl.mean((y - t) ** 2).named("L")
    derivation = gl.derive(loss, [v, w], at={**AT, t: np.zeros((2, 2, 2, 1)), v: v.attr("value").array})
    assert derivation.check().ok
    english, korean = (" ".join(derivation.to_text(language=k).split()) for k in ("en", "ko"))
    for text in (
        "y[n,i,j,k] = Σ(a,b,c) h[n,i+a,j+b,c] v[a,b,c,k]",
        "∂L/∂v[a,b,c,k] = Σ(n,i,j) h[n,i+a,j+b,c] ∂L/∂y[n,i,j,k]",
        "∂L/∂h[n,i,j,c] = Σ(a,b,k) ∂L/∂y[n,i−a,j−b,k] v[a,b,c,k]",
        "∂L/∂w[a,b,c,k] = Σ(n,i,j) x[n,2i+a−1,2j+b−1,c] ∂L/∂h[n,i,j,k]",
        "∂L/∂h = conv_image(∂L/∂y, v)",
        "∂L/∂w = conv_kernel(x, ∂L/∂h, stride=2, padding=1)",
    ):
        assert text in english and text in korean
    assert "convolution, kernel" in english and "합성곱의 커널" in korean


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_network_learns_to_tell_steps_up_from_steps_down(backend):
    """A step stands anywhere, so that only a kernel which slides tells them apart."""
    generator = np.random.default_rng(3)
    signs, places = generator.integers(0, 2, 64), generator.integers(2, 10, 64)
    signals = np.where(np.arange(12) >= places[:, None], 1.0, 0.0)
    signals = np.where(signs[:, None] == 1, signals, 1 - signals) + 0.1 * generator.normal(size=(64, 12))
    lines, target = gl.input("lines", ("batch", 12, 1)), gl.input("target", ("batch",))
    kernel, weight, bias = gl.parameter("kernel", (3, 1, 4)), gl.parameter("weight", (4, 1)), gl.parameter("bias", 1)
    hidden = gl.max_pool1d(gl.relu(gl.conv1d(lines, kernel)), 10)
    logit = (gl.reshape(hidden, ("batch", 4)) @ weight + bias)[:, 0]
    model = gl.Model(gl.sigmoid(logit), loss=gl.mean(gl.binary_cross_entropy(logit, target)), seed=1)
    data = {"lines": signals[..., None], "target": signs.astype(float)}
    model.fit(data, optimizer=gl.optim.Adam(0.05), epochs=60, batch_size=16, backend=backend)
    assert np.mean((model.predict({"lines": data["lines"]}) > 0.5) == signs) > 0.95
