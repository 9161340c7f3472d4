"""What an experiment measures of a model."""

from dataclasses import replace

import numpy as np
import pytest

from numpyvae import train
from numpyvae.data.dataset import as_floats
from numpyvae.evaluation.measurement import (
    MEASURES,
    OF_SETS,
    SAMPLED,
    edges,
    measure,
    nearest_codes,
    of_codes,
    of_reconstructions,
    of_training,
    random_codes,
    references,
    sharpness,
)
from numpyvae.training.chance import Stream
from numpyvae.training.run import Run

pytestmark = pytest.mark.usefixtures("unrendered")


@pytest.fixture
def run(tiny, tiny_config):
    run = Run.start(tiny_config, tiny.image_shape)
    run.vae.parameters.flat *= 4  # so that codes and images differ from one another
    return run


@pytest.fixture
def autoencoder(run):
    run.config = replace(run.config, noise=False, beta=0.0)
    return run


class Echo:
    """A model whose codes are the images, and whose reconstructions are `factor` times them."""

    dtype, x_dim, z_dim = np.dtype(np.float32), 20, 20

    def __init__(self, factor=1, log_var=0):
        self.factor, self.log_var = np.float32(factor), np.float32(log_var)

    def encode(self, x):
        return x.copy(), np.full_like(x, self.log_var)

    def decode(self, z):
        return self.factor * z


def pixels(images):
    return images


def measured_reconstructions(run, data):
    images = as_floats(data.test_images)
    return of_reconstructions(run, data, run.vae.encode(images))


@pytest.mark.parametrize("factor", [1, 0.5])
def test_an_autoencoder_reconstructs_from_its_codes(autoencoder, tiny, factor):
    autoencoder.vae = Echo(factor)
    x = as_floats(tiny.test_images, np.float64)
    found = measured_reconstructions(autoencoder, tiny)
    expected = pytest.approx((1 - factor) ** 2 * np.mean(np.sum(x**2, axis=1)))
    assert found["squared_error"] == found["squared_error_at_mean"] == expected
    assert found["sharpness"] == pytest.approx(factor**2)
    assert not {"kl", "used_units", "variation"} & found.keys()


def test_a_vae_reconstructs_from_samples_of_its_posterior(run, tiny):
    """The code is the image, plus noise of variance 1/4: what is decoded has both."""
    run.vae = Echo(1, 2 * np.log(0.5))
    data = replace(tiny, test_images=np.tile(tiny.test_images, (50, 1)))
    x = as_floats(data.test_images, np.float64)
    found = measured_reconstructions(run, data)
    assert found["squared_error"] == pytest.approx(20 / 4, rel=0.05)
    assert found["squared_error_at_mean"] == 0
    assert found["variation"] == pytest.approx(2 * 20 / 4 / (2 * x.var(axis=0).sum()), rel=0.05)
    kl = 0.5 * np.mean(np.sum(x**2 + 1 / 4 - 2 * np.log(0.5) - 1, axis=1))
    assert found["kl"] == pytest.approx(kl)
    assert found["mean_of_log_vars"] == pytest.approx(2 * np.log(0.5))
    assert found["used_units"] == 20


def test_edges_are_differences_between_neighbours():
    images = np.array([[0.0, 1, 3, 0, 0, 0]])
    assert edges(images, (2, 3)) == (1 + 4) + (0 + 1 + 9)
    assert edges(images, (1, 6)) == 1 + 4 + 9
    assert edges(np.ones((4, 6)), (3, 2)) == 0
    rgb = np.stack([images, 2 * images, np.ones_like(images)], axis=2)
    in_colour = rgb.reshape(len(images), -1)
    assert edges(in_colour, (2, 3, 3)) == edges(images, (2, 3)) * (1 + 4)


def test_sharpness_does_not_depend_on_the_number_of_images():
    images = np.random.default_rng(0).random((6, 6))
    assert sharpness(np.tile(images, (3, 1)), images, (2, 3)) == pytest.approx(1)
    assert sharpness(0.5 * images[:6], images, (2, 3)) == pytest.approx(0.25)


def test_random_codes_are_of_the_prior(run, tiny):
    codes = random_codes(run, tiny)(100_000, np.random.default_rng(0))
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(codes.std(axis=0), 1, rtol=0.01)


def test_an_autoencoders_are_of_gaussians_fitted_to_its_codes(autoencoder, tiny):
    codes, _ = autoencoder.vae.encode(as_floats(tiny.test_images))
    drawn = random_codes(autoencoder, tiny)(100_000, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(axis=0), codes.mean(axis=0), atol=0.01 * codes.std())
    np.testing.assert_allclose(drawn.std(axis=0), codes.std(axis=0), rtol=0.01)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.02


def test_the_nearest_code_is_found():
    known = np.array([[0.0, 0], [3, 4], [10, 0]])
    distance, nearest = nearest_codes(np.array([[3.0, 3], [9, 0], [0, 0]]), known)
    np.testing.assert_allclose(distance, [1, 1, 0])
    assert nearest.tolist() == [1, 2, 0]


def islands(n):
    """Images, and so codes, of two kinds: two bright pixels, always the same two, or none."""
    rng = np.random.default_rng(n)
    labels = rng.integers(0, 2, n).astype(np.uint8)
    images = rng.integers(0, 20, (n, 20)).astype(np.uint8)
    images[:, :2] += 200 * labels[:, None]
    return images, labels


def test_between_islands_there_are_holes(autoencoder, tiny):
    """Gaussians fitted to each unit of two clusters put half of the codes where there is none."""
    autoencoder.vae = Echo()
    (images, labels), (test_images, test_labels) = islands(200), islands(60)
    data = replace(
        tiny,
        train_images=images,
        train_labels=labels,
        test_images=test_images,
        test_labels=test_labels,
    )
    found = of_codes(autoencoder, data, autoencoder.vae.encode(as_floats(test_images)), pixels)
    assert found["holes"] > 1.5
    assert found["same_label"] == 1
    no_islands = replace(
        data,
        train_images=images[labels == 0],
        train_labels=None,
        test_images=test_images[test_labels == 0],
        test_labels=None,
    )
    codes = autoencoder.vae.encode(as_floats(no_islands.test_images))
    found = of_codes(autoencoder, no_islands, codes, pixels)
    assert found["holes"] == pytest.approx(1, abs=0.15)
    assert "same_label" not in found
    assert found["code_size"] == pytest.approx(
        np.sqrt(np.mean(as_floats(no_islands.train_images) ** 2)), rel=1e-4
    )


def test_a_collapsed_model_has_no_codes_to_measure(run, tiny):
    run.vae = Echo()
    run.vae.encode = lambda x: (np.zeros_like(x), np.zeros_like(x))
    assert of_codes(run, tiny, run.vae.encode(as_floats(tiny.test_images)), pixels).keys() == {
        "path_precision"
    }


def test_paths_are_measured_half_way(autoencoder, tiny):
    autoencoder.vae = Echo()
    seen = []
    codes = autoencoder.vae.encode(as_floats(tiny.test_images))
    of_codes(autoencoder, tiny, codes, lambda images: seen.append(images) or images)
    rng = Stream.MEASURED_CODES.generator(autoencoder.config.seed)
    first, second = np.split(as_floats(rng.permutation(tiny.test_images)), 2)
    np.testing.assert_allclose(seen[1], (first + second) / 2, rtol=1e-6)


def test_a_training_is_measured_by_its_history_and_grids(tiny, tiny_config, tmp_path):
    config = replace(tiny_config, epochs=6, beta=2.0)
    run = train(config, tiny, tmp_path)
    rows = run.history
    for epoch, row in enumerate(rows):
        row["train_reconstruction"] = [10.0, 8, 6, 5, 3, 2][epoch]
    found = of_training(run, tiny, pixels, tmp_path)
    assert found["late_reconstruction"] == pytest.approx((3 - 2) / (10 - 2))
    assert found["kl_share_first"] == 2 * rows[0]["train_kl"] / rows[0]["train_loss"]
    assert 0 < found["kl_share_untrained"] < 0.5
    assert found["half_way"] == rows[2]["val_reconstruction"] - rows[0]["val_reconstruction"]
    drift = abs(rows[5]["mean_of_log_vars"]) - abs(rows[0]["mean_of_log_vars"])
    assert found["log_vars_drift"] == drift
    assert 0 < found["first_sharpness"] < 1  # of random pixels it learns the mean
    for name in ("sharpness_gain", "recall_gain"):
        assert -1 < found[name] < 1


@pytest.mark.parametrize("noise", [True, False])
def test_all_that_is_measured_has_a_name(tiny, tiny_config, tmp_path, noise):
    config = replace(tiny_config, noise=noise, beta=float(noise))
    run = train(config, tiny, tmp_path)
    found, kl = measure(run, tiny, pixels, tmp_path)
    assert found.keys() <= {*MEASURES, *(OF_SETS + name for name in SAMPLED)}
    assert kl.shape == (2,)
    assert measure(run, tiny, pixels, tmp_path)[0] == pytest.approx(found, nan_ok=True)


def test_references_come_out_as_they_should(tiny):
    """Perfect: near, precise, with recall. One image: no recall. Noise: no precision."""
    images, labels = islands(400)
    data = replace(
        tiny, train_images=images[:200], test_images=images[200:], train_labels=labels[:200]
    )
    found = references(data, 0, pixels)
    perfect, halves, one, noise = found.values()
    for good in (perfect, halves):
        assert abs(good["sample_distance"]) < 0.02
        assert good["precision"] > 0.7
        assert good["recall"] > 0.7
        assert good["diversity"] == pytest.approx(1, abs=0.1)
    assert one["precision"] in (0, 1)
    assert one["recall"] == one["diversity"] == 0
    assert noise["precision"] == 0
    assert noise["recall"] < 0.2  # the balls around noise are large
    assert min(one["sample_distance"], noise["sample_distance"]) > 0.1
