"""What arrays of images may be, and the rows of pixels that they become."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..functional import Array

ImageShape = tuple[int, int] | tuple[int, int, int]  # (height, width), in colour (height, width, 3)
KEPT = "colour=True and train --network conv keep"
RGB = 3  # numbers of a pixel in colour
SEEN = 1000  # rows of a memory-mapped file that are checked; the others are, batch by batch
SHORTEST = 8  # pixels: shorter axes are taken for no side of an image where others could be


def image_shape_of(value: object) -> ImageShape:
    """(height, width), or (height, width, 3), as a file or a user says it.

    Raises:
        InputError: it is no image's.
    """
    if isinstance(value, Sequence) and len(value) in (2, 3):
        height, width, *channels = value
        sizes = type(height) is type(width) is int and min(height, width) > 0
        if sizes and channels in ([], [RGB]):
            return (height, width, RGB) if channels else (height, width)
    raise InputError(
        f"an image shape is (height, width), or (height, width, {RGB}) in colour, whole numbers, "
        f"and not {value!r}"
    )


def in_words(image_shape: ImageShape) -> str:
    """Such as "28 x 28 pixels", or "28 x 28 pixels in colour"."""
    height, width, *channels = image_shape
    return f"{height} x {width} pixels" + " in colour" * bool(channels)


def has_colour(image_shape: ImageShape) -> bool:
    return len(image_shape) == 3


def as_array(given: ArrayLike, what: str) -> Array:
    """What the user gave as an array, in the same memory where that is possible.

    Raises:
        InputError: it is none, and cannot become one; the message calls it ``what``.
    """
    if isinstance(given, np.memmap):
        return given
    if np.ma.is_masked(given):
        raise InputError(f"{what} are masked: say what is there, such as {what}.filled(0)")
    try:
        return np.asarray(given)
    except MemoryError:
        raise
    except Exception as error:  # other packages' arrays may raise anything
        raise InputError(
            f"{what} cannot become a NumPy array ({error}): give lists of one length; of a tensor, "
            f"{what}.detach().cpu().numpy(), in a type that NumPy has"
        ) from error


def as_rows(
    images: ArrayLike, beside: ArrayLike | None = None, colour: bool = False
) -> tuple[Array, ImageShape]:
    """Images as rows of pixels (N, D), uint8 or float32 in [0, 1], and the shape of one.

    Takes what has one meaning: shapes (N, H, W), (N, 1, H, W), (N, H, W, 1), and (N, D) where D is
    a square; with ``colour`` also (N, H, W, 3) and (N, 3, H, W); booleans, whole numbers in 0..255
    of any type, and floats in [0, 1]. Copies nothing that need not be copied. ``beside`` are more
    images, which tell what is white, too.

    Raises:
        InputError: it is anything else; the message says what to do.
    """
    images = as_array(images, "images")
    others = [] if beside is None else [as_array(beside, "images")]
    if images.dtype.kind not in "buif":
        raise InputError(f"images of type {images.dtype}: give numbers or booleans")
    if images.size == 0 or images.ndim not in (2, 3, 4):
        raise InputError(f"images of shape {images.shape}: give (N, H, W)")
    image_shape: ImageShape
    match images.ndim:
        case 2:
            image_shape = _side_of_square(images.shape)
        case 3:
            _check_axes(images.shape, colour)
            image_shape = images.shape[1:]
        case _:
            images = _channels_last(images, colour)
            image_shape = images.shape[1:]
    alike = [other for other in others if other.size and other.dtype.kind == images.dtype.kind]
    rows = _as_pixels(images.reshape(len(images), -1), alike)
    return np.require(rows, requirements="C"), image_shape


def check_range(images: Array) -> None:
    """That floats are in [0, 1], which NaN is not.

    Raises:
        InputError: they are not; the message says what to do.
    """
    if images.dtype.kind != "f" or images.size == 0:
        return
    if isinstance(images, np.memmap):
        images = images[:SEEN]
    with np.errstate(invalid="ignore"):
        low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):
        remedy = "scale them to [0, 1]"
        if low >= 0 and high <= 255:
            remedy += ", such as by dividing by 255" + f" or {high:g}" * (high < 64)
        elif low >= -1 and high <= 1:
            remedy += ": (images + 1) / 2"
        elif not math.isfinite(low + high):
            remedy = "there must be no NaN and no infinity"
        raise InputError(f"pixels from {low:g} to {high:g}: {remedy}")


def _side_of_square(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of images that are rows of pixels."""
    count, pixels = shape
    side = math.isqrt(pixels)
    columns = SHORTEST**2 <= count < pixels and math.isqrt(count) ** 2 == count
    if side**2 != pixels or count == pixels > 1 or columns:
        raise InputError(
            f"an array of shape {shape} may be one picture, or {count} rows of pixels, or {pixels} "
            "columns: reshape it to (N, H, W), or with channels to (N, H, W, 3), where columns are "
            "images after images.T"
        )
    return side, side


def _check_axes(shape: tuple[int, ...], colour: bool) -> None:
    """That (N, H, W) is not (H, W, N) as well, or one picture, channels last or first."""
    count, height, width = shape
    last = min(count, height) >= SHORTEST and width <= 4
    first = colour and count in (RGB, RGB + 1) and min(height, width) >= SHORTEST
    if last or first:
        raise InputError(
            f"an array of shape {shape} may be one picture of {width if last else count} channels: "
            f"give several; if it is {count} images of {height} x {width}, give images[:, None]"
        )
    if min(count, height) < SHORTEST:
        return
    if count == height or (width > 4 * height and height <= 2 * count <= 4 * height):
        raise InputError(
            f"an array of shape {shape} may be {width} images of {count} x {height}, or {count} "
            f"of {height} x {width}: give np.moveaxis(images, -1, 0)[:, None], or images[:, None]"
        )


def _channels_last(images: Array, colour: bool) -> Array:
    """(N, 1, H, W) and (N, H, W, 1) as (N, H, W); with ``colour`` (N, 3, H, W) as (N, H, W, 3)."""
    shape = images.shape
    grey = [axis for axis in (1, 3) if shape[axis] == 1]
    colours = [axis for axis in (1, 3) if shape[axis] in (RGB, RGB + 1)]
    if colour and colours and len(grey + colours) == 2:
        raise InputError(
            f"images of shape {shape} may have their channels first or last: give grey images as "
            "(N, H, W); in colour they need more than 4 pixels a side"
        )
    if grey:
        return images.squeeze(grey[0])
    others_first = min(shape[:2]) >= SHORTEST and shape[2] in (1, 3, 4)  # (H, W, channels, N)
    if len(colours) == 1 and not others_first:
        first = colours == [1]
        alpha = "" if shape[colours[0]] == RGB else "[:, :3]" if first else "[..., :3]"
        if not colour:
            raise InputError(
                f"images of shape {shape} have colour, which {KEPT}; or average the channels, with "
                f"images{alpha}.mean(axis={1 if first else -1}).astype(images.dtype)"
            )
        if alpha:
            raise InputError(f"images of shape {shape} have four channels: give images{alpha}")
        return np.moveaxis(np.asarray(images), 1, -1) if first else images
    if shape[2] in (1, 3, 4):
        remedy = "np.moveaxis(images, -1, 0), if the last axis counts them"
    elif 2 in (shape[1], shape[3]):
        remedy = f"one of two channels, such as images[{':, 0' if shape[1] == 2 else '..., 0'}]"
    else:
        remedy = f"images.reshape(-1, {shape[2]}, {shape[3]}), if the first two axes count them"
    raise InputError(f"images of shape {shape} are neither grey nor colour: give {remedy}")


def _as_pixels(rows: Array, others: Sequence[Array]) -> Array:
    """Booleans, whole numbers in 0..255 and floats in [0, 1] as uint8 or float32.

    ``others`` are on the same scale.
    """
    if rows.dtype == bool:
        return rows.view(np.uint8) * np.uint8(255)
    if rows.dtype.kind == "f" and not _bytes_as_floats([rows, *others]):
        check_range(rows)
        return rows.astype(np.float32, copy=False)
    if rows.dtype != np.uint8 and (rows.min() < 0 or rows.max() > 255):
        scale = "" if rows.min() < 0 else f", or divide by what is white, images / {rows.max():g}"
        raise InputError(f"pixels from {rows.min():g} to {rows.max():g}: give 0 to 255{scale}")
    if all(map(_dark, [rows, *others])):
        white = max(int(part.max()) for part in [rows, *others])
        if white <= 1:
            raise InputError(
                "all pixels are 0 or 1, on a scale to 255: if 1 is white, give images.astype(bool)"
            )
        raise InputError(
            f"all pixels are whole numbers up to {white}, on a scale to 255: divide by what is "
            f"white, such as images / {white}, or images / 255 if they are so dark"
        )
    return rows.astype(np.uint8, copy=False)


def _dark(pixels: Array) -> bool:
    """Whether no pixel has a quarter of the brightness of 255."""
    return bool(pixels[:SEEN].max() < 64 and pixels.max() < 64)


def _bytes_as_floats(parts: Sequence[Array]) -> bool:
    """Whether floats are the whole numbers of a scale to 255."""
    if any(isinstance(part, np.memmap) for part in parts):
        return False
    if not all(part.min() >= 0 and part.max() <= 255 for part in parts):
        return False
    return any(part.max() > 1 for part in parts) and all(
        bool(np.all(part == np.rint(part))) for part in parts
    )
