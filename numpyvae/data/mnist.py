"""MNIST and Fashion-MNIST: found on disk or downloaded, and read."""

import gzip
import math
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

from ..errors import InputError
from ..functional import Array
from .dataset import Dataset
from .files import StrPath, reading, user_path
from .npz import fill

IDX_FILES = (  # of both
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
IDX_MAX_ITEMS = 70_000  # more than either holds; a header announcing more is damaged


class Source(NamedTuple):
    """Where a data set is found. ``md5`` and ``sizes`` are those of its four files, compressed."""

    mirrors: tuple[str, ...]
    torchvision_folder: str
    first_test_labels: bytes  # by which it is known: both have the same names of files
    md5: tuple[str, ...]
    sizes: tuple[int, ...]


SOURCES = {
    "mnist": Source(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        "MNIST/raw",
        bytes([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]),
        (
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        (9_912_422, 28_881, 1_648_877, 4_542),
    ),
    "fashion-mnist": Source(
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        "FashionMNIST/raw",
        bytes([9, 2, 1, 1, 6, 1, 4, 6, 5, 7]),
        (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        (26_421_880, 29_515, 4_422_102, 5_148),
    ),
}


def load_mnist(name: str, data_dir: StrPath | None) -> Dataset:
    folder = user_path(data_dir or "")
    folders = [folder / SOURCES[name].torchvision_folder, folder / name, folder]
    paths = find_files(name, IDX_FILES, folders) if data_dir else _download(name)
    train_images, train_labels = read_images_and_labels(paths[:2])
    test_images, test_labels = read_images_and_labels(paths[2:])
    for other, source in SOURCES.items():
        if other != name and test_labels[:10].tobytes() == source.first_test_labels:
            raise InputError(f"the files in {paths[3].parent} are those of {other}, not of {name}")
    found_in = str(folder.absolute()) if data_dir else None
    return Dataset(name, train_images, train_labels, test_images, test_labels, (28, 28), found_in)


def find_files(name: str, files: Sequence[str], folders: Sequence[Path]) -> list[Path]:
    """The files, plain or .gz, in the first of the folders that holds them all."""
    for folder in folders:
        paths = [_plain_or_gz(folder / file) for file in files]
        if all(map(os.path.isfile, paths)):
            return paths
    emnist = {
        file.name.split("-train-")[0]
        for folder in folders
        for file in folder.glob("emnist-*-train-images-*")
    }
    raise InputError(
        f"{name} not found: none of the folders {', '.join(map(str, folders))} "
        f"holds the four files {', '.join(files)} (each plain or .gz)"
        + (f"; there are those of {', '.join(sorted(emnist))}" if emnist else "")
    )


def _plain_or_gz(path: Path) -> Path:
    return path if os.path.isfile(path) else path.with_name(f"{path.name}.gz")


def _download(name: str) -> list[Path]:
    """The four files in the user's cache, fetched first where missing there or damaged."""
    import pooch

    pooch.get_logger().setLevel("CRITICAL")
    folder = Path(pooch.os_cache("numpyvae")) / name
    known = zip(IDX_FILES, SOURCES[name].md5, SOURCES[name].sizes, strict=True)
    return [_fetch(name, f"{file}.gz", f"md5:{md5}", size, folder) for file, md5, size in known]


def _fetch(name: str, file: str, known_hash: str, size: int, folder: Path) -> Path:
    import pooch
    from requests import RequestException

    def download(url: str, path: str, _: pooch.Pooch) -> None:
        _download_file(url, path, size)

    for mirror in SOURCES[name].mirrors:
        try:
            path = pooch.retrieve(mirror + file, known_hash, file, folder, downloader=download)
            return Path(path)
        except (RequestException, ValueError):  # unreachable, or not the file it should be
            continue
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
    hosts = " or ".join(urlsplit(mirror).netloc for mirror in SOURCES[name].mirrors)
    raise InputError(
        f"cannot download {file} of {name} from {hosts}: put the four files into a folder "
        "given as --data-dir DIR or NUMPYVAE_DATA; --dataset digits needs no download"
    )


def _download_file(url: str, path: str, size: int) -> None:
    """Writes what ``url`` sends to ``path``, but no more than ``size`` bytes of it."""
    import requests
    from tqdm import tqdm

    with (
        requests.get(url, stream=True, timeout=30) as response,
        open(path, "wb") as stream,
        tqdm(total=size, unit="B", unit_scale=True, disable=None) as bar,
    ):
        response.raise_for_status()
        for chunk in response.iter_content(1 << 16):
            stream.write(chunk)
            bar.update(len(chunk))
            if stream.tell() > size:
                raise ValueError(f"it sends more than {size} bytes")


def read_images_and_labels(paths: Sequence[Path], most: int = IDX_MAX_ITEMS) -> tuple[Array, Array]:
    """Images (N, 784) and labels (N,), uint8, at most so many, each in a file of its own."""
    images_path, labels_path = paths
    images, labels = _read_idx(images_path, (28, 28), most), _read_idx(labels_path, (), most)
    if len(images) != len(labels):
        raise InputError(f"{labels_path} has {len(labels)} labels for {len(images)} images")
    return images.reshape(len(images), 28 * 28), labels


def _read_idx(path: Path, item_shape: tuple[int, ...], most: int = IDX_MAX_ITEMS) -> Array:
    """Reads an idx file of uint8 items: magic number, number of items, item shape, then the data.

    http://yann.lecun.com/exdb/mnist/ describes the format. The data go straight into the array.
    """
    with reading(path) as file, gzip.open(file) if path.suffix == ".gz" else file as stream:
        form = f">{2 + len(item_shape)}I"
        magic, count, *shape = struct.unpack(form, stream.read(struct.calcsize(form)))
        if magic != 0x0801 + len(item_shape) or tuple(shape) != item_shape:  # 08: uint8, 01: axes
            raise ValueError(f"magic number {magic:#x} and item shape {shape} are not as expected")
        if not 1 <= count <= most:
            raise ValueError(f"it announces {count} items, not 1 to {most}")
        data = np.empty(count * math.prod(item_shape), np.uint8)
        fill(data, stream.read)
        if stream.read(1):
            raise ValueError("there is more in it after its last item")
    return data.reshape(count, *item_shape)
