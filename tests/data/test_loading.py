"""Data sets by name or path; the embedded digits."""

from pathlib import Path

import numpy as np

from numpyvae.data import loading
from numpyvae.data.loading import load_dataset


def test_digits_are_split_and_sized_as_promised():
    digits = load_dataset()
    assert digits.name == "digits"
    assert digits.image_shape == (28, 28)
    assert digits.train_images.shape == (1500, 784)
    assert digits.test_images.shape == (297, 784)
    assert digits.train_images.dtype == digits.test_images.dtype == np.uint8
    assert digits.train_labels is not None
    assert digits.test_labels is not None
    assert digits.train_labels[:10].tolist() == list(range(10))
    assert digits.test_labels.shape == (297,)
    assert digits.train_images.max() == 255


def test_digits_match_an_interpolation_written_out():
    """Against numpy.interp, row by row and then column by column."""
    images = np.load(Path(loading.__file__).with_name("digits.npz"))["images"][[0, 1, 1796]]
    centres = (np.arange(24) + 0.5) * 8 / 24 - 0.5
    digits = load_dataset()
    rows = [digits.train_images[0], digits.train_images[1], digits.test_images[-1]]
    for image, row in zip(images, rows, strict=True):
        wide = np.array([np.interp(centres, range(8), line) for line in image])
        large = np.array([np.interp(centres, range(8), line) for line in wide.T]).T
        square = row.reshape(28, 28).astype(float)
        np.testing.assert_allclose(square[2:-2, 2:-2], large * 255 / 16, atol=0.5001)
        square[2:-2, 2:-2] = 0
        assert not square.any()


def test_unknown_names_and_missing_files(refused):
    message = refused("unknown data set cifar", "cifar")
    for part in ("digits", "mnist", "fashion-mnist", ".npy", ".npz"):
        assert part in message
    refused("unknown data set images.png", Path("images.png"))
    refused(r"no/such\.npy: No such file", "no/such.npy")
