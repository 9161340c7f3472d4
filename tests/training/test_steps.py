"""A step's images and noise, and what is measured between epochs."""

import threading
import time
from dataclasses import replace
from functools import partial
from itertools import islice
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae import (
    IWAE,
    VAE,
    Adam,
    Config,
    Convolutional,
    ConvolutionalAutoencoder,
    FullyConnected,
    train,
)
from numpyvae.data.dataset import as_floats
from numpyvae.training import steps
from numpyvae.training.kernels import blas_threads
from numpyvae.training.run import Run
from numpyvae.training.steps import NumpyStepper, numpy_trainer, visits


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


MODELS = {
    "VAE": lambda network: VAE(network, "bce"),
    "IWAE": lambda network: IWAE(network, samples=3),
    "DReG": lambda network: IWAE(network, "bce", samples=3, bound="dreg"),
    "mean of ELBOs": lambda network: IWAE(network, samples=3, bound="elbo"),
}
NETWORKS = {
    "fully-connected": lambda: FullyConnected(64, 7, 5, 2, np.float64),
    "conv": lambda: Convolutional((8, 8), (3, 4), 2, np.float64),
    "conv-autoencoder": lambda: ConvolutionalAutoencoder((16, 16), (3, 4), np.float64),
}


def stepper_of(model="VAE", network="fully-connected", rows_per_thread=1):
    vae = MODELS[model](NETWORKS[network]())
    vae.network.rows_per_thread = rows_per_thread
    return vae, NumpyStepper(vae, Adam(vae.parameters, weight_decay=0.1))


def minibatch(vae, images):
    rng = np.random.default_rng(images)
    eps = rng.standard_normal((images * vae.samples, vae.z_dim))
    return rng.random((images, vae.x_dim)), eps, 1.0


@pytest.fixture(params=[2, 3])
def threads(request, monkeypatch):
    monkeypatch.setattr(steps, "blas_threads", lambda: request.param)
    return request.param


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("model", MODELS)
def test_shares_of_a_minibatch_add_up_to_it(model, network, threads):
    (vae, whole), (_, shared) = (stepper_of(model, network) for _ in range(2))
    exact = partial(np.testing.assert_allclose, rtol=1e-11, atol=1e-13)
    with shared.in_threads():
        for images in (9, 3, 10):  # one, then another number in each share
            given = minibatch(vae, images)
            for ours, theirs in zip(shared.measure(*given), whole.measure(*given), strict=True):
                exact(ours, theirs)
            (ours, gradients), (theirs, expected) = (
                stepper.gradients(*given) for stepper in (shared, whole)
            )
            exact(ours, theirs)
            exact(gradients.flat, expected.flat)
            exact(shared.train(*given), whole.train(*given))
            exact(shared.adam.parameters.flat, whole.adam.parameters.flat)


@pytest.mark.parametrize("model", ["VAE", "IWAE"])
def test_only_large_minibatches_are_shared_out(model, threads, monkeypatch):
    vae, stepper = stepper_of(model, rows_per_thread=6)
    seen = []
    forward = type(vae).forward

    def spy(self, x, eps, beta):
        seen.append(len(x))
        return forward(self, x, eps, beta)

    monkeypatch.setattr(type(vae), "forward", spy)
    enough = 6 * threads // vae.samples
    with stepper.in_threads():
        for images in (enough - 1, enough):
            stepper.train(*minibatch(vae, images))
    stepper.train(*minibatch(vae, enough))  # and none where there are no threads
    assert sorted(seen) == sorted([enough - 1, *[enough // threads] * threads, enough])


def test_an_image_of_many_samples_stays_whole(threads):
    (vae, shared), (_, whole) = (stepper_of("IWAE") for _ in range(2))
    given = minibatch(vae, threads - 1)
    with shared.in_threads():
        assert shared.train(*given) == whole.train(*given)


def test_every_share_has_one_thread_for_its_products(threads, monkeypatch):
    vae, stepper = stepper_of()
    inside, forward = [], VAE.forward

    def spy(self, *given):
        inside.append(blas_threads())
        return forward(self, *given)

    monkeypatch.setattr(VAE, "forward", spy)
    before = blas_threads(), threading.active_count()
    with stepper.in_threads():
        stepper.train(*minibatch(vae, 9))
        assert blas_threads() == before[0]
    assert inside == [1] * threads
    assert threading.active_count() == before[1]


def test_trainings_in_threads_take_turns_in_limiting_the_products(threads, monkeypatch):
    """Else one would find the limit of another, and leave it behind."""
    at_work, most, forward = set(), [], VAE.forward

    def spy(self, *given):
        at_work.add(id(self.parameters))
        most.append(len(at_work))
        time.sleep(0.001)
        at_work.discard(id(self.parameters))
        return forward(self, *given)

    def training():
        vae, stepper = stepper_of()
        given = minibatch(vae, 9)
        with stepper.in_threads():
            for _ in range(20):
                stepper.train(*given)

    monkeypatch.setattr(VAE, "forward", spy)
    before = blas_threads()
    trainings = [threading.Thread(target=training) for _ in range(3)]
    for one in trainings:
        one.start()
    for one in trainings:
        one.join()
    assert len(most) == 3 * 20 * threads
    assert max(most) == 1
    assert blas_threads() == before


def test_a_training_whose_minibatches_are_shared_out_learns_the_same(tiny, tiny_config, threads):
    config = replace(tiny_config, batch_size=20)
    whole = train(config, tiny).history
    with patch.object(FullyConnected, "rows_per_thread", 1):
        shared = train(config, tiny).history
    assert shared != whole  # other sums round otherwise
    for ours, theirs in zip(shared, whole, strict=True):
        assert ours | {"seconds": 0} == pytest.approx(theirs | {"seconds": 0}, rel=1e-4)
