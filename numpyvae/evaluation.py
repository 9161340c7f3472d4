"""What a trained model is worth in numbers: likelihood, active units, distance of its samples.

Throughout, ``images`` are (N, x_dim) floats in [0, 1] of the model's dtype. Log-likelihoods are in
nats and always complete, with the normalising constant of their density:

- ``"bce"``: log p(x|z) is minus the cross-entropy, the log-probability of binary pixels. Of grey
  pixels it is only a score: the probabilities of 0 and 1 leave none for what lies between.
- ``"mse"``: the squared error is, up to a constant, minus the log-density of a Gaussian around the
  decoded image y with variance 1/2 in every pixel:

      log N(x; y, I/2)  =  -||x - y||²  -  (x_dim / 2) log pi

  It is a density over all real pixels, so it compares with other densities, not with ``"bce"``.

So the training loss with beta 1 is minus the ELBO, but for that constant: ``log_normalizer``.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple, assert_never

import numpy as np

from . import functional as F
from .checkpoint import Run
from .config import Config
from .data import Dataset, as_floats, minibatches
from .errors import InputError
from .functional import Array
from .model import VAE

BATCH = 200  # images that go through a network at once: few enough to stay in the cache
ACTIVE = 0.01  # Burda et al. (2016), section 5.2: units lie far above it or far below
SETS = 10  # of samples, behind every sample distance
MOST_HELD_OUT = 1000  # test images that samples are compared with: time grows with the square
BINARIZATION_SEED = 0  # the binary test images are one fixed data set

Sampler = Callable[[int, np.random.Generator], Array]  # n new images (n, x_dim)


# Likelihood


class Elbo(NamedTuple):
    """Means over images, in nats: elbo = -(reconstruction + kl) - log_normalizer.

    ``reconstruction`` and ``kl`` are the two terms of the training loss.
    """

    elbo: float
    reconstruction: float
    kl: float


def encode(vae: VAE, images: Array) -> tuple[Array, Array]:
    """q(z|x) of all images, uint8 or floats: mean and log-variance of z, each (N, z_dim)."""
    found = [vae.encode(x) for x in minibatches(images, BATCH, vae.dtype)]
    means, log_vars = zip(*found, strict=True)
    return np.concatenate(means), np.concatenate(log_vars)


def log_normalizer(vae: VAE) -> float:
    """What the reconstruction loss leaves out of -log p(x|z), in nats per image.

    (x_dim / 2) log pi for ``"mse"``, 0 for ``"bce"``.
    """
    match vae.reconstruction:
        case "mse":
            return vae.x_dim / 2 * math.log(math.pi)
        case "bce":
            return 0.0
        case unknown:
            assert_never(unknown)


def log_likelihood(vae: VAE, images: Array, z: Array) -> Array:
    """log p(x|z) of each image x given its latent vector z, (N, z_dim). Returns (N,), float64."""
    logits = vae.decode_logits(z)
    loss = vae.reconstruction_loss(logits, images, y=logits)
    return -loss.astype(np.float64) - log_normalizer(vae)


def elbo(vae: VAE, images: Array, rng: np.random.Generator, samples: int = 10) -> Elbo:
    """The evidence lower bound E_q[log p(x|z)] - KL(q(z|x) || p(z)), beta being 1.

    The KL divergence is exact; the expectation is a mean over ``samples`` draws per image.

    Raises:
        InputError: ``samples`` is below 1.
    """
    _check_at_least(1, "samples", samples)
    mean, log_var = encode(vae, images)
    likelihood = np.zeros(len(images))
    for _ in range(samples):
        for rows, z, _ in _posterior_samples(mean, log_var, rng):
            likelihood[rows] += log_likelihood(vae, images[rows], z)
    reconstruction = -float(likelihood.mean() / samples) - log_normalizer(vae)
    kl = float(F.kl_divergence(mean, log_var).mean(dtype=np.float64))
    return Elbo(-(reconstruction + kl) - log_normalizer(vae), reconstruction, kl)


def importance_sampled_log_likelihood(
    vae: VAE,
    images: Array,
    samples: int,
    rng: np.random.Generator,
    on_sample: Callable[[], object] = lambda: None,
) -> Array:
    """log 1/K sum_k p(x, z_k) / q(z_k|x) of each image, with K = ``samples`` draws z_k ~ q(z|x).

    In expectation it is at most log p(x), approaches that as K grows, and never falls with K; with
    K = 1 it is the ELBO. Burda et al. (2016), theorem 1.

    Each round draws one z for every image, so memory does not grow with K. ``on_sample`` is called
    after each round.

    Returns:
        (N,), float64, in nats.

    Raises:
        InputError: ``samples`` is below 1.
    """
    _check_at_least(1, "importance samples", samples)
    mean, log_var = encode(vae, images)
    log_sum = np.full(len(images), -np.inf)
    for _ in range(samples):
        for rows, z, eps in _posterior_samples(mean, log_var, rng):
            # log p(z) - log q(z|x): the squares are those of z and of eps = (z - mean) / std.
            log_ratio = 0.5 * np.sum(eps**2 + log_var[rows] - z**2, axis=1, dtype=np.float64)
            log_weight = log_likelihood(vae, images[rows], z) + log_ratio
            log_sum[rows] = np.logaddexp(log_sum[rows], log_weight)
        on_sample()
    return log_sum - math.log(samples)


def _posterior_samples(
    mean: Array, log_var: Array, rng: np.random.Generator
) -> Iterator[tuple[slice, Array, Array]]:
    """Yields rows, z and eps, batch by batch: one z = mean + std eps for every image."""
    for rows in _batches(mean):
        eps = rng.standard_normal(mean[rows].shape, mean.dtype)
        yield rows, F.reparameterize(mean[rows], log_var[rows], eps), eps


def _batches(images: Array) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, len(images), BATCH))


# Latent units


def active_units(mean: Array) -> int:
    """How many latent units say something about the image, given posterior means (N, z_dim).

    A unit's activity is the variance over the images of its posterior mean. It is active where
    that is above 0.01. Burda et al. (2016), section 5.2.
    """
    return int(np.sum(mean.var(axis=0, dtype=np.float64) > ACTIVE))


# Samples


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
    rng = np.random.default_rng([seed, 5])
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
        images = np.random.default_rng([seed, 4]).choice(images, MOST_HELD_OUT, replace=False)
    return as_floats(images)


def median_distance(x: Array) -> float:
    """The median of the distances between any two rows of ``x``, the usual bandwidth for MMD.

    Gretton et al. (2012, section 8) take it over real images and samples together. Of the real
    ones alone, samples of different models are measured with one and the same kernel.

    Raises:
        InputError: there are fewer than two rows, or most of them are the same.
    """
    _check_at_least(2, "images for the median distance", len(x))
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
    _check_at_least(2, "images on each side of the sample distance", min(len(x), len(y)))
    n, m = len(x), len(y)
    among_x = (_kernel_sum(x, x, bandwidth) - n) / (n * (n - 1))  # without the n k(x_i, x_i) = 1
    among_y = (_kernel_sum(y, y, bandwidth) - m) / (m * (m - 1))
    return among_x + among_y - 2 * _kernel_sum(x, y, bandwidth) / (n * m)


def _kernel_sum(x: Array, y: Array, bandwidth: float) -> float:
    """The sum of k(x_i, y_j) over all i and j, some rows of x at a time."""
    exponents = (_squared_distances(x[rows], y) / (-2 * bandwidth**2) for rows in _batches(x))
    return float(sum(np.exp(exponent).sum() for exponent in exponents))


def _squared_distances(x: Array, y: Array) -> Array:
    """||x_i - y_j||² = x_i² + y_j² - 2 x_i y_j, (N, M), in float64 against cancellation."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    return np.vecdot(x, x)[:, None] + np.vecdot(y, y) - 2 * (x @ y.T)


# Everything together


@dataclass(frozen=True)
class Evaluation:
    """What ``evaluate`` finds; likelihoods are means over the images, in nats per image.

    ``nll_error`` is the standard error that the choice of images gives ``nll``. The last five are
    ``Samples`` of the model, and of training images.
    """

    config: Config
    dataset: str
    images: int
    importance_samples: int
    seed: int
    elbo: float
    reconstruction: float
    kl: float
    log_normalizer: float
    nll: float
    nll_error: float
    active_units: int
    mean_of_means: float
    mean_of_log_vars: float
    sample_distance: float
    sample_deviation: float
    diversity: float
    floor: float
    floor_deviation: float


def evaluate(
    run: Run,
    data: Dataset,
    importance_samples: int = 500,
    images: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> Evaluation:
    """Everything this file can say about a trained run.

    Args:
        run: as ``train`` or ``load_checkpoint`` returns it.
        data: its data set.
        importance_samples: latent vectors per image behind the negative log-likelihood.
        images: the first so many test images are used, or all where there are fewer. Where the
            run binarizes, they are binarized once and always in the same way.
        seed: of the noise, the samples, and the held-out images these are compared with.
        progress: show a bar on standard error, if that is a terminal.

    The samples are what ``sample`` draws, decoded images without pixel noise, compared with test
    images as they are, grey.

    Raises:
        InputError: a number is out of range, the data do not fit the run, or the model is broken.
    """
    from tqdm import tqdm

    _check_at_least(2, "images", images)
    _check_at_least(0, "seed", seed)
    if data.image_shape != run.image_shape:
        raise InputError(
            f"the run is for images of {run.image_shape}, {data.name} has {data.image_shape}"
        )
    vae = run.vae
    grey = as_floats(data.test_images[:images], vae.dtype)
    _check_at_least(2, f"the number of test images in {data.name}", len(grey))
    shown = binarize(grey) if run.config.binarize else grey
    hidden = None if progress else True  # None: on anything but a terminal
    for_elbo, for_nll = np.random.default_rng(seed).spawn(2)

    with np.errstate(over="ignore", invalid="ignore"):  # the results are checked instead
        samples, real = measure_samples(vae.sample, data, seed), measure_real(data, seed)
        mean, log_var = encode(vae, shown)
        bound = elbo(vae, shown, for_elbo)
        with tqdm(total=importance_samples, unit="sample", leave=False, disable=hidden) as bar:
            nll = -importance_sampled_log_likelihood(
                vae, shown, importance_samples, for_nll, on_sample=bar.update
            )
        evaluation = Evaluation(
            config=run.config,
            dataset=data.name,
            images=len(grey),
            importance_samples=importance_samples,
            seed=seed,
            elbo=bound.elbo,
            reconstruction=bound.reconstruction,
            kl=bound.kl,
            log_normalizer=log_normalizer(vae),
            nll=float(nll.mean()),
            nll_error=float(nll.std(ddof=1)) / math.sqrt(len(nll)),
            active_units=active_units(mean),
            mean_of_means=float(mean.mean(dtype=np.float64)),
            mean_of_log_vars=float(log_var.mean(dtype=np.float64)),
            sample_distance=samples.distance,
            sample_deviation=samples.deviation,
            diversity=samples.diversity,
            floor=real.distance,
            floor_deviation=real.deviation,
        )
    for name, value in asdict(evaluation).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"the model is broken: on {data.name} its {name} is {value}")
    return evaluation


def table(result: Evaluation) -> str:
    """The evaluation as aligned lines of text, with units and what to make of the numbers."""
    config = result.config
    mse = config.reconstruction == "mse"
    binarized = f", binarized once (seed {BINARIZATION_SEED})" if config.binarize else ""
    nats = "nats per image"
    rows = [
        ("ELBO", f"{result.elbo:.2f}", nats),
        ("  - squared error" if mse else "  - cross-entropy", f"{result.reconstruction:.2f}", nats),
        ("  - KL divergence", f"{result.kl:.2f}", nats),
        ("  - (x_dim / 2) log pi", f"{result.log_normalizer:.2f}", nats) if mse else None,
        (
            "negative log-likelihood",
            f"{result.nll:.2f}",
            f"{nats}, at most, from {result.importance_samples} importance samples",
        ),
        ("  standard error", f"{result.nll_error:.2f}", "from the choice of images"),
        ("active units", f"{result.active_units}", f"of {config.z_dim}"),
        ("mean of means", f"{result.mean_of_means:+.4f}", "healthy: near 0, as in the prior"),
        (
            "mean of log-variances",
            f"{result.mean_of_log_vars:+.4f}",
            "healthy: below 0; 0 means that no unit is used",
        ),
        (
            "sample distance",
            f"{result.sample_distance:.4f}",
            f"± {result.sample_deviation:.4f}, squared MMD to held-out test images",
        ),
        (
            "  of training images",
            f"{result.floor:.4f}",
            f"± {result.floor_deviation:.4f}, the floor: a perfect generator's",
        ),
        ("diversity", f"{result.diversity:.4f}", "of samples, relative to test images"),
    ]
    lines = [f"{result.images} test images of {result.dataset}{binarized}", ""]
    lines += [f"{row[0]:<24}{row[1]:>10}  {row[2]}" for row in rows if row is not None]
    if mse:
        lines += [
            "",
            "The squared error stands for a Gaussian of variance 1/2 per pixel around the decoded",
            "image; the likelihoods are densities, and do not compare with those of bce.",
        ]
    elif not config.binarize:
        lines += [
            "",
            "The pixels are grey, so the cross-entropy is no likelihood, only a score; train with",
            "--binarize for numbers to hold against the literature.",
        ]
    if not config.noise:
        lines += [
            "",
            "Training without noise leaves the widths of q(z|x) to chance: the bounds hold, but",
            "say little.",
        ]
    return "\n".join(lines)


def as_json(result: Evaluation) -> str:
    """The evaluation as a JSON object, its configuration inside."""
    return json.dumps(asdict(result), indent=2)


def binarize(images: Array) -> Array:
    """The images with every pixel drawn once as 0 or 1, the pixel's value being its probability.

    Always the same draw, as for a data set of binary images.
    """
    rng = np.random.default_rng(BINARIZATION_SEED)
    return np.less(rng.random(images.shape, np.float32), images).astype(images.dtype)


def _check_at_least(least: int, name: str, value: int) -> None:
    if value < least:
        raise InputError(f"{name} must be at least {least}, got {value}")
