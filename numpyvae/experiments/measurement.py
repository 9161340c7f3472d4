"""What an experiment measures of a trained model."""

from collections.abc import Callable
from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..evaluation.classifier import Features
from ..evaluation.latent import draw_unused, interpolate
from ..evaluation.likelihood import active_units, batches, encode, unit_kl, used_units
from ..evaluation.samples import (
    MOST_HELD_OUT,
    Sampler,
    held_out,
    measure_samples,
    precision_recall,
    squared_distances,
    training_images,
)
from ..functional import Array, kl_divergence, reparameterize, squared_error
from ..training.chance import Stream
from ..training.folder import samples_path
from ..training.run import Run
from ..training.steps import numpy_trainer

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


def measure(run: Run, data: Dataset, features: Features, folder: Path) -> tuple[Row, Array]:
    """Everything that is measured of the finished run in ``folder``: by name, and each unit's KL.

    Images are decoded from samples of q(z|x), as in training. What has no meaning, as the KL of an
    autoencoder, is nan.
    """
    vae, noise, seed = run.vae, run.config.noise, run.config.seed
    x = as_floats(data.test_images, vae.dtype)
    mean, log_var = encode(vae, x)
    rng = Stream.RECONSTRUCTIONS.generator(seed)
    used = used_units(mean, log_var) if noise else np.ones(vae.z_dim, bool)

    def posterior(mean: Array, log_var: Array) -> Array:
        eps = rng.standard_normal(mean.shape, mean.dtype)
        return reparameterize(mean, log_var, eps) if noise else mean

    draws = [vae.decode(posterior(mean, log_var)) for _ in range(DRAWS)]
    at_mean = vae.decode(mean)
    unused_drawn = vae.decode(draw_unused(mean, used, rng))
    found: Row = {
        "squared_error": float(np.mean([error(y, x) for y in draws])),
        "squared_error_at_mean": error(at_mean, x),
        "squared_error_unused_drawn": error(unused_drawn, x),
        "sharpness": edges(draws[0], data.image_shape) / edges(x, data.image_shape),
        # Two images are apart by twice the variance, summed over the pixels.
        "variation": error(draws[0], draws[1]) / (2 * float(x.var(axis=0).sum())) if noise else nan,
        "kl": float(kl_divergence(mean, log_var).mean(dtype=np.float64)) if noise else nan,
        "used_units": float(used.sum()) if noise else nan,
        "active_units": active_units(mean) if noise else nan,
        "mean_of_means": abs(float(mean.mean(dtype=np.float64))),
        "mean_of_log_vars": float(log_var.mean(dtype=np.float64)) if noise else nan,
    }

    codes = random_codes(run, data)

    def sample(n: int, rng: np.random.Generator) -> Array:
        return vae.decode(codes(n, rng))

    samples, between_sets = measure_samples(sample, data, seed, features)
    found |= dict(zip(SAMPLED, samples, strict=True))
    found |= dict(zip((OF_SETS + name for name in SAMPLED), between_sets, strict=True))
    real = held_out(data, seed)
    real_features = features(real)

    def sharpness(images: Array) -> float:
        return edges(images, data.image_shape) / len(images) / (
            edges(real, data.image_shape) / len(real)
        )  # fmt: skip

    rng = Stream.MEASURED_CODES.generator(seed)
    found["sample_sharpness"] = sharpness(sample(len(real), rng))
    pairs = rng.permutation(len(x))[: 2 * MOST_HELD_OUT]
    start, end = x[pairs[: len(pairs) // 2]], x[pairs[len(pairs) // 2 :][: len(pairs) // 2]]
    paths = interpolate(vae, start, end, 3, rng if noise else None)
    found["path_precision"] = precision_recall(real_features, features(paths[:, 1]))[0]

    # Of units that say nothing, neither codes nor holes are worth anything.
    known = posterior(*encode(vae, data.train_images[:MOST_CODES]))[:, used]
    mine = posterior(mean, log_var)[:MOST_HELD_OUT, used]
    random = codes(len(mine), rng)[:, used]
    found |= {"holes": nan, "code_size": nan, "same_label": nan}
    if used.any():
        distance, nearest = nearest_codes(mine, known)
        found["holes"] = float(nearest_codes(random, known)[0].mean() / distance.mean())
        found["code_size"] = float(np.sqrt(np.mean(known**2, dtype=np.float64)))
        if data.train_labels is not None and data.test_labels is not None:
            same = data.train_labels[nearest] == data.test_labels[: len(mine)]
            found["same_label"] = float(same.mean())

    def recall(images: Array) -> float:
        return precision_recall(real_features, features(images))[1]

    return found | _history(run, data, folder, sharpness, recall), unit_kl(mean, log_var)


def random_codes(run: Run, data: Dataset) -> Sampler:
    """Draws codes (n, z_dim) of the prior; for an autoencoder, which has none, of Gaussians.

    They have the mean and deviation of every unit over the codes of test images.
    """
    centre, width = np.zeros(1, run.vae.dtype), np.ones(1, run.vae.dtype)
    if not run.config.noise:
        mean, _ = encode(run.vae, data.test_images)
        centre, width = mean.mean(axis=0), mean.std(axis=0)
    return lambda n, rng: centre + width * rng.standard_normal((n, run.vae.z_dim), run.vae.dtype)


def _history(
    run: Run,
    data: Dataset,
    folder: Path,
    sharpness: Callable[[Array], float],
    recall: Callable[[Array], float],
) -> Row:
    """What happened during the training of a VAE, by the run's history and its grids of samples."""
    from ..figures.images import read_image_grid

    rows, beta = run.history, run.config.beta
    if not run.config.noise:
        return {"val_loss": rows[-1]["val_loss"]}
    first, half, last = rows[0], rows[len(rows) // 2 - 1], rows[-1]
    before = rows[-1 - len(rows) // 5]

    def late(name: str) -> float:
        whole = abs(last[name] - first[name])
        return abs(last[name] - before[name]) / whole if len(rows) >= 5 and whole else nan

    untrained = numpy_trainer(Run.start(run.config, run.image_shape), data).validate()
    grids = [
        read_image_grid(samples_path(folder, int(row["epoch"])), run.image_shape)
        for row in (first, half, last)
    ]
    images = [as_floats(grid) for grid in grids]
    return {
        "val_loss": last["val_loss"],
        "kl_share_untrained": beta * untrained["kl"] / untrained["loss"],
        "kl_share_first": beta * first["train_kl"] / first["train_loss"],
        "half_way": half["val_reconstruction"] - first["val_reconstruction"],
        "late_reconstruction": late("train_reconstruction"),
        "late_kl": late("train_kl"),
        "log_vars_drift": abs(last["mean_of_log_vars"]) - abs(first["mean_of_log_vars"]),
        "first_sharpness": sharpness(images[0]),
        "sharpness_gain": sharpness(images[2]) - sharpness(images[1]),
        "recall_gain": recall(images[2]) - recall(images[0]),
    }


def error(y: Array, x: Array) -> float:
    """The squared error per image."""
    return float(squared_error(y, x).mean(dtype=np.float64))


def edges(images: Array, image_shape: tuple[int, int]) -> float:
    """The squared differences between neighbouring pixels, across and down, summed over all."""
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
            replace(data, test_images=other),
        ),
        "one image again and again": (lambda n, _: np.repeat(first, n, axis=0), data),
        "noise": (lambda n, rng: rng.random((n, first.shape[1]), np.float32), data),
    }
    rows = {}
    for name, (sample, beside) in known.items():
        found, between_sets = measure_samples(sample, beside, seed, features)
        rows[name] = dict(zip(SAMPLED, found, strict=True))
        rows[name] |= dict(zip((OF_SETS + name for name in SAMPLED), between_sets, strict=True))
    return rows
