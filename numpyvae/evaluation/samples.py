"""How far samples lie from real images, and how much they differ from each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..errors import InputError
from ..functional import Array
from ..training.chance import Stream
from .classifier import Features
from .likelihood import batches, check_at_least

SETS = 10  # of samples, behind every figure
MOST_HELD_OUT = 1000  # test images that samples are compared with: time grows with the square
NEIGHBOURS = 3  # Kynkäänniemi et al. (2019), section 2
Sampler = Callable[[int, "np.random.Generator"], Array]  # n new images (n, x_dim)


class Samples(NamedTuple):
    """What a set of samples is like, beside as many held-out test images.

    ``distance``: the squared MMD between them, in pixels. ``precision``: the share of samples that
    look like a test image; ``recall``: the share of test images that look like a sample; both in
    the features of a classifier. ``diversity``: the mean squared distance between two samples,
    relative to that between two test images.
    """

    distance: float
    precision: float
    recall: float
    diversity: float


def measure_samples(
    sample: Sampler, data: Dataset, seed: int, features: Features
) -> tuple[Samples, Samples]:
    """Compares ``SETS`` sets of samples, drawn with ``seed``, with held-out test images.

    One bandwidth, from the held-out images, serves every set and every model.

    Returns:
        The mean over the sets, and the standard deviation between them: what the choice of the
        samples, and nothing else, adds to a figure from one set.

    Raises:
        InputError: the test images are too few, or too much alike.
    """
    images = held_out(data, seed)
    bandwidth = median_distance(images)
    real = features(images)
    rng = Stream.MEASURED_SAMPLES.generator(seed)
    sets = []
    for _ in range(SETS):
        drawn = sample(len(images), rng)
        precision, recall = precision_recall(real, features(drawn))
        # Two independent draws are apart by twice the variance, summed over the pixels.
        spread, real_spread = (x.var(axis=0, dtype=np.float64).sum() for x in (drawn, images))
        distance = mmd2(images, drawn, bandwidth)
        sets.append(Samples(distance, precision, recall, float(spread / real_spread)))
    return (
        Samples(*map(float, np.mean(sets, axis=0))),
        Samples(*map(float, np.std(sets, axis=0, ddof=1))),
    )


def training_images(data: Dataset) -> Sampler:
    """A sampler that knows the training images: a perfect generator of what models learn from."""

    def sample(n: int, rng: np.random.Generator) -> Array:
        size = min(n, len(data.train_images))
        return as_floats(rng.choice(data.train_images, size, replace=False))

    return sample


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
    squares = squared_distances(x, x)[np.triu_indices(len(x), 1)]
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
    depends on the images and their number: hold it against that of training images.

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


def precision_recall(real: Array, generated: Array) -> tuple[float, float]:
    """Improved precision and recall of Kynkäänniemi et al. (2019), section 2.

    A set of points covers the balls around each of them that reach to its third nearest neighbour
    in the set. Precision is the share of generated points within what the real ones cover: low
    where samples are bad. Recall is the share of real points within what the generated ones cover:
    low where samples lack variety. One image again and again can have a precision of 1, but has a
    recall of 0; noise has no precision.

    Args:
        real, generated: features (N, D) and (M, D).

    Raises:
        InputError: one has no more than three rows.
    """
    check_at_least(NEIGHBOURS + 1, "images on each side", min(len(real), len(generated)))
    between = squared_distances(real, generated)
    precision = np.any(between <= _reach(real)[:, None], axis=0).mean()
    recall = np.any(between <= _reach(generated), axis=1).mean()
    return float(precision), float(recall)


def _reach(x: Array) -> Array:
    """The squared distance of every row to its third nearest neighbour; the nearest is itself."""
    return np.partition(squared_distances(x, x), NEIGHBOURS, axis=1)[:, NEIGHBOURS]


def _kernel_sum(x: Array, y: Array, bandwidth: float) -> float:
    """The sum of k(x_i, y_j) over all i and j, some rows of x at a time."""
    exponents = (squared_distances(x[rows], y) / (-2 * bandwidth**2) for rows in batches(x))
    return float(sum(np.exp(exponent).sum() for exponent in exponents))


def squared_distances(x: Array, y: Array) -> Array:
    """||x_i - y_j||² = x_i² + y_j² - 2 x_i y_j, (N, M), in float64 against cancellation."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    return np.vecdot(x, x)[:, None] + np.vecdot(y, y) - 2 * (x @ y.T)
