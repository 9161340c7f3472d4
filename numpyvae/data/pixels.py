"""What arrays of images may be, and the rows of pixels that they become."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..functional import Array

SEEN = 1000  # rows of a memory-mapped file that are checked; the others are, batch by batch


def as_rows(images: ArrayLike) -> tuple[Array, tuple[int, int]]:
    """Images as rows of pixels (N, D), uint8 or float32 in [0, 1], and their (height, width).

    Takes what has one meaning: shapes (N, H, W), (N, 1, H, W), (N, H, W, 1), and (N, D) where D is
    a square; booleans, whole numbers in 0..255 of any type, and floats in [0, 1]. Copies nothing
    that need not be copied.

    Raises:
        InputError: it is anything else; the message says what to do.
    """
    if not isinstance(images, np.memmap):
        images = np.asarray(images)
    if images.dtype.kind not in "buif":
        raise InputError(f"images of type {images.dtype}: give numbers or booleans")
    if images.size == 0 or images.ndim not in (2, 3, 4):
        raise InputError(f"images of shape {images.shape}: give (N, H, W)")
    if images.ndim == 4:
        images = _without_channels(images)
    count, *shape = images.shape
    if len(shape) == 1:
        side = math.isqrt(shape[0])
        if side**2 != shape[0] or shape[0] == count > 1:
            raise InputError(
                f"an array of shape {images.shape} may be one picture, or {count} rows of pixels: "
                "reshape it to (N, H, W)"
            )
        shape = [side, side]
    rows = _as_pixels(images.reshape(count, -1))
    return np.require(rows, requirements="C"), (shape[0], shape[1])


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
            remedy += ", such as by dividing by 255"
        elif low >= -1 and high <= 1:
            remedy += ": (images + 1) / 2"
        elif not math.isfinite(low + high):
            remedy = "there must be no NaN and no infinity"
        raise InputError(f"pixels from {low:g} to {high:g}: {remedy}")


def _without_channels(images: Array) -> Array:
    """(N, 1, H, W) and (N, H, W, 1) as (N, H, W)."""
    axis = 1 if images.shape[1] == 1 else 3
    if images.shape[axis] != 1:
        axis = 1 if images.shape[1] in (3, 4) else -1
        raise InputError(
            f"images of shape {images.shape} have colour: average the channels, with "
            f"images.mean(axis={axis}).astype(images.dtype)"
        )
    return images.squeeze(axis)


def _as_pixels(rows: Array) -> Array:
    """Booleans, whole numbers in 0..255 and floats in [0, 1] as uint8 or float32."""
    if rows.dtype == bool:
        return rows.view(np.uint8) * np.uint8(255)
    if rows.dtype.kind == "f" and not _bytes_as_floats(rows):
        check_range(rows)
        return rows.astype(np.float32, copy=False)
    if rows.dtype != np.uint8 and (rows.min() < 0 or rows.max() > 255):
        raise InputError(f"pixels from {rows.min()} to {rows.max()}: give 0 to 255")
    if rows[:SEEN].max() <= 1 and rows.max() <= 1:
        raise InputError(
            "all pixels are 0 or 1, on a scale to 255: if 1 is white, give images.astype(bool)"
        )
    return rows.astype(np.uint8, copy=False)


def _bytes_as_floats(rows: Array) -> bool:
    """Whether floats are the whole numbers of a scale to 255."""
    if isinstance(rows, np.memmap) or not (rows.min() >= 0 and 1 < rows.max() <= 255):
        return False
    return bool(np.all(rows == np.rint(rows)))
