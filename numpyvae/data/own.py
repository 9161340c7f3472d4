"""A user's own images."""

import math
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..functional import Array
from .dataset import Dataset
from .npz import read_npy, read_npz


def load_own(path: Path) -> Dataset:
    arrays = {"images": read_npy(path)} if path.suffix == ".npy" else read_npz(path)
    if "images" not in arrays and len(arrays) == 1:
        arrays = {"images": next(iter(arrays.values()))}
    if "images" not in arrays:
        raise InputError(
            f"{path} needs an array named images; it has {', '.join(arrays) or 'none'}"
        )
    images, labels = arrays["images"], arrays.get("labels")
    _check_images(path, images)
    if labels is not None:
        _check_labels(path, labels, len(images))
        labels = labels.astype(np.uint8)
    if images.ndim == 3:
        height, width = images.shape[1:]
    else:
        side = math.isqrt(images.shape[1])
        height, width = (side, side) if side**2 == images.shape[1] else (1, images.shape[1])
    dtype = np.uint8 if images.dtype == np.uint8 else np.float32
    rows = np.ascontiguousarray(images.reshape(len(images), height * width), dtype)
    n = len(rows) - max(1, len(rows) // 10)
    train_labels, test_labels = (None, None) if labels is None else (labels[:n], labels[n:])
    return Dataset(str(path), rows[:n], train_labels, rows[n:], test_labels, (height, width))


def _check_images(path: Path, images: Array) -> None:
    if images.dtype != np.uint8 and not (images.dtype.kind == "f" and images.itemsize <= 8):
        raise InputError(f"images in {path} are {images.dtype}: give uint8, or floats in [0, 1]")
    if images.ndim not in (2, 3) or len(images) < 2 or images.size == 0:
        raise InputError(
            f"images in {path} have shape {images.shape}: give (N, H, W) or (N, D), N at least 2"
        )
    with np.errstate(invalid="ignore"):
        low, high = images.min(), images.max()
    if images.dtype != np.uint8 and not (low >= 0 and high <= 1):  # NaN fails both
        raise InputError(f"images in {path} have values from {low} to {high}: give [0, 1], no NaN")


def _check_labels(path: Path, labels: Array, count: int) -> None:
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise InputError(
            f"labels in {path} are {labels.dtype} {labels.shape}: give ({count},) whole numbers"
        )
    if labels.min() < 0 or labels.max() > 255:
        raise InputError(f"labels in {path} run from {labels.min()} to {labels.max()}: give 0..255")
