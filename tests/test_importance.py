"""importance.py: the bound against its formula, central differences and what is known of it."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from numpyvae import VAE, Adam, Config, FullyConnected, as_floats, load_dataset, train
from numpyvae import functional as F
from numpyvae.importance import (
    IWAE,
    log_mean_exp,
    log_mean_exp_backward,
    log_weights,
    log_weights_backward,
)

MARGIN = 1e-2  # see test_model.py
sizes = st.integers(1, 4)
seeds = st.integers(0, 2**32 - 1)
losses = st.sampled_from(["mse", "bce"])
bounds = st.sampled_from(["importance", "elbo"])


def make(samples=3, bound="importance", reconstruction="bce", dtype=np.float64, seed=0):
    vae = IWAE(
        FullyConnected(6, 5, 4, 3, dtype, seed), reconstruction, samples=samples, bound=bound
    )
    vae.parameters.flat *= 2
    return vae


def batch(vae, n, seed=0):
    rng = np.random.default_rng(seed)
    x, eps = rng.random((n, vae.x_dim)), rng.standard_normal((n * vae.samples, vae.z_dim))
    return x.astype(vae.dtype), eps.astype(vae.dtype)


def copies(gradients):
    return {name: gradient.copy() for name, gradient in gradients.items()}


def smallest_input_of_a_relu(vae, x):
    w, a = vae.parameters, vae.activations
    inputs = {"encoder1": x, "encoder2": a["h1"], "decoder1": a["z"], "decoder2": a["h3"]}
    return min(
        np.abs(F.linear(h, w[f"{layer}.weight"], w[f"{layer}.bias"])).min()
        for layer, h in inputs.items()
    )


# The operations


@given(sizes, sizes, sizes, seeds)
@settings(max_examples=30)
def test_backward_passes_are_central_differences(assert_gradient, rows, samples, n, seed):
    rng = np.random.default_rng(seed)
    loss, grad = rng.random((rows, samples)), rng.standard_normal((rows, samples))
    z, eps = rng.standard_normal((2, rows, samples, n))
    log_var = rng.standard_normal((rows, n))

    def weighed():
        return float(np.vdot(grad, log_weights(loss, z, log_var, eps)))

    gradients = log_weights_backward(grad, z, log_var)
    for x, gradient in zip((loss, z, log_var), gradients, strict=True):
        assert_gradient(gradient, weighed, x)

    log_w = 3 * rng.standard_normal((rows, samples))
    gradient = log_mean_exp_backward(2.0, log_w)
    assert_gradient(gradient, lambda: 2 * float(log_mean_exp(log_w).sum()), log_w)
    np.testing.assert_allclose(gradient.sum(axis=1), 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [-1000, 1000, -1e30])
def test_log_weights_of_any_size_give_no_nan(size, dtype):
    log_w = np.array([[size, size], [size, 0], [size, -size]], dtype)
    top = log_w.max(axis=1)
    expected = top + np.log(np.exp(log_w.astype(float) - top[:, None]).mean(axis=1))
    np.testing.assert_allclose(log_mean_exp(log_w), expected, rtol=1e-6)
    np.testing.assert_allclose(log_mean_exp_backward(1.0, log_w)[0], [0.5, 0.5])
    assert log_mean_exp_backward(1.0, log_w)[1].tolist() in ([0, 1], [1, 0])
    assert log_mean_exp(log_w).dtype == log_mean_exp_backward(1.0, log_w).dtype == dtype


# The model


@given(sizes, st.integers(1, 5), losses, bounds, seeds)
@settings(max_examples=60)
def test_every_gradient_is_the_central_difference(
    assert_gradient, n, samples, reconstruction, bound, seed
):
    vae = make(samples, bound, reconstruction, seed=seed)
    x, eps = batch(vae, n, seed)
    beta = 1.0 if bound == "importance" else 0.3
    vae.forward(x, eps, beta)
    assume(smallest_input_of_a_relu(vae, x) > MARGIN)
    gradients = copies(vae.backward()) | {"x": vae.input_gradient()}
    for name, gradient in gradients.items():
        array = x if name == "x" else vae.parameters[name]
        assert_gradient(gradient, lambda: vae.forward(x, eps, beta).total, array, name)


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_the_bound_is_what_its_formula_says(reconstruction):
    vae = make(4, reconstruction=reconstruction)
    x, eps = batch(vae, 5)
    mean, log_var = (np.repeat(part, 4, axis=0) for part in vae.encode(x))
    std = np.exp(log_var / 2)
    z = mean + std * eps
    y, images = vae.decode(z), np.repeat(x, 4, axis=0)
    losses = {
        "mse": np.sum((y - images) ** 2, axis=1),
        "bce": -np.sum(images * np.log(y) + (1 - images) * np.log(1 - y), axis=1),
    }[reconstruction]
    prior = np.exp(-(z**2) / 2).prod(axis=1)
    q = (np.exp(-(((z - mean) / std) ** 2) / 2) / std).prod(axis=1)
    w = (np.exp(-losses) * prior / q).reshape(5, 4)
    loss = vae.forward(x, eps)
    assert loss.total == pytest.approx(-np.log(w.mean(axis=1)).sum(), rel=1e-12)
    assert loss.reconstruction == pytest.approx(losses.sum() / 4, rel=1e-12)
    assert loss.kl == pytest.approx(F.kl_divergence(*vae.encode(x)).sum(), rel=1e-12)


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_one_sample_is_the_elbo_with_a_sampled_kl(reconstruction):
    """Exactly: the loss bit for bit, and the VAE's decoder gradients, to which no KL speaks."""
    vae = make(1, reconstruction=reconstruction)
    core = VAE(FullyConnected(6, 5, 4, 3, np.float64), reconstruction)
    core.parameters.flat[...] = vae.parameters.flat
    x, eps = batch(vae, 5)
    expected = core.forward(x, eps)
    log_var, z = core.activations["log_var"], core.activations["z"]
    kl = 0.5 * (np.vecdot(z, z) - np.vecdot(eps, eps) - log_var.sum(axis=1))
    losses = core.reconstruction_loss(core.activations["logits"], x)
    loss = vae.forward(x, eps)
    assert loss == (np.sum(losses + kl), expected.reconstruction, expected.kl)

    gradients, exact = vae.backward(), core.backward()
    for name in ("decoder1.weight", "decoder2.weight", "decoder3.weight", "decoder3.bias"):
        np.testing.assert_array_equal(gradients[name], exact[name])
    assert np.any(gradients["mean.bias"] != exact["mean.bias"])


def test_one_sample_of_the_elbo_is_the_vae():
    vae, core = make(1, "elbo"), VAE(FullyConnected(6, 5, 4, 3, np.float64), "bce")
    core.parameters.flat[...] = vae.parameters.flat
    x, eps = batch(vae, 5)
    assert vae.forward(x, eps, 0.7) == core.forward(x, eps, 0.7)
    np.testing.assert_allclose(vae.backward().flat, core.backward().flat, rtol=1e-13)


def test_the_elbo_of_several_samples_is_the_mean_of_theirs():
    vae, core = make(3, "elbo"), VAE(FullyConnected(6, 5, 4, 3, np.float64), "bce")
    core.parameters.flat[...] = vae.parameters.flat
    x, eps = batch(vae, 5)
    loss, gradient = vae.forward(x, eps, 0.7), vae.backward().flat
    losses, gradients = [], []
    for k in range(3):
        losses.append(core.forward(x, eps[k::3], 0.7))
        gradients.append(core.backward().flat.copy())
    np.testing.assert_allclose(loss, np.mean(losses, axis=0), rtol=1e-12)
    np.testing.assert_allclose(gradient, np.mean(gradients, axis=0), rtol=1e-10, atol=1e-12)


def test_dreg_has_the_decoder_s_gradient_of_the_bound_and_on_average_the_encoder_s():
    """The encoder's, given the same noise, differs by what is 0 on average: 5 standard errors."""
    bound, dreg, rng = make(3), make(3, "dreg"), np.random.default_rng(1)
    x, _ = batch(bound, 2)
    differences = []
    for _ in range(2000):
        eps = rng.standard_normal((len(x) * 3, bound.z_dim))
        assert dreg.forward(x, eps) == bound.forward(x, eps)
        one, other = dreg.backward(), bound.backward()
        for name in one:
            if name.startswith("decoder"):
                np.testing.assert_array_equal(one[name], other[name])
        differences.append(one.flat - other.flat)
    error = np.std(differences, axis=0) / np.sqrt(len(differences))
    assert (error > 0).sum() > 50
    assert (np.abs(np.mean(differences, axis=0)) <= 5 * error).all()


def test_dreg_of_one_sample_sticks_the_landing():
    """Its gradient at z is that of log p(x, z) - log q(z), q held still: 0 where q is exact."""
    vae = make(1, "dreg")
    x, eps = batch(vae, 4)
    vae.forward(x, eps)
    vae.backward()
    log_var, z, grad_z = vae.activations["log_var"], vae.activations["z"], vae.activation_gradients
    core = VAE(vae.network.astype(np.float64), "bce")
    core.forward(x, eps)
    core.backward()
    expected = core.activation_gradients["z"] + z - eps / np.exp(log_var / 2)
    np.testing.assert_allclose(grad_z["z"], expected, rtol=1e-12)
    np.testing.assert_allclose(grad_z["mean"], expected, rtol=1e-12)


def test_more_samples_never_loosen_the_bound_on_average():
    x = np.random.default_rng(1).integers(0, 2, (200, 6)).astype(float)
    means = []
    for samples in (1, 2, 4, 8, 16):
        vae = make(samples)
        eps = np.random.default_rng(2).standard_normal((len(x) * samples, 3))
        means.append(vae.forward(x, eps).total / len(x))
    assert np.all(np.diff(means) < 0), means
    loss = vae.forward(x, eps)
    assert loss.total < loss.reconstruction + loss.kl


def test_the_encoder_sees_an_image_once(monkeypatch):
    rows = {}
    linear = FullyConnected._linear

    def spy(self, layer, x, out):
        rows[layer] = len(x)
        return linear(self, layer, x, out)

    monkeypatch.setattr(FullyConnected, "_linear", spy)
    vae = make(4)
    vae.forward(*batch(vae, 5))
    assert {layer: n for layer, n in rows.items() if n == 5}.keys() == {
        *("encoder1", "encoder2", "mean", "log_var")
    }
    assert {rows[f"decoder{n}"] for n in (1, 2, 3)} == {20}


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
@pytest.mark.parametrize("bound", ["importance", "dreg", "elbo"])
def test_batches_of_any_order_of_sizes_are_as_in_a_fresh_model(bound, reconstruction):
    vae = make(3, bound, reconstruction, np.float32)
    for n in (5, 2, 6, 1):
        x, eps = batch(vae, n, seed=n)
        fresh = make(3, bound, reconstruction, np.float32)
        assert vae.forward(x, eps) == fresh.forward(x, eps)
        np.testing.assert_array_equal(vae.backward().flat, fresh.backward().flat)
        np.testing.assert_array_equal(vae.input_gradient(), fresh.input_gradient())
        arrays = [vae.input_gradient(), *vae.activations.values(), *vae.gradients.values()]
        assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


@pytest.mark.parametrize("bound", ["importance", "dreg", "elbo"])
def test_a_copy_in_another_dtype_keeps_samples_and_bound(bound):
    vae = make(3, bound)
    copy = vae.astype(np.float32)
    assert (copy.samples, copy.bound, copy.dtype) == (3, bound, np.float32)
    np.testing.assert_array_equal(copy.parameters.flat, vae.parameters.flat.astype(np.float32))
    assert repr(copy).startswith("<IWAE 6-5-4-3, bce, float32")


def test_it_learns():
    vae = make(5)
    x = np.random.default_rng(0).integers(0, 2, (8, 6)).astype(float)
    adam = Adam(vae.parameters, lr=1e-2)
    rng = np.random.default_rng(0)
    totals = []
    for _ in range(300):
        totals.append(vae.forward(x, rng.standard_normal((40, 3))).total)
        adam.step(vae.backward())
    assert np.mean(totals[-20:]) < 0.8 * np.mean(totals[:5])


# Mistakes


@pytest.mark.parametrize("samples", [0, -1, 2.0, True, "3"])
def test_samples_must_be_whole_and_positive(samples):
    with pytest.raises(ValueError, match=f"samples must be a whole number.*got {samples!r}"):
        make(samples)


def test_what_does_not_fit_is_named():
    vae = make(3)
    x, eps = batch(vae, 4)
    for call, message in (
        (lambda: make(3, "tight"), "bound must be 'importance' or 'dreg' or 'elbo', got 'tight'"),
        (lambda: vae.forward(x, eps[:4]), r"eps must be .* \(12, 3\), got .* \(4, 3\)"),
        (lambda: vae.forward(x, eps, 0.5), "the importance-weighted bound needs beta 1, got 0.5"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    for call in (vae.backward, vae.input_gradient):
        with pytest.raises(RuntimeError, match=r"forward\(\)"):
            call()


def test_an_exact_kl_makes_the_encoder_s_gradient_less_noisy_and_not_the_loss():
    """With one sample the bound is the ELBO with a sampled KL divergence."""
    data = load_dataset("digits")
    config = Config(epochs=2, beta=1.0, hidden=(64, 32), z_dim=10)
    exact = train(config, data).vae.astype(np.float64)
    sampled = IWAE(exact.network, samples=1)
    x, rng = as_floats(data.test_images[:100], np.float64), np.random.default_rng(0)
    noise = rng.standard_normal((40, 100, 10))

    def deviations(vae):
        """Of the loss and of the encoder's gradient, over the noise."""
        losses, gradients = [], []
        for eps in noise:
            losses.append(vae.forward(x, eps).total)
            gradients.append(vae.backward()["mean.weight"].copy())
        return np.std(losses), np.sqrt(np.var(gradients, axis=0).sum())

    (loss, gradient), (sampled_loss, sampled_gradient) = deviations(exact), deviations(sampled)
    assert gradient < 0.8 * sampled_gradient
    assert loss > sampled_loss
