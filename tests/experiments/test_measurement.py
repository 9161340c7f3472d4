"""What an experiment measures of a model."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from numpyvae.data.dataset import as_floats
from numpyvae.experiments.measurement import edges, fitted_sampler, measure
from numpyvae.training.run import Run


@pytest.fixture
def run(tiny, tiny_config):
    run = Run.start(tiny_config, tiny.image_shape)
    run.vae.parameters.flat *= 4  # so that codes and images differ from one another
    return run


class Echo:
    """A model whose codes are the images, and whose reconstructions are `factor` times them."""

    dtype = np.float32

    def __init__(self, factor):
        self.factor = factor

    def encode(self, x):
        return x.copy(), np.zeros_like(x)

    def decode(self, z):
        return self.factor * z


@pytest.mark.parametrize("factor", [1, 0.5])
def test_reconstructions_are_measured(run, tiny, factor):
    run.vae = Echo(np.float32(factor))
    x = as_floats(tiny.test_images, np.float64)
    found = measure(run, tiny, lambda n, rng: rng.random((n, 20)))
    assert found.squared_error == pytest.approx((1 - factor) ** 2 * np.mean(np.sum(x**2, axis=1)))
    assert found.sharpness == pytest.approx(factor**2)
    assert found.kl == pytest.approx(np.mean(np.sum(x**2, axis=1)) / 2)
    assert found.active_units == 20


def test_without_noise_there_is_no_kl(run, tiny):
    run.config = replace(run.config, noise=False)
    assert isnan(measure(run, tiny, run.vae.sample).kl)


def test_edges_are_differences_between_neighbours():
    images = np.array([[0.0, 1, 3, 0, 0, 0]])
    assert edges(images, (2, 3)) == (1 + 4) + (0 + 1 + 9)
    assert edges(images, (1, 6)) == 1 + 4 + 9
    assert edges(np.ones((4, 6)), (3, 2)) == 0


def test_gaussians_are_fitted_to_the_codes(run, tiny):
    codes, _ = run.vae.encode(as_floats(tiny.test_images))
    drawn = []
    run.vae.decode = lambda z: drawn.append(z)
    fitted_sampler(run, tiny)(100_000, np.random.default_rng(0))
    np.testing.assert_allclose(drawn[0].mean(axis=0), codes.mean(axis=0), atol=0.01 * codes.std())
    np.testing.assert_allclose(drawn[0].std(axis=0), codes.std(axis=0), rtol=0.01)
    assert abs(np.corrcoef(drawn[0].T)[0, 1]) < 0.02
