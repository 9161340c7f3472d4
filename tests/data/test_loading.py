"""Data sets by name or path; the embedded digits."""

from difflib import SequenceMatcher
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np

from numpyvae.data import loading
from numpyvae.data.loading import load_dataset


def test_digits_are_split_and_sized_as_promised():
    digits = load_dataset()
    assert digits.name == "digits"
    assert digits.image_shape == (28, 28)
    assert digits.train_images.shape == (1415, 784)
    assert digits.test_images.shape == (382, 784)
    assert digits.train_images.dtype == digits.test_images.dtype == np.uint8
    assert digits.train_labels is not None
    assert digits.test_labels is not None
    assert digits.train_labels[:10].tolist() == list(range(10))
    assert digits.test_labels.shape == (382,)
    assert digits.train_images.max() == 255


def test_nobody_wrote_training_digits_and_test_digits():
    """All sheets have the same labels, and are told apart by their hands.

    Half a sheet is much nearer to its other half than to any other sheet. So it shows where a
    sheet ends, and that no hand has two of them.
    """
    digits = load_dataset()
    images = np.concatenate([digits.train_images, digits.test_images]).astype(float) / 255
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    sheets = [0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667, 1797]
    assert len(digits.train_images) in sheets
    first, *others = (labels[start:end] for start, end in pairwise(sheets))
    for labels_of_sheet in others:
        same = SequenceMatcher(None, first.tolist(), labels_of_sheet.tolist(), autojunk=False)
        assert same.ratio() > 0.95

    def apart(some: slice, others: slice) -> float:
        """The squared distance between what two ranges have of a digit, without its noise."""
        distances = []
        for digit in range(10):
            a, b = (images[part][labels[part] == digit] for part in (some, others))
            noise = a.var(0, ddof=1).sum() / len(a) + b.var(0, ddof=1).sum() / len(b)
            distances.append(np.square(a.mean(0) - b.mean(0)).sum() - noise)
        return float(np.mean(distances))

    ranges = [slice(*pair) for pair in pairwise(sheets)]
    halves = [(slice(s, (s + e) // 2), slice((s + e) // 2, e)) for s, e in pairwise(sheets)]
    within = max(apart(*pair) for pair in halves)
    between = min(apart(*pair) for pair in combinations(ranges, 2))
    assert between > 2 * within


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
