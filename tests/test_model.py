"""model.py: the whole model against central differences, and its promises.

A central difference across the kink of a ReLU is wrong. So the property tests pass over examples
where the input of a ReLU is within MARGIN of 0. That is 1000 times the step by which one number
is moved, and no input of a ReLU in networks this small moves that much further.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import numpyvae
from numpyvae import FullyConnected
from numpyvae import functional as F

MARGIN = 1e-2
LAYERS = ["encoder1", "encoder2", "mean", "log_var", "decoder1", "decoder2", "decoder3"]

sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)
losses = st.sampled_from(["mse", "bce"])
betas = st.one_of(st.just(0.0), st.floats(0, 4))


def make(reconstruction="mse", dtype=np.float64, seed=0, **dims):
    dims = {"x_dim": 6, "h_dim1": 5, "h_dim2": 4, "z_dim": 3, **dims}
    return numpyvae.VAE(FullyConnected(**dims, dtype=dtype, seed=seed), reconstruction)


def batch(vae, n, seed=0):
    rng = np.random.default_rng(seed)
    x, eps = rng.random((n, vae.x_dim)), rng.standard_normal((n, vae.z_dim))
    return x.astype(vae.dtype), eps.astype(vae.dtype)


def copies(gradients):
    return {name: gradient.copy() for name, gradient in gradients.items()}


def assert_same(actual, expected):
    assert list(actual) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)


def distance_to_kinks(vae, x):
    """The smallest distance from 0 of any ReLU's input in the last forward pass."""
    w, a = vae.parameters, vae.activations
    inputs = {"encoder1": x, "encoder2": a["h1"], "decoder1": a["z"], "decoder2": a["h3"]}
    return min(
        np.abs(F.linear(h, w[f"{layer}.weight"], w[f"{layer}.bias"])).min()
        for layer, h in inputs.items()
    )


# Gradients


@given(sizes, sizes, sizes, sizes, sizes, losses, betas, seeds)
@settings(max_examples=100)
def test_every_gradient_is_the_central_difference(
    assert_gradient, n, x_dim, h1, h2, z_dim, loss, beta, seed
):
    vae = make(loss, seed=seed, x_dim=x_dim, h_dim1=h1, h_dim2=h2, z_dim=z_dim)
    vae.parameters.flat *= 2  # livelier than at the start of training
    x, eps = batch(vae, n, seed)
    vae.forward(x, eps, beta)
    assume(distance_to_kinks(vae, x) > MARGIN)

    gradients = copies(vae.backward())
    input_gradient = vae.input_gradient()
    assert list(gradients) == list(vae.parameters)
    for name, gradient in gradients.items():
        total = lambda: vae.forward(x, eps, beta).total  # noqa: E731
        assert_gradient(gradient, total, vae.parameters[name], name)
    assert_gradient(input_gradient, total, x, "x")


@given(losses, betas, seeds)
@settings(max_examples=30)
def test_gradients_of_the_activations_are_central_differences(assert_gradient, loss, beta, seed):
    """d total / d z and, with what flows into the KL divergence, d total / d mean and log_var."""
    vae = make(loss, seed=seed)
    x, eps = batch(vae, 3, seed)
    vae.forward(x, eps, beta)
    assume(distance_to_kinks(vae, x) > MARGIN)
    vae.backward()
    a = {name: vae.activations[name].copy() for name in ("mean", "log_var", "z")}
    gradients = {name: vae.activation_gradients[name].copy() for name in a}

    def reconstruction(z):
        y = vae.decode(z)
        if loss == "mse":
            return np.sum((y - x) ** 2)
        return -np.sum(x * np.log(y) + (1 - x) * np.log(1 - y))

    def total():
        mean, log_var = a["mean"], a["log_var"]
        kl = 0.5 * np.sum(mean**2 + np.exp(log_var) - 1 - log_var)
        return reconstruction(mean + np.exp(log_var / 2) * eps) + beta * kl

    assert_gradient(gradients["z"], lambda: reconstruction(a["z"]), a["z"], "z")
    assert_gradient(gradients["mean"], total, a["mean"], "mean")
    assert_gradient(gradients["log_var"], total, a["log_var"], "log_var")


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_backward_twice_gives_the_same(loss):
    vae = make(loss)
    vae.forward(*batch(vae, 4))
    first = copies(vae.backward())
    assert_same(vae.backward(), first)


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_encode_and_decode_do_not_disturb_backward(loss):
    vae = make(loss)
    x, eps = batch(vae, 4)
    vae.forward(x, eps)
    expected = copies(vae.backward())
    vae.forward(x, eps)
    vae.decode(vae.encode(batch(vae, 4, seed=1)[0])[0])
    vae.sample(4, np.random.default_rng(0))
    assert_same(vae.backward(), expected)


@pytest.mark.parametrize("loss", ["mse", "bce"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_of_any_order_of_sizes_are_as_in_a_fresh_model(loss, dtype):
    vae = make(loss, dtype)
    for n in (5, 2, 6, 1, 9, 9, 3):
        x, eps = batch(vae, n, seed=n)
        fresh = make(loss, dtype)
        assert vae.forward(x, eps, 0.7) == fresh.forward(x, eps, 0.7)
        assert_same(vae.backward(), fresh.backward())
        np.testing.assert_array_equal(vae.input_gradient(), fresh.input_gradient())
        assert {len(a) for a in vae.activations.values()} == {n}


def test_gradients_of_a_batch_are_the_sum_over_its_images():
    vae = make()
    x, eps = batch(vae, 4)
    loss = np.array(vae.forward(x, eps, 2.0))
    gradients = copies(vae.backward())
    singles, sums = [], dict.fromkeys(gradients, 0)
    for i in range(4):
        singles.append(vae.forward(x[i : i + 1], eps[i : i + 1], 2.0))
        for name, gradient in vae.backward().items():
            sums[name] = sums[name] + gradient
    np.testing.assert_allclose(np.sum(singles, axis=0), loss, rtol=1e-12)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, sums[name], rtol=1e-10, atol=1e-12)


# The loss


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_the_loss_is_what_the_formulas_say(loss):
    vae = make(loss)
    vae.parameters.flat *= 1.5
    x, eps = batch(vae, 7)
    total, reconstruction, kl = vae.forward(x, eps, beta=2.5)
    mean, log_var = vae.encode(x)
    y = vae.decode(mean + np.exp(0.5 * log_var) * eps)
    expected = {
        "mse": np.sum((y - x) ** 2),
        "bce": -np.sum(x * np.log(y) + (1 - x) * np.log(1 - y)),
    }[loss]
    assert reconstruction == pytest.approx(expected, rel=1e-12)
    expected_kl = 0.5 * np.sum(mean**2 + np.exp(log_var) - 1 - log_var)
    assert kl == pytest.approx(expected_kl, rel=1e-12)
    assert total == pytest.approx(expected + 2.5 * expected_kl, rel=1e-12)
    assert {type(value) for value in (total, reconstruction, kl)} == {float}


def test_beta_is_one_by_default():
    vae = make()
    x, eps = batch(vae, 3)
    assert vae.forward(x, eps) == vae.forward(x, eps, beta=1.0)
    default = copies(vae.backward())
    vae.forward(x, eps, beta=1.0)
    assert_same(vae.backward(), default)


def test_without_beta_and_noise_it_is_a_plain_autoencoder():
    vae = make()
    x, _ = batch(vae, 4)
    loss = vae.forward(x, np.zeros((4, 3)), beta=0.0)
    mean, _ = vae.encode(x)
    assert loss.total == loss.reconstruction
    assert loss.total == pytest.approx(np.sum((vae.decode(mean) - x) ** 2), rel=1e-13)
    assert loss.kl > 0  # reported all the same
    gradients = vae.backward()
    for name, gradient in gradients.items():
        assert np.any(gradient != 0) != name.startswith("log_var"), name


def test_a_plain_autoencoder_learns():
    vae = make(h_dim1=16, h_dim2=16)
    x, _ = batch(vae, 8)
    adam = numpyvae.Adam(vae.parameters, lr=1e-2)
    first = vae.forward(x, np.zeros((8, 3)), 0.0).total
    for _ in range(300):
        loss = vae.forward(x, np.zeros((8, 3)), 0.0).total
        adam.step(vae.backward())
    assert loss < 0.2 * first


# Images


def test_images_are_probabilities_whichever_loss():
    for loss in ("mse", "bce"):
        vae = make(loss)
        vae.parameters.flat *= 10
        images = vae.decode(np.random.default_rng(0).normal(0, 5, (50, 3)))
        assert images.shape == (50, 6)
        assert 0 <= images.min() < 0.1
        assert 0.9 < images.max() <= 1


def test_a_reconstruction_is_decoded_from_the_mean_or_where_the_noise_says():
    vae = make()
    rng = np.random.default_rng(0)
    x, eps = rng.random((4, 6)), rng.standard_normal((4, 3))
    mean, log_var = vae.encode(x)
    np.testing.assert_array_equal(vae.reconstruct(x), vae.decode(mean))
    z = mean + np.exp(log_var / 2) * eps
    np.testing.assert_allclose(vae.reconstruct(x, eps), vae.decode(z), rtol=1e-12)


def test_samples_are_decoded_draws_of_the_generator():
    for dtype in (np.float32, np.float64):
        vae = make(dtype=dtype)
        images = vae.sample(5, np.random.default_rng(3))
        z = np.random.default_rng(3).standard_normal((5, 3), dtype)
        np.testing.assert_array_equal(images, vae.decode(z))
        assert images.dtype == dtype


# Parameters


def test_parameters_have_these_names_in_this_order_and_these_shapes():
    vae = numpyvae.VAE()
    assert {name: p.shape for name, p in vae.parameters.items()} == {
        "encoder1.weight": (512, 784),
        "encoder1.bias": (512,),
        "encoder2.weight": (256, 512),
        "encoder2.bias": (256,),
        "mean.weight": (50, 256),
        "mean.bias": (50,),
        "log_var.weight": (50, 256),
        "log_var.bias": (50,),
        "decoder1.weight": (256, 50),
        "decoder1.bias": (256,),
        "decoder2.weight": (512, 256),
        "decoder2.bias": (512,),
        "decoder3.weight": (784, 512),
        "decoder3.bias": (784,),
    }
    assert list(vae.parameters) == [f"{p}.{kind}" for p in LAYERS for kind in ("weight", "bias")]
    assert vae.dtype == np.float32


def test_weights_and_biases_start_uniform_within_one_over_the_root_of_the_inputs():
    vae = numpyvae.VAE(FullyConnected(seed=5))
    for layer in LAYERS:
        bound = 1 / np.sqrt(vae.parameters[f"{layer}.weight"].shape[1])
        for kind in ("weight", "bias"):
            u = vae.parameters[f"{layer}.{kind}"].astype(np.float64).ravel() / bound
            assert np.abs(u).max() <= 1 + 1e-6
            assert np.abs(u).max() > 1 - 5 / len(u)  # misses with probability e^-5
            assert abs(u.mean()) < 5 / np.sqrt(3 * len(u))
            assert abs((u**2).mean() - 1 / 3) < 5 * np.sqrt(4 / 45 / len(u))


def test_a_seed_gives_the_same_weights_in_both_dtypes():
    single, double = make(dtype=np.float32, seed=7), make(dtype=np.float64, seed=7)
    np.testing.assert_array_equal(single.parameters.flat, double.parameters.flat.astype(np.float32))
    assert np.any(make(seed=8).parameters.flat != double.parameters.flat)


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_everything_stays_in_the_models_dtype(loss):
    vae = make(loss, np.float32)
    x, eps = batch(vae, 3)
    vae.forward(x, eps)
    gradients = vae.backward()
    arrays = [
        *gradients.values(),
        *vae.parameters.values(),
        *vae.activations.values(),
        *vae.activation_gradients.values(),
        *vae.encode(x),
        vae.decode(eps),
        vae.input_gradient(),
    ]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def test_single_and_double_precision_agree():
    single, double = make(dtype=np.float32), make(dtype=np.float64)
    x, eps = batch(single, 5)
    loss = single.forward(x, eps)
    np.testing.assert_allclose(loss, double.forward(x.astype(float), eps.astype(float)), rtol=1e-5)
    expected = double.backward()
    for name, gradient in single.backward().items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-3, atol=1e-5)


# Memory


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_a_training_step_allocates_nothing_large(traced, loss):
    """The KL divergence takes three arrays of the latents' size, 100 KiB each: 306 KiB in all.

    The smallest output of a hidden layer at this batch takes 512 KiB, a weight up to 1568 KiB.
    """
    vae = numpyvae.VAE(reconstruction=loss)
    adam = numpyvae.Adam(vae.parameters)
    x, eps = batch(vae, 512)

    def step():
        vae.forward(x, eps)
        adam.step(vae.backward())

    step()  # makes the buffers
    with traced() as peak:
        step()
    assert peak() < 450 * 1024


# Mistakes


@pytest.mark.parametrize("name", ["x_dim", "h_dim1", "h_dim2", "z_dim"])
@pytest.mark.parametrize("value", [0, -3, 2.5, "7", True])
def test_sizes_must_be_whole_and_positive(name, value):
    with pytest.raises(ValueError, match=rf"{name} must be a whole number.*got {value!r}"):
        make(**{name: value})
    assert make(**{name: np.int64(4)}).parameters


def test_other_bad_settings_are_named():
    with pytest.raises(ValueError, match="reconstruction must be 'mse' or 'bce', got 'mae'"):
        make("mae")
    with pytest.raises(ValueError, match="dtype must be float32 or float64, got float16"):
        make(dtype=np.float16)


def test_wrong_shapes_and_dtypes_say_what_was_expected_and_what_came():
    vae = make(dtype=np.float32)
    x, eps = batch(vae, 4)
    for call, message in (
        (lambda: vae.forward(x[:, :5], eps), r"x must be float32 of shape \(B, 6\).*\(4, 5\)"),
        (lambda: vae.forward(x[0], eps), r"x must be .* \(B, 6\), got float32 of shape \(6,\)"),
        (lambda: vae.forward(x.astype(float), eps), "x must be float32 .* got float64 of shape"),
        (lambda: vae.forward(x, eps[:3]), r"eps must be .* \(4, 3\), got .* \(3, 3\)"),
        (lambda: vae.forward(x, eps[:, :2]), r"eps must be .* \(4, 3\), got .* \(4, 2\)"),
        (lambda: vae.forward(x, eps.astype(float)), "eps must be float32 .* got float64"),
        (lambda: vae.forward((x * 255).astype(np.uint8), eps), "x must be float32.* got uint8"),
        (lambda: vae.forward(x.tolist(), eps), "x must be float32"),
        (lambda: vae.forward(x[:0], eps[:0]), "x must be float32"),
        (lambda: vae.encode(eps), r"x must be .* \(B, 6\), got .* \(4, 3\)"),
        (lambda: vae.decode(x), r"z must be .* \(B, 3\), got .* \(4, 6\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_backward_needs_a_forward_and_the_input_gradient_this_very_forwards_backward():
    vae = make()
    for call in (vae.backward, vae.input_gradient):
        with pytest.raises(RuntimeError, match=r"forward\(\)"):
            call()
    for _ in range(2):
        vae.forward(*batch(vae, 2))
        with pytest.raises(RuntimeError, match=r"backward\(\)"):
            vae.input_gradient()
        vae.backward()
        vae.input_gradient()


def test_a_refused_batch_leaves_the_last_forward_in_place():
    vae = make()
    x, eps = batch(vae, 4)
    vae.forward(x, eps)
    expected = copies(vae.backward())
    with pytest.raises(ValueError, match="eps must be"):
        vae.forward(x[:2], eps)
    assert_same(vae.backward(), expected)


def test_a_model_says_what_it_is():
    assert repr(make("bce")) == "<VAE 6-5-4-3, bce, float64, 166 parameters>"
