"""Pictures of a run: loss curves, grids of images, how samples evolve, reconstructions.

Every function writes one PNG file at `path`, in one step, replacing what was there, and raises
InputError where that cannot be done. Images come as in `numpyvae.data`: one row of height * width
pixels each, uint8 or floats in [0, 1]; `image_shape` is (height, width).
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from .errors import InputError
from .files import StrPath, replacing
from .npz import reading

Array = NDArray[Any]

# The style of all figures. The colours are Okabe and Ito's, chosen for colour-blind eyes too.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#999999"
DPI = 100  # pixels per inch of a figure
FONT_SIZE, TITLE_SIZE = 9, 11
CELL = 84  # pixels: images are magnified by a whole factor up to about this size
SEPARATOR, SEPARATOR_GREY = 1, 96  # the line between two images: its width in pixels, its colour

TRAIN = {"color": BLUE, "linestyle": "--", "label": "training"}
VALIDATION = {"color": ORANGE, "linestyle": "-", "label": "validation"}


def loss_curves(history: Sequence[Mapping[str, float]], path: StrPath) -> None:
    """Draw the loss, its two terms and the article's health monitors, epoch by epoch.

    `history` has one mapping per epoch, with the columns of a run's history.csv as its keys.
    """
    columns = {name: np.array([row[name] for row in history]) for name in history[0]}
    epochs = columns["epoch"]
    figure = Figure(figsize=(9, 6.4), dpi=DPI, layout="constrained")
    (loss, reconstruction), (kl, monitors) = figure.subplots(2, 2)

    for axes, name, title, unit in (
        (loss, "loss", "Loss", "per image"),
        (reconstruction, "reconstruction", "Reconstruction", "per image"),
        (kl, "kl", "KL divergence", "nats per image"),
    ):
        train, validation = columns[f"train_{name}"], columns[f"val_{name}"]
        _curve(axes, epochs, train, TRAIN)
        _curve(axes, epochs, validation, VALIDATION)
        _cut_high_start(axes, np.maximum(train, validation), np.minimum(train, validation))
        _finish(axes, title, "epoch", unit)

    means, log_vars = columns["mean_of_means"], columns["mean_of_log_vars"]
    monitors.axhline(0, color=GREY, linewidth=1, label="the prior, N(0, I)")
    _curve(monitors, epochs, means, {"color": GREEN, "linestyle": "-", "label": "means"})
    _curve(monitors, epochs, log_vars, {"color": BLUE, "linestyle": "-.", "label": "log-variances"})
    _finish(monitors, "Latent means and log-variances", "epoch", "mean over images and units")
    _save(figure, path)


def image_grid(
    images: Array, image_shape: tuple[int, int], path: StrPath, columns: int = 8
) -> None:
    """Draw images (N, D) row by row, exact to the pixel: `read_image_grid` gets them back."""
    grid = Image.fromarray(_tile(images, image_shape, columns))
    with replacing(path) as stream:
        grid.save(stream, format="png")


def read_image_grid(path: StrPath, image_shape: tuple[int, int]) -> Array:
    """The images (N, D), uint8, of a file that `image_grid` wrote for images of this shape.

    Where its last row is not full, the empty places count as images. Raises InputError where the
    file is missing, damaged or no such grid.
    """
    with reading(path):
        try:
            with Image.open(path, formats=["PNG"]) as picture:
                grid = np.asarray(picture)
        except (SyntaxError, Image.DecompressionBombError) as error:  # Pillow's own for damage
            raise ValueError(error) from error
    height, width = image_shape
    factor = _magnification(image_shape)
    cell = factor * height + SEPARATOR, factor * width + SEPARATOR
    inner = grid[:-SEPARATOR, :-SEPARATOR]
    if grid.ndim != 2 or inner.size == 0 or inner.shape[0] % cell[0] or inner.shape[1] % cell[1]:
        raise InputError(f"{path} is not a grid of images of {height} x {width} pixels")
    cells = inner.reshape(-1, cell[0], inner.shape[1] // cell[1], cell[1]).swapaxes(1, 2)
    return cells[:, :, SEPARATOR::factor, SEPARATOR::factor].reshape(-1, height * width)


def evolution(
    grids: Mapping[int, StrPath], image_shape: tuple[int, int], path: StrPath, columns: int = 8
) -> None:
    """Draw how the same latent vectors are decoded as training goes on, one row per epoch.

    `grids` maps epochs to files of `image_grid`, each of the same latent vectors; the first
    `columns` images of each are shown. Files that do not exist are left out. Of more than 10
    epochs, the first, the last and some between are shown, closer together at the beginning,
    where more happens.
    """
    epochs = _spread([epoch for epoch in sorted(grids) if os.path.exists(grids[epoch])], 10)
    if not epochs:
        raise InputError(f"no sample grid is there to make {path} from")
    rows = [
        (f"epoch {epoch}", read_image_grid(grids[epoch], image_shape)[:columns]) for epoch in epochs
    ]
    title = "The same latent vectors, decoded after each epoch"
    _labelled_rows([(title, rows)], image_shape, path)


def reconstructions(
    originals: Array,
    reconstructed: Array,
    samples: Array,
    image_shape: tuple[int, int],
    path: StrPath,
) -> None:
    """Draw originals (N, D) above their reconstructions (N, D), and below these samples (M, D)."""
    pairs = [("original", originals), ("reconstruction", reconstructed)]
    blocks = [
        ("Test images and their reconstructions", pairs),
        ("New images, decoded from samples of the prior N(0, I)", [("sample", samples)]),
    ]
    _labelled_rows(blocks, image_shape, path)


# Curves


def _curve(axes: Axes, x: Array, y: Array, style: Mapping[str, Any]) -> None:
    marker = "o" if len(x) <= 20 else None  # a single epoch has no line
    axes.plot(x, y, marker=marker, markersize=3.5, linewidth=1.6, **style)
    axes.set_xlim(x[0] - 0.5, x[-1] + 0.5)


def _cut_high_start(axes: Axes, high: Array, low: Array) -> None:
    """Let the curves begin above the panel where the start would take most of its height.

    `high` and `low` are the upper and the lower curve. A note says how high they begin.
    """
    if len(high) < 5:
        return
    start = max(1, len(high) // 50)
    bottom, top, peak = low.min(), high[start:].max(), high[:start].max()
    if peak - top > top - bottom > 0:
        margin = 0.05 * (top - bottom)
        axes.set_ylim(bottom - margin, top + margin)
        axes.set_title(f"↑ begins at {peak:,.1f}", fontsize=FONT_SIZE, loc="right")


def _finish(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    """Give a panel of curves its title, axis labels and legend, in the style of all panels."""
    axes.set_title(title, fontsize=TITLE_SIZE, loc="left")
    axes.set_xlabel(xlabel, fontsize=FONT_SIZE)
    axes.set_ylabel(ylabel, fontsize=FONT_SIZE)
    axes.tick_params(labelsize=FONT_SIZE)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=FONT_SIZE, frameon=False)


# Images


def _spread(items: Sequence[int], most: int) -> list[int]:
    """At most `most` of the items: the first, the last, between them ever wider steps."""
    if len(items) <= most:
        return list(items)
    places = np.unique(np.rint(np.geomspace(1, len(items), most)).astype(int))
    return [items[place - 1] for place in places]


def _magnification(image_shape: tuple[int, int]) -> int:
    return max(1, CELL // max(image_shape))


def _tile(images: Array, image_shape: tuple[int, int], columns: int) -> Array:
    """The images (N, D), magnified, in a grid of pixels (rows, columns), uint8, with lines between.

    Each cell of the grid is an image with a line above it and one to its left.
    """
    pixels = _as_uint8(images, image_shape)
    height, width = image_shape
    factor = _magnification(image_shape)
    cell = factor * height + SEPARATOR, factor * width + SEPARATOR
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)  # rounded up
    cells = np.full((rows * columns, *cell), SEPARATOR_GREY, np.uint8)
    cells[: len(images), SEPARATOR:, SEPARATOR:] = pixels.repeat(factor, 1).repeat(factor, 2)
    by_line = cells.reshape(rows, columns, *cell).swapaxes(1, 2)
    grid = by_line.reshape(rows * cell[0], columns * cell[1])
    return np.pad(grid, (0, SEPARATOR), constant_values=SEPARATOR_GREY)


def _as_uint8(images: Array, image_shape: tuple[int, int]) -> Array:
    """Images (N, D) as (N, height, width), uint8."""
    height, width = image_shape
    if images.ndim != 2 or images.shape[1] != height * width or len(images) == 0:
        raise InputError(f"images must be of shape (N, {height * width}), not {images.shape}")
    if images.dtype != np.uint8:
        if not (images.min() >= 0 and images.max() <= 1):
            raise InputError(f"images must be in [0, 1], not {images.min()} to {images.max()}")
        images = np.rint(images * 255).astype(np.uint8)
    return images.reshape(-1, height, width)


def _labelled_rows(
    blocks: Sequence[tuple[str, Sequence[tuple[str, Array]]]],
    image_shape: tuple[int, int],
    path: StrPath,
) -> None:
    """Draw blocks, each a title above its rows, each row a label beside its images (N, D)."""
    tiled = [
        (title, [(label, _tile(images, image_shape, len(images))) for label, images in rows])
        for title, rows in blocks
    ]
    strips = [strip for _, rows in tiled for _, strip in rows]
    label_width, title_height, margin = 110, 40, 12
    width = label_width + max(460, *(strip.shape[1] for strip in strips)) + margin
    height = title_height * len(tiled) + sum(len(strip) for strip in strips) + margin

    # Pixel by pixel, without axes, so that no image is resampled.
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    y = height
    for title, rows in tiled:
        y -= title_height
        figure.text(label_width / width, (y + 12) / height, title, fontsize=TITLE_SIZE)
        for label, strip in rows:
            y -= len(strip)
            x, middle = (label_width - 10) / width, (y + len(strip) / 2) / height
            figure.text(x, middle, label, fontsize=FONT_SIZE, ha="right", va="center")
            figure.figimage(strip, label_width, y, cmap="gray", vmin=0, vmax=255, origin="upper")
    _save(figure, path)


def _save(figure: Figure, path: StrPath) -> None:
    with replacing(path) as stream:
        figure.savefig(stream, format="png", dpi=DPI)
