"""Data sets by name or path."""

import os
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..functional import Array
from .dataset import Dataset
from .files import StrPath
from .mnist import MIRRORS, load_mnist
from .npz import read_npz
from .own import load_own


def load_dataset(name: StrPath = "digits", data_dir: StrPath | None = None) -> Dataset:
    """Loads a data set by its name, or your own images by their path.

    - "digits": 1797 handwritten digits, part of numpyvae; the first 1500 are for training.
    - "mnist", "fashion-mnist": from the folder ``data_dir``, or else the one that the environment
      variable NUMPYVAE_DATA names: plain or .gz files, directly in it, in its subfolder of that
      name, or where torchvision puts them. Without such a folder they are downloaded once, into
      the user's cache.
    - a path to a .npy or .npz file: images (N, H, W) or (N, D), N >= 2, uint8 or floats in
      [0, 1]. A .npz file holds them as ``images``, with ``labels`` (N,) if it likes, or as its only
      array. The last tenth of them, at least one, is held out for testing. Rows of D pixels are
      taken as square images where D is a square, and as images of height 1 where not.

    Raises:
        InputError: the name is unknown, or the files are missing, damaged or unfit.
    """
    if name == "digits":
        return _load_digits()
    if name in MIRRORS:
        return load_mnist(str(name), data_dir or os.environ.get("NUMPYVAE_DATA"))
    if Path(name).suffix in (".npy", ".npz"):
        return load_own(Path(name))
    known = ", ".join(["digits", *MIRRORS])
    raise InputError(f"unknown data set {name}: give {known}, or a path ending in .npy or .npz")


def _load_digits() -> Dataset:
    arrays = read_npz(Path(__file__).with_name("digits.npz"))
    images, labels = _enlarge(arrays["images"]), arrays["labels"]
    return Dataset("digits", images[:1500], labels[:1500], images[1500:], labels[1500:], (28, 28))


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
