"""convolution.py: finite differences, values by hand, out= and scratch=, what is refused.

Parity with PyTorch at random shapes is in tests/reference_torch/proof/test_parity.py.
"""

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from numpyvae import convolution as C

few = st.integers(1, 3)
pairs = st.tuples(few, few)
image_sizes = st.tuples(st.integers(1, 6), st.integers(1, 6))
paddings = st.tuples(st.integers(0, 2), st.integers(0, 2))
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=30)


# Finite differences


@given(pairs, few, image_sizes, pairs, pairs, paddings, seeds)
@some
def test_conv2d_gradients(
    assert_vjp, batch_and_channels, n_out, image_size, kernel_size, stride, padding, seed
):
    assume(all(k <= n + 2 * p for k, n, p in zip(kernel_size, image_size, padding, strict=True)))
    rng = np.random.default_rng(seed)
    batch, n_in = batch_and_channels
    x, bias = rng.standard_normal((batch, n_in, *image_size)), rng.standard_normal(n_out)
    weight = rng.standard_normal((n_out, n_in, *kernel_size))

    def backward(grad_y):
        grad_x = C.conv2d_backward_input(grad_y, weight, image_size, stride, padding)
        return grad_x, *C.conv2d_backward_parameters(grad_y, x, kernel_size, stride, padding)

    inputs = x, weight, bias
    assert_vjp(lambda: C.conv2d(*inputs, stride, padding), backward, inputs, rng)


@given(pairs, few, image_sizes, pairs, pairs, paddings, paddings, seeds)
@some
def test_conv_transpose2d_gradients(
    assert_vjp, batch_and_channels, n_out, image_size, kernel_size, stride, padding, more, seed
):
    rng = np.random.default_rng(seed)
    batch, n_in = batch_and_channels
    x, bias = rng.standard_normal((batch, n_in, *image_size)), rng.standard_normal(n_out)
    weight = rng.standard_normal((n_in, n_out, *kernel_size))
    try:
        C.conv_transpose2d_size(image_size, kernel_size, stride, padding, more)
    except ValueError:
        assume(False)

    def backward(grad_y):
        grad_x = C.conv_transpose2d_backward_input(grad_y, weight, stride, padding)
        parameters = C.conv_transpose2d_backward_parameters(grad_y, x, kernel_size, stride, padding)
        return grad_x, *parameters

    inputs = x, weight, bias
    assert_vjp(lambda: C.conv_transpose2d(*inputs, stride, padding, more), backward, inputs, rng)


@given(pairs, image_sizes, pairs, pairs, seeds)
@some
def test_max_pool2d_gradient(assert_vjp, shape, image_size, kernel_size, stride, seed):
    assume(all(k <= n for k, n in zip(kernel_size, image_size, strict=True)))
    rng = np.random.default_rng(seed)
    x = rng.permutation(np.prod((*shape, *image_size))).reshape(*shape, *image_size) / 8.0
    assert_vjp(
        lambda: C.max_pool2d(x, kernel_size, stride),
        lambda grad_y: (C.max_pool2d_backward(grad_y, x, kernel_size, stride),),
        (x,),
        rng,
    )


@given(pairs, seeds)
@some
def test_tanh_gradient(assert_vjp, shape, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    assert_vjp(lambda: C.tanh(x), lambda grad_y: (C.tanh_backward(grad_y, C.tanh(x)),), (x,), rng)


@given(pairs, image_sizes, pairs, pairs, paddings, seeds)
@some
def test_going_back_through_patches_gradient(
    assert_vjp, shape, image_size, kernel_size, stride, padding, seed
):
    assume(all(k <= n + 2 * p for k, n, p in zip(kernel_size, image_size, padding, strict=True)))
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((*shape, *image_size))
    assert_vjp(
        lambda: C.im2col(x, kernel_size, stride, padding),
        lambda grad_y: (C.col2im(grad_y, image_size, stride, padding),),
        (x,),
        rng,
    )


# Values


@given(pairs, few, image_sizes, pairs, pairs, paddings, seeds)
@some
def test_conv2d_is_the_sum_over_indices(
    batch_and_channels, n_out, image_size, kernel_size, stride, padding, seed
):
    """The definition, in loops."""
    assume(all(k <= n + 2 * p for k, n, p in zip(kernel_size, image_size, padding, strict=True)))
    rng = np.random.default_rng(seed)
    batch, n_in = batch_and_channels
    x, bias = rng.standard_normal((batch, n_in, *image_size)), rng.standard_normal(n_out)
    weight = rng.standard_normal((n_out, n_in, *kernel_size))
    padded = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    y = C.conv2d(x, weight, bias, stride, padding)
    for k, o, i, j in np.ndindex(y.shape):
        row, column = stride[0] * i, stride[1] * j
        seen = padded[k, :, row : row + kernel_size[0], column : column + kernel_size[1]]
        assert y[k, o, i, j] == pytest.approx(np.vdot(weight[o], seen) + bias[o], abs=1e-12)


def test_the_kernel_is_not_flipped():
    x = np.array([1.0, 10, 100, 1000]).reshape(1, 1, 1, 4)
    weight, bias = np.array([1.0, 2, 3]).reshape(1, 1, 1, 3), np.zeros(1)
    np.testing.assert_array_equal(C.conv2d(x, weight, bias).ravel(), [321, 3210])
    np.testing.assert_array_equal(
        C.conv2d(x, weight, bias, stride=2, padding=(0, 1)).ravel(), [32, 3210]
    )
    back = C.conv_transpose2d(x, weight, bias, (1, 2), (0, 1), (0, 1))
    np.testing.assert_array_equal(back.ravel(), [2, 13, 20, 130, 200, 1300, 2000, 3000])


def test_a_pixel_that_no_position_sees_gets_no_gradient():
    grad_x = C.conv2d_backward_input(np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3)), 8, stride=2)
    np.testing.assert_array_equal(grad_x[0, 0, 7], np.zeros(8))
    assert grad_x[0, 0, 6, 6] == 1


def test_of_equal_numbers_the_first_gets_the_gradient_and_of_nan_the_last():
    x = np.array([[2.0, 2], [2, 2]]).reshape(1, 1, 2, 2)
    grad_y = np.full((1, 1, 1, 1), 7.0)
    np.testing.assert_array_equal(C.max_pool2d_backward(grad_y, x, 2, 2).ravel(), [7, 0, 0, 0])
    x[0, 0] = [[1, np.nan], [np.nan, 5]]
    np.testing.assert_array_equal(C.max_pool2d(x, 2, 2).ravel(), [np.nan])
    np.testing.assert_array_equal(C.max_pool2d_backward(grad_y, x, 2, 2).ravel(), [0, 0, 7, 0])


# out=, scratch= and memory

RNG = np.random.default_rng(0)
X, GRAD = RNG.random((2, 3, 5, 6)), RNG.random((2, 4, 2, 3))  # of a 4 x 4 kernel, stride 2
WEIGHT, BIAS, BIAS_BACK = RNG.random((4, 3, 4, 4)), RNG.random(4), RNG.random(3)
POOLED = RNG.random((2, 3, 2, 3))
WINDOW = {"stride": 2, "padding": 1}
OUT = {
    "im2col": (C.im2col, (X, 4), WINDOW),
    "col2im": (C.col2im, (C.im2col(X, 4, 2, 1), (5, 6)), WINDOW),
    "conv2d": (C.conv2d, (X, WEIGHT, BIAS), WINDOW),
    "conv2d_backward_parameters": (C.conv2d_backward_parameters, (GRAD, X, 4), WINDOW),
    "conv2d_backward_input": (C.conv2d_backward_input, (GRAD, WEIGHT, (5, 6)), WINDOW),
    "conv_transpose2d": (
        C.conv_transpose2d,
        (GRAD, WEIGHT, BIAS_BACK),
        WINDOW | {"output_padding": (1, 0)},
    ),
    "conv_transpose2d_backward_parameters": (
        C.conv_transpose2d_backward_parameters,
        (X, GRAD, 4),
        WINDOW,
    ),
    "conv_transpose2d_backward_input": (C.conv_transpose2d_backward_input, (X, WEIGHT), WINDOW),
    "max_pool2d": (C.max_pool2d, (X, 2, 2), {}),
    "max_pool2d_backward": (C.max_pool2d_backward, (POOLED, X, 2, 2), {}),
    "tanh": (C.tanh, (X,), {}),
    "tanh_backward": (C.tanh_backward, (X, X / 2), {}),
}
ROOM = ("conv2d", "conv2d_backward_input", "conv_transpose2d", "conv_transpose2d_backward_input")
SIZES = ("channels_last", "conv2d_size", "conv_transpose2d_size")


def cast(arguments, dtype):
    return [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in arguments]


def test_every_function_is_in_one_of_the_tables():
    names = {
        name for name, value in vars(C).items() if getattr(value, "__module__", "") == C.__name__
    }
    assert {name for name in names if name[0] != "_"} == {*OUT, *SIZES}


@pytest.mark.parametrize("name", OUT)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_out_is_filled_and_returned_and_the_arguments_are_left_alone(name, dtype):
    function, arguments, settings = OUT[name]
    arguments = cast(arguments, dtype)
    before = [np.copy(a) for a in arguments]
    expected = function(*arguments, **settings)
    two = isinstance(expected, tuple)
    out = tuple(map(np.empty_like, expected)) if two else np.empty_like(expected)
    for room in out if two else (out,):
        room.fill(np.nan)  # whatever was there must not matter
    written = function(*arguments, **settings, out=out)
    results = (expected, written, out) if two else ((expected,), (written,), (out,))
    for allocated, result, room in zip(*results, strict=True):
        assert result is room
        np.testing.assert_array_equal(room, allocated)
        assert allocated.dtype == dtype
    for a, b in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ROOM)
def test_room_changes_nothing(name):
    function, arguments, settings = OUT[name]
    expected = function(*arguments, **settings)
    room = np.full((2, 2, 3, 4, 4, 3), np.nan)
    np.testing.assert_array_equal(function(*arguments, **settings, scratch=room), expected)
    assert np.isfinite(room).all()


@pytest.mark.parametrize(
    ("before", "name"),
    [
        ("conv2d", "conv2d_backward_parameters"),
        ("conv_transpose2d_backward_input", "conv_transpose2d_backward_parameters"),
    ],
)
def test_patches_of_one_function_serve_another(before, name):
    function, arguments, settings = OUT[before]
    patches = np.empty((2, 2, 3, 4, 4, 3))
    function(*arguments, **settings, scratch=patches)
    function, arguments, settings = OUT[name]
    for given_, expected in zip(
        function(*arguments, **settings, patches=patches),
        function(*arguments, **settings),
        strict=True,
    ):
        np.testing.assert_array_equal(given_, expected)


@pytest.mark.parametrize("name", OUT)
def test_how_the_arguments_lie_in_memory_does_not_matter(name):
    function, arguments, settings = OUT[name]
    elsewhere = [np.asarray(a, order="F") if isinstance(a, np.ndarray) else a for a in arguments]
    results = function(*arguments, **settings), function(*elsewhere, **settings)
    for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in results), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_results_have_their_channels_last_in_memory():
    for name in (*ROOM, "col2im"):
        function, arguments, settings = OUT[name]
        result = function(*arguments, **settings)
        assert result.transpose(0, 2, 3, 1).flags.c_contiguous, name


# What is refused


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: C.conv2d(X[..., :2, :], WEIGHT, BIAS),
            "a kernel of 4 x 4 is larger than an image of 2 x 6 with padding 0 x 0",
        ),
        (lambda: C.max_pool2d(X, (1, 7), 1), "a kernel of 1 x 7 is larger than an image of 5 x 6"),
        (lambda: C.max_pool2d(X, 7, 1), "a kernel of 7 x 7 is larger than an image of 5 x 6"),
        (lambda: C.conv2d(X, WEIGHT[:, :2], BIAS), "the channels of x must be (2,), got (3,)"),
        (lambda: C.conv2d(X, WEIGHT, BIAS[:1]), "the shape of bias must be (4,), got (1,)"),
        (lambda: C.conv2d(X[0], WEIGHT, BIAS), "x must have the shape (B, C, H, W), got (3, 5, 6)"),
        (lambda: C.conv2d(X, WEIGHT, BIAS, stride=0), "stride must be a whole number of at least"),
        (lambda: C.conv2d(X, WEIGHT, BIAS, stride=1.5), "or a pair of them, got 1.5"),
        (lambda: C.conv2d(X, WEIGHT, BIAS, stride=True), "or a pair of them, got True"),
        (lambda: C.conv2d(X, WEIGHT, BIAS, padding=(1, 1, 1)), "a pair of them, got (1, 1, 1)"),
        (lambda: C.conv2d(X, WEIGHT, BIAS, padding=-1), "padding must be a whole number of at"),
        (lambda: C.conv2d(X, WEIGHT, BIAS, padding="same"), "or a pair of them, got 'same'"),
        (lambda: C.max_pool2d(X, 2, None), "or a pair of them, got None"),
        (
            lambda: C.conv2d(X, WEIGHT, BIAS, 2, 1, out=np.empty((2, 4, 2, 3))),
            "out must have its channels last in memory",
        ),
        (
            lambda: C.conv2d_backward_parameters(GRAD, X, 4, stride=1, padding=1),
            "must be (4, 5), got (2, 3)",
        ),
        (
            lambda: C.conv2d_backward_input(GRAD, WEIGHT, (5, 8), 2, 1),
            "must be (2, 4), got (2, 3)",
        ),
        (
            lambda: C.conv2d_backward_input(X, WEIGHT, (5, 8), 2, 1),
            "the channels of y must be (4,), got (3,)",
        ),
        (
            lambda: C.conv_transpose2d(GRAD, WEIGHT, BIAS_BACK, 2, 1, 2),
            "output_padding 2 x 2 must be below the stride 2 x 2",
        ),
        (
            lambda: C.conv_transpose2d(GRAD, WEIGHT, BIAS_BACK, 1, 3),
            "padding 3 x 3 leaves nothing of an image of 2 x 3 and a kernel of 4 x 4: the result "
            "would be -1 x 0",
        ),
        (lambda: C.conv_transpose2d_size(9, (4, 1), padding=(0, 5)), "would be 12 x -1"),
        (
            lambda: C.conv_transpose2d(GRAD, WEIGHT, BIAS, 2),
            "the shape of bias must be (3,), got (4,)",
        ),
        (
            lambda: C.conv_transpose2d_backward_parameters(X, GRAD[..., 1:], 4, 2, 1),
            "must be (2, 3), got (2, 2)",
        ),
        (
            lambda: C.max_pool2d_backward(POOLED[..., :1], X, 2, 2),
            "must be (2, 3), got (2, 1)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
