"""How far samples lie from real images, and how much they differ from each other."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..errors import InputError
from ..functional import Array
from ..training.chance import Stream
from .likelihood import batches, check_at_least

SETS = 10  # of samples, behind every sample distance
MOST_HELD_OUT = 1000  # test images that samples are compared with: time grows with the square
Sampler = Callable[[int, np.random.Generator], Array]  # n new images (n, x_dim)


class Samples(NamedTuple):
    """What a model's samples are like, over ``SETS`` sets of as many as held-out test images.

    ``distance``, ``deviation``: mean and standard deviation over the sets of the squared MMD
    between the samples and the held-out images. ``diversity``: the mean squared distance between
    two samples, relative to that between two held-out images.
    """

    distance: float
    deviation: float
    diversity: float


def measure_samples(sample: Sampler, data: Dataset, seed: int) -> Samples:
    """Compares sets of samples, drawn with ``seed``, with as many held-out test images.

    One bandwidth, from the held-out images, serves every set and every model.

    Raises:
        InputError: the test images are too few, or too much alike.
    """
    images = held_out(data, seed)
    bandwidth = median_distance(images)
    rng = Stream.MEASURED_SAMPLES.generator(seed)
    sets = [sample(len(images), rng) for _ in range(SETS)]
    distances = [mmd2(images, drawn, bandwidth) for drawn in sets]
    # Two independent draws are apart by twice the variance, summed over the pixels.
    spread = np.mean([drawn.var(axis=0, dtype=np.float64).sum() for drawn in sets])
    return Samples(
        distance=float(np.mean(distances)),
        deviation=float(np.std(distances, ddof=1)),
        diversity=float(spread / images.var(axis=0, dtype=np.float64).sum()),
    )


def measure_real(data: Dataset, seed: int) -> Samples:
    """The floor: training images in the place of samples, what a perfect generator would draw."""

    def sample(n: int, rng: np.random.Generator) -> Array:
        size = min(n, len(data.train_images))
        return as_floats(rng.choice(data.train_images, size, replace=False))

    return measure_samples(sample, data, seed)


def held_out(data: Dataset, seed: int) -> Array:
    """The test images that samples are compared with, as floats: all, or some drawn at random."""
    images = data.test_images
    if len(images) > MOST_HELD_OUT:
        images = Stream.HELD_OUT.generator(seed).choice(images, MOST_HELD_OUT, replace=False)
    return as_floats(images)


def median_distance(x: Array) -> float:
    """The median of the distances between any two rows of ``x``, the usual bandwidth for MMD.

    Gretton et al. (2012, section 8) take it over real images and samples together. Of the real
    ones alone, samples of different models are measured with one and the same kernel.

    Raises:
        InputError: there are fewer than two rows, or most of them are the same.
    """
    check_at_least(2, "images for the median distance", len(x))
    squares = _squared_distances(x, x)[np.triu_indices(len(x), 1)]
    median = float(np.median(np.sqrt(np.maximum(squares, 0))))
    if median == 0:
        raise InputError("most of the images are the same, so their median distance is 0")
    return median


def mmd2(x: Array, y: Array, bandwidth: float) -> float:
    """The squared maximum mean discrepancy between the distributions of the rows of x and of y.

    The unbiased estimate of Gretton et al. (2012), lemma 6, with the Gaussian kernel
    k(a, b) = exp(-||a - b||² / (2 bandwidth²)):

        mean of k(x_i, x_j), i ≠ j  +  mean of k(y_i, y_j), i ≠ j  -  2 mean of k(x_i, y_j)

    It is 0 on average where both distributions are the same, so it can be negative. What is small
    depends on the images and their number: hold it against a floor (``measure_real``).

    Args:
        x, y: (N, D) and (M, D), floats, at least two rows each. Memory grows with N + M.
        bandwidth: such as ``median_distance`` of the real images.

    Raises:
        InputError: one has fewer than two rows.
    """
    check_at_least(2, "images on each side of the sample distance", min(len(x), len(y)))
    n, m = len(x), len(y)
    among_x = (_kernel_sum(x, x, bandwidth) - n) / (n * (n - 1))  # without the n k(x_i, x_i) = 1
    among_y = (_kernel_sum(y, y, bandwidth) - m) / (m * (m - 1))
    return among_x + among_y - 2 * _kernel_sum(x, y, bandwidth) / (n * m)


def _kernel_sum(x: Array, y: Array, bandwidth: float) -> float:
    """The sum of k(x_i, y_j) over all i and j, some rows of x at a time."""
    exponents = (_squared_distances(x[rows], y) / (-2 * bandwidth**2) for rows in batches(x))
    return float(sum(np.exp(exponent).sum() for exponent in exponents))


def _squared_distances(x: Array, y: Array) -> Array:
    """||x_i - y_j||² = x_i² + y_j² - 2 x_i y_j, (N, M), in float64 against cancellation."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    return np.vecdot(x, x)[:, None] + np.vecdot(y, y) - 2 * (x @ y.T)
