"""A data set as arrays, and its minibatches.

Images stay as they are stored, one row of pixels each, and become floats batch by batch.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..errors import InputError
from ..functional import Array
from .labels import as_labels, number_names
from .npz import scattered
from .pixels import ImageShape, as_array, as_rows, check_range, image_shape_of, in_words

MOST_HELD_OUT = 10_000  # images, when none are given for testing
MOST_SUMMED, SUMMED = 1 << 30, 1000  # bytes; of more a checksum takes only so many images
AHEAD = 64  # minibatches that the system is asked for before it is their turn,
MOST_AHEAD = 1 << 25  # and so many bytes at most, for they push others out of its memory


@dataclass(frozen=True, repr=False)
class Dataset:
    """Images of one size, as rows of D numbers, with labels where there are any.

    A row holds the pixels in the order of reading: D = height * width numbers, or 3 times as many
    in colour, red, green and blue of each pixel.

    Images are uint8 in 0..255, or floats in [0, 1] where a user's own images are floats.
    Labels are whole numbers; ``label_names`` has a name for each from 0 on, where they have names.
    ``data_dir`` is the folder where the files were found, absolute, and None where there were none.

    Raises:
        InputError: the arrays contradict this or each other.
    """

    name: str
    train_images: Array  # (N, D)
    train_labels: Array | None  # (N,) unsigned
    test_images: Array  # (M, D)
    test_labels: Array | None  # (M,) unsigned
    image_shape: ImageShape  # (height, width), or (height, width, 3) in colour
    data_dir: str | None = None
    label_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        size = prod(image_shape_of(self.image_shape))
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if not isinstance(images, np.ndarray) or images.shape[1:] != (size,):
                raise InputError(
                    f"{part}_images must be an array of rows of {size} numbers, (N, {size}), got "
                    f"{np.shape(images)}; Dataset.from_arrays takes others"
                )
            if len(images) == 0 or (images.dtype != np.uint8 and images.dtype.kind != "f"):
                raise InputError(
                    f"{part}_images must be uint8 or floats, at least one image, got "
                    f"{len(images)} of {images.dtype}"
                )
            check_range(images)
            if labels is not None and np.shape(labels) != (len(images),):
                raise InputError(
                    f"{part}_labels must be ({len(images)},), one for each image, got "
                    f"{np.shape(labels)}"
                )
            if self.label_names and labels is not None and max(labels) >= len(self.label_names):
                raise InputError(
                    f"{part}_labels go up to {max(labels)}, beyond {len(self.label_names)} names"
                )

    @classmethod
    def from_arrays(
        cls,
        images: ArrayLike,
        labels: ArrayLike | None = None,
        test_images: ArrayLike | None = None,
        test_labels: ArrayLike | None = None,
        name: str = "images",
        copy: bool = True,
        colour: bool = False,
    ) -> Dataset:
        """A data set of arrays in memory.

        Args:
            images: (N, H, W), (N, 1, H, W), (N, H, W, 1), or (N, D) where D is a square; uint8,
                other whole numbers in 0..255, booleans, or floats in [0, 1].
            labels: (N,) whole numbers from 0, or names, which are numbered as people count.
            test_images, test_labels: the same. Without them, a tenth of ``images``, at least one
                and at most 10,000, is held out for testing: a random tenth, always the same.
            name: what ``Config(dataset=...)`` calls it.
            copy: False lets ``images`` be put in another order, in place, where that can be done;
                otherwise nothing that is given is ever written to.
            colour: takes (N, H, W, 3) and (N, 3, H, W), too, red, green and blue, and keeps them;
                without it they are refused. Grey images stay grey.

        Raises:
            InputError: an array is anything else; the message says what to do.
        """
        given = as_array(images, "images")
        rows, image_shape = as_rows(given, test_images, colour)
        checked = as_labels(labels, len(rows))
        if test_images is None:
            checked, _, names = number_names(checked, None)
            if len(rows) < 2:
                raise InputError("one image alone: give at least two, one is held out for testing")
            if test_labels is not None:
                raise InputError("test labels without test images: give both or none")
            if not rows.flags.writeable or (copy and np.may_share_memory(rows, given)):
                rows = rows.copy()
            n = _hold_out(rows, checked)
            parts = (None, None) if checked is None else (checked[:n], checked[n:])
            return cls(name, rows[:n], parts[0], rows[n:], parts[1], image_shape, None, names)
        test_rows, test_shape = as_rows(test_images, given, colour)
        if test_shape != image_shape:
            raise InputError(
                f"images of {in_words(image_shape)}, but test images of {in_words(test_shape)}"
            )
        checked_test = as_labels(test_labels, len(test_rows))
        checked, checked_test, names = number_names(checked, checked_test)
        return cls(name, rows, checked, test_rows, checked_test, image_shape, None, names)

    def __repr__(self) -> str:
        labels = "without labels" if self.train_labels is None else "with labels"
        return f"<Dataset {self.name}: {self.describe()}, {self.train_images.dtype}, {labels}>"

    def name_of(self, label: int) -> str:
        """What a label is called: its name where it has one, or else the number."""
        return str(label) if self.label_names is None else self.label_names[label]

    def classes(self) -> dict[str, int]:
        """All labels of training images: from what each is called to its number."""
        if self.train_labels is None:
            return {}
        return {self.name_of(label): label for label in np.unique(self.train_labels).tolist()}

    def describe(self) -> str:
        """How many images of which size there are."""
        counts = f"{len(self.train_images)} training and {len(self.test_images)} test images"
        return f"{counts} of {in_words(self.image_shape)}"

    def identity(self) -> str:
        """Which images these are, whatever their files are called: how many, their size, and a
        checksum of their pixels, in words. Labels do not count, and the order of the images does.
        """
        digest = hashlib.blake2b(digest_size=8)
        for images in (self.train_images, self.test_images):
            every = 1 if images.nbytes <= MOST_SUMMED else len(images) // SUMMED or 1
            with scattered(images) as ask:
                if every > 1:
                    ask(np.arange(0, len(images), every))
                for image in images[::every]:
                    digest.update(np.ascontiguousarray(image).data)
        counts = f"{len(self.train_images)} + {len(self.test_images)} images"
        return f"{counts} of {in_words(self.image_shape)}, checksum {digest.hexdigest()}"


def as_floats(images: Array, dtype: DTypeLike = np.float32, out: Array | None = None) -> Array:
    """Pixels as floats in [0, 1]: uint8 divided by 255, floats as they are.

    The result has type ``dtype``, or is ``out``, of any float type, where that is given.

    Raises:
        InputError: the pixels are of another type, or floats outside [0, 1].
    """
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise InputError(f"images must be uint8 or floats, not {images.dtype}")
    check_range(images)
    white = 255 if images.dtype == np.uint8 else 1
    return np.divide(images, white, out=out, dtype=dtype if out is None else out.dtype)


def minibatches(
    images: Array, batch_size: int, dtype: DTypeLike, rng: np.random.Generator | None = None
) -> Iterator[Array]:
    """Yields all ``images``, (N, D), as floats in [0, 1], (batch_size, D) at a time, the rest last.

    In an order drawn from ``rng`` once, at the first batch; in their own order without ``rng``.
    Every batch lies in the same buffer, so it is valid only until the next one is asked for.
    Images in a mapped file are asked for some time before they are needed.
    """
    order = np.arange(len(images)) if rng is None else rng.permutation(len(images))
    rows = np.empty((min(batch_size, len(images)), images.shape[1]), images.dtype)
    floats = np.empty(rows.shape, dtype)
    ahead = min(AHEAD * batch_size, MOST_AHEAD // (rows[0].nbytes + mmap.PAGESIZE))
    in_order = nullcontext(lambda _: None)  # the system sees for itself what comes next
    with in_order if rng is None else scattered(images) as ask:
        ask(order[:ahead])
        for start in range(0, len(images), batch_size):
            chosen = order[start : start + batch_size]
            batch = rows[: len(chosen)]
            np.take(images, chosen, axis=0, out=batch, mode="clip")  # "raise" would copy ``batch``
            ask(order[start + ahead : start + ahead + batch_size])
            yield as_floats(batch, out=floats[: len(chosen)])


def _hold_out(images: Array, labels: Array | None) -> int:
    """Moves a random tenth of the images to the end, in place, always the same; says where it is.

    Every image that moves changes places with one from the end, so of a memory-mapped file only
    these are read.
    """
    n = len(images) - min(max(1, len(images) // 10), MOST_HELD_OUT)
    chosen = np.random.default_rng(0).choice(len(images), len(images) - n, replace=False)
    here, there = chosen[chosen < n], np.setdiff1d(np.arange(n, len(images)), chosen)
    with scattered(images) as ask:
        ask(chosen)
        ask(there)
        for array in (images, labels):
            if array is not None:
                array[here], array[there] = array[there], array[here]
    return n
