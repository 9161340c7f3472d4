"""A user's own images: arrays in a file, or a folder of pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, say
from ..functional import Array
from .dataset import Dataset, as_floats
from .npz import map_npy, npz_names, read_npy, read_npz

LARGE = 1 << 30  # bytes: larger .npy files stay on disk
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
SPLITS = (  # names of folders of training, test and validation images, in any case
    ("train", "training"),
    ("test", "testing"),
    ("val", "valid", "validation"),
)

# images, labels, test images and test labels: our names, those of Keras' and of MedMNIST's files
LAYOUTS = (
    ("images", "labels", "test_images", "test_labels"),
    ("images", "labels", "val_images", "val_labels"),
    ("x_train", "y_train", "x_test", "y_test"),
    ("x_train", "y_train", "x_val", "y_val"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("train_images", "train_labels", "val_images", "val_labels"),
)


def load_file(path: Path, name: str, colour: bool) -> Dataset:
    """Images in a .npy or .npz file."""
    if path.suffix == ".npy":
        return _dataset(path, name, [_read_or_map(path)], colour)
    wanted = _choose(path, npz_names(path))
    arrays = read_npz(path, wanted)
    return _dataset(path, name, [arrays.get(name) for name in wanted], colour)


def load_folder(path: Path, name: str, image_size: tuple[int, int] | None, colour: bool) -> Dataset:
    """Pictures in a folder, in one folder below it per label, or in such folders train and test."""
    from .pictures import read_pictures  # Pillow is loaded when it is needed

    found = [_list_pictures(part) for part in _splits(path)]
    every = [file for files, _ in found for file in files]
    images, counts = read_pictures(every, image_size, colour)
    colour = images.ndim == 4
    images = images if colour else images[:, None]  # so no axis can be taken for another
    if images.max() < (64 if images.dtype == np.uint8 else 0.25):
        images = as_floats(images)  # so 1 is white, without a doubt
        say(
            f"{path}: no pixel is brighter than {images.max():.2g} of white; brighten the pictures "
            "if that is not meant, as where a camera of 12 bits writes 16"
        )
    arrays: list[Any] = []
    for files, labels in found:
        here, counts = counts[: len(files)], counts[len(files) :]
        arrays += [images[: sum(here)], labels and np.repeat(labels, here)]
        images = images[sum(here) :]
    return _dataset(path, name, arrays, colour)


def _dataset(path: Path, name: str, arrays: Sequence[Any], colour: bool) -> Dataset:
    """Of images and labels, and of test images and labels where there are any."""
    try:
        return Dataset.from_arrays(*arrays, name=name, copy=False, colour=colour)  # type: ignore[misc]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_or_map(path: Path) -> Array:
    """The array in a .npy file, left on disk where it is large and needs no conversion."""
    if os.path.isfile(path) and os.path.getsize(path) > LARGE:
        mapped = map_npy(path)
        if mapped.dtype in (np.uint8, np.float32) and mapped.flags.c_contiguous:
            return mapped
    return read_npy(path)


def _choose(path: Path, names: Sequence[str]) -> Sequence[str]:
    """The layout in a file of arrays of these names, of which others are left out."""
    if len(names) == 1:
        return names
    layouts = [layout for layout in LAYOUTS if layout[0] in names]
    if not layouts:
        *known, last = dict.fromkeys(layout[0] for layout in LAYOUTS)
        raise InputError(
            f"{path} needs an array named {', '.join(known)} or {last}; it has "
            f"{', '.join(names) or 'none'}"
        )
    chosen = max(layouts, key=lambda layout: layout[2] in names)  # the first of the best
    if left_out := [name for name in names if name not in chosen]:
        say(f"{path}: left out beside {chosen[0]}: {', '.join(left_out)}")
    return chosen


def _splits(path: Path) -> list[Path]:
    """The folders of training and of test images, or ``path`` itself.

    A folder ``train`` may be a class, such as beside ``car``; it is not where it is alone, or
    beside one of test images. Of test and validation images, the former are taken.
    """
    inside = sorted(each for each in path.iterdir() if not each.name.startswith("."))
    folders = [each for each in inside if each.is_dir()]
    train, test, val = ([each for each in folders if each.name.lower() in s] for s in SPLITS)
    if not train or not (test or val or folders == train):
        return [path]
    for same in (train, test, val):
        if len(same) > 1:
            raise InputError(f"{path} holds {same[0].name} and {same[1].name}: leave one of them")
    parts = train + (test or val)
    if beside := [each for each in inside if each not in parts]:
        say(f"{path}: left out beside {_listed(parts, path)}: {_listed(beside, path)}")
    return parts


def _list_pictures(folder: Path) -> tuple[list[Path], list[str] | None]:
    """All pictures in a folder, and their labels, if all have one: in which folder in it they are.

    Nothing hidden is a picture. What is left out is said in a line.
    """
    depth, files, left_out = len(folder.parts), [], []
    for child in folder.iterdir():
        below = _files(child)
        left_out += [] if below or child.name.startswith(".") else [child]
        for file in below:
            hidden = any(part.startswith(".") for part in file.parts[depth:])
            picture = file.suffix.lower() in PICTURES and file.is_file()
            if picture and not hidden:
                files.append(file)
            elif picture or not hidden:
                left_out.append(file)
    if not files:
        raise InputError(f"{folder} holds no pictures ({', '.join(PICTURES)})")
    if left_out:
        say(f"{folder}: left out, hidden or no pictures: {_listed(sorted(left_out), folder)}")
    files.sort(key=lambda file: file.parts)
    loose = [file for file in files if file.parent == folder]
    if loose and len(loose) < len(files):
        say(
            f"{folder}: no labels, since some are in no folder of a label: {_listed(loose, folder)}"
        )
    if loose:
        return files, None
    return files, [file.parts[depth] for file in files]


def _files(path: Path) -> list[Path]:
    """The file itself, or all below a folder, through links, too, but not up, and nowhere twice."""
    if not path.is_dir():
        return [path]
    found: list[Path] = []
    todo, seen = [path], set()
    while todo:
        path = todo.pop()
        real, here = path.resolve(), path.parent.resolve() / path.name
        if real not in seen and real not in here.parents:
            seen.add(real)
            with os.scandir(path) as entries:  # which know what they are
                for entry in entries:
                    (todo if entry.is_dir() else found).append(path / entry.name)
    return found


def _listed(paths: Sequence[Path], folder: Path) -> str:
    """The first few paths as seen from a folder, and how many there are."""
    shown = ", ".join(str(path.relative_to(folder)) for path in paths[:3])
    return shown if len(paths) <= 3 else f"{shown}, ... ({len(paths)} in all)"
