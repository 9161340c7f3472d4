"""A user's own images: arrays in a file, or a folder of pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..functional import Array
from .dataset import Dataset
from .npz import map_npy, read_npy, read_npz

LARGE = 1 << 30  # bytes: larger .npy files stay on disk
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")

# images, labels, test images and test labels: our names, and those of Keras' files
LAYOUTS = (
    ("images", "labels", "test_images", "test_labels"),
    ("x_train", "y_train", "x_test", "y_test"),
)


def load_file(path: Path, name: str) -> Dataset:
    """Images in a .npy or .npz file."""
    arrays = read_npz(path) if path.suffix == ".npz" else {"images": _read_or_map(path)}
    return _dataset(path, name, _in_order(path, arrays))


def load_folder(path: Path, name: str, image_size: tuple[int, int] | None) -> Dataset:
    """Pictures in a folder, in one folder below it per label, or in such folders train and test."""
    parts = [path / "train", path / "test"]
    if not all(map(os.path.isdir, parts)):
        parts = [path]
    from .pictures import read_pictures  # Pillow is loaded when it is needed

    found = [_list_pictures(part) for part in parts]
    names = sorted({label for _, labels in found for label in labels})
    images, counts = read_pictures([file for files, _ in found for file in files], image_size)
    arrays: list[Any] = []
    for files, labels in found:
        here, counts = counts[: len(files)], counts[len(files) :]
        numbers = np.repeat([names.index(label) for label in labels], here) if all(names) else None
        arrays += [images[: sum(here)], numbers]
        images = images[sum(here) :]
    return _dataset(path, name, arrays)


def _dataset(path: Path, name: str, arrays: Sequence[Any]) -> Dataset:
    """Of images and labels, and of test images and labels where there are any."""
    try:
        return Dataset.from_arrays(*arrays, name=name, copy=False)  # type: ignore[misc]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_or_map(path: Path) -> Array:
    """The array in a .npy file, left on disk where it is large and needs no conversion."""
    if os.path.isfile(path) and os.path.getsize(path) > LARGE:
        mapped = map_npy(path)
        if mapped.dtype in (np.uint8, np.float32) and mapped.flags.c_contiguous:
            return mapped
    return read_npy(path)


def _in_order(path: Path, arrays: Mapping[str, Array]) -> list[Array | None]:
    """The arrays of a file as ``Dataset.from_arrays`` takes them."""
    if len(arrays) == 1:
        return list(arrays.values())
    for layout in LAYOUTS:
        if layout[0] in arrays:
            return [arrays.get(name) for name in layout]
    raise InputError(
        f"{path} needs an array named images or x_train; it has {', '.join(arrays) or 'none'}"
    )


def _list_pictures(folder: Path) -> tuple[list[Path], list[str]]:
    """All pictures in a folder, and for each the folder in it that is its label, or ""."""
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in PICTURES and not file.name.startswith(".") and file.is_file()
    )
    if not files:
        raise InputError(f"{folder} holds no pictures ({', '.join(PICTURES)})")
    return files, [(*file.relative_to(folder).parts[:-1], "")[0] for file in files]
