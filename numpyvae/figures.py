"""Pictures of runs and experiments: curves, grids and rows of images, latent spaces.

Every function writes one PNG file at `path`, in one step, replacing what was there, and raises
InputError where that cannot be done. Images come as in `numpyvae.data`: one row of height * width
pixels each, uint8 or floats in [0, 1]; `image_shape` is (height, width).
"""

import os
from collections.abc import Mapping, Sequence
from math import hypot
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
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

SMALL_CELL = 56  # the same, in pictures with many images
# Ten classes: Paul Tol's "muted" colours, their pale grey made darker
CLASS_COLOURS = (
    *("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE"),
    *("#882255", "#44AA99", "#999933", "#AA4499", "#777777"),
)

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
    gray = grid.ndim == 2 and grid.dtype == np.uint8
    if not gray or inner.size == 0 or inner.shape[0] % cell[0] or inner.shape[1] % cell[1]:
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
    image_rows([(title, rows)], image_shape, path)


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
    image_rows(blocks, image_shape, path)


def image_rows(
    blocks: Sequence[tuple[str, Sequence[tuple[str, Array]]]],
    image_shape: tuple[int, int],
    path: StrPath,
    column_labels: Sequence[str] = (),
) -> None:
    """Draw blocks, each a title above its rows, each row a label beside its images (N, D).

    `column_labels` go below the last row, one under each image.
    """
    tiled = [
        (title, [(label, _tile(images, image_shape, len(images))) for label, images in rows])
        for title, rows in blocks
    ]
    strips = [strip for _, rows in tiled for _, strip in rows]
    label_width, title_height, margin = 110, 40, 12
    bottom = 30 if column_labels else margin
    width = label_width + max(460, *(strip.shape[1] for strip in strips)) + margin
    height = title_height * len(tiled) + sum(len(strip) for strip in strips) + bottom

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
            _paste(figure, strip, label_width, y)
    for i, label in enumerate(column_labels):
        x = (label_width + (i + 0.5) * strips[-1].shape[1] / len(column_labels)) / width
        figure.text(x, (y - 8) / height, label, fontsize=FONT_SIZE, ha="center", va="top")
    _save(figure, path)


def image_panels(
    panels: Sequence[tuple[str, Array, int]],
    image_shape: tuple[int, int],
    path: StrPath,
    xlabel: str = "",
    ylabel: str = "",
) -> None:
    """Draw grids of images side by side: each panel is (title, images (N, D), columns).

    The axis labels, where there are any, stand below and to the left of every panel.
    """
    grids = [_tile(images, image_shape, columns, SMALL_CELL) for _, images, columns in panels]
    titles = [title for title, _, _ in panels]
    widths = [  # wide enough for the title
        max(grid.shape[1], *(8 * len(line) for line in title.splitlines()))
        for title, grid in zip(titles, grids, strict=True)
    ]
    top, bottom, gap = 50, 34 if xlabel else 16, 40 if ylabel else 20
    width = sum(widths) + gap * len(panels) + 20
    height = top + max(map(len, grids)) + bottom
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)

    def write(x: float, y: float, text: str, **style: Any) -> None:
        figure.text(x / width, y / height, text, **style)

    small = {"fontsize": FONT_SIZE, "ha": "center", "va": "center"}
    x = gap
    for title, grid, panel_width in zip(titles, grids, widths, strict=True):
        y = height - top - len(grid)
        _paste(figure, grid, x, y)
        write(x, height - top + 10, title, fontsize=TITLE_SIZE)
        write(x + grid.shape[1] / 2, y - 16, xlabel, **small)
        write(x - 16, y + len(grid) / 2, ylabel, rotation=90, **small)
        x += panel_width + gap
    _save(figure, path)


def latent_space(
    panels: Sequence[tuple[str, Array, Array | None]],
    path: StrPath,
    axis_labels: tuple[str, str] = ("$z_1$", "$z_2$"),
) -> None:
    """Draw where images lie in latent spaces, side by side, with the circles of the prior N(0, I).

    Each panel is (title, points (N, 2), labels (N,) or None). With labels, points are coloured by
    class, and every class is named at the median of its points.
    """
    figure = Figure(figsize=(5.6 * len(panels) + 1.2, 5.4), dpi=DPI, layout="constrained")
    handles: dict[str, Line2D] = {}
    for axes, (title, points, labels) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        size = 14 if len(points) <= 1000 else 3
        classes = np.unique(labels) if labels is not None else np.empty(0, np.uint8)
        colours = np.full(len(points), BLUE)
        for i, label in enumerate(classes):
            colours[labels == label] = CLASS_COLOURS[i % len(CLASS_COLOURS)]
        axes.scatter(*points.T, size, colours, alpha=0.8, linewidths=0)
        for i, label in enumerate(classes):
            colour = CLASS_COLOURS[i % len(CLASS_COLOURS)]
            handles[str(label)] = Line2D([], [], color=colour, marker="o", linestyle="")
            outline = [withStroke(linewidth=3, foreground="white")]
            x, y = np.median(points[labels == label], axis=0)
            axes.text(
                x, y, str(label), color=colour, fontsize=15, fontweight="bold", ha="center",
                va="center", path_effects=outline,
            )  # fmt: skip
        for radius in (1, 2, 3):
            axes.add_patch(Circle((0, 0), radius, fill=False, color="black", linewidth=1))
        axes.set_aspect("equal", adjustable="datalim")
        _finish_panel(axes, title, *axis_labels)
    handles["prior: 1, 2, 3\nstandard\ndeviations"] = Line2D([], [], color="black", linewidth=1)
    if len(handles) <= 20:
        figure.legend(
            list(handles.values()), list(handles), loc="outside right center",
            fontsize=FONT_SIZE, frameon=False,
        )  # fmt: skip
    _save(figure, path)


def sweep(
    name: str,
    values: Sequence[float],
    measured: Mapping[str, Sequence[float]],
    floor: tuple[float, float],
    path: StrPath,
) -> None:
    """Draw what a setting does: what was measured at each of its values.

    `measured` holds, for each value, `squared_error`, `kl`, `active_units`, `sample_distance` and
    its `deviation`, `sharpness` and `diversity`; `floor` is the sample distance of real images and
    its deviation. The values stand at equal distances, in their order.
    """
    figure = Figure(figsize=(9, 6.8), dpi=DPI, layout="constrained")
    (trade_off, distance), (relative, units) = figure.subplots(2, 2)
    places, line = np.arange(len(values)), {"markersize": 5, "linewidth": 1.6}
    kl, error = measured["kl"], measured["squared_error"]
    trade_off.plot(kl, error, color=BLUE, marker="o", **line)
    labels: list[Any] = []
    width, height = np.ptp(kl) or 1, np.ptp(error) or 1
    for x, y, value in zip(kl, error, values, strict=True):
        if labels and hypot((x - labels[-1][0]) / width, (y - labels[-1][1]) / height) < 0.06:
            labels[-1][2] += f", {value:g}"  # too near for a label of its own
        else:
            labels.append([x, y, f"{value:g}"])
    for x, y, label in labels:
        trade_off.annotate(label, (x, y), (6, 5), textcoords="offset points", fontsize=FONT_SIZE)
    trade_off.margins(0.1)
    _finish_panel(
        trade_off, f"What the code costs and buys, by {name}", "KL divergence, nats per image",
        "squared error per image",
    )  # fmt: skip

    mean, deviation = floor
    distance.axhline(mean, color=GREY, label="training images: the floor")
    distance.axhspan(mean - deviation, mean + deviation, color=GREY, alpha=0.3, linewidth=0)
    distance.errorbar(
        places, measured["sample_distance"], measured["deviation"], color=ORANGE, marker="o",
        capsize=3, label="samples", **line,
    )  # fmt: skip
    relative.axhline(1, color=GREY, label="test images")
    relative.plot(
        places, measured["sharpness"], color=BLUE, marker="o", label="sharpness of reconstructions",
        **line,
    )  # fmt: skip
    relative.plot(
        places, measured["diversity"], color=ORANGE, marker="s", linestyle="--",
        label="diversity of samples", **line,
    )  # fmt: skip
    units.plot(places, measured["active_units"], color=GREEN, marker="o", **line)
    units.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    for axes, title, ylabel in (
        (distance, "Distance of samples to test images", "squared MMD"),
        (relative, "Sharpness and diversity", "relative to the test images"),
        (units, "Active latent units", "units"),
    ):
        axes.set_xticks(places, [f"{value:g}" for value in values])
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        _finish_panel(axes, title, name, ylabel)
    for axes in (distance, relative):
        axes.legend(fontsize=FONT_SIZE, frameon=False)
    _save(figure, path)


# Curves


def side_by_side(ours: Sequence[float], theirs: Sequence[float], title: str, path: StrPath) -> None:
    """Draw the losses per image of NumPy's and PyTorch's steps, and below these the difference."""
    figure = Figure(figsize=(8, 6), dpi=DPI, layout="constrained")
    losses, differences = figure.subplots(2, 1, sharex=True)
    steps = np.arange(1, len(ours) + 1)
    losses.plot(steps, theirs, color=ORANGE, linewidth=3, alpha=0.5, label="PyTorch")
    losses.plot(steps, ours, color=BLUE, linewidth=0.8, label="NumPy")
    losses.set_yscale("log")
    losses.yaxis.set_major_formatter("{x:g}")
    losses.yaxis.set_minor_formatter("{x:g}")
    difference = np.abs(np.subtract(ours, theirs))
    floor = difference[difference > 0].min(initial=1.0)  # where equal, draw at the bottom
    differences.plot(
        steps, np.maximum(difference, floor), color=GREEN, linewidth=0.8, label="difference"
    )
    differences.set_yscale("log")
    _finish(losses, f"Loss side by side: {title}", "", "per image")
    _finish(differences, "|NumPy - PyTorch|", "training step", "per image")
    _save(figure, path)


def growth(series: Mapping[str, Mapping[str, Mapping[str, float]]], path: StrPath) -> None:
    """Draw how long a step takes, by contender, against each size that grows.

    `series` maps the name of a size to milliseconds, by its value and by contender.
    """
    figure = Figure(figsize=(3.4 * len(series), 3.4), dpi=DPI, layout="constrained")
    (panels,) = figure.subplots(1, len(series), squeeze=False)
    for axes, (name, by_size) in zip(panels, series.items(), strict=True):
        sizes = [int(size) for size in by_size]
        for contender, color in zip(next(iter(by_size.values())), (BLUE, ORANGE), strict=True):
            times = [by_size[str(size)][contender] for size in sizes]
            axes.loglog(sizes, times, marker="o", markersize=3.5, color=color, label=contender)
        _finish(axes, f"Step against {name}", name, "ms per step")
        axes.set_xticks(sizes[::2], [str(size) for size in sizes[::2]])
        axes.minorticks_off()
    _save(figure, path)


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
    """Give a panel of curves over epochs its title, axis labels, legend and ticks."""
    _finish_panel(axes, title, xlabel, ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.legend(fontsize=FONT_SIZE, frameon=False)


def _finish_panel(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    """Give a panel its title and axis labels, in the style of all panels."""
    axes.set_title(title, fontsize=TITLE_SIZE, loc="left")
    axes.set_xlabel(xlabel, fontsize=FONT_SIZE)
    axes.set_ylabel(ylabel, fontsize=FONT_SIZE)
    axes.tick_params(labelsize=FONT_SIZE)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


# Images


def _spread(items: Sequence[int], most: int) -> list[int]:
    """At most `most` of the items: the first, the last, between them ever wider steps."""
    if len(items) <= most:
        return list(items)
    places = np.unique(np.rint(np.geomspace(1, len(items), most)).astype(int))
    return [items[place - 1] for place in places]


def _magnification(image_shape: tuple[int, int], size: int = CELL) -> int:
    return max(1, size // max(image_shape))


def _tile(images: Array, image_shape: tuple[int, int], columns: int, size: int = CELL) -> Array:
    """The images (N, D), magnified, in a grid of pixels (rows, columns), uint8, with lines between.

    Each cell of the grid is an image with a line above it and one to its left.
    """
    pixels = _as_uint8(images, image_shape)
    height, width = image_shape
    factor = _magnification(image_shape, size)
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


def _paste(figure: Figure, image: Array, x: int, y: int) -> None:
    """Put an image (height, width), uint8, into a figure, its lower left corner at pixel (x, y)."""
    figure.figimage(np.stack([image] * 3, axis=2), x, y, origin="upper")


def _save(figure: Figure, path: StrPath) -> None:
    with replacing(path) as stream:
        figure.savefig(stream, format="png", dpi=DPI)
