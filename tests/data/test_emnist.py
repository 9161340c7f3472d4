"""EMNIST: its own names, and images that its files hold transposed."""

import gzip
import struct

import numpy as np
import pytest

from numpyvae.data import emnist
from numpyvae.data.emnist import CLASSES, PARTS
from numpyvae.data.loading import load_dataset

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (9, 28, 28), np.uint8)
LABELS = np.arange(1, 10, dtype=np.uint8)


def idx(array):
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def put(folder, name, compress=gzip.compress):
    """Files as NIST has them: six images for training and three for testing."""
    folder.mkdir(parents=True, exist_ok=True)
    transposed = IMAGES.transpose(0, 2, 1)
    arrays = (transposed[:6], LABELS[:6], transposed[6:], LABELS[6:])
    for part, array in zip(PARTS, arrays, strict=True):
        suffix = ".gz" if compress is gzip.compress else ""
        (folder / f"{name}-{part}{suffix}").write_bytes(compress(idx(array)))


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("layout", ["EMNIST/raw", "gzip", "emnist-letters", "."])
def test_images_are_upright(tmp_path, monkeypatch, name, layout):
    put(tmp_path / layout.replace("emnist-letters", name), name)
    data = load_dataset(name, tmp_path)
    np.testing.assert_array_equal(data.train_images, IMAGES[:6].reshape(6, 784))
    np.testing.assert_array_equal(data.test_images, IMAGES[6:].reshape(3, 784))
    np.testing.assert_array_equal(data.train_labels, LABELS[:6])
    np.testing.assert_array_equal(data.test_labels, LABELS[6:])
    assert (data.name, data.image_shape, data.data_dir) == (name, (28, 28), str(tmp_path))
    monkeypatch.setenv("NUMPYVAE_DATA", str(tmp_path))
    assert load_dataset(name).identity() == data.identity()


def test_letters_have_names(tmp_path):
    put(tmp_path, "emnist-letters", bytes)
    data = load_dataset("emnist-letters", tmp_path)
    assert [data.name_of(label) for label in data.test_labels] == ["g", "h", "i"]
    put(tmp_path, "emnist-digits")
    assert load_dataset("emnist-digits", tmp_path).name_of(7) == "7"
    assert {name: len(classes) for name, classes in CLASSES.items() if classes} == {
        "emnist-balanced": 47,
        "emnist-byclass": 62,
        "emnist-bymerge": 47,
        "emnist-letters": 27,
    }


def test_where_the_files_are_must_be_said_and_true(refused, tmp_path):
    refused("emnist-letters is not downloaded.*: get gzip.zip from NIST", "emnist-letters")
    refused("emnist-letters not found.*emnist-letters-train-images", "emnist-letters", tmp_path)
    put(tmp_path, "emnist-letters")
    put(tmp_path, "emnist-digits")
    refused("there are those of emnist-digits, emnist-letters$", "mnist", tmp_path)
    (tmp_path / f"emnist-letters-{PARTS[3]}.gz").write_bytes(gzip.compress(idx(LABELS)))
    refused("9 labels for 3 images", "emnist-letters", tmp_path)


def test_there_may_be_more_of_them_than_of_mnist(refused, tmp_path):
    put(tmp_path, "emnist-letters")
    for count, said in ((emnist.MOST_ITEMS, "it ends after"), (emnist.MOST_ITEMS + 1, "announces")):
        header = struct.pack(">2I", 0x801, count)
        (tmp_path / f"emnist-letters-{PARTS[1]}.gz").write_bytes(gzip.compress(header))
        refused(said, "emnist-letters", tmp_path)
