"""functional.py: every backward pass against central differences, identities, extreme values.

ReLU has a kink at 0, where a central difference is wrong: its inputs here keep away from 0.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpyvae import functional as F

sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(sizes, sizes)


@given(sizes, sizes, sizes, seeds)
@settings(max_examples=40)
def test_linear_gradients(assert_vjp, batch, n_in, n_out, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, n_in))
    weight, bias = rng.standard_normal((n_out, n_in)), rng.standard_normal(n_out)

    def backward(grad_y):
        grad_x = F.linear_backward_input(grad_y, weight)
        return grad_x, *F.linear_backward_parameters(grad_y, x)

    assert_vjp(lambda: F.linear(x, weight, bias), backward, (x, weight, bias), rng)


@given(shapes, seeds)
@settings(max_examples=40)
def test_relu_gradient(assert_vjp, shape, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.1, 2, shape) * rng.choice([-1, 1], shape)
    assert_vjp(lambda: F.relu(x), lambda grad_y: (F.relu_backward(grad_y, F.relu(x)),), (x,), rng)


def test_relu_gradient_is_zero_at_the_kink():
    grad = F.relu_backward(np.full((1, 3), 7.0), F.relu(np.array([[-0.0, 0.0, 1.0]])))
    np.testing.assert_array_equal(grad, [[0, 0, 7]])


@given(shapes, seeds)
@settings(max_examples=40)
def test_sigmoid_gradient(assert_vjp, shape, seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(0, 3, shape)
    assert_vjp(
        lambda: F.sigmoid(a), lambda grad_y: (F.sigmoid_backward(grad_y, F.sigmoid(a)),), (a,), rng
    )


@given(shapes, seeds)
@settings(max_examples=40)
def test_reparameterize_gradients(assert_vjp, shape, seed):
    rng = np.random.default_rng(seed)
    mean, log_var, eps = rng.standard_normal((3, *shape))
    assert_vjp(
        lambda: F.reparameterize(mean, log_var, eps),
        lambda grad_z: F.reparameterize_backward(grad_z, log_var, eps),
        (mean, log_var),
        rng,
    )


@given(shapes, seeds)
@settings(max_examples=40)
def test_kl_divergence_gradients(assert_vjp, shape, seed):
    rng = np.random.default_rng(seed)
    mean, log_var = rng.standard_normal((2, *shape))
    assert_vjp(
        lambda: F.kl_divergence(mean, log_var).sum(),
        lambda grad_kl: F.kl_divergence_backward(float(grad_kl), mean, log_var),
        (mean, log_var),
        rng,
    )


@given(shapes, seeds)
@settings(max_examples=40)
def test_squared_error_gradients(assert_vjp, shape, seed):
    rng = np.random.default_rng(seed)
    y, x = rng.random((2, *shape))

    def backward(grad_loss):
        grad_y = grad_loss * F.squared_error_backward(y, x)
        return grad_y, -grad_y

    assert_vjp(lambda: F.squared_error(y, x).sum(), backward, (y, x), rng)


@given(shapes, seeds)
@settings(max_examples=40)
def test_bernoulli_cross_entropy_gradients(assert_vjp, shape, seed):
    rng = np.random.default_rng(seed)
    logits, x = rng.normal(0, 3, shape), rng.random(shape)

    def backward(grad_loss):
        return grad_loss * F.bernoulli_cross_entropy_backward(logits, x), grad_loss * -logits

    assert_vjp(lambda: F.bernoulli_cross_entropy(logits, x).sum(), backward, (logits, x), rng)


# Values


def test_a_linear_layer_by_hand():
    x, weight, bias = np.array([[1.0, 2], [3, 4]]), np.array([[1.0, 0], [0, 2], [1, 1]]), np.ones(3)
    np.testing.assert_array_equal(F.linear(x, weight, bias), [[2, 5, 4], [4, 9, 8]])


def test_losses_are_sums_over_columns_one_per_image():
    y, x = np.array([[1.0, 0.5], [0, 0]]), np.array([[0.0, 0], [0, 0.5]])
    np.testing.assert_array_equal(F.squared_error(y, x), [1.25, 0.25])
    np.testing.assert_allclose(
        F.bernoulli_cross_entropy(np.zeros((2, 3)), np.eye(2, 3)), [3 * np.log(2)] * 2, rtol=1e-15
    )
    mean, log_var = np.array([[1.0, 2], [0, 0]]), np.array([[0.0, 0], [np.log(2), 0]])
    np.testing.assert_allclose(F.kl_divergence(mean, log_var), [2.5, (1 - np.log(2)) / 2])


def test_reparameterize_draws_from_the_normal_distribution_of_that_mean_and_variance():
    eps = np.random.default_rng(0).standard_normal((200_000, 1))
    z = F.reparameterize(np.full_like(eps, 3), np.full_like(eps, np.log(4)), eps)
    assert z.mean() == pytest.approx(3, abs=5 * 2 / np.sqrt(len(z)))
    assert z.var() == pytest.approx(4, rel=5 * np.sqrt(2 / len(z)))


def test_sigmoid_of_extreme_values_is_right_and_silent():
    for dtype in (np.float32, np.float64):
        a = np.array([-1000, -40, 0, 40, 1000], dtype)
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            y = F.sigmoid(a)
        expected = np.array([0, np.exp(-40.0), 0.5, 1, 1])
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-35)
        assert y[0] == 0
        assert y[-1] == 1


@given(shapes, seeds)
def test_sigmoid_is_half_of_one_plus_tanh(shape, seed):
    a = np.random.default_rng(seed).normal(0, 5, shape)
    np.testing.assert_allclose(F.sigmoid(a), 0.5 * (1 + np.tanh(a / 2)), rtol=1e-9, atol=1e-15)


@given(shapes, seeds)
def test_cross_entropy_is_the_naive_formula_where_that_is_safe(shape, seed):
    rng = np.random.default_rng(seed)
    logits, x = rng.uniform(-10, 10, shape), rng.random(shape)
    y = 1 / (1 + np.exp(-logits))
    naive = -np.sum(x * np.log(y) + (1 - x) * np.log(1 - y), axis=1)
    np.testing.assert_allclose(F.bernoulli_cross_entropy(logits, x), naive, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_of_extreme_logits_is_exact(dtype):
    logits = np.array([[-1000], [1000], [-1000], [1000]], dtype)
    x = np.array([[0], [0], [1], [1]], dtype)
    np.testing.assert_array_equal(F.bernoulli_cross_entropy(logits, x), [0, 1000, 1000, 0])
    np.testing.assert_array_equal(
        F.bernoulli_cross_entropy_backward(logits, x), [[0], [1], [-1], [0]]
    )


def test_cross_entropy_keeps_small_losses():
    loss = F.bernoulli_cross_entropy(np.array([[40.0]]), np.array([[1.0]]))
    np.testing.assert_allclose(loss, np.exp(-40), rtol=1e-12)  # log(1 + e^-40)


# The KL divergence


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kl_of_the_prior_itself_is_zero(dtype):
    zeros = np.zeros((3, 4), dtype)
    np.testing.assert_array_equal(F.kl_divergence(zeros, zeros), np.zeros(3))
    for grad in F.kl_divergence_backward(1.0, zeros, zeros):
        np.testing.assert_array_equal(grad, zeros)


@given(
    st.floats(-30, 30),
    st.one_of(st.floats(-80, 80), st.floats(-1e-3, 1e-3)),
    st.sampled_from([np.float32, np.float64]),
)
@settings(max_examples=300)
def test_kl_is_never_negative(mean, log_var, dtype):
    kl = F.kl_divergence(np.array([[mean]], dtype), np.array([[log_var]], dtype))
    assert kl[0] >= -np.finfo(dtype).eps * abs(log_var)


def test_kl_keeps_the_small_differences_near_the_prior():
    log_var = np.array([[1e-6], [-1e-8]])  # exp(v) - 1 - v = v² / 2 + ...
    kl = F.kl_divergence(np.zeros_like(log_var), log_var)
    np.testing.assert_allclose(kl, log_var[:, 0] ** 2 / 4, rtol=1e-6)


@given(seeds)
@settings(max_examples=10, derandomize=True)  # 5 standard errors, yet a matter of luck
def test_kl_agrees_with_a_monte_carlo_estimate(seed):
    rng = np.random.default_rng(seed)
    mean, log_var = rng.standard_normal((2, 1, 3))
    std = np.exp(log_var / 2)
    z = mean + std * rng.standard_normal((50_000, 3))
    log_q = -0.5 * ((z - mean) / std) ** 2 - np.log(std)  # both up to the same constant
    log_p = -0.5 * z**2
    differences = np.sum(log_q - log_p, axis=1)
    standard_error = differences.std() / np.sqrt(len(z))
    assert abs(F.kl_divergence(mean, log_var)[0] - differences.mean()) < 5 * standard_error


# out= and dtypes

A, B, C = np.random.default_rng(1).random((3, 4, 4))
BIAS = np.random.default_rng(2).random(4)
OUT = {
    "linear": (F.linear, (A, B, BIAS)),
    "linear_backward_input": (F.linear_backward_input, (A, B)),
    "relu": (F.relu, (A - 0.5,)),
    "relu_backward": (F.relu_backward, (A, F.relu(B - 0.5))),
    "sigmoid": (F.sigmoid, (A,)),
    "sigmoid_backward": (F.sigmoid_backward, (A, B)),
    "reparameterize": (F.reparameterize, (A, B, C)),
    "squared_error_backward": (F.squared_error_backward, (A, B)),
    "bernoulli_cross_entropy_backward": (F.bernoulli_cross_entropy_backward, (A, B)),
    "linear_backward_parameters": (F.linear_backward_parameters, (A, B)),
    "reparameterize_backward": (F.reparameterize_backward, (A, B, C)),
    "kl_divergence_backward": (F.kl_divergence_backward, (0.5, A, B)),
}
LOSSES = {
    "squared_error": (F.squared_error, (A, B)),
    "bernoulli_cross_entropy": (F.bernoulli_cross_entropy, (A - 0.5, B)),
}
KL = {"kl_divergence": (F.kl_divergence, (A, B))}


def cast(arguments, dtype):
    return [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in arguments]


def test_every_function_is_in_one_of_the_tables():
    names = {
        name for name, value in vars(F).items() if getattr(value, "__module__", "") == F.__name__
    }
    assert names == {*OUT, *LOSSES, *KL}


@pytest.mark.parametrize("name", OUT)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_out_is_filled_and_returned_and_the_arguments_are_left_alone(name, dtype):
    function, arguments = OUT[name]
    arguments = cast(arguments, dtype)
    before = [np.copy(a) for a in arguments]
    expected = function(*arguments)
    two = isinstance(expected, tuple)
    out = tuple(map(np.empty_like, expected)) if two else np.empty_like(expected)
    for room in out if two else (out,):
        room.fill(np.nan)  # whatever was there must not matter
    written = function(*arguments, out=out)
    results = (expected, written, out) if two else ((expected,), (written,), (out,))
    for allocated, result, room in zip(*results, strict=True):
        assert result is room
        np.testing.assert_array_equal(room, allocated)
        assert allocated.dtype == dtype
    for a, b in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_with_scratch_room_are_the_same(name, dtype):
    function, arguments = LOSSES[name]
    arguments = cast(arguments, dtype)
    expected = function(*arguments)
    assert expected.dtype == dtype
    np.testing.assert_array_equal(
        function(*arguments, scratch=np.full_like(arguments[0], np.nan)), expected
    )


def test_kl_divergence_keeps_the_dtype():
    assert F.kl_divergence(A.astype(np.float32), B.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("function", [F.relu, F.sigmoid])
def test_activations_may_overwrite_their_input(function):
    a = A - 0.5
    expected = function(a)
    np.testing.assert_array_equal(function(a, out=a), expected)


EXTREME = [200.0, -200.0, 1e4, -1e4, 1e-30, -1e-40, 1e-44, 0.0, 1.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_too_small_are_0_whatever_numpy_is_told(dtype):
    """``np.seterr(all="raise")`` is for finding errors, and this is none."""
    large = np.array([EXTREME], dtype)
    small = np.minimum(large, 1)
    one, x = np.ones((1, 9), dtype), np.full((1, 9), 0.5, dtype)
    calls = {
        "linear": lambda: F.linear(small, small * one, one[0, :1]),
        "linear_backward_parameters": lambda: F.linear_backward_parameters(small, small),
        "linear_backward_input": lambda: F.linear_backward_input(small[:, 4:5], small),
        "sigmoid": lambda: F.sigmoid(large),
        "sigmoid_backward": lambda: F.sigmoid_backward(small, F.sigmoid(large)),
        "reparameterize": lambda: F.reparameterize(small, small, small),
        "reparameterize_backward": lambda: F.reparameterize_backward(small, small, small),
        "kl_divergence": lambda: F.kl_divergence(small, small),
        "kl_divergence_backward": lambda: F.kl_divergence_backward(1e-30, small, small),
        "squared_error": lambda: F.squared_error(small, 0 * small),
        "bernoulli_cross_entropy": lambda: F.bernoulli_cross_entropy(large, x),
        "bernoulli_cross_entropy_backward": lambda: F.bernoulli_cross_entropy_backward(large, x),
    }
    for name, call in calls.items():
        with np.errstate(all="ignore"):
            expected = call()
        with np.errstate(all="raise"):
            found = call()
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)
