"""A step's images and noise, and what is measured between epochs."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae import Config, train
from numpyvae.data.dataset import as_floats
from numpyvae.training.run import Run
from numpyvae.training.steps import numpy_trainer, visits


def test_binarized_visits_draw_every_pixel_anew_with_its_value_as_probability(tiny_config):
    images = np.tile(np.array([0, 51, 204, 255], np.uint8), (4000, 1))
    config = replace(tiny_config, binarize=True, reconstruction="bce", batch_size=4000)
    rng = np.random.default_rng(0)
    first, second = (next(visits(images, config, rng))[0].copy() for _ in range(2))
    assert set(np.unique(first)) == {0, 1}
    np.testing.assert_allclose(first.mean(0), [0, 0.2, 0.8, 1], atol=0.03)
    assert not np.array_equal(first, second)


def test_noise_is_standard_normal_and_new_at_every_visit(tiny, tiny_config):
    config = replace(tiny_config, batch_size=40, z_dim=500)
    eps = [
        e.copy() for _, e in islice(visits(tiny.train_images, config, np.random.default_rng(0)), 1)
    ]
    again = [e.copy() for _, e in visits(tiny.train_images, config, np.random.default_rng(1))]
    assert abs(eps[0].mean()) < 0.03
    assert abs(eps[0].std() - 1) < 0.03
    assert not np.array_equal(eps[0], again[0])
    silent = [
        e
        for _, e in visits(
            tiny.train_images, replace(config, noise=False), np.random.default_rng(0)
        )
    ]
    assert not np.any(silent[0])


@given(st.integers(1, 60), st.integers(1, 60))
def test_every_image_is_visited_once_an_epoch(n, batch_size):
    images = np.arange(n, dtype=np.uint8)[:, None]
    config = Config(batch_size=batch_size, z_dim=1)
    batches = visits(images, config, np.random.default_rng(0), shuffled=True)
    seen = np.concatenate([np.rint(x[:, 0] * 255).astype(int) for x, _ in batches])
    assert sorted(seen) == list(range(n))


def test_validation_uses_the_same_noise_in_every_epoch_and_leaves_the_rng_alone(tiny, tiny_config):
    run = Run.start(tiny_config, tiny.image_shape)
    trainer = numpy_trainer(run, tiny)
    state = run.rng.bit_generator.state
    assert trainer.validate() == trainer.validate()
    assert run.rng.bit_generator.state == state


def test_losses_are_per_image_whatever_the_batch_size(tiny, tiny_config):
    """With lr 0 the model stays as it is, so an epoch's averages can be had in one batch."""
    for batch_size in (1, 16, 40):
        run = train(replace(tiny_config, lr=0.0, epochs=1, batch_size=batch_size), tiny)
        vae, row = run.vae, run.history[0]
        for part, images in (("train", tiny.train_images), ("val", tiny.test_images)):
            mean, log_var = vae.encode(as_floats(images))
            kl = 0.5 * np.sum(mean**2 + np.exp(log_var) - 1 - log_var) / len(images)
            assert row[f"{part}_kl"] == pytest.approx(kl, rel=1e-5)
            loss = row[f"{part}_reconstruction"] + row[f"{part}_kl"]
            assert row[f"{part}_loss"] == pytest.approx(loss, rel=1e-6)
        assert row["mean_of_means"] == pytest.approx(mean.mean(), rel=1e-4)
        assert row["mean_of_log_vars"] == pytest.approx(log_var.mean(), rel=1e-4)


def test_reconstruction_without_noise_is_the_squared_error_per_image(tiny, tiny_config):
    config = replace(tiny_config, lr=0.0, epochs=1, noise=False, beta=0.0)
    run = train(config, tiny)
    x = as_floats(tiny.test_images)
    error = np.sum((run.vae.decode(run.vae.encode(x)[0]) - x) ** 2) / len(x)
    assert run.history[0]["val_reconstruction"] == pytest.approx(error, rel=1e-5)
    assert run.history[0]["val_loss"] == run.history[0]["val_reconstruction"]


def test_beta_rises_epoch_by_epoch_and_is_whole_in_validation(tiny, tiny_config):
    config = replace(tiny_config, epochs=4, beta=0.6, beta_warmup=3)
    shown = train(config, tiny).history
    for row, beta in zip(shown, (0, 0.2, 0.4, 0.6), strict=True):
        assert row["train_loss"] == pytest.approx(
            row["train_reconstruction"] + beta * row["train_kl"]
        )
        assert row["val_loss"] == pytest.approx(row["val_reconstruction"] + 0.6 * row["val_kl"])
    parts = train(replace(config, epochs=2), tiny)
    assert train(config, tiny, run=parts).history[3]["train_loss"] == shown[3]["train_loss"]
