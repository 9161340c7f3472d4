"""numpyvae against PyTorch: every operation, the whole model, Adam.

``reference_torch.proof.parity`` states the tolerances, and why.
"""

import math
from contextlib import suppress

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from numpyvae import VAE, Adam, Convolutional, ConvolutionalAutoencoder, FullyConnected
from numpyvae import convolution as C
from numpyvae import functional as F
from numpyvae.flat import FlatArrays
from numpyvae.importance import IWAE, log_mean_exp, log_mean_exp_backward
from numpyvae.optim import LEAST
from reference_torch.proof.parity import Comparison, adam_parity, assert_agree, model_parity, parity

many = settings(max_examples=40, deadline=None)
sizes = st.integers(1, 9)
seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from([np.float64, np.float32])
scales = st.sampled_from([1e-6, 1e-3, 0.1, 1.0, 1.0, 10.0, 1e3])
losses = st.sampled_from(["mse", "bce"])


class Draw:
    """Random arrays of one dtype."""

    def __init__(self, seed, dtype):
        self.rng = np.random.default_rng(seed)
        self.dtype = dtype

    def normal(self, *shape, scale=1.0):
        """Normal numbers, a tenth of them exactly 0."""
        numbers = scale * self.rng.standard_normal(shape)
        return np.where(self.rng.random(shape) < 0.1, 0, numbers).astype(self.dtype)

    def pixels(self, *shape):
        """Numbers in [0, 1], a quarter of them exactly 0 and a quarter exactly 1."""
        return np.clip(self.rng.uniform(-0.5, 1.5, shape), 0, 1).astype(self.dtype)

    def log_var(self, *shape):
        """Log-variances of all sizes, with exact zeros and +-40."""
        sizes = np.array([1e-9, 1e-3, 1, 40, 0])
        return (self.rng.choice(sizes, shape) * self.rng.choice([-1, 1], shape)).astype(self.dtype)


draws = st.builds(Draw, seeds, dtypes)


def check(torch_function, grad_value, inputs, value, **gradients):
    """Asserts that an operation's value, and gradients by input name, are those of autograd."""

    def reference():
        tensors = {name: torch.tensor(array).clone() for name, array in inputs.items()}
        for name in gradients:
            tensors[name].requires_grad_()
        result = torch_function(**tensors)
        result.backward(torch.tensor(grad_value).expand_as(result))
        return {"value": result} | {name: tensors[name].grad for name in gradients}

    dtypes = {array.dtype for array in (*inputs.values(), value, *gradients.values())}
    assert len(dtypes) == 1
    assert_agree(parity(reference, {"value": value} | gradients))


# Each operation alone


@given(draws, sizes, sizes, sizes, scales)
@many
def test_linear(draw, rows, n_in, n_out, scale):
    x, weight = draw.normal(rows, n_in), draw.normal(n_out, n_in, scale=scale)
    bias, grad_y = draw.normal(n_out, scale=scale), draw.normal(rows, n_out)
    grad_weight, grad_bias = F.linear_backward_parameters(grad_y, x)
    check(
        lambda x, weight, bias: TF.linear(x, weight, bias),
        grad_y,
        {"x": x, "weight": weight, "bias": bias},
        F.linear(x, weight, bias),
        x=F.linear_backward_input(grad_y, weight),
        weight=grad_weight,
        bias=grad_bias,
    )


@given(draws, sizes, sizes, scales)
@many
def test_relu(draw, rows, n, scale):
    x, grad_y = draw.normal(rows, n, scale=scale), draw.normal(rows, n)
    y = F.relu(x)
    check(TF.relu, grad_y, {"input": x}, y, input=F.relu_backward(grad_y, y))


@given(draws, sizes, sizes, st.sampled_from([1e-6, 1.0, 10.0, 40.0, 1000.0]))
@many
def test_sigmoid(draw, rows, n, scale):
    """Up to where y is exactly 0 or 1."""
    a, grad_y = draw.normal(rows, n, scale=scale), draw.normal(rows, n)
    y = F.sigmoid(a)
    check(torch.sigmoid, grad_y, {"input": a}, y, input=F.sigmoid_backward(grad_y, y))


@given(draws, sizes, sizes)
@many
def test_reparameterize(draw, rows, n):
    mean, log_var, eps = draw.normal(rows, n), draw.log_var(rows, n), draw.normal(rows, n)
    grad_z = draw.normal(rows, n)
    grad_mean, grad_log_var = F.reparameterize_backward(grad_z, log_var, eps)
    check(
        lambda mean, log_var, eps: mean + torch.exp(0.5 * log_var) * eps,
        grad_z,
        {"mean": mean, "log_var": log_var, "eps": eps},
        F.reparameterize(mean, log_var, eps),
        mean=grad_mean,
        log_var=grad_log_var,
    )


def normal_kl(mean, log_var):
    """The KL divergence of N(mean, exp(log_var)) from N(0, I), as PyTorch knows it."""
    q = torch.distributions.Normal(mean, torch.exp(0.5 * log_var))
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return torch.distributions.kl_divergence(q, prior).sum(dim=1)


@given(draws, sizes, sizes, st.floats(0, 10))
@many
def test_kl_divergence(draw, rows, n, grad_kl):
    mean, log_var = draw.normal(rows, n), draw.log_var(rows, n)
    grad_kl = draw.dtype(grad_kl)
    grad_mean, grad_log_var = F.kl_divergence_backward(float(grad_kl), mean, log_var)
    check(
        normal_kl,
        grad_kl,
        {"mean": mean, "log_var": log_var},
        F.kl_divergence(mean, log_var),
        mean=grad_mean,
        log_var=grad_log_var,
    )


@given(draws, sizes, sizes)
@many
def test_squared_error(draw, rows, n):
    y, x = draw.pixels(rows, n), draw.pixels(rows, n)
    grad_y = F.squared_error_backward(y, x)
    check(
        lambda y, x: TF.mse_loss(y, x, reduction="none").sum(dim=1),
        draw.dtype(1),
        {"y": y, "x": x},
        F.squared_error(y, x),
        y=grad_y,
        x=-grad_y,
    )


@given(draws, sizes, sizes, st.sampled_from([1e-6, 1.0, 10.0, 40.0, 1000.0]))
@many
def test_bernoulli_cross_entropy(draw, rows, n, scale):
    """Up to logits at which sigmoid is exactly 0 or 1 and its logarithm infinite."""
    logits, x = draw.normal(rows, n, scale=scale), draw.pixels(rows, n)
    check(
        lambda logits, x: TF.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1),
        draw.dtype(1),
        {"logits": logits, "x": x},
        F.bernoulli_cross_entropy(logits, x),
        logits=F.bernoulli_cross_entropy_backward(logits, x),
        x=-logits,
    )


def test_a_tiny_cross_entropy_keeps_its_digits():
    """PyTorch's formula cancels here, ours does not: it agrees, and it is the better one."""
    vae, x, eps = draw_model(Draw(0, np.float64), (1, 1, 3, 1, 1), "bce", 1.0)
    x[...] = 0
    vae.parameters["decoder3.weight"][...] = 0
    vae.parameters["decoder3.bias"][...] = -18
    assert_agree(model_parity(vae, x, eps, beta=0))
    loss = vae.forward(x, eps, beta=0).total
    assert abs(loss / np.log1p(np.exp(-18)) - 1) < 1e-15


# Each convolution: strides that do not divide, a kernel beyond the image, padding beyond a kernel

few = st.integers(1, 3)
pairs = st.tuples(few, few)
image_sizes = st.tuples(sizes, sizes)
kernel_sizes = st.tuples(st.integers(1, 5), st.integers(1, 5))
paddings = st.tuples(st.integers(0, 4), st.integers(0, 4))


@given(draws, pairs, few, image_sizes, kernel_sizes, pairs, paddings)
@many
def test_conv2d(draw, batch_and_channels, n_out, image_size, kernel_size, stride, padding):
    batch, n_in = batch_and_channels
    x, bias = draw.normal(batch, n_in, *image_size), draw.normal(n_out)
    weight = draw.normal(n_out, n_in, *kernel_size)
    try:
        y = C.conv2d(x, weight, bias, stride, padding)
    except ValueError:
        with pytest.raises(RuntimeError):
            TF.conv2d(*map(torch.tensor, (x, weight, bias)), stride, padding)
        return
    grad_y = draw.normal(*y.shape)
    grad_weight, grad_bias = C.conv2d_backward_parameters(grad_y, x, kernel_size, stride, padding)
    check(
        lambda x, weight, bias: TF.conv2d(x, weight, bias, stride, padding),
        grad_y,
        {"x": x, "weight": weight, "bias": bias},
        y,
        x=C.conv2d_backward_input(grad_y, weight, image_size, stride, padding),
        weight=grad_weight,
        bias=grad_bias,
    )


@given(draws, pairs, few, image_sizes, kernel_sizes, pairs, paddings, paddings)
@many
def test_conv_transpose2d(
    draw, batch_and_channels, n_out, image_size, kernel_size, stride, padding, output_padding
):
    batch, n_in = batch_and_channels
    x, bias = draw.normal(batch, n_in, *image_size), draw.normal(n_out)
    weight = draw.normal(n_in, n_out, *kernel_size)
    settings = stride, padding, output_padding
    try:
        y = C.conv_transpose2d(x, weight, bias, *settings)
    except ValueError:
        with suppress(RuntimeError):  # PyTorch refuses, too, or returns nothing
            assert not TF.conv_transpose2d(*map(torch.tensor, (x, weight, bias)), *settings).numel()
        return
    grad_y = draw.normal(*y.shape)
    grad_weight, grad_bias = C.conv_transpose2d_backward_parameters(
        grad_y, x, kernel_size, stride, padding
    )
    check(
        lambda x, weight, bias: TF.conv_transpose2d(x, weight, bias, *settings),
        grad_y,
        {"x": x, "weight": weight, "bias": bias},
        y,
        x=C.conv_transpose2d_backward_input(grad_y, weight, stride, padding),
        weight=grad_weight,
        bias=grad_bias,
    )


@given(draws, pairs, image_sizes, pairs, pairs, st.booleans())
@many
def test_max_pool2d(draw, batch_and_channels, image_size, kernel_size, stride, ties):
    assume(kernel_size[0] <= image_size[0] and kernel_size[1] <= image_size[1])
    x = draw.normal(*batch_and_channels, *image_size)
    x = np.round(x) if ties else x
    y = C.max_pool2d(x, kernel_size, stride)
    grad_y = draw.normal(*y.shape)
    check(
        lambda x: TF.max_pool2d(x, kernel_size, stride),
        grad_y,
        {"x": x},
        y,
        x=C.max_pool2d_backward(grad_y, x, kernel_size, stride),
    )


@given(pairs, image_sizes, pairs, pairs, seeds)
@many
def test_max_pool2d_of_ties_nan_and_infinity(shape, image_size, kernel_size, stride, seed):
    """To the element as in PyTorch: where the gradient goes, too."""
    assume(kernel_size[0] <= image_size[0] and kernel_size[1] <= image_size[1])
    rng = np.random.default_rng(seed)
    x = rng.choice([0.0, 1.0, np.nan, -np.inf, np.inf], (*shape, *image_size))
    y = C.max_pool2d(x, kernel_size, stride)
    grad_y = rng.standard_normal(y.shape)
    X = torch.tensor(x, requires_grad=True)
    Y = TF.max_pool2d(X, kernel_size, stride)
    Y.backward(torch.tensor(grad_y))
    np.testing.assert_array_equal(y, Y.detach().numpy())
    grad_x = C.max_pool2d_backward(grad_y, x, kernel_size, stride)
    np.testing.assert_allclose(grad_x, X.grad.numpy(), rtol=1e-12, atol=1e-15)


@given(draws, sizes, sizes, st.sampled_from([1e-6, 1.0, 10.0, 40.0]))
@many
def test_tanh(draw, rows, n, scale):
    """Up to where y is exactly 1 or -1."""
    x, grad_y = draw.normal(rows, n, scale=scale), draw.normal(rows, n)
    y = C.tanh(x)
    check(torch.tanh, grad_y, {"input": x}, y, input=C.tanh_backward(grad_y, y))


# The whole model


def draw_model(draw, dims, reconstruction, scale):
    """A VAE with random weights of that size, but log-variances of at most 40, and its input."""
    rows, x_dim, h_dim1, h_dim2, z_dim = dims
    vae = VAE(FullyConnected(x_dim, h_dim1, h_dim2, z_dim, draw.dtype), reconstruction)
    vae.parameters.flat[...] = draw.normal(vae.parameters.flat.size, scale=scale)
    x, eps = draw.pixels(rows, x_dim), draw.normal(rows, z_dim)
    largest = np.max(np.abs(vae.encode(x)[1]))
    if largest > 40:
        vae.parameters["log_var.weight"][...] *= 40 / largest
        vae.parameters["log_var.bias"][...] *= 40 / largest
    return vae, x, eps


@given(draws, st.tuples(*[sizes] * 5), losses, scales, st.sampled_from([0.0, 0.3, 1.0, 10.0]))
@settings(max_examples=60, deadline=None)
def test_model(draw, dims, reconstruction, scale, beta):
    vae, x, eps = draw_model(draw, dims, reconstruction, scale)
    comparisons = model_parity(vae, x, eps, beta)
    names = ["total", "reconstruction", "kl", "x", "mean", "log_var", "z", *vae.parameters]
    assert [comparison.name for comparison in comparisons] == names
    assert_agree(comparisons)


sides = st.integers(8, 13)


@given(draws, few, st.tuples(sides, sides, few), pairs, few, losses, scales)
@settings(max_examples=30, deadline=None)
def test_convolutional_model(draw, rows, image_shape, channels, z_dim, reconstruction, scale):
    vae = VAE(Convolutional(image_shape, channels, z_dim, draw.dtype), reconstruction)
    vae.parameters.flat[...] = draw.normal(vae.parameters.flat.size, scale=min(scale, 1.0))
    x, eps = draw.pixels(rows, vae.x_dim), draw.normal(rows, z_dim)
    largest = np.max(np.abs(vae.encode(x)[1]))
    assume(largest <= 40)
    comparisons = model_parity(vae, x, eps, 0.7)
    names = ["total", "reconstruction", "kl", "x", "mean", "log_var", "z", *vae.parameters]
    assert [comparison.name for comparison in comparisons] == names
    assert_agree(comparisons)


fitting = st.sampled_from([16, 28])


@given(draws, few, st.tuples(fitting, fitting, few), pairs, losses, scales)
@settings(max_examples=20, deadline=None)
def test_convolutional_autoencoder(draw, rows, image_shape, channels, reconstruction, scale):
    vae = VAE(ConvolutionalAutoencoder(image_shape, channels, draw.dtype), reconstruction)
    vae.parameters.flat[...] = draw.normal(vae.parameters.flat.size, scale=min(scale, 1.0))
    x, eps = draw.pixels(rows, vae.x_dim), draw.normal(rows, vae.z_dim)
    comparisons = model_parity(vae, x, eps, 0.7)
    names = ["total", "reconstruction", "kl", "x", "mean", "log_var", "z", *vae.parameters]
    assert [comparison.name for comparison in comparisons] == names
    assert_agree(comparisons)


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("network", [Convolutional, ConvolutionalAutoencoder])
def test_the_convolutional_networks_agree(reconstruction, dtype, network):
    draw = Draw(0, dtype)
    vae = VAE(network(dtype=dtype), reconstruction)
    assert_agree(model_parity(vae, draw.pixels(16, 784), draw.normal(16, vae.z_dim)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_articles_autoencoder_has_four_times_the_loss(dtype):
    """Written down as the article does, with tanh, and images in [-1, 1]."""
    draw = Draw(0, dtype)
    vae = VAE(ConvolutionalAutoencoder(dtype=dtype))
    encoder = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, stride=3, padding=1), nn.ReLU(), nn.MaxPool2d(2, stride=2)),
        *(nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2, stride=1)),
    )
    decoder = nn.Sequential(
        *(nn.ConvTranspose2d(64, 32, 3, stride=2), nn.ReLU()),
        *(nn.ConvTranspose2d(32, 16, 5, stride=3, padding=1), nn.ReLU()),
        *(nn.ConvTranspose2d(16, 1, 2, stride=2, padding=1), nn.Tanh()),
    )
    theirs = [
        p
        for part in (encoder, decoder)
        for p in part.to(getattr(torch, np.dtype(dtype).name)).parameters()
    ]
    for parameter, array in zip(theirs, vae.parameters.values(), strict=True):
        parameter.data = torch.tensor(array)
    x = draw.pixels(16, 784)
    total = vae.forward(x, np.zeros((16, 256), dtype), 0.0).total
    gradients = vae.backward()

    def reference():
        images = 2 * torch.tensor(x).reshape(-1, 1, 28, 28) - 1
        code = encoder(images)
        loss = nn.MSELoss(reduction="sum")(decoder(code), images)
        found = torch.autograd.grad(loss, theirs)
        in_rows = code.permute(0, 2, 3, 1).flatten(1)
        return {"total": loss, "mean": in_rows, **dict(zip(gradients, found, strict=True))}

    results = {name: 4 * gradient for name, gradient in gradients.items()}
    results |= {"total": np.array(4 * total, dtype), "mean": vae.activations["mean"]}
    assert_agree(parity(reference, results))


@pytest.mark.parametrize("log_var", [-40, 40])
@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_model_at_extreme_log_variances(log_var, reconstruction, dtype):
    vae, x, eps = draw_model(Draw(0, dtype), (5, 8, 7, 6, 4), reconstruction, 0.5)
    vae.parameters["log_var.weight"][...] = 0
    vae.parameters["log_var.bias"][...] = log_var
    assert_agree(model_parity(vae, x, eps))


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_model_with_every_unit_on_its_kink(reconstruction, dtype):
    vae, x, eps = draw_model(Draw(0, dtype), (5, 8, 7, 6, 4), reconstruction, 0.5)
    for layer in ("encoder1", "encoder2", "decoder1", "decoder2"):
        vae.parameters[f"{layer}.weight"][...] = 0
        vae.parameters[f"{layer}.bias"][...] = 0
    assert_agree(model_parity(vae, x, eps))
    assert not np.any(vae.gradients["decoder1.bias"])


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_articles_network_agrees_without_any_allowance(reconstruction, dtype):
    """There, nothing cancels: the tolerances hold as they are."""
    draw = Draw(0, dtype)
    vae = VAE(FullyConnected(dtype=dtype), reconstruction)
    tolerance = 1e-10 if dtype == np.float64 else 1e-5
    for comparison in model_parity(vae, draw.pixels(16, 784), draw.normal(16, 50)):
        assert comparison.error < tolerance, str(comparison)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_model_on_cuda(reconstruction, dtype):
    draw = Draw(0, dtype)
    vae = VAE(FullyConnected(dtype=dtype), reconstruction)
    assert_agree(model_parity(vae, draw.pixels(64, 784), draw.normal(64, 50), device="cuda"))


@given(
    draws,
    st.tuples(*[sizes] * 5),
    st.integers(1, 6),
    losses,
    st.sampled_from([1e-6, 1e-3, 0.1, 1.0, 1.0, 3.0]),  # 10 leaves float32 now and then
    st.sampled_from(["importance", "dreg", "elbo"]),
)
@settings(max_examples=60, deadline=None)
def test_importance_samples(draw, dims, samples, reconstruction, scale, bound):
    vae, x, _ = draw_model(draw, dims, reconstruction, scale)
    iwae = IWAE(vae.network.astype(draw.dtype), reconstruction, samples=samples, bound=bound)
    iwae.parameters.flat[...] = vae.parameters.flat
    beta = 0.3 if bound == "elbo" else 1.0
    comparisons = model_parity(iwae, x, draw.normal(len(x) * samples, vae.z_dim), beta)
    # Where rounding moves log w by nats, it moves PyTorch's exp(log w - log sum) by any factor.
    assume(abs(comparisons[0].reference) * np.finfo(draw.dtype).eps < 1)
    names = ["total", "reconstruction", "kl", "x", "mean", "log_var", "z", *vae.parameters]
    assert [comparison.name for comparison in comparisons] == names
    assert_agree(comparisons)


@given(draws, sizes, sizes, st.sampled_from([1e-3, 1.0, 30.0, 1000.0]))
@many
def test_log_mean_exp(draw, rows, samples, scale):
    log_w = draw.normal(rows, samples, scale=scale)
    check(
        lambda log_w: torch.logsumexp(log_w, 1) - math.log(samples),
        draw.dtype(1),
        {"log_w": log_w},
        log_mean_exp(log_w),
        log_w=log_mean_exp_backward(1.0, log_w),
    )


# Adam


SMALLEST = {np.float32: 1e-15, np.float64: 1e-150}  # whose squares still have all digits


@given(
    draws,
    st.sampled_from([1e-4, 1e-3, 0.1]),
    st.sampled_from([(0.9, 0.999), (0.0, 0.5), (0.5, 0.9)]),
    st.sampled_from([1e-20, 1e-8, 1e-4]),
    st.sampled_from([0.0, 0.01, 0.5]),
    st.sampled_from([None, 1e-10, 1e-3, 1.0, 1e4]),
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_adam(draw, lr, betas, eps, weight_decay, scale, stops):
    shapes = {"a": (6, 5), "b": (7,)}
    parameters = FlatArrays(shapes, draw.dtype)
    parameters.flat[...] = draw.normal(37)
    adam = Adam(parameters, lr, betas, eps, weight_decay)
    scale = scale or SMALLEST[draw.dtype]
    gradients = [
        {name: draw.normal(*shape, scale=scale) for name, shape in shapes.items()}
        for _ in range(300)
    ]
    if stops:
        gradients += [{name: np.zeros(shape, draw.dtype) for name, shape in shapes.items()}] * 900
    assert_agree(adam_parity(adam, gradients))


@pytest.mark.parametrize("dtype", SMALLEST)
@pytest.mark.parametrize("above", range(-2, 11))
def test_adam_where_eps_is_below_and_above_the_gradient(dtype, above):
    """It swept these squares: at -0.705 where PyTorch has 0.005."""
    size = SMALLEST[dtype] / 1000  # a square a little above the smallest number
    parameters = FlatArrays({"p": (1,)}, dtype)
    parameters.flat[...] = 0.5
    adam = Adam(parameters, eps=size * 10.0**above)
    (found,) = adam_parity(adam, [{"p": np.array([size], dtype)}] * 500)
    assert found.numpy == pytest.approx(
        found.reference, rel=1e-2
    )  # of few digits, in PyTorch fewer


@pytest.mark.parametrize("dtype", SMALLEST)
@pytest.mark.parametrize("eps", [0.0, 1e-8])
def test_adam_where_gradients_stop(dtype, eps):
    """With eps 0 it was nan once both sums were swept: 0 / 0."""
    parameters = FlatArrays({"p": (1,)}, dtype)
    parameters.flat[...] = 0.5
    adam = Adam(parameters, betas=(0.9, 0.9), eps=eps)
    gradients = [np.ones(1, dtype)] * 5 + [np.zeros(1, dtype)] * 1500
    assert_agree(adam_parity(adam, ({"p": gradient} for gradient in gradients)))
    assert adam.parameters["p"] == pytest.approx(0.4816, abs=1e-4)


def test_adam_over_several_slices():
    draw = Draw(0, np.float64)
    parameters = FlatArrays({"a": (LEAST, 2), "b": (3,)}, np.float64)
    parameters.flat[...] = draw.normal(parameters.flat.size)
    gradients = [{"a": draw.normal(LEAST, 2), "b": draw.normal(3)} for _ in range(5)]
    adam = Adam(parameters, weight_decay=0.01)
    with adam.threads(2):
        assert_agree(adam_parity(adam, gradients))


# Comparing


def disagreement(numpy, reference, rounding=0.0):
    comparison = Comparison("h", np.array(numpy), np.array(reference), rounding)
    with pytest.raises(AssertionError) as caught:
        assert_agree([comparison])
    return str(caught.value)


def test_a_disagreement_shows_name_and_both_values():
    message = disagreement([[1.0, 2.0, 3.0]], [[1.0, 2.5, 3.0]])
    assert "h: NumPy 2.0, PyTorch 2.5 at [0, 1]; difference by norm 5.0e-01" in message
    assert "h: NumPy 1.0, PyTorch 1.1;" in disagreement(1.0, 1.1)
    assert "NumPy has shape (2,), PyTorch (1, 2)" in disagreement([1.0, 1.0], [[1.0, 1.0]])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nothing_agrees_with_nan_or_infinity(bad):
    disagreement([1.0, bad], [1.0, 2.0])
    disagreement([1.0, 2.0], [1.0, bad])
    disagreement([1.0, bad], [1.0, bad])
    disagreement([1.0, 2.0], [1.0, 2.0], rounding=bad)


def test_where_the_reference_is_0_only_0_agrees():
    disagreement([0.0, 1e-100], [0.0, 0.0])
    assert_agree([Comparison("h", np.zeros(2), np.zeros(2))])


def test_tolerances_are_relative_to_the_norm():
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 1e-5)):
        reference = np.array([1e9, 1.0], dtype)
        near, far = reference.copy(), reference.copy()
        near[1] += 0.5e9 * tolerance
        far[1] += 2e9 * tolerance
        assert_agree([Comparison("h", near, reference)])
        disagreement(far, reference)
