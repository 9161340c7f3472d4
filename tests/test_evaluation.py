"""evaluation.py: likelihoods, active units and sample distance against what is known exactly."""

import io
import itertools
import json
import math
import re
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest

from numpyvae import (
    VAE,
    Config,
    Dataset,
    InputError,
    evaluation,
    load_dataset,
    save_checkpoint,
    train,
)
from numpyvae.commands.main import main
from numpyvae.evaluation.evaluate import binarize, evaluate, table
from numpyvae.evaluation.likelihood import (
    active_units,
    elbo,
    encode,
    importance_sampled_log_likelihood,
    log_likelihood,
    log_normalizer,
)
from numpyvae.evaluation.samples import (
    held_out,
    measure_real,
    measure_samples,
    median_distance,
    mmd2,
)

RAISED = 100.0  # keeps hidden units positive, so that their ReLU changes nothing


def rng(seed=0):
    return np.random.default_rng(seed)


def small_vae(reconstruction="bce", seed=1, **sizes):
    """Random weights, twice as large as at the start of training: a decoder with shape."""
    sizes = {"x_dim": 5, "h_dim1": 8, "h_dim2": 8, "z_dim": 1, **sizes}
    vae = VAE(**sizes, reconstruction=reconstruction, dtype=np.float64, seed=seed)
    vae.parameters.flat *= 2
    return vae


def blind_vae(reconstruction, bias):
    """The decoder ignores z and q(z|x) is the prior."""
    vae = VAE(len(bias), 4, 4, 2, reconstruction=reconstruction, dtype=np.float64)
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
        self.vae = VAE(pixels, z_dim, z_dim, z_dim, reconstruction="mse", dtype=np.float64)
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
def linear_gaussian():
    return LinearGaussian()


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
    vae = VAE(784, 8, 8, 2, reconstruction="mse")
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
        monkeypatch.setattr(evaluation, "BATCH", size)
        for one, other in zip(results(), whole, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10)


def test_memory_does_not_grow_with_the_samples_and_every_round_is_reported():
    rounds = []
    vae, images = small_vae(), rng().random((3, 5))
    importance_sampled_log_likelihood(vae, images, 11, rng(), on_sample=lambda: rounds.append(1))
    assert len(rounds) == 11


@pytest.mark.parametrize("estimate", [importance_sampled_log_likelihood, elbo])
def test_no_samples_are_an_error(estimate):
    with pytest.raises(InputError, match="samples must be at least 1, got 0"):
        estimate(vae=small_vae(), images=np.zeros((1, 5)), samples=0, rng=rng())


# Active units


def test_active_units_have_means_that_vary_over_the_images():
    images = rng().random((1000, 4))
    scales = np.sqrt(np.array([1.0, 0.02, 0.008, 0.0]) / images.var(axis=0))
    vae = VAE(4, 4, 4, 4, dtype=np.float64)
    linear_encoder(vae, np.diag(scales), log_var=-3.0)
    mean, log_var = encode(vae, images)
    np.testing.assert_allclose(mean.var(axis=0), [1.0, 0.02, 0.008, 0.0], atol=1e-12)
    np.testing.assert_allclose(log_var, -3)
    assert active_units(mean) == 2


# Sample distance


def naive_mmd2(x, y, bandwidth):
    def k(a, b):
        return math.exp(-sum((a - b) ** 2) / (2 * bandwidth**2))

    n, m = len(x), len(y)
    among_x = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    among_y = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    between = sum(k(a, b) for a in x for b in y) / (n * m)
    return among_x + among_y - 2 * between


def naive_median(x):
    pairs = itertools.combinations(x, 2)
    return float(np.median([math.sqrt(sum((a - b) ** 2)) for a, b in pairs]))


def test_mmd2_is_the_formula_written_out():
    x, y = rng().random((7, 3)), rng(1).random((5, 3)) + 0.2
    assert mmd2(x, y, bandwidth=0.7) == pytest.approx(naive_mmd2(x, y, 0.7), rel=1e-12)
    assert median_distance(x) == pytest.approx(naive_median(x), rel=1e-12)


def test_mmd2_of_a_distribution_with_itself_is_zero_on_average():
    generator = rng()
    values = [
        mmd2(generator.standard_normal((15, 4)), generator.standard_normal((20, 4)), 2.0)
        for _ in range(1000)
    ]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error
    assert error < 1e-3  # a biased estimate would be around 1/15 + 1/20 off
    assert min(values) < 0


def test_mmd2_of_gaussians_is_their_integral():
    """E k(a, b) for Gaussians is a Gaussian integral; so is MMD² between N(0, I) and N(s, I)."""
    dims, shift, bandwidth = 3, np.array([0.8, 0, 0]), 1.5
    wide = bandwidth**2 + 2
    scale = (bandwidth**2 / wide) ** (dims / 2)
    exact = 2 * scale * (1 - math.exp(-(0.8**2) / (2 * wide)))
    normal = rng().standard_normal
    values = [mmd2(normal((200, dims)), normal((200, dims)) + shift, bandwidth) for _ in range(200)]
    assert np.mean(values) == pytest.approx(exact, rel=0.05)


def test_mmd2_grows_with_the_distance():
    x, y = rng().standard_normal((200, 3)), rng(1).standard_normal((200, 3))
    values = [mmd2(x, y + shift, 2.0) for shift in (0, 0.25, 0.5, 1, 2)]
    assert np.all(np.diff(values) > 0), values


def test_float32_images_of_full_size():
    """Distances around 10 and squares around 100 are where float32 would lose MMD's digits."""
    x, y = rng().random((60, 784), np.float32), rng(1).random((60, 784), np.float32)
    expected = naive_mmd2(x.astype(float), y.astype(float), 11.0)
    assert mmd2(x, y, 11.0) == pytest.approx(expected, rel=1e-9)


def test_no_bandwidth_and_too_few_images_are_errors():
    with pytest.raises(InputError, match="median distance is 0"):
        median_distance(np.zeros((5, 3)))
    with pytest.raises(InputError, match="at least 2, got 1"):
        mmd2(np.zeros((5, 3)), np.ones((1, 3)), 1.0)
    with pytest.raises(InputError, match="at least 2, got 1"):
        median_distance(np.zeros((1, 3)))


@pytest.fixture
def uniform():
    """1500 images of 5 random pixels, 1000 of them to train with."""
    images = rng().random((1500, 5), np.float32)
    return Dataset("uniform", images[:1000], None, images[1000:], None, (1, 5))


def test_samples_like_the_images_are_at_distance_0_and_as_diverse(uniform):
    found = measure_samples(lambda n, rng: rng.random((n, 5)), uniform, seed=0)
    assert abs(found.distance) < 4 * found.deviation
    assert found.diversity == pytest.approx(1, abs=0.05)


def test_other_samples_are_further_away_and_alike_ones_less_diverse(uniform):
    half = measure_samples(lambda n, rng: rng.random((n, 5)) / 2, uniform, seed=0)
    same = measure_samples(lambda n, _: np.full((n, 5), 0.5), uniform, seed=0)
    assert half.distance > 20 * half.deviation
    assert half.diversity == pytest.approx(0.25, abs=0.02)
    assert (same.deviation, same.diversity) == (0, 0)


def test_sets_of_samples_are_compared_with_the_held_out_images(uniform, monkeypatch):
    monkeypatch.setattr(evaluation, "MOST_HELD_OUT", 30)
    drawn = []

    def sample(n, rng):
        drawn.append(rng.random((n, 5)))
        return drawn[-1]

    found = measure_samples(sample, uniform, seed=3)
    images = held_out(uniform, 3)
    assert [len(one) for one in drawn] == [30] * 10
    distances = [naive_mmd2(images, one, naive_median(images)) for one in drawn]
    assert found.distance == pytest.approx(np.mean(distances), rel=1e-6)
    assert found.deviation == pytest.approx(np.std(distances, ddof=1), rel=1e-6)
    assert measure_samples(sample, uniform, seed=3) == found
    assert measure_samples(sample, uniform, seed=4) != found


def test_the_floor_is_that_of_as_many_training_images(uniform, monkeypatch):
    dark = (127 * uniform.train_images).astype(np.uint8)
    assert abs(measure_real(uniform, 0).distance) < 4 * measure_real(uniform, 0).deviation
    found = measure_real(replace(uniform, train_images=dark), 0)
    expected = mmd2(uniform.test_images, dark / 255, naive_median(uniform.test_images))
    assert expected > 0.1
    assert found.distance == pytest.approx(expected, rel=0.1)
    assert found.diversity == pytest.approx(0.25, abs=0.02)

    sizes = []
    monkeypatch.setattr(evaluation, "mmd2", lambda x, y, _: sizes.append((len(x), len(y))) or 0)
    measure_real(uniform, 0)
    measure_real(replace(uniform, train_images=dark[:9]), 0)
    assert sizes == [(500, 500)] * 10 + [(500, 9)] * 10


def test_all_test_images_are_held_out_or_some_drawn_with_the_seed(uniform, monkeypatch):
    grey = replace(uniform, test_images=np.arange(250, dtype=np.uint8).reshape(50, 5))
    np.testing.assert_array_equal(held_out(grey, 0), grey.test_images.astype(np.float32) / 255)
    monkeypatch.setattr(evaluation, "MOST_HELD_OUT", 300)
    one, same, other = (held_out(uniform, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    everything = {tuple(image) for image in uniform.test_images}
    chosen = {tuple(image) for image in one}
    assert len(chosen) == 300
    assert chosen < everything
    assert chosen != {tuple(image) for image in other}


def test_samples_are_not_compared_with_images_that_are_all_the_same(uniform):
    with pytest.raises(InputError, match="same"):
        measure_real(replace(uniform, test_images=uniform.test_images[:1].repeat(9, axis=0)), 0)


# Binary images


def test_binarize_draws_each_pixel_with_its_probability_and_always_alike():
    images = np.tile(np.array([0, 0.25, 0.5, 1], np.float32), (20_000, 1))
    binary = binarize(images)
    assert binary.dtype == np.float32
    assert set(np.unique(binary)) == {0, 1}
    np.testing.assert_allclose(binary.mean(axis=0), [0, 0.25, 0.5, 1], atol=0.015)
    np.testing.assert_array_equal(binarize(images[:7]), binary[:7])


# Everything together


@pytest.fixture(scope="module")
def data():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """Small runs of each kind: (run, its folder)."""
    settings = {
        "mse": Config(epochs=2, hidden=(16, 8), z_dim=3),
        "bce": Config(epochs=1, hidden=(16, 8), z_dim=3, reconstruction="bce", binarize=True),
    }
    settings["grey"] = replace(settings["bce"], binarize=False)
    settings["autoencoder"] = replace(settings["mse"], noise=False, beta=0.0)
    folder = tmp_path_factory.mktemp("runs")
    made = {}
    for name, config in settings.items():
        run = train(config, data)
        save_checkpoint(folder / f"{name}.npz", run)
        made[name] = run, folder / f"{name}.npz"
    return made


def test_evaluate_agrees_with_the_validation_of_training(runs, data):
    run, _ = runs["mse"]
    result = evaluate(run, data, importance_samples=20)
    last = run.history[-1]
    assert result.images == 297
    assert result.kl == pytest.approx(last["val_kl"], rel=1e-5)
    assert result.reconstruction == pytest.approx(last["val_reconstruction"], rel=1e-2)
    assert result.mean_of_means == pytest.approx(last["mean_of_means"], abs=1e-6)
    assert result.mean_of_log_vars == pytest.approx(last["mean_of_log_vars"], abs=1e-6)
    assert result.log_normalizer == pytest.approx(392 * math.log(math.pi))
    total = result.reconstruction + result.kl + result.log_normalizer
    assert result.elbo == pytest.approx(-total)
    assert result.nll < -result.elbo + 0.05
    assert result.sample_distance > result.floor + 5 * result.floor_deviation  # hardly trained


def test_evaluate_puts_the_pieces_together(runs, data):
    run, _ = runs["bce"]
    result = evaluate(run, data, importance_samples=5, images=50, seed=3)
    grey = data.test_images[:50].astype(np.float32) / 255
    binary = binarize(grey)
    for_elbo, for_nll = rng(3).spawn(2)
    assert result.elbo == elbo(run.vae, binary, for_elbo).elbo
    nll = -importance_sampled_log_likelihood(run.vae, binary, 5, for_nll)
    assert result.nll == pytest.approx(nll.mean(), rel=1e-12)
    assert result.nll_error == pytest.approx(nll.std(ddof=1) / 50**0.5, rel=1e-12)
    assert result.active_units == active_units(encode(run.vae, binary)[0])
    samples, real = measure_samples(run.vae.sample, data, seed=3), measure_real(data, seed=3)
    assert (result.sample_distance, result.sample_deviation, result.diversity) == samples
    assert (result.floor, result.floor_deviation) == real[:2]


def test_the_seed_changes_the_noise_and_not_the_images(runs, data):
    run, _ = runs["bce"]
    one, same, other = (
        evaluate(run, data, importance_samples=2, images=50, seed=seed) for seed in (0, 0, 1)
    )
    assert one == same
    assert one.kl == other.kl
    assert one.nll != other.nll
    assert one.sample_distance != other.sample_distance


def test_a_broken_model_is_an_error(runs, data):
    run = train(replace(runs["mse"][0].config, epochs=1), data)
    run.vae.parameters.flat *= np.float32(1e18)
    with pytest.raises(InputError, match="the model is broken: on digits its elbo is"):
        evaluate(run, data, importance_samples=1, images=10)


def test_what_does_not_fit_is_an_error(runs, data):
    run, _ = runs["mse"]
    for settings, message in (
        ({"importance_samples": 0}, "importance samples must be at least 1, got 0"),
        ({"images": 1}, "images must be at least 2, got 1"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ):
        with pytest.raises(InputError, match=message):
            evaluate(run, data, **settings)
    pixels = np.zeros((4, 4), np.uint8)
    other = Dataset("other", pixels, None, pixels, None, (2, 2))
    with pytest.raises(InputError, match=r"\(28, 28\), other has \(2, 2\)"):
        evaluate(run, other)
    with pytest.raises(InputError, match="number of test images in digits must be at least 2"):
        evaluate(run, replace(data, test_images=data.test_images[:1]))


def test_the_table_says_what_the_numbers_stand_for(runs, data):
    results = {
        name: evaluate(run, data, importance_samples=1, images=10)
        for name, (run, _) in runs.items()
    }
    texts = {name: table(result) for name, result in results.items()}
    assert "variance 1/2" in texts["mse"]
    assert "(x_dim / 2) log pi      448.73  nats per image" in texts["mse"]
    assert "binarized once (seed 0)" in texts["bce"]
    assert "no likelihood" in texts["grey"]
    assert "no likelihood" not in texts["bce"]
    assert "without noise" in texts["autoencoder"]
    assert "without noise" not in texts["mse"]
    result, text = results["mse"], texts["mse"]
    distance, deviation = f"{result.sample_distance:.4f}", f"{result.sample_deviation:.4f}"
    floor, floor_deviation = f"{result.floor:.4f}", f"{result.floor_deviation:.4f}"
    assert re.search(f"sample distance +{distance}  ± {deviation}, ", text)
    assert re.search(f"of training images +{floor}  ± {floor_deviation}, the floor", text)
    assert re.search(f"diversity +{result.diversity:.4f}  of samples", text)


# The command


def test_evaluate_prints_a_table(runs, data, capsys):
    run, path = runs["mse"]
    assert main(["evaluate", str(path), "--importance-samples", "3", "--images", "20"]) == 0
    out, err = capsys.readouterr()
    assert out == table(evaluate(run, data, 3, 20)) + "\n"
    assert err == ""


def test_evaluate_prints_json_and_nothing_else(runs, data, capsys):
    run, path = runs["bce"]
    options = ["--importance-samples", "3", "--images", "20", "--seed", "5", "--json"]
    assert main(["evaluate", str(path), *options]) == 0
    out, err = capsys.readouterr()
    expected = asdict(evaluate(run, data, 3, 20, seed=5))
    expected["config"]["hidden"] = list(expected["config"]["hidden"])
    assert json.loads(out) == expected
    assert err == ""


def test_evaluate_takes_other_images(runs, tmp_path, capsys):
    _, path = runs["mse"]
    np.save(tmp_path / "own.npy", rng().random((40, 28, 28), np.float32))
    options = ["--dataset", str(tmp_path / "own.npy"), "--importance-samples", "1", "--json"]
    assert main(["evaluate", str(path), *options]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["dataset"] == str(tmp_path / "own.npy")
    assert result["images"] == 4


def bad_images(folder):
    np.save(folder / "bad.npy", np.zeros((40, 8, 8), np.float32))
    return str(folder / "bad.npy")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--importance-samples", "0"], "importance samples must be at least 1, got 0"),
        (["--images", "0"], "images must be at least 2, got 0"),
        (["--seed", "-3"], "seed must be at least 0, got -3"),
        (["--dataset", bad_images], "(28, 28)"),
        (["--dataset", "nonsense"], "unknown data set nonsense"),
    ],
)
def test_a_mistake_is_one_line(runs, tmp_path, capsys, options, complaint):
    _, path = runs["mse"]
    options = [option(tmp_path) if callable(option) else option for option in options]
    assert main(["evaluate", str(path), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert complaint in err
    assert err.count("\n") == 1


def test_a_missing_checkpoint_is_one_line(tmp_path, capsys):
    assert main(["evaluate", str(tmp_path / "none.npz")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "none.npz" in err
    assert err.count("\n") == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False)])
def test_the_bar_is_shown_on_a_terminal(runs, data, monkeypatch, progress, shown):
    updates = []
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("tqdm.tqdm.update", lambda _, n=1: updates.append(n))
    evaluate(runs["mse"][0], data, importance_samples=3, images=10, progress=progress)
    assert ("/3" in sys.stderr.getvalue()) == shown
    assert updates == [1, 1, 1]
