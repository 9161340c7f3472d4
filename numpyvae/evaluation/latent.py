"""The latent space, looked at: where images lie in it, and what lies between and along its axes.

Images are rows of pixels as in ``Dataset``, uint8 or floats in [0, 1]; what is decoded are floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..data.files import StrPath
from ..errors import InputError, one_line, say
from ..functional import Array
from ..model import VAE
from ..training.chance import Stream
from ..training.run import Run
from .likelihood import active_units, encode, used_units

if TYPE_CHECKING:  # drawing is loaded when something is drawn
    from matplotlib.figure import Figure

Runs = Run | Sequence[Run] | Mapping[str, Run]  # of which pictures show one beside the other


def reconstruct(vae: VAE, images: Array, rng: np.random.Generator | None = None) -> Array:
    """The images (N, x_dim), each decoded from one sample of its q(z|x), drawn with ``rng``.

    That is what the decoder was trained on. Without ``rng``, from the mean of q(z|x): right for a
    plain autoencoder. A VAE's unused units all lie at 0 there, though in training they were noise
    of N(0, 1), and with dozens of them no image ever had such a code.
    """
    x = as_floats(images, vae.dtype)
    eps = None if rng is None else rng.standard_normal((len(x), vae.z_dim), x.dtype)
    return vae.reconstruct(x, eps)


def draw_unused(z: Array, used: Array, rng: np.random.Generator) -> Array:
    """Codes z (N, z_dim) with the units that are not ``used`` (z_dim,) drawn from the prior.

    One draw for all rows, so that what differs between them still does, and nothing else.
    """
    return np.where(used, z, rng.standard_normal(len(used), z.dtype))


def sample_label(
    vae: VAE,
    data: Dataset,
    label: int | str,
    n: int,
    rng: np.random.Generator | int | None = None,
) -> Array:
    """n new images (n, x_dim) like the training images of a label: its name, or else its number.

    A Gaussian is fitted to where these lie in the latent space: over the images and q(z|x), the
    latent vectors z have the mean of the posterior means, and as their covariance that of the
    posterior means plus the mean of the posterior variances. n draws from it are decoded.

    Raises:
        InputError: no training image has that label.
    """
    classes = data.classes()
    if str(label) not in classes:
        known = f"it has {', '.join(classes)}" if classes else "it has none"
        raise InputError(f"no training image of {data.name} has the label {label}: {known}")
    mean, log_var = encode(vae, data.train_images[data.train_labels == classes[str(label)]])
    between = np.cov(mean, rowvar=False, ddof=0).reshape(vae.z_dim, vae.z_dim)
    covariance = between + np.diag(np.exp(log_var).mean(axis=0))
    z = np.random.default_rng(rng).multivariate_normal(mean.mean(axis=0), covariance, n)
    return vae.decode(z.astype(vae.dtype))


def plane(codes: Array) -> Array:
    """Codes (N, z_dim) in two coordinates (N, 2): their first two principal components.

    Codes of two dimensions stay as they are; those of one get a second coordinate of 0. The axes
    are turned, not moved: the prior N(0, I) is still N(0, I) in the new coordinates.
    """
    if codes.shape[1] == 2:
        return codes
    if codes.shape[1] == 1:
        return np.column_stack([codes, np.zeros_like(codes)])
    _, directions = np.linalg.eigh(np.cov(codes, rowvar=False))  # by variance, the largest last
    return codes @ directions[:, [-1, -2]]


def quantile_grid(n: int) -> Array:
    """n² latent vectors of two units (n², 2), row by row from the upper left.

    Their coordinates are the quantiles 0.5/n, 1.5/n, ... of N(0, 1), so each stands for an equal
    share of the prior. The first unit grows to the right, the second upwards.
    """
    z1, z2 = np.meshgrid(_quantiles(n), _quantiles(n)[::-1])
    return np.column_stack([z1.ravel(), z2.ravel()])


def _quantiles(n: int) -> Array:
    from statistics import NormalDist

    return np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)], np.float32)


def interpolate(
    vae: VAE, start: Array, end: Array, steps: int, rng: np.random.Generator | None = None
) -> Array:
    """Images (N, steps, x_dim) on the straight paths between the posterior means of two images.

    ``start`` and ``end`` are (N, x_dim). With ``rng``, units that say nothing about any of these
    images are drawn from the prior, once for all paths, as ``reconstruct`` explains.
    """
    mean, log_var = encode(vae, np.concatenate([start, end]))
    if rng is not None:
        mean = draw_unused(mean, used_units(mean, log_var), rng)
    first, last = mean[: len(start)], mean[len(start) :]
    share = np.linspace(0, 1, steps, dtype=vae.dtype)[:, None]
    z = first[:, None] * (1 - share) + last[:, None] * share
    return vae.decode(z.reshape(-1, vae.z_dim)).reshape(len(start), steps, vae.x_dim)


def traverse(vae: VAE, z: Array, units: Sequence[int], values: Array) -> Array:
    """Images (units, values, x_dim): z (z_dim,) decoded with one unit set to one of the values."""
    codes = np.tile(z.astype(vae.dtype), (len(units), len(values), 1))
    for row, unit in enumerate(units):
        codes[row, :, unit] = values
    return vae.decode(codes.reshape(-1, vae.z_dim)).reshape(len(units), len(values), vae.x_dim)


def describe(run: Run, data: Dataset | None = None, name: str = "") -> str:
    """What kind of model it is, in words, what it is called, and whose images it is shown with.

    The latter only where they are others than it was trained on.
    """
    plain = not run.config.noise and run.config.beta == 0
    text = "plain autoencoder" if plain else f"VAE, beta {run.config.beta:g}"
    if name:
        text = f"{name}: {text}"
    if data is not None and data.name != run.config.dataset:
        text += f", trained on {run.config.dataset}, images of {data.name}"
    return one_line(text)


def _named(runs: Runs) -> list[tuple[str, Run]]:
    runs = [runs] if isinstance(runs, Run) else runs
    return list(runs.items()) if isinstance(runs, Mapping) else [("", run) for run in runs]


def draw_latent_space(runs: Runs, data: Dataset, path: StrPath | None = None) -> Figure:
    """Draws where the test images lie in the latent spaces of the runs, side by side.

    In the first two principal components of the posterior means, coloured by label, with the
    prior's circles of 1, 2 and 3 standard deviations. A mapping gives the runs names.

    Raises:
        InputError: there are fewer than two test images, or the picture cannot be written.
    """
    from ..figures.space import latent_space

    if len(data.test_images) < 2:
        raise InputError(f"{data.name} has one test image: principal components need two")
    named = _named(runs)
    two = all(run.config.z_dim <= 2 for _, run in named)
    panels = [
        (
            f"Test images in the latent space\n{describe(run, data, name)}",
            plane(encode(run.vae, data.test_images)[0]),
            data.test_labels,
        )
        for name, run in named
    ]
    labels = ("$z_1$", "$z_2$") if two else ("first component", "second component")
    return latent_space(panels, path, labels, data.name_of)


def draw_manifold(runs: Runs, path: StrPath | None = None, n: int = 15) -> Figure:
    """Draws what two latent units stand for: images decoded at the quantiles of the prior.

    A mapping gives the runs names.

    Raises:
        InputError: a run has another number of latent units than two.
    """
    from ..figures.images import image_panels

    named = _named(runs)
    if any(run.config.z_dim != 2 for _, run in named):
        raise InputError("the manifold can be drawn only where there are two latent units")
    panels = [
        (
            f"Decoded at the prior's quantiles\n{describe(run, name=name)}",
            run.vae.decode(quantile_grid(n)),
            n,
        )
        for name, run in named
    ]
    ticks = [f"{value:.1f}".replace("-", "−") for value in _quantiles(n)]
    return image_panels(panels, named[0][1].image_shape, path, "$z_1$", "$z_2$", ticks)


def draw_interpolation(
    run: Run,
    data: Dataset,
    n: int = 8,
    seed: int = 0,
    path: StrPath | None = None,
    steps: int = 12,
) -> Figure:
    """Draws paths between ``n`` pairs of test images, drawn with ``seed``, the originals beside.

    Raises:
        InputError: there are fewer than two test images. Where there are too few for ``n`` pairs,
            fewer are drawn, and said.
    """
    from ..figures.images import image_panels

    images = data.test_images
    if len(images) < 2:
        raise InputError(f"{data.name} has one test image: a path needs two")
    if len(images) < 2 * n:
        say(f"{data.name} has {len(images)} test images: {len(images) // 2} pairs, not {n}")
        n = len(images) // 2
    chosen = Stream.PAIRS.generator(seed).choice(len(images), 2 * n, replace=False)
    start, end = images[chosen[:n]], images[chosen[n:]]
    rng = Stream.RECONSTRUCTIONS.generator(seed) if run.config.noise else None
    paths = interpolate(run.vae, start, end, steps, rng)
    title = f"Decoded on the straight line between their posterior means ({describe(run, data)})"
    panels = [
        ("From", as_floats(start), 1),
        (title, paths.reshape(-1, run.vae.x_dim), steps),
        ("To", as_floats(end), 1),
    ]
    return image_panels(panels, run.image_shape, path)


def draw_traversal(run: Run, data: Dataset, n: int = 10, path: StrPath | None = None) -> Figure:
    """Draws what the ``n`` most active latent units do, one per row, from -3 to 3.

    The other units stay at 0, the prior's mean, or where they are not in use, at one draw from the
    prior. A unit's activity is the variance of its posterior mean over the test images; units that
    are not active are left out, but for the first one.
    """
    from ..figures.images import image_rows

    mean, log_var = encode(run.vae, data.test_images)
    z = np.zeros(run.config.z_dim, run.vae.dtype)
    if run.config.noise:
        rng = Stream.RECONSTRUCTIONS.generator(run.config.seed)
        z = draw_unused(z, used_units(mean, log_var), rng)
    variances = mean.var(axis=0, dtype=np.float64)
    units = np.argsort(-variances)[: min(n, max(1, active_units(mean)))].tolist()
    values = np.linspace(-3, 3, 13)
    images = traverse(run.vae, z, units, values)
    rows = [
        (f"unit {unit}\nvariance {variances[unit]:.2f}", row)
        for unit, row in zip(units, images, strict=True)
    ]
    title = f"One latent unit at a time, the most active first ({describe(run, data)})"
    labels = [f"{value:g}".replace("-", "−") for value in values]
    return image_rows([(title, rows)], run.image_shape, path, labels)
