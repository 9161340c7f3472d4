"""All that can be measured of a finished run, by name: what experiments compare."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..data.pixels import ImageShape
from ..functional import Array, kl_divergence, squared_error
from ..training.chance import Stream
from ..training.pictures import samples_path
from ..training.run import Run
from ..training.steps import numpy_trainer
from .classifier import Features
from .latent import draw_unused, interpolate
from .likelihood import active_units, batches, encode, unit_kl, used_units
from .samples import (
    MOST_HELD_OUT,
    Sampler,
    held_out,
    measure_samples,
    precision_recall,
    squared_distances,
    training_images,
)

DRAWS = 4  # of z for every test image
MOST_CODES = 10_000  # of training images, among which the nearest is looked for
OF_SETS = "±sets "  # before the name of a measure: between the sets of samples of one model

MEASURES = {  # the columns of results.csv, as reports head them
    "squared_error": "squared error",
    "squared_error_at_mean": "squared error at the mean of q(z\\|x)",
    "squared_error_unused_drawn": "squared error at the mean, unused units drawn",
    "sharpness": "sharpness of reconstructions",
    "kl": "KL, nats",
    "used_units": "units in use (KL above 0.05 nats)",
    "active_units": "active units (variance above 0.01)",
    "mean_of_means": "mean of means, its size",
    "mean_of_log_vars": "mean of log-variances",
    "val_loss": "validation loss",
    "sample_distance": "sample distance",
    "precision": "precision",
    "recall": "recall",
    "diversity": "diversity of samples",
    "sample_sharpness": "sharpness of samples",
    "holes": "how far random codes lie from used ones",
    "code_size": "size of codes",
    "same_label": "nearest code has the same label",
    "path_precision": "precision half-way between two images",
    "variation": "variation of one image",
    "kl_share_untrained": "KL's share of the loss, untrained",
    "kl_share_first": "KL's share of the loss, first epoch",
    "half_way": "reconstruction term, first epoch to half-way",
    "late_reconstruction": "share of the reconstruction term's change in the last fifth",
    "late_kl": "share of the KL's change in the last fifth",
    "log_vars_drift": "distance of log-variances from 0, first epoch to last",
    "first_sharpness": "sharpness of samples, first epoch",
    "sharpness_gain": "sharpness of samples, half-way to the end",
    "recall_gain": "recall of samples, first epoch to the end",
}
SAMPLED = ("sample_distance", "precision", "recall", "diversity")  # measured on sets of samples
Row = dict[str, float]
Posterior = tuple[Array, Array]  # means and log-variances of q(z|x), each (N, z_dim)


def measure(run: Run, data: Dataset, features: Features, folder: Path) -> tuple[Row, Array]:
    """Everything that is measured of the finished run in ``folder``: by name, and each unit's KL.

    What has no meaning, as the KL of an autoencoder, is missing or nan.
    """
    q = encode(run.vae, data.test_images)
    found = of_reconstructions(run, data, q) | of_codes(run, data, q, features)
    found |= of_samples(run, data, features)
    found["val_loss"] = run.history[-1]["val_loss"]
    if run.config.noise:
        found |= of_training(run, data, features, folder)
    return found, unit_kl(*q)


def of_reconstructions(run: Run, data: Dataset, q: Posterior) -> Row:
    """What the model makes of test images, whose q(z|x) are given."""
    vae, noise = run.vae, run.config.noise
    mean, log_var = q
    x = as_floats(data.test_images, vae.dtype)
    rng = Stream.RECONSTRUCTIONS.generator(run.config.seed)
    draws = [vae.decode(run.posterior_sample(*q, rng)) for _ in range(DRAWS)]
    found = {
        "squared_error": float(np.mean([error(y, x) for y in draws])),
        "squared_error_at_mean": error(vae.decode(mean), x),
        "sharpness": sharpness(draws[0], x, data.image_shape),
        "mean_of_means": abs(float(mean.mean(dtype=np.float64))),
    }
    if noise:
        used = used_units(*q)
        # Two images are apart by twice the variance, summed over the pixels.
        between_images = 2 * float(x.var(axis=0, dtype=np.float64).sum())
        found |= {
            "squared_error_unused_drawn": error(vae.decode(draw_unused(mean, used, rng)), x),
            "variation": error(draws[0], draws[1]) / between_images,
            "kl": float(kl_divergence(mean, log_var).mean(dtype=np.float64)),
            "used_units": float(used.sum()),
            "active_units": float(active_units(mean)),
            "mean_of_log_vars": float(log_var.mean(dtype=np.float64)),
        }
    return found


def of_samples(run: Run, data: Dataset, features: Features) -> Row:
    """What the model's samples are like; an autoencoder's, decoded from fitted Gaussians."""
    codes = random_codes(run, data)

    def sample(n: int, rng: np.random.Generator) -> Array:
        return run.vae.decode(codes(n, rng))

    real = held_out(data, run.config.seed)
    drawn = sample(len(real), Stream.MEASURED_CODES.generator(run.config.seed))
    return {
        **sampled(sample, data, run.config.seed, features),
        "sample_sharpness": sharpness(drawn, real, data.image_shape),
    }


def sampled(sample: Sampler, data: Dataset, seed: int, features: Features) -> Row:
    """``measure_samples`` as a row: the means over the sets, and the deviations between them."""
    mean, between_sets = measure_samples(sample, data, seed, features)
    row = dict(zip(SAMPLED, mean, strict=True))
    return row | dict(zip((OF_SETS + name for name in SAMPLED), between_sets, strict=True))


def of_codes(run: Run, data: Dataset, q: Posterior, features: Features) -> Row:
    """Where codes lie: of images, drawn at random, and half-way between two images.

    Only units in use count: the others are noise, for every code alike.
    """
    rng = Stream.MEASURED_CODES.generator(run.config.seed)
    noise, n = run.config.noise, min(len(data.test_images) // 2, MOST_HELD_OUT)
    images = rng.permutation(data.test_images)
    paths = interpolate(run.vae, images[:n], images[n : 2 * n], 3, rng if noise else None)
    real = features(held_out(data, run.config.seed))
    row = {"path_precision": precision_recall(real, features(paths[:, 1]))[0]}

    used = used_units(*q) if noise else np.ones(q[0].shape[1], bool)
    if used.any():
        of_training = encode(run.vae, data.train_images[:MOST_CODES])
        known = run.posterior_sample(*of_training, rng)[:, used]
        mine = run.posterior_sample(*q, rng)[:MOST_HELD_OUT, used]
        random = random_codes(run, data)(len(mine), rng)[:, used]
        distance, nearest = nearest_codes(mine, known)
        if distance.any():  # unless the test images are training images
            row["holes"] = float(nearest_codes(random, known)[0].mean() / distance.mean())
        row["code_size"] = float(np.sqrt(np.mean(known**2, dtype=np.float64)))
        if data.train_labels is not None and data.test_labels is not None:
            same = data.train_labels[nearest] == data.test_labels[: len(mine)]
            row["same_label"] = float(same.mean())
    return row


def of_training(run: Run, data: Dataset, features: Features, folder: Path) -> Row:
    """What happened during the training of a VAE, by the run's history and its grids of samples."""
    from ..figures.images import read_image_grid

    rows, beta = run.history, run.config.beta
    first, half, last = rows[0], rows[(len(rows) - 1) // 2], rows[-1]
    before = rows[-1 - len(rows) // 5]

    def late(name: str) -> float:
        whole = abs(last[name] - first[name])
        return abs(last[name] - before[name]) / whole if len(rows) >= 5 and whole else nan

    untrained = numpy_trainer(Run.start(run.config, run.image_shape), data).validate()
    real = held_out(data, run.config.seed)
    grids = [
        as_floats(read_image_grid(samples_path(folder, int(row["epoch"])), run.image_shape))
        for row in (first, half, last)
    ]
    edges = [sharpness(images, real, run.image_shape) for images in grids]
    recall = [precision_recall(features(real), features(images))[1] for images in grids]
    return {
        "kl_share_untrained": beta * untrained["kl"] / untrained["loss"],
        "kl_share_first": beta * first["train_kl"] / first["train_loss"],
        "half_way": half["val_reconstruction"] - first["val_reconstruction"],
        "late_reconstruction": late("train_reconstruction"),
        "late_kl": late("train_kl"),
        "log_vars_drift": abs(last["mean_of_log_vars"]) - abs(first["mean_of_log_vars"]),
        "first_sharpness": edges[0],
        "sharpness_gain": edges[2] - edges[1],
        "recall_gain": recall[2] - recall[0],
    }


def random_codes(run: Run, data: Dataset) -> Sampler:
    """Draws codes (n, z_dim) of the prior; for an autoencoder, which has none, of Gaussians.

    They have the mean and deviation of every unit over the codes of test images.
    """
    centre, width = np.zeros(1, run.vae.dtype), np.ones(1, run.vae.dtype)
    if not run.config.noise:
        mean, _ = encode(run.vae, data.test_images)
        centre, width = mean.mean(axis=0), mean.std(axis=0)
    return lambda n, rng: centre + width * rng.standard_normal((n, run.vae.z_dim), run.vae.dtype)


def error(y: Array, x: Array) -> float:
    """The squared error per image."""
    return float(squared_error(y, x).mean(dtype=np.float64))


def sharpness(images: Array, real: Array, image_shape: ImageShape) -> float:
    """The edges of images (N, D), per image and relative to those of real ones (M, D)."""
    return edges(images, image_shape) / edges(real, image_shape) * len(real) / len(images)


def edges(images: Array, image_shape: ImageShape) -> float:
    """The squared differences between neighbouring pixels, across and down, summed over all.

    In colour the differences are those of red, of green and of blue.
    """
    pixels = images.reshape(-1, *image_shape)
    return float(sum(np.sum(np.diff(pixels, axis=axis) ** 2, dtype=np.float64) for axis in (1, 2)))


def nearest_codes(codes: Array, known: Array) -> tuple[Array, Array]:
    """How far every code (N, D) is from the nearest of the known ones (M, D), and which that is."""
    squares = [squared_distances(codes[rows], known) for rows in batches(codes)]
    nearest = np.concatenate([square.argmin(axis=1) for square in squares])
    return np.linalg.norm(codes - known[nearest], axis=1), nearest


def references(data: Dataset, seed: int, features: Features) -> dict[str, Row]:
    """The measures of samples, of what is known to be good or bad, in the place of samples."""
    first = as_floats(data.train_images[:1])
    order = Stream.HELD_OUT.generator(seed).permutation(len(data.test_images))[: 2 * MOST_HELD_OUT]
    half, other = np.array_split(data.test_images[order], 2)
    known: dict[str, tuple[Sampler, Dataset]] = {
        "training images": (training_images(data), data),
        "one half of the test images, beside the other": (
            lambda *_: as_floats(half),
            replace(data, test_images=other, test_labels=None),
        ),
        "one image again and again": (lambda n, _: np.repeat(first, n, axis=0), data),
        "noise": (lambda n, rng: rng.random((n, first.shape[1]), np.float32), data),
    }
    return {
        name: sampled(sample, beside, seed, features) for name, (sample, beside) in known.items()
    }
