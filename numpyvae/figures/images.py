"""Pictures made of images: grids, rows, panels, exact to the pixel."""

import io
import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from ..data.files import StrPath, reading, replacing
from ..data.pixels import ImageShape, has_colour, in_words
from ..errors import InputError
from ..functional import Array
from .style import DPI, FONT_SIZE, TITLE_SIZE, Picture, in_our_style, save

CELL = 84  # pixels: images are magnified by a whole factor up to about this size
SMALL_CELL = 56  # the same, in pictures with many images
SEPARATOR, SEPARATOR_GREY = 1, 96  # the line between two images: its width in pixels, its colour
MOST_PIXELS, LONGEST_SIDE = 80_000_000, 65_000  # of a picture; matplotlib draws up to 65 535


def check_grid(n: int, image_shape: ImageShape, columns: int = 8, size: int = CELL) -> None:
    """Raises InputError where n images, so many in a row, make too large a picture."""
    height, width = _cell(image_shape, size)
    check_size(
        width * min(columns, n), height * -(-n // columns), f"{n} images of {in_words(image_shape)}"
    )


def check_size(width: int, height: int, what: str) -> None:
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise InputError(
            f"{what} are a picture of {width} x {height} pixels, of which there may be "
            f"{MOST_PIXELS:,} in all and {LONGEST_SIDE:,} on a side"
        )


@in_our_style
def image_grid(
    images: Array, image_shape: ImageShape, path: StrPath | None = None, columns: int = 8
) -> Image.Image:
    """Draws images (N, D) row by row; a PNG is exact, and ``read_image_grid`` gets them back."""
    tiles = _tile(images, image_shape, columns)
    grid = Image.fromarray(tiles)
    if path is not None and Path(path).suffix.lower() in ("", ".png"):
        with replacing(path) as stream:
            grid.save(stream, format="png")
    elif path is not None:
        figure = Picture(figsize=(grid.width / DPI, grid.height / DPI), dpi=DPI)
        _paste(figure, tiles, 0, 0)
        save(figure, path)
    return grid


def read_image_grid(path: StrPath, image_shape: ImageShape) -> Array:
    """The images (N, D), uint8, of a file that ``image_grid`` wrote for images of this shape.

    Where its last row is not full, the empty places count as images. Raises InputError where the
    file is missing, damaged or no such grid.
    """
    factor, cell = _magnification(image_shape, CELL), _cell(image_shape, CELL)
    mode = "RGB" if has_colour(image_shape) else "L"
    with reading(path) as stream:
        if os.fstat(stream.fileno()).st_size > MOST_PIXELS:
            raise ValueError("it is too large for a grid of images")
        content = io.BytesIO(stream.read())  # which no damaged length makes us read beyond
        try:
            with (
                warnings.catch_warnings(action="error"),
                Image.open(content, formats=["PNG"]) as it,
            ):
                rows, columns = it.height // cell[0], it.width // cell[1]
                whole = (columns * cell[1] + SEPARATOR, rows * cell[0] + SEPARATOR)
                if it.mode != mode or it.size != whole or rows * columns == 0:
                    raise ValueError(f"it is not a grid of images of {in_words(image_shape)}")
                check_size(*it.size, "the images in it")
                grid = np.asarray(it)
        except (SyntaxError, Image.DecompressionBombError, Warning) as error:  # Pillow's for damage
            raise ValueError(error) from error
    inner = grid[:-SEPARATOR, :-SEPARATOR]
    cells = inner.reshape(-1, cell[0], columns, cell[1], *image_shape[2:]).swapaxes(1, 2)
    return cells[:, :, SEPARATOR::factor, SEPARATOR::factor].reshape(-1, prod(image_shape))


def evolution(
    grids: Mapping[int, StrPath], image_shape: ImageShape, path: StrPath, columns: int = 8
) -> Figure | None:
    """Draws how the same latent vectors are decoded as training goes on, one row per epoch.

    ``grids`` maps epochs to files of ``image_grid``, each of the same latent vectors; the first
    ``columns`` images of each are shown. Of more than 10 epochs, the first, the last and some
    between are shown, with about as much change from each to the next. Files that are missing or
    damaged are left out, and without any of them nothing is drawn.
    """

    def read(epoch: int) -> Array:
        return read_image_grid(grids[epoch], image_shape)[:columns]

    first: Array | None = None
    way: dict[int, float] = {}  # from the first
    for epoch in sorted(grids):
        with suppress(InputError, OSError):
            images = read(epoch)
            first = images if first is None else first
            way[epoch] = float(np.abs(np.subtract(images, first, dtype=np.float32)).mean())
    if first is None:
        return None
    rows = [(f"epoch {epoch}", read(epoch)) for epoch in _by_change(way, 10)]
    title = "The same latent vectors, decoded after more and more epochs"
    return image_rows([(title, rows)], image_shape, path)


def evolution_gif(
    grids: Mapping[int, StrPath], image_shape: ImageShape, path: StrPath, columns: int = 8
) -> None:
    """Draws the same as a film: the first four rows of each grid, a frame per epoch.

    Grids that are missing or damaged are left out; without any, no film is made.
    """
    frames = []
    epochs = _spread([epoch for epoch in sorted(grids) if os.path.exists(grids[epoch])], 40)
    for epoch in epochs:
        try:
            images = read_image_grid(grids[epoch], image_shape)[: 4 * columns]
        except InputError:
            continue
        images = images // 16 * 17  # 16 greys
        grid = _tile(images, image_shape, columns, SMALL_CELL)
        frame = Image.fromarray(np.pad(grid, [(16, 0), (0, 0), (0, 0)][: grid.ndim]))
        ImageDraw.Draw(frame).text((4, 2), f"epoch {epoch}", fill="white")
        frames.append(frame)
    if not frames:
        return
    lasts = [200] * (len(frames) - 1) + [2000]  # ms; the end stays longer
    with replacing(path) as stream:
        frames[0].save(
            stream, "gif", save_all=True, append_images=frames[1:], duration=lasts, loop=0
        )


def reconstructions(
    originals: Array,
    reconstructed: Array,
    samples: Array,
    image_shape: ImageShape,
    path: StrPath | None = None,
    what: str = "Test images",
) -> Figure:
    """Draws originals (N, D) above their reconstructions (N, D), and below these samples (M, D)."""
    pairs = [("original", originals), ("reconstruction", reconstructed)]
    blocks = [
        (f"{what} and their reconstructions", pairs),
        ("New images, decoded from samples of the prior N(0, I)", [("sample", samples)]),
    ]
    return image_rows(blocks, image_shape, path)


@in_our_style
def image_rows(
    blocks: Sequence[tuple[str, Sequence[tuple[str, Array]]]],
    image_shape: ImageShape,
    path: StrPath | None = None,
    column_labels: Sequence[str] = (),
) -> Figure:
    """Draws blocks, each a title above its rows, each row a label beside its images (N, D).

    ``column_labels`` go below the last row, one under each image.
    """
    columns = max(len(images) for _, rows in blocks for _, images in rows)
    check_grid(sum(len(rows) for _, rows in blocks) * columns, image_shape, columns)
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
    figure = Picture(figsize=(width / DPI, height / DPI), dpi=DPI)
    y = height
    for title, rows in tiled:
        y -= title_height
        x, top = label_width / width, (y + 12) / height
        figure.text(x, top, title, fontsize=TITLE_SIZE, parse_math=False)
        for label, strip in rows:
            y -= len(strip)
            x, middle = (label_width - 10) / width, (y + len(strip) / 2) / height
            figure.text(x, middle, label, fontsize=FONT_SIZE, ha="right", va="center")
            _paste(figure, strip, label_width, y)
    for i, label in enumerate(column_labels):
        x = (label_width + (i + 0.5) * strips[-1].shape[1] / len(column_labels)) / width
        figure.text(x, (y - 8) / height, label, fontsize=FONT_SIZE, ha="center", va="top")
    return save(figure, path)


@in_our_style
def image_panels(
    panels: Sequence[tuple[str, Array, int]],
    image_shape: ImageShape,
    path: StrPath | None = None,
    xlabel: str = "",
    ylabel: str = "",
    ticks: Sequence[str] = (),
) -> Figure:
    """Draws grids of images side by side: each panel is (title, images (N, D), columns).

    The axis labels, where there are any, stand below and to the left of every panel, and so do
    ticks, one for each column from the left and the same for each row from below.
    """
    grids = [_tile(images, image_shape, columns, SMALL_CELL) for _, images, columns in panels]
    titles = [title for title, _, _ in panels]
    widths = [  # wide enough for the title
        max(grid.shape[1], *(8 * len(line) for line in title.splitlines()))
        for title, grid in zip(titles, grids, strict=True)
    ]
    room = 24 if ticks else 0
    top, bottom, gap = 50, room + (34 if xlabel else 16), 2 * room + (40 if ylabel else 20)
    width = sum(widths) + gap * len(panels) + 20
    height = top + max(map(len, grids)) + bottom
    figure = Picture(figsize=(width / DPI, height / DPI), dpi=DPI)

    def write(x: float, y: float, text: str, **style: Any) -> None:
        figure.text(x / width, y / height, text, **style)

    small = {"fontsize": FONT_SIZE, "ha": "center", "va": "center"}
    x = gap
    for title, grid, panel_width in zip(titles, grids, widths, strict=True):
        y = height - top - len(grid)
        _paste(figure, grid, x, y)
        write(x, height - top + 10, title, fontsize=TITLE_SIZE, parse_math=False)
        write(x + grid.shape[1] / 2, y - 16 - room, xlabel, **small)
        write(x - 16 - room, y + len(grid) / 2, ylabel, rotation=90, **small)
        for i, tick in enumerate(ticks):
            place = (i + 0.5) * grid.shape[1] / len(ticks)
            write(x + place, y - 12, tick, **small)
            write(x - 6, y + place * len(grid) / grid.shape[1], tick, **small | {"ha": "right"})
        x += panel_width + gap
    return save(figure, path)


def _spread(items: Sequence[int], most: int) -> list[int]:
    """At most ``most`` of the items: the first, the last, between them ever wider steps."""
    if len(items) <= most:
        return list(items)
    places = np.unique(np.rint(np.geomspace(1, len(items), most)).astype(int))
    return [items[place - 1] for place in places]


def _by_change(way: Mapping[int, float], most: int) -> list[int]:
    """At most so many of the epochs, given how far each is from the first: the first, the last, and
    between them those at equal shares of the way."""
    epochs = list(way)
    if len(epochs) <= most:
        return epochs
    gone = np.maximum.accumulate(list(way.values()))
    places = np.searchsorted(gone, np.linspace(0, gone[-1], most)[:-1])
    return sorted({*(epochs[place] for place in places), epochs[-1]})


def _magnification(image_shape: ImageShape, size: int) -> int:
    return max(1, size // max(image_shape[:2]))


def _cell(image_shape: ImageShape, size: int) -> tuple[int, int]:
    """Height and width of an image in a grid, magnified, with a line above it and to its left."""
    factor = _magnification(image_shape, size)
    return factor * image_shape[0] + SEPARATOR, factor * image_shape[1] + SEPARATOR


def _tile(images: Array, image_shape: ImageShape, columns: int, size: int = CELL) -> Array:
    """The images (N, D), magnified, in a grid of pixels (height, width[, 3]), uint8."""
    pixels = _as_uint8(images, image_shape)
    check_grid(len(images), image_shape, columns, size)
    factor, cell = _magnification(image_shape, size), _cell(image_shape, size)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)  # rounded up
    channels = image_shape[2:]
    cells = np.full((rows * columns, *cell, *channels), SEPARATOR_GREY, np.uint8)
    cells[: len(images), SEPARATOR:, SEPARATOR:] = pixels.repeat(factor, 1).repeat(factor, 2)
    by_line = cells.reshape(rows, columns, *cell, *channels).swapaxes(1, 2)
    grid = by_line.reshape(rows * cell[0], columns * cell[1], *channels)
    border = [(0, SEPARATOR), (0, SEPARATOR), (0, 0)][: grid.ndim]
    return np.pad(grid, border, constant_values=SEPARATOR_GREY)


def _as_uint8(images: Array, image_shape: ImageShape) -> Array:
    """Images (N, D) as (N, height, width[, 3]), uint8."""
    size = prod(image_shape)
    if images.ndim != 2 or images.shape[1] != size or len(images) == 0:
        raise InputError(f"images must be of shape (N, {size}), not {images.shape}")
    if images.dtype != np.uint8:
        if not (images.min() >= 0 and images.max() <= 1):
            raise InputError(f"images must be in [0, 1], not {images.min()} to {images.max()}")
        images = np.rint(images * 255).astype(np.uint8)
    return images.reshape(-1, *image_shape)


def _paste(figure: Figure, image: Array, x: int, y: int) -> None:
    """Puts an image (height, width[, 3]), uint8, into a figure, its lower left corner at (x, y)."""
    rgb = image if image.ndim == 3 else np.stack([image] * 3, axis=2)
    figure.figimage(rgb, x, y, origin="upper")
