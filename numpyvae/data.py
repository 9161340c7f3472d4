"""Datasets as arrays: the embedded digits, MNIST and Fashion-MNIST, and images of your own.

Images stay as they are stored, one row of pixels each, and become floats batch by batch.
"""

import gzip
import math
import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import InputError
from .files import StrPath
from .npz import fill, read_npy, read_npz, reading

Array = NDArray[Any]

# MNIST and Fashion-MNIST are each four files of these names
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
IDX_MAX_ITEMS = 70_000  # more than either holds; a header announcing more is damaged
MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "fashion-mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
}
MD5 = {  # of each file, compressed
    "mnist": (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    "fashion-mnist": (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
}
TORCHVISION_FOLDER = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw"}
FIRST_TEST_LABELS = {
    "mnist": bytes([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]),
    "fashion-mnist": bytes([9, 2, 1, 1, 6, 1, 4, 6, 5, 7]),
}


@dataclass(frozen=True)
class Dataset:
    """Images of one size, as rows of D = height * width pixels, with labels where there are any.

    Images are uint8 in 0..255, or float32 in [0, 1] where a user's own images are floats.
    """

    name: str
    train_images: Array  # (N, D)
    train_labels: Array | None  # (N,) uint8
    test_images: Array  # (M, D)
    test_labels: Array | None  # (M,) uint8
    image_shape: tuple[int, int]  # (height, width)


def load_dataset(name: StrPath = "digits", data_dir: StrPath | None = None) -> Dataset:
    """Load a data set by its name, or your own images by their path.

    - "digits": 1797 handwritten digits, part of numpyvae; the first 1500 are for training.
    - "mnist", "fashion-mnist": from the folder `data_dir`, or else the one that the environment
      variable NUMPYVAE_DATA names: plain or .gz files, directly in it, in its subfolder of that
      name, or where torchvision puts them. Without such a folder they are downloaded once, into
      the user's cache.
    - a path to a .npy or .npz file: images (N, H, W) or (N, D), N >= 2, uint8 or floats in
      [0, 1]. A .npz file holds them as `images`, with `labels` (N,) if it likes, or as its only
      array. The last tenth of them, at least one, is held out for testing. Rows of D pixels are
      taken as square images where D is a square, and as images of height 1 where not.

    Raises InputError where the name is unknown or the files are missing, damaged or unfit.
    """
    if name == "digits":
        return _load_digits()
    if name in MIRRORS:
        return _load_idx(str(name), data_dir or os.environ.get("NUMPYVAE_DATA"))
    if Path(name).suffix in (".npy", ".npz"):
        return _load_own(Path(name))
    known = ", ".join(["digits", *MIRRORS])
    raise InputError(f"unknown data set {name}: give {known}, or a path ending in .npy or .npz")


def as_floats(images: Array, dtype: DTypeLike = np.float32, out: Array | None = None) -> Array:
    """Pixels as floats in [0, 1]: uint8 divided by 255, floats as they are.

    The result has type `dtype`, or is `out`, of any float type, where that is given.
    """
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise InputError(f"images must be uint8 or floats, not {images.dtype}")
    white = 255 if images.dtype == np.uint8 else 1
    return np.divide(images, white, out=out, dtype=dtype if out is None else out.dtype)


def minibatches(
    images: Array, batch_size: int, dtype: DTypeLike, rng: np.random.Generator | None = None
) -> Iterator[Array]:
    """Yield all `images`, (N, D), as floats in [0, 1], (batch_size, D) at a time, the rest last.

    In an order drawn from `rng` once, at the first batch; in their own order without `rng`.
    Every batch lies in the same buffer, so it is valid only until the next one is asked for.
    """
    order = np.arange(len(images)) if rng is None else rng.permutation(len(images))
    rows = np.empty((min(batch_size, len(images)), images.shape[1]), images.dtype)
    floats = np.empty(rows.shape, dtype)
    for start in range(0, len(images), batch_size):
        chosen = order[start : start + batch_size]
        batch = rows[: len(chosen)]
        np.take(images, chosen, axis=0, out=batch, mode="clip")  # "raise" would copy `batch`
        yield as_floats(batch, out=floats[: len(chosen)])


# The embedded digits


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


# MNIST and Fashion-MNIST


def _load_idx(name: str, data_dir: StrPath | None) -> Dataset:
    paths = _find(name, Path(data_dir)) if data_dir else _download(name)
    train_images, train_labels = _read_images_and_labels(*paths[:2])
    test_images, test_labels = _read_images_and_labels(*paths[2:])
    for other, first_labels in FIRST_TEST_LABELS.items():
        if other != name and test_labels[:10].tobytes() == first_labels:  # same file names!
            raise InputError(f"the files in {paths[3].parent} are those of {other}, not of {name}")
    return Dataset(name, train_images, train_labels, test_images, test_labels, (28, 28))


def _find(name: str, data_dir: Path) -> list[Path]:
    """The four files on disk, in the first folder that holds them all."""
    folders = [data_dir / TORCHVISION_FOLDER[name], data_dir / name, data_dir]
    for folder in folders:
        paths = [_plain_or_gz(folder / file) for file in IDX_FILES]
        if all(map(os.path.isfile, paths)):
            return paths
    raise InputError(
        f"{name} not found: none of the folders {', '.join(map(str, folders))} "
        f"holds the four files {', '.join(IDX_FILES)} (each plain or .gz)"
    )


def _plain_or_gz(path: Path) -> Path:
    return path if os.path.isfile(path) else path.with_name(f"{path.name}.gz")


def _download(name: str) -> list[Path]:
    """The four files in the user's cache, fetched first where missing there or damaged."""
    import pooch

    pooch.get_logger().setLevel("CRITICAL")
    folder = Path(pooch.os_cache("numpyvae")) / name
    hashes = zip(IDX_FILES, MD5[name], strict=True)
    return [_fetch(name, f"{file}.gz", f"md5:{md5}", folder) for file, md5 in hashes]


def _fetch(name: str, file: str, known_hash: str, folder: Path) -> Path:
    import pooch
    from requests import RequestException

    progressbar = sys.stderr.isatty()
    for mirror in MIRRORS[name]:
        try:
            path = pooch.retrieve(mirror + file, known_hash, file, folder, progressbar=progressbar)
            return Path(path)
        except (RequestException, ValueError):  # unreachable, or not the file it should be
            continue
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
    hosts = " or ".join(urlsplit(mirror).netloc for mirror in MIRRORS[name])
    raise InputError(
        f"cannot download {file} of {name} from {hosts}: put the four files into a folder "
        "given as --data-dir DIR or NUMPYVAE_DATA; --dataset digits needs no download"
    )


def _read_images_and_labels(images_path: Path, labels_path: Path) -> tuple[Array, Array]:
    images, labels = _read_idx(images_path, (28, 28)), _read_idx(labels_path, ())
    if len(images) != len(labels):
        raise InputError(f"{labels_path} has {len(labels)} labels for {len(images)} images")
    return images.reshape(len(images), 28 * 28), labels


def _read_idx(path: Path, item_shape: tuple[int, ...]) -> Array:
    """Read an idx file of uint8 items: magic number, number of items, item shape, then the data.

    http://yann.lecun.com/exdb/mnist/ describes the format. The data go straight into the array.
    """
    with reading(path), gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as stream:
        form = f">{2 + len(item_shape)}I"
        magic, count, *shape = struct.unpack(form, stream.read(struct.calcsize(form)))
        if magic != 0x0801 + len(item_shape) or tuple(shape) != item_shape:  # 08: uint8, 01: axes
            raise ValueError(f"magic number {magic:#x} and item shape {shape} are not as expected")
        if not 1 <= count <= IDX_MAX_ITEMS:
            raise ValueError(f"it announces {count} items, not 1 to {IDX_MAX_ITEMS}")
        data = np.empty(count * math.prod(item_shape), np.uint8)
        fill(data, stream.read)
        if stream.read(1):
            raise ValueError("there is more in it after its last item")
    return data.reshape(count, *item_shape)


# A user's own images


def _load_own(path: Path) -> Dataset:
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
