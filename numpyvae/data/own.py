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
from .files import reading
from .npz import map_npy, read_npy, read_npz

LARGE = 1 << 30  # bytes: larger .npy files stay on disk
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
MOST_PIXELS = 50_000_000  # in one picture

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
    found = [_list_pictures(part) for part in parts]
    size = image_size or _common_size([file for files, _ in found for file in files], path)
    names = sorted({label for _, labels in found for label in labels})
    arrays = []
    for files, labels in found:
        images = np.empty((len(files), *size), np.uint8)
        for image, file in zip(images, files, strict=True):
            image[...] = _read_picture(file, size)
        numbers = [names.index(label) for label in labels] if all(names) else None
        arrays += [images, numbers]
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


def _common_size(files: Sequence[Path], folder: Path) -> tuple[int, int]:
    """The size of all pictures, (height, width)."""
    from PIL import Image

    sizes: dict[tuple[int, int], Path] = {}
    for file in files:
        with reading(file) as stream, Image.open(stream) as picture:
            sizes.setdefault((picture.height, picture.width), file)
        if len(sizes) > 1:
            shown = ", ".join(f"{f.name} {h} x {w}" for (h, w), f in sizes.items())
            raise InputError(
                f"pictures in {folder} differ in size ({shown}): give the image size that they "
                "are to be scaled to, such as --image-size 28 28"
            )
    return next(iter(sizes))


def _read_picture(path: Path, size: tuple[int, int]) -> Array:
    """A picture in shades of grey, scaled to fill ``size``, and cropped where it hangs over."""
    from PIL import Image, ImageOps

    height, width = size
    with reading(path) as stream, Image.open(stream) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise ValueError(f"it has more than {MOST_PIXELS:,} pixels")
        if picture.mode[0] in "IF":
            raise ValueError("it has more than 8 bits per pixel: save it with 8")
        picture.draft("L", (width, height))  # lets a JPEG be decoded smaller
        ImageOps.exif_transpose(picture, in_place=True)
        grey = picture.convert("L")
        if picture.has_transparency_data:
            alpha = picture.convert("RGBA").getchannel("A")
            grey = Image.composite(grey, Image.new("L", grey.size, "white"), alpha)
        return np.asarray(ImageOps.fit(grey, (width, height)))
