"""numpyvae against PyTorch: every operation, the whole model, Adam, and a whole training.

``reference_torch.parity`` states the tolerances, and why.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import given, settings
from hypothesis import strategies as st

from numpyvae import VAE, Adam, load_dataset
from numpyvae import functional as F
from numpyvae.data.dataset import minibatches
from numpyvae.flat import FlatArrays
from numpyvae.optim import BLOCK
from reference_torch import TorchVAE
from reference_torch.proof.parity import Comparison, adam_parity, assert_agree, parity
from reference_torch.proof.rounding import LastDigitNoise
from reference_torch.twin.carrying import adam_to_numpy, adam_to_torch, to_numpy, to_torch


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread():
    """NumPy's and PyTorch's threads would take turns in waiting for each other's cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_has_gradient_0_at_its_kink(dtype):
    """The convention of PyTorch: of the slopes 0 on the left and 1 on the right, the left one."""
    x, grad_y = np.array([[-1, -0.0, 0.0, 1]], dtype), np.array([[5, 6, 7, 8]], dtype)
    tensor = torch.tensor(x, requires_grad=True)
    TF.relu(tensor).backward(torch.tensor(grad_y))
    for expected in (np.array([[0, 0, 0, 8]], dtype), tensor.grad.numpy()):
        np.testing.assert_array_equal(F.relu_backward(grad_y, F.relu(x)), expected)


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


def out_cases(draw, rows, n, m):
    """For every function with ``out``: the function, its arguments, what to pass as ``out``."""
    a, b, c = (draw.normal(rows, n) for _ in range(3))
    x, y = draw.pixels(rows, n), draw.pixels(rows, n)
    weight, bias, grad = draw.normal(m, n), draw.normal(m), draw.normal(rows, m)

    def room(*shape):
        return np.full(shape, np.nan, draw.dtype)  # whatever was there must not matter

    two = (room(rows, n), room(rows, n))
    return [
        (F.linear, (a, weight, bias), room(rows, m)),
        (F.linear_backward_parameters, (grad, a), (room(m, n), room(m))),
        (F.linear_backward_input, (grad, weight), room(rows, n)),
        (F.relu, (a,), room(rows, n)),
        (F.relu_backward, (a, b), room(rows, n)),
        (F.sigmoid, (a,), room(rows, n)),
        (F.sigmoid_backward, (a, y), room(rows, n)),
        (F.reparameterize, (a, b, c), room(rows, n)),
        (F.reparameterize_backward, (a, b, c), two),
        (F.kl_divergence_backward, (0.5, a, b), two),
        (F.squared_error_backward, (y, x), room(rows, n)),
        (F.bernoulli_cross_entropy_backward, (a, x), room(rows, n)),
    ]


@given(draws, sizes, sizes, sizes)
@many
def test_out_receives_the_result(draw, rows, n, m):
    for function, arguments, out in out_cases(draw, rows, n, m):
        before = [np.copy(argument) for argument in arguments]
        allocated, written = function(*arguments), function(*arguments, out=out)
        if isinstance(out, tuple):
            assert all(result is room for result, room in zip(written, out, strict=True))
        else:
            assert written is out
            allocated, written = [allocated], [written]
        for expected, result in zip(allocated, written, strict=True):
            np.testing.assert_array_equal(result, expected, err_msg=function.__name__)
        for argument, copy in zip(arguments, before, strict=True):
            np.testing.assert_array_equal(argument, copy, err_msg=function.__name__)


@given(draws, sizes, sizes)
@many
def test_room_of_the_losses(draw, rows, n):
    a, x = draw.normal(rows, n), draw.pixels(rows, n)
    for function in (F.squared_error, F.bernoulli_cross_entropy):
        room = np.full_like(x, np.nan)
        np.testing.assert_array_equal(function(a, x, room=room), function(a, x))


# The whole model


def draw_model(draw, dims, reconstruction, scale):
    """A VAE with random weights of that size, but log-variances of at most 40, and its input."""
    rows, x_dim, h_dim1, h_dim2, z_dim = dims
    vae = VAE(x_dim, h_dim1, h_dim2, z_dim, reconstruction, draw.dtype)
    vae.parameters.flat[...] = draw.normal(vae.parameters.flat.size, scale=scale)
    x, eps = draw.pixels(rows, x_dim), draw.normal(rows, z_dim)
    largest = np.max(np.abs(vae.encode(x)[1]))
    if largest > 40:
        vae.parameters["log_var.weight"][...] *= 40 / largest
        vae.parameters["log_var.bias"][...] *= 40 / largest
    return vae, x, eps


@given(draws, st.tuples(*[sizes] * 5), losses, scales, st.sampled_from([0.0, 0.3, 1.0, 10.0]))
@settings(max_examples=100, deadline=None)
def test_model(draw, dims, reconstruction, scale, beta):
    vae, x, eps = draw_model(draw, dims, reconstruction, scale)
    comparisons = model_parity(vae, x, eps, beta)
    names = ["total", "reconstruction", "kl", "x", "mean", "log_var", "z", *vae.parameters]
    assert [comparison.name for comparison in comparisons] == names
    assert_agree(comparisons)


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
    vae = VAE(reconstruction=reconstruction, dtype=dtype)
    tolerance = 1e-10 if dtype == np.float64 else 1e-5
    for comparison in model_parity(vae, draw.pixels(16, 784), draw.normal(16, 50)):
        assert comparison.error < tolerance, str(comparison)


@given(seeds, losses)
@settings(max_examples=20, deadline=None)
def test_encode_decode_and_sample(seed, reconstruction):
    vae, x, eps = draw_model(Draw(seed, np.float64), (4, 9, 7, 5, 3), reconstruction, 1.0)
    twin = to_torch(vae)
    with torch.no_grad():
        encoded, decoded = twin.encode(torch.tensor(x)), twin.decode(torch.tensor(eps))
    for ours, theirs in zip(vae.encode(x), encoded, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(vae.decode(eps), decoded.numpy(), rtol=1e-10, atol=1e-13)
    images = twin.sample(6, torch.Generator().manual_seed(0))
    assert images.shape == (6, 9)
    assert not images.requires_grad
    assert bool(((images >= 0) & (images <= 1)).all())


def test_torch_model_draws_its_own_noise():
    torch.manual_seed(0)
    twin = TorchVAE(6, 5, 4, 3)
    x = torch.rand(2, 6)
    first, second = twin(x), twin(x)
    assert first.kl == second.kl
    assert first.reconstruction != second.reconstruction
    with pytest.raises(ValueError, match="'mse' or 'bce', got 'l1'"):
        TorchVAE(6, 5, 4, 3, "l1")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_model_on_cuda(reconstruction, dtype):
    draw = Draw(0, dtype)
    vae = VAE(reconstruction=reconstruction, dtype=dtype)
    assert_agree(model_parity(vae, draw.pixels(64, 784), draw.normal(64, 50), device="cuda"))


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


def test_last_digit_noise_moves_results_but_not_inputs():
    weight = torch.ones(50, 50, dtype=torch.float64, requires_grad=True)
    x = torch.ones(50, 50, dtype=torch.float64)
    with LastDigitNoise(0):
        y = TF.relu(x @ weight.T)
        y.sum().backward()
    for result in (y.detach(), weight.grad):
        moved = (result / 50 - 1).abs()
        assert 1e-16 < moved.max() < 1e-14
    assert torch.equal(x, torch.ones_like(x))
    assert torch.equal(weight, torch.ones_like(weight))


# Weights and Adam's state, either way


@given(draws, losses)
@settings(max_examples=20, deadline=None)
def test_weights_go_there_and_back(draw, reconstruction):
    vae, _, _ = draw_model(draw, (1, 6, 5, 4, 3), reconstruction, 1.0)
    twin = to_torch(vae)
    assert list(twin.state_dict()) == list(vae.parameters)
    into = VAE(6, 5, 4, 3, reconstruction, draw.dtype, seed=1)
    for back in (to_numpy(twin), to_numpy(twin, into)):
        np.testing.assert_array_equal(back.parameters.flat, vae.parameters.flat)
        assert (back.dtype, back.reconstruction) == (vae.dtype, reconstruction)
    assert back is into
    kept = vae.parameters.flat.copy()
    with torch.no_grad():
        twin.mean.bias.add_(1)
    np.testing.assert_array_equal(vae.parameters.flat, kept)  # a copy, not a view


def torch_optimizer(adam, twin):
    return torch.optim.AdamW(
        twin.parameters(), adam.lr, adam.betas, adam.eps, weight_decay=adam.weight_decay
    )


@pytest.mark.parametrize("steps", [0, 1, 30])
def test_adam_goes_there_and_back_in_mid_run(steps):
    """NumPy, then PyTorch, then NumPy: as NumPy all the way."""
    draw = Draw(0, np.float64)
    vae, x, eps = draw_model(draw, (5, 6, 5, 4, 3), "mse", 0.5)
    straight = to_numpy(to_torch(vae))
    adam, adam_straight = (
        Adam(model.parameters, lr=0.01, weight_decay=0.1) for model in (vae, straight)
    )
    for model, optimizer, n in ((vae, adam, steps), (straight, adam_straight, steps + 40)):
        for _ in range(n):
            model.forward(x, eps)
            optimizer.step(model.backward())

    twin = to_torch(vae)
    optimizer = torch_optimizer(adam, twin)
    adam_to_torch(adam, optimizer, twin)
    for _ in range(20):
        optimizer.zero_grad()
        twin(torch.tensor(x), torch.tensor(eps)).total.backward()
        optimizer.step()

    vae = to_numpy(twin)
    adam = Adam(vae.parameters, lr=0.01, weight_decay=0.1)
    adam_to_numpy(optimizer, twin, adam)
    assert adam.steps == steps + 20
    for _ in range(20):
        vae.forward(x, eps)
        adam.step(vae.backward())
    assert adam.steps == adam_straight.steps
    pairs = {
        "parameters": (vae.parameters.flat, straight.parameters.flat),
        "gradient_sum": (adam.gradient_sum, adam_straight.gradient_sum),
        "square_sum": (adam.square_sum, adam_straight.square_sum),
    }
    assert_agree(Comparison(name, *pair) for name, pair in pairs.items())


def test_an_optimizer_before_its_first_step_has_an_empty_state():
    vae = VAE(4, 3, 3, 2)
    adam = Adam(vae.parameters)
    adam.step(vae.parameters)
    twin = to_torch(vae)
    adam_to_numpy(torch_optimizer(adam, twin), twin, adam)
    assert adam.steps == 0
    assert not np.any(adam.gradient_sum)
    assert not np.any(adam.square_sum)


# Adam


@given(
    draws,
    st.sampled_from([1e-4, 1e-3, 0.1]),
    st.sampled_from([(0.9, 0.999), (0.0, 0.5), (0.5, 0.9)]),
    st.sampled_from([1e-8, 1e-4]),
    st.sampled_from([0.0, 0.01, 0.5]),
    st.sampled_from([1e-10, 1e-3, 1.0, 1e4]),
)
@settings(max_examples=25, deadline=None)
def test_adam(draw, lr, betas, eps, weight_decay, scale):
    shapes = {"a": (6, 5), "b": (7,)}
    parameters = FlatArrays(shapes, draw.dtype)
    parameters.flat[...] = draw.normal(37)
    adam = Adam(parameters, lr, betas, eps, weight_decay)
    gradients = [
        {name: draw.normal(*shape, scale=scale) for name, shape in shapes.items()}
        for _ in range(300)
    ]
    assert_agree(adam_parity(adam, gradients))


def test_adam_over_several_blocks():
    draw = Draw(0, np.float64)
    parameters = FlatArrays({"a": (BLOCK, 2), "b": (3,)}, np.float64)
    parameters.flat[...] = draw.normal(parameters.flat.size)
    gradients = [{"a": draw.normal(BLOCK, 2), "b": draw.normal(3)} for _ in range(5)]
    assert_agree(adam_parity(Adam(parameters, weight_decay=0.01), gradients))


# A whole training


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_both_versions_stay_together_through_a_training(reconstruction):
    images = load_dataset("digits").train_images
    rng = np.random.default_rng(0)
    vae = VAE(784, 64, 32, 8, reconstruction, np.float64)
    twin = to_torch(vae)
    adam = Adam(vae.parameters, weight_decay=0.01)
    optimizer = torch_optimizer(adam, twin)
    first = None
    for _ in range(10):
        for x in minibatches(images, 50, np.float64, rng):
            eps = rng.standard_normal((len(x), 8))
            loss = vae.forward(x, eps)
            adam.step(vae.backward())
            optimizer.zero_grad()
            twin_loss = twin(torch.from_numpy(x), torch.from_numpy(eps))
            twin_loss.total.backward()
            optimizer.step()
            for ours, theirs in zip(loss, twin_loss, strict=True):
                assert abs(ours - theirs.item()) < 1e-8 * len(x)
            first = first or loss
    assert adam.steps == 300
    assert loss.total < 0.5 * first.total
    difference = vae.parameters.flat - to_numpy(twin).parameters.flat
    assert np.max(np.abs(difference)) < 1e-8
