"""EMNIST, handwritten digits and letters, whose files hold every image transposed.

https://www.nist.gov/itl/products-and-services/emnist-dataset describes it; Cohen et al. (2017)
made it, from the same forms as MNIST.
"""

from string import ascii_lowercase, ascii_uppercase, digits

import numpy as np

from ..errors import InputError
from ..functional import Array
from .dataset import Dataset
from .files import StrPath, user_path
from .mnist import find_files, read_images_and_labels

MOST_ITEMS = 814_255  # in all of it
MERGED = digits + ascii_uppercase + "abdefghnqrt"  # the other small letters look like capitals
CLASSES = {  # of each part, in the order of its labels; "" are numbers
    "emnist-balanced": MERGED,
    "emnist-byclass": digits + ascii_uppercase + ascii_lowercase,
    "emnist-bymerge": MERGED,
    "emnist-digits": "",
    "emnist-letters": "-" + ascii_lowercase,  # from 1 on
    "emnist-mnist": "",
}
PARTS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "test-images-idx3-ubyte",
    "test-labels-idx1-ubyte",
)


def load_emnist(name: str, data_dir: StrPath | None) -> Dataset:
    """The images upright: from ``data_dir``, where the archive of NIST or torchvision puts them."""
    if not data_dir:
        raise InputError(
            f"{name} is not downloaded, being half a gigabyte: get gzip.zip from NIST, and give "
            "the folder of its files as --data-dir DIR or NUMPYVAE_DATA"
        )
    folder = user_path(data_dir)
    files = [f"{name}-{part}" for part in PARTS]
    paths = find_files(name, files, [folder / "EMNIST/raw", folder / "gzip", folder / name, folder])
    train_images, train_labels = read_images_and_labels(paths[:2], MOST_ITEMS)
    test_images, test_labels = read_images_and_labels(paths[2:], MOST_ITEMS)
    return Dataset(
        name,
        _upright(train_images),
        train_labels,
        _upright(test_images),
        test_labels,
        (28, 28),
        str(folder.absolute()),
        tuple(CLASSES[name]) or None,
    )


def _upright(images: Array) -> Array:
    return np.ascontiguousarray(images.reshape(-1, 28, 28).swapaxes(1, 2)).reshape(-1, 28 * 28)
