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
from typing import Any, NamedTuple

import numpy as np

from . import functional as F
from .checkpoint import Run
from .config import Config
from .data import Dataset, as_floats
from .errors import InputError
from .functional import Array
from .model import VAE

BATCH = 200  # images that go through a network at once: few enough to stay in the cache
ACTIVE = 0.01  # Burda et al. (2016), section 5.2: units lie far above it or far below
MEDIAN_ROWS = 2000  # images among which the median distance is taken, at most
FLOOR_DRAWS = 10  # sets of training images behind the floor of the sample distance
BINARIZATION_SEED = 0  # the binary test images are one fixed data set


# Likelihood


class Elbo(NamedTuple):
    """Means over images, in nats: elbo = -(reconstruction + kl) - log_normalizer.

    ``reconstruction`` and ``kl`` are the two terms of the training loss.
    """

    elbo: float
    reconstruction: float
    kl: float


def log_normalizer(vae: VAE) -> float:
    """What the reconstruction loss leaves out of -log p(x|z), in nats per image.

    (x_dim / 2) log pi for ``"mse"``, 0 for ``"bce"``.
    """
    return vae.x_dim / 2 * math.log(math.pi) if vae.reconstruction == "mse" else 0.0


def log_likelihood(vae: VAE, images: Array, z: Array) -> Array:
    """log p(x|z) of each image x given its latent vector z, (N, z_dim). Returns (N,), float64."""
    logits = vae.decode_logits(z)
    if vae.reconstruction == "bce":
        loss = F.bernoulli_cross_entropy(logits, images)
    else:
        loss = F.squared_error(F.sigmoid(logits, out=logits), images, out=logits)
    return -loss.astype(np.float64) - log_normalizer(vae)


def elbo(vae: VAE, images: Array, rng: np.random.Generator, samples: int = 10) -> Elbo:
    """The evidence lower bound E_q[log p(x|z)] - KL(q(z|x) || p(z)), beta being 1.

    The KL divergence is exact; the expectation is a mean over ``samples`` draws per image.

    Raises:
        InputError: ``samples`` is below 1.
    """
    _check_at_least(1, "samples", samples)
    mean, log_var = _encode(vae, images)
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
    mean, log_var = _encode(vae, images)
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


def _encode(vae: VAE, images: Array) -> tuple[Array, Array]:
    means, log_vars = zip(*(vae.encode(images[rows]) for rows in _batches(images)), strict=True)
    return np.concatenate(means), np.concatenate(log_vars)


def _batches(images: Array) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, len(images), BATCH))


# Latent units


@dataclass(frozen=True)
class ActiveUnits:
    """``variances`` (z_dim,): the activity of each latent unit; ``count``: those above ACTIVE."""

    count: int
    variances: Array


def active_units(vae: VAE, images: Array) -> ActiveUnits:
    """The latent units that say something about the image.

    A unit's activity is the variance over the images of its posterior mean. It is active where
    that is above 0.01. Burda et al. (2016), section 5.2.
    """
    mean, _ = _encode(vae, images)
    return _active_units(mean)


def _active_units(mean: Array) -> ActiveUnits:
    variances = mean.var(axis=0, dtype=np.float64)
    return ActiveUnits(int(np.sum(variances > ACTIVE)), variances)


# Samples


class SampleDistance(NamedTuple):
    """A model's samples against held-out images, and real images in the place of the samples.

    ``mmd2`` is the squared MMD. ``floor`` is its mean over sets of training images, what a perfect
    generator gets; a difference much below ``floor_deviation``, their standard deviation, is noise.
    """

    mmd2: float
    floor: float
    floor_deviation: float


def median_distance(x: Array) -> float:
    """The median of the distances between any two rows of ``x``, the usual bandwidth for MMD.

    Of more than 2000 rows, every second, third, ... is taken.

    Raises:
        InputError: there are fewer than two rows, or most of them are the same.
    """
    x = x[:: -(-len(x) // MEDIAN_ROWS)]  # the step is rounded up
    _check_at_least(2, "images for the median distance", len(x))
    squares = _squared_distances(x, x)[np.triu_indices(len(x), 1)]
    median = float(np.median(np.sqrt(np.maximum(squares, 0))))
    if median == 0:
        raise InputError("most of the images are the same, so their median distance is 0")
    return median


def mmd2(x: Array, y: Array, bandwidth: float | None = None) -> float:
    """The squared maximum mean discrepancy between the distributions of the rows of x and of y.

    The unbiased estimate of Gretton et al. (2012), lemma 6, with the Gaussian kernel
    k(a, b) = exp(-||a - b||² / (2 bandwidth²)):

        mean of k(x_i, x_j), i ≠ j  +  mean of k(y_i, y_j), i ≠ j  -  2 mean of k(x_i, y_j)

    It is 0 on average where both distributions are the same, so it can be negative. What is small
    depends on the images and their number: hold it against a floor (``sample_distance``).

    Args:
        x, y: (N, D) and (M, D), floats, at least two rows each. Memory grows with N + M.
        bandwidth: by default ``median_distance(x)``. Gretton et al. (section 8) take the median
            over x and y together; here x are the real images and the samples have no say, so that
            samples of different models are measured with one and the same kernel.

    Raises:
        InputError: one has fewer than two rows, or no bandwidth can be found.
    """
    _check_at_least(2, "images on each side of the sample distance", min(len(x), len(y)))
    if bandwidth is None:
        bandwidth = median_distance(x)
    n, m = len(x), len(y)
    among_x = (_kernel_sum(x, x, bandwidth) - n) / (n * (n - 1))  # without the n k(x_i, x_i) = 1
    among_y = (_kernel_sum(y, y, bandwidth) - m) / (m * (m - 1))
    return among_x + among_y - 2 * _kernel_sum(x, y, bandwidth) / (n * m)


def sample_distance(
    samples: Array, held_out: Array, train_images: Array, rng: np.random.Generator
) -> SampleDistance:
    """How far a model's samples are from held-out images, beside how far training images are.

    All (·, x_dim); ``train_images`` as in ``Dataset``, the others floats. The floor comes from sets
    of training images, as many as there are samples, or all of them where there are fewer.

    Raises:
        InputError: one of them has fewer than two rows, or no bandwidth can be found.
    """
    bandwidth = median_distance(held_out)
    size = min(len(samples), len(train_images))
    floors = [
        mmd2(held_out, as_floats(rng.choice(train_images, size, replace=False)), bandwidth)
        for _ in range(FLOOR_DRAWS)
    ]
    return SampleDistance(
        mmd2(held_out, samples, bandwidth), float(np.mean(floors)), float(np.std(floors))
    )


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

    ``nll_error`` is the standard error that the choice of images gives ``nll``.
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
    mmd2: float
    mmd2_floor: float
    mmd2_floor_deviation: float


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
        images: the first so many test images are used, or all where there are fewer.
        seed: of the noise and of the samples. It does not touch the images: where the run
            binarizes, they are binarized once and always in the same way.
        progress: show a bar on standard error, if that is a terminal.

    The samples are what ``sample`` draws, decoded images without pixel noise. As many of them as
    there are test images are compared with the test images as they are, grey.

    Raises:
        InputError: a number is out of range, the data do not fit the run, or the model is broken.
    """
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
    for_elbo, for_nll, for_samples = np.random.default_rng(seed).spawn(3)

    with np.errstate(over="ignore", invalid="ignore"):  # the results are checked instead
        mean, log_var = _encode(vae, shown)
        bound = elbo(vae, shown, for_elbo)
        with _bar(importance_samples, progress) as bar:
            nll = -importance_sampled_log_likelihood(
                vae, shown, importance_samples, for_nll, on_sample=bar.update
            )
        distance = sample_distance(
            vae.sample(len(grey), for_samples), grey, data.train_images, for_samples
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
            active_units=_active_units(mean).count,
            mean_of_means=float(mean.mean(dtype=np.float64)),
            mean_of_log_vars=float(log_var.mean(dtype=np.float64)),
            mmd2=distance.mmd2,
            mmd2_floor=distance.floor,
            mmd2_floor_deviation=distance.floor_deviation,
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
        ("samples to test images", f"{1000 * result.mmd2:.2f}", "squared MMD, times 1000"),
        (
            "training to test images",
            f"{1000 * result.mmd2_floor:.2f}",
            f"the floor, with deviation {1000 * result.mmd2_floor_deviation:.2f}",
        ),
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


def _bar(samples: int, progress: bool) -> Any:
    from tqdm import tqdm

    hidden = None if progress else True  # None: on anything but a terminal
    return tqdm(total=samples, unit="sample", leave=False, dynamic_ncols=True, disable=hidden)


def _check_at_least(least: int, name: str, value: int) -> None:
    if value < least:
        raise InputError(f"{name} must be at least {least}, got {value}")
