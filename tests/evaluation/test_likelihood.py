"""Likelihoods and active units against what is known exactly."""

import itertools
import time

import numpy as np
import pytest

from numpyvae import (
    VAE,
    FullyConnected,
    InputError,
)
from numpyvae.evaluation import likelihood
from numpyvae.evaluation.likelihood import (
    active_units,
    elbo,
    encode,
    importance_sampled_log_likelihood,
    log_likelihood,
    log_normalizer,
    unit_kl,
    used_units,
)
from numpyvae.evaluation.samples import (
    mmd2,
)

RAISED = 100.0  # keeps hidden units positive, so that their ReLU changes nothing


def rng(seed=0):
    return np.random.default_rng(seed)


def small_vae(reconstruction="bce", seed=1, **sizes):
    """Random weights, twice as large as at the start of training: a decoder with shape."""
    sizes = {"x_dim": 5, "h_dim1": 8, "h_dim2": 8, "z_dim": 1, **sizes}
    vae = VAE(FullyConnected(**sizes, dtype=np.float64, seed=seed), reconstruction)
    vae.parameters.flat *= 2
    return vae


def blind_vae(reconstruction, bias):
    """The decoder ignores z and q(z|x) is the prior."""
    vae = VAE(FullyConnected(len(bias), 4, 4, 2, np.float64), reconstruction)
    for layer in ("mean", "log_var", "decoder3"):
        vae.parameters[f"{layer}.weight"][...] = 0
        vae.parameters[f"{layer}.bias"][...] = 0
    vae.parameters["decoder3.bias"][...] = bias
    return vae


def linear_encoder(vae, weight, log_var):
    """Makes q(z|x) = N(weight (x - 1/2), exp(log_var)); all layers are as wide as z."""
    p = vae.parameters
    identity = np.eye(vae.z_dim)
    p["encoder1.weight"][...] = weight
    p["encoder1.bias"][...] = RAISED - weight.sum(axis=1) / 2
    p["encoder2.weight"][...], p["encoder2.bias"][...] = identity, 0
    p["mean.weight"][...], p["mean.bias"][...] = identity, -RAISED
    p["log_var.weight"][...], p["log_var.bias"][...] = 0, log_var


class LinearGaussian:
    """x = 1/2 + G z + noise of variance 1/2, and a VAE that is this model with its exact posterior.

    The VAE's sigmoid is 1/2 + a/4 where a is small, as here: G z is within some hundredths of 0,
    and many pixels make up for that. So its log-likelihoods are right to about TOLERANCE.
    """

    TOLERANCE = 5e-3

    def __init__(self, pixels=2000, count=20):
        z_dim = 2
        directions = np.stack([np.ones(pixels), (-1.0) ** np.arange(pixels)], axis=1)
        self.g = directions / np.sqrt(pixels) * [0.6, 0.3]
        z, noise = rng(1).standard_normal((count, z_dim)), rng(2).standard_normal((count, pixels))
        self.images = 0.5 + z @ self.g.T + np.sqrt(0.5) * noise

        self.posterior_variance = 1 / (1 + 2 * np.sum(self.g**2, axis=0))
        self.vae = VAE(FullyConnected(pixels, z_dim, z_dim, z_dim, np.float64))
        posterior_weight = 2 * self.posterior_variance[:, None] * self.g.T
        linear_encoder(self.vae, posterior_weight, np.log(self.posterior_variance))
        p, identity = self.vae.parameters, np.eye(z_dim)
        p["decoder1.weight"][...], p["decoder1.bias"][...] = identity, RAISED
        p["decoder2.weight"][...], p["decoder2.bias"][...] = identity, 0
        p["decoder3.weight"][...] = 4 * self.g
        p["decoder3.bias"][...] = -RAISED * p["decoder3.weight"].sum(axis=1)

        # log N(x; 1/2, G Gᵀ + I/2), from the whole covariance matrix
        covariance = self.g @ self.g.T + np.eye(pixels) / 2
        rest = self.images - 0.5
        squares = np.sum(rest * np.linalg.solve(covariance, rest.T).T, axis=1)
        log_determinant = np.linalg.slogdet(covariance)[1]
        self.log_likelihood = -0.5 * (pixels * np.log(2 * np.pi) + log_determinant + squares)


@pytest.fixture(scope="module")
def linear_gaussian_model():
    return LinearGaussian()


@pytest.fixture
def linear_gaussian(monkeypatch, linear_gaussian_model):
    monkeypatch.setattr("numpyvae.data.dataset.check_range", lambda _: None)  # x is any number
    return linear_gaussian_model


class wrong_posterior:
    """For a while, makes q(z|x) of a linear-Gaussian model too far right and too wide."""

    def __init__(self, model):
        self.parameters, self.z_dim = model.vae.parameters, model.vae.z_dim

    def __enter__(self):
        self.before = self.parameters.flat.copy()
        shift, extra = np.full(self.z_dim, 0.4), np.full(self.z_dim, 0.8)
        self.parameters["mean.bias"][...] += shift
        self.parameters["log_var.bias"][...] += extra
        return shift, extra

    def __exit__(self, *_):
        self.parameters.flat[...] = self.before


# log p(x|z)


def test_log_likelihood_is_that_of_binary_pixels():
    vae, z = small_vae("bce"), rng().standard_normal((7, 1))
    images = rng(1).integers(0, 2, (7, 5)).astype(float)
    y = vae.decode(z)
    expected = np.log(np.where(images == 1, y, 1 - y)).sum(axis=1)
    np.testing.assert_allclose(log_likelihood(vae, images, z), expected, rtol=1e-12)


def test_log_likelihood_of_mse_is_a_gaussian_of_variance_one_half():
    vae, z, images = small_vae("mse"), rng().standard_normal((7, 1)), rng(1).random((7, 5))
    variance = 0.5
    density = np.exp(-((images - vae.decode(z)) ** 2) / (2 * variance))
    density /= np.sqrt(2 * np.pi * variance)
    expected = np.log(density).sum(axis=1)
    np.testing.assert_allclose(log_likelihood(vae, images, z), expected, rtol=1e-12)


def test_log_likelihood_is_float64():
    vae = VAE(FullyConnected(784, 8, 8, 2))
    images, z = np.zeros((1, 784), np.float32), np.zeros((1, 2), np.float32)
    assert log_likelihood(vae, images, z).dtype == np.float64


# ELBO


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_elbo_is_minus_the_loss_up_to_the_constant(reconstruction):
    vae, images = small_vae(reconstruction, z_dim=3), rng().random((9, 5))
    loss = vae.forward(images, rng(4).standard_normal((9, 3)), beta=1.0)
    result = elbo(vae, images, rng(4), samples=1)
    constant = 2.5 * np.log(np.pi) if reconstruction == "mse" else 0
    assert result.reconstruction == pytest.approx(loss.reconstruction / 9)
    assert result.kl == pytest.approx(loss.kl / 9)
    assert result.elbo == pytest.approx(-loss.total / 9 - constant)
    assert log_normalizer(vae) == pytest.approx(constant)


def test_elbo_of_the_exact_posterior_is_the_log_likelihood(linear_gaussian):
    model = linear_gaussian
    bound = elbo(model.vae, model.images, rng(), samples=1000)
    assert bound.elbo == pytest.approx(model.log_likelihood.mean(), abs=0.02)


def test_elbo_falls_short_by_the_kl_divergence_to_the_posterior(linear_gaussian):
    model = linear_gaussian
    with wrong_posterior(model) as (shift, extra):
        gap = 0.5 * np.sum(shift**2 / model.posterior_variance + np.exp(extra) - 1 - extra)
        bound = elbo(model.vae, model.images, rng(), samples=3000).elbo
    assert gap > 0.3
    assert bound == pytest.approx(model.log_likelihood.mean() - gap, abs=0.02)


# Importance sampling


@pytest.mark.parametrize("samples", [1, 10])
def test_the_exact_posterior_gives_the_exact_likelihood_for_any_k(linear_gaussian, samples):
    model = linear_gaussian
    estimate = importance_sampled_log_likelihood(model.vae, model.images, samples, rng())
    np.testing.assert_allclose(estimate, model.log_likelihood, atol=model.TOLERANCE, rtol=0)


def test_a_wrong_posterior_comes_to_the_exact_likelihood_with_many_samples(linear_gaussian):
    model = linear_gaussian
    with wrong_posterior(model):
        estimate = importance_sampled_log_likelihood(model.vae, model.images, 4000, rng())
    np.testing.assert_allclose(estimate, model.log_likelihood, atol=0.08, rtol=0)
    assert estimate.mean() == pytest.approx(model.log_likelihood.mean(), abs=0.02)


def test_more_samples_never_lower_the_expected_bound(linear_gaussian):
    model = linear_gaussian
    counts = [1, 2, 4, 8, 16]
    with wrong_posterior(model):
        means = [
            np.mean(
                [
                    importance_sampled_log_likelihood(model.vae, model.images, k, rng(seed)).mean()
                    for seed in range(60)
                ]
            )
            for k in counts
        ]
        bound = elbo(model.vae, model.images, rng(), samples=1000).elbo
    assert np.all(np.diff(means) > 0), means
    assert means[0] == pytest.approx(bound, abs=0.05)  # K = 1
    assert means[-1] <= model.log_likelihood.mean() + model.TOLERANCE


def test_a_nonlinear_model_against_its_integral():
    """With one latent unit, p(x) is an integral over a line."""
    vae = small_vae("bce")
    images = np.array(list(itertools.product([0.0, 1.0], repeat=5)))
    grid = np.linspace(-9, 9, 4001)
    prior = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    y = vae.decode(grid[:, None])
    pixels = np.where(images[:, None, :] == 1, y, 1 - y)
    exact = np.sum(pixels.prod(axis=2) * prior, axis=1) * (grid[1] - grid[0])
    assert exact.sum() == pytest.approx(1, abs=1e-6)
    assert exact.max() > 10 * exact.min()

    estimate = importance_sampled_log_likelihood(vae, images, 20_000, rng())
    np.testing.assert_allclose(estimate, np.log(exact), atol=0.05, rtol=0)
    assert np.exp(estimate).sum() == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize("samples", [1, 7])
def test_a_decoder_that_ignores_z_is_exact_for_any_k(samples):
    bias = np.array([0.3, -2.0, 1.5])
    y = 1 / (1 + np.exp(-bias))
    binary, grey = rng().integers(0, 2, (6, 3)).astype(float), rng().random((6, 3))
    bernoulli = np.log(np.where(binary == 1, y, 1 - y)).sum(axis=1)
    gaussian = -np.sum((grey - y) ** 2, axis=1) - 1.5 * np.log(np.pi)
    for kind, images, expected in (("bce", binary, bernoulli), ("mse", grey, gaussian)):
        vae = blind_vae(kind, bias)
        estimate = importance_sampled_log_likelihood(vae, images, samples, rng(3))
        np.testing.assert_allclose(estimate, expected, rtol=1e-12)
        bound = elbo(vae, images, rng(3), samples)
        assert bound.elbo == pytest.approx(expected.mean(), rel=1e-12)
        assert bound.kl == 0


@pytest.mark.parametrize("bias", [1e-5, 1e5])
def test_extreme_log_weights_neither_underflow_nor_overflow(bias):
    """exp(-3e5) is 0 in float64, and its logarithm must still be right."""
    vae = blind_vae("bce", np.full(3, bias))
    estimate = importance_sampled_log_likelihood(vae, np.zeros((2, 3)), 5, rng())
    np.testing.assert_allclose(estimate, -3 * np.log1p(np.exp(-bias)) - 3 * bias, rtol=1e-12)


def test_weights_that_differ_by_thousands_of_nats():
    """The best sample decides: log(exp(best) / K)."""
    vae = small_vae("bce")
    vae.parameters["decoder3.weight"][...] *= 1e5
    images = np.ones((1, 5))
    weights = np.array(
        [
            importance_sampled_log_likelihood(vae, images, 1, generator)[0]
            for generator in [rng(5)]
            for _ in range(6)
        ]
    )
    assert np.ptp(weights) > 1000
    together = importance_sampled_log_likelihood(vae, images, 6, rng(5))[0]
    top = weights.max()
    expected = top + np.log(np.sum(np.exp(np.maximum(weights - top, -700)))) - np.log(6)
    assert together == pytest.approx(expected, rel=1e-12)


def test_batches_change_nothing(monkeypatch):
    vae, images = small_vae("bce", z_dim=3), rng().random((20, 5))
    grown = rng(1).random((33, 5))

    def results():
        return [
            importance_sampled_log_likelihood(vae, images, 4, rng()),
            np.array(elbo(vae, images, rng(), samples=3)),
            *encode(vae, images),
            mmd2(images, grown, 0.7),
        ]

    whole = results()
    for size in (1, 7, 20):
        monkeypatch.setattr(likelihood, "BATCH", size)
        for one, other in zip(results(), whole, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10)


def test_memory_does_not_grow_with_the_samples_and_every_round_is_reported():
    rounds = []
    vae, images = small_vae(), rng().random((3, 5))
    importance_sampled_log_likelihood(vae, images, 47, rng(), on_samples=rounds.append)
    assert rounds == [20, 20, 7]


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_round_waits_for_the_one_before_and_all_are_waited_for(monkeypatch, rounds):
    """Else two threads would add to the sums of the same images at once."""
    monkeypatch.setattr(likelihood, "ROUND", 2)
    at_work, most = [], []

    def add(rows, *_):
        at_work.append(rows.start)
        most.append(at_work.count(rows.start))
        time.sleep(0.01)
        at_work.remove(rows.start)

    mean = np.zeros((3, 2))
    likelihood.add_samples(add, mean, mean, 2 * rounds, rng())
    assert most == [1] * 2 * rounds

    def fail(*_):
        raise MemoryError("in a thread")

    with pytest.raises(MemoryError, match="in a thread"):
        likelihood.add_samples(fail, mean, mean, 1, rng())


@pytest.mark.parametrize("estimate", [importance_sampled_log_likelihood, elbo])
def test_no_samples_are_an_error(estimate):
    with pytest.raises(InputError, match="samples must be at least 1, got 0"):
        estimate(vae=small_vae(), images=np.zeros((1, 5)), samples=0, rng=rng())


# Active units


def test_active_units_have_means_that_vary_over_the_images():
    images = rng().random((1000, 4))
    scales = np.sqrt(np.array([1.0, 0.02, 0.008, 0.0]) / images.var(axis=0))
    vae = VAE(FullyConnected(4, 4, 4, 4, np.float64))
    linear_encoder(vae, np.diag(scales), log_var=-3.0)
    mean, log_var = encode(vae, images)
    np.testing.assert_allclose(mean.var(axis=0), [1.0, 0.02, 0.008, 0.0], atol=1e-12)
    np.testing.assert_allclose(log_var, -3)
    assert active_units(mean) == 2


def test_a_units_kl_is_averaged_over_the_images():
    mean = np.array([[0.0, 2, 1], [0, -2, 1]], np.float32)
    log_var = np.log(np.array([[1, 1, 4], [1, 1, 1]], np.float32))
    expected = [0, 2, np.mean([0.5 * (1 + 4 - np.log(4) - 1), 0.5])]
    np.testing.assert_allclose(unit_kl(mean, log_var), expected, rtol=1e-6, atol=1e-7)
    assert used_units(mean, log_var).tolist() == [False, True, True]


def test_a_unit_that_says_next_to_nothing_is_not_in_use_though_active():
    """A tenth of a standard deviation either way: a variance of 0.01, but 0.01 nats."""
    mean = np.array([[0.15], [-0.15]])
    assert active_units(mean) == 1
    assert not used_units(mean, np.zeros((2, 1))).any()
