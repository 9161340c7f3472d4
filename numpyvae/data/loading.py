"""Data sets by name or path."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..functional import Array
from .dataset import Dataset
from .emnist import CLASSES, load_emnist
from .files import StrPath, user_path
from .mnist import SOURCES, load_mnist
from .npz import read_npz
from .own import load_file, load_folder
from .pixels import in_words

# Everybody wrote the same 130 digits onto one sheet, of which a few are missing, and the sheets lie
# one behind the other. The twelfth of the fourteen begins here.
TRAINING_DIGITS = 1415


def load_dataset(
    name: StrPath = "digits",
    data_dir: StrPath | None = None,
    image_size: tuple[int, int] | None = None,
    colour: bool = False,
) -> Dataset:
    """Loads a data set by its name, or your own images by their path.

    - "digits": 1797 handwritten digits, part of numpyvae: 1415 by eleven people for training,
      382 by three others.
    - "mnist", "fashion-mnist": from the folder ``data_dir``, or else the one that the environment
      variable NUMPYVAE_DATA names: plain or .gz files, directly in it, in its subfolder of that
      name, or where torchvision puts them. Without such a folder they are downloaded once, into
      the user's cache.
    - "emnist-balanced", "emnist-byclass", "emnist-bymerge", "emnist-digits", "emnist-letters",
      "emnist-mnist": from such a folder, too; they are not downloaded. Their files hold every image
      transposed, which is undone.
    - a path to a .npy or .npz file, relative to ``data_dir`` where that is given: arrays as
      ``Dataset.from_arrays`` takes them. A .npz file holds them as ``images``, ``labels``,
      ``test_images`` and ``test_labels``, or as ``x_train``, ``y_train``, ``x_test`` and
      ``y_test``, or as ``train_images``, ``train_labels`` and so on, the first or all. A large
      .npy file of uint8 or float32 stays on disk, and is read minibatch by minibatch.
    - a path to a folder of pictures: directly in it, or in a folder for each label, or in folders
      ``train`` and ``test`` (or ``val``) of one or the other kind. They are turned upright;
      transparency becomes white; 16 bits become floats; every page of a TIFF is one.
      What is left out, such as hidden pictures, is said (``InputWarning``).

    Args:
        name: as above.
        data_dir: where the files lie.
        image_size: (height, width). Pictures of a folder are scaled to fill it, and cropped in the
            middle; without it, all must have one size. Other images must have this size.
        colour: keeps the colours of your own images; where no picture has any, they stay grey.
            Without it pictures become grey, which is said, and arrays in colour are refused.

    Raises:
        InputError: the name is unknown, or the files are missing, damaged or unfit.
    """
    if isinstance(name, np.ndarray):
        raise InputError("load_dataset takes a name or a path; Dataset.from_arrays takes arrays")
    if name == "digits":
        data = _load_digits()
    elif name in SOURCES:
        data = load_mnist(str(name), data_dir or os.environ.get("NUMPYVAE_DATA"))
    elif name in CLASSES:
        data = load_emnist(str(name), data_dir or os.environ.get("NUMPYVAE_DATA"))
    else:
        data = _load_own(Path(name), data_dir, image_size, colour)
    if image_size is not None and image_size != data.image_shape[:2]:
        raise InputError(
            f"{name} has images of {in_words(data.image_shape[:2])}, not {image_size[0]} x "
            f"{image_size[1]}; only a folder of pictures is scaled"
        )
    return data


def _load_own(
    name: Path, data_dir: StrPath | None, image_size: tuple[int, int] | None, colour: bool
) -> Dataset:
    path = user_path(data_dir or "") / user_path(name)
    if path.is_dir():
        data = load_folder(path, str(name), image_size, colour)
    elif path.suffix in (".npy", ".npz"):
        data = load_file(path, str(name), colour)
    else:
        known = ", ".join(["digits", *SOURCES, *CLASSES])
        raise InputError(
            f"unknown data set {name}: give {known}, or the path of a .npy or .npz file or of a "
            "folder of pictures"
        )
    folder = user_path(data_dir or "").absolute()
    return data if user_path(name).is_absolute() else replace(data, data_dir=str(folder))


def _load_digits() -> Dataset:
    arrays = read_npz(Path(__file__).with_name("digits.npz"))
    images, labels = _enlarge(arrays["images"]), arrays["labels"]
    train, test = slice(TRAINING_DIGITS), slice(TRAINING_DIGITS, None)
    return Dataset("digits", images[train], labels[train], images[test], labels[test], (28, 28))


def _enlarge(images: Array) -> Array:
    """Digits of 8 x 8 pixels in 0..16, (N, 8, 8), as 28 x 28 pixels in 0..255, (N, 784) uint8.

    Bilinear interpolation to 24 x 24, inside a border of 2 black pixels. Along one axis, output
    pixel i has its centre at (i + 1/2) / 3 - 1/2 on the input's scale and draws on the two input
    pixels around it, each with weight 1 - distance; beyond the edges it draws on the edge pixel.
    """
    centres = np.clip((np.arange(24) + 0.5) / 3 - 0.5, 0, 7)
    resize = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(8)))  # (24, 8)
    enlarged = np.rint(resize @ images @ resize.T * (255 / 16)).astype(np.uint8)
    return np.pad(enlarged, [(0, 0), (2, 2), (2, 2)]).reshape(len(images), 28 * 28)
