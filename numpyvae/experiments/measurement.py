"""What an experiment measures of a trained model."""

from math import nan
from typing import NamedTuple

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..evaluation.likelihood import active_units, encode
from ..evaluation.samples import Sampler, Samples, measure_samples
from ..functional import Array, kl_divergence, squared_error
from ..training.run import Run

NAMES = {  # of the columns of results.csv, as they head a report's table
    "squared_error": "squared error",
    "sharpness": "sharpness",
    "kl": "KL, nats",
    "active_units": "active units",
    "sample_distance": "sample distance",
    "deviation": "± between sets",
    "diversity": "diversity",
}


class Measurement(NamedTuple):
    """What a model does with the test images, decoded from their posterior means, and its samples.

    ``squared_error``: per image. ``sharpness``: the squared differences between neighbouring
    pixels of the reconstructions, relative to those of the originals. ``kl``: nats per image; nan
    where training had no noise, and so no use for the variance. ``active_units``: latent units
    whose posterior mean varies with the image.
    """

    squared_error: float
    sharpness: float
    kl: float
    active_units: int
    samples: Samples


def measure(run: Run, data: Dataset, sample: Sampler) -> Measurement:
    """Measures a trained model on the test images, and what ``sample`` draws from it."""
    x = as_floats(data.test_images, run.vae.dtype)
    mean, log_var = encode(run.vae, x)
    y = run.vae.decode(mean)
    return Measurement(
        squared_error=float(squared_error(y, x).mean(dtype=np.float64)),
        sharpness=edges(y, data.image_shape) / edges(x, data.image_shape),
        kl=float(kl_divergence(mean, log_var).mean(dtype=np.float64)) if run.config.noise else nan,
        active_units=active_units(mean),
        samples=measure_samples(sample, data, run.config.seed),
    )


def edges(images: Array, image_shape: tuple[int, int]) -> float:
    """The squared differences between neighbouring pixels, across and down, summed over all."""
    pixels = images.reshape(-1, *image_shape)
    return float(sum(np.sum(np.diff(pixels, axis=axis) ** 2, dtype=np.float64) for axis in (1, 2)))


def fitted_sampler(run: Run, data: Dataset) -> Sampler:
    """Decodes codes from Gaussians with the mean and deviation of each dimension of test codes."""
    codes, _ = encode(run.vae, data.test_images)
    mean, deviation = codes.mean(axis=0), codes.std(axis=0)

    def sample(n: int, rng: np.random.Generator) -> Array:
        return run.vae.decode(mean + deviation * rng.standard_normal((n, len(mean)), codes.dtype))

    return sample


def row(measurement: Measurement) -> dict[str, float]:
    values = (*measurement[:-1], *measurement.samples)
    return dict(zip(NAMES, values, strict=True))
