"""A data set as arrays, and its minibatches.

Images stay as they are stored, one row of pixels each, and become floats batch by batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from ..errors import InputError
from ..functional import Array


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        counts = f"{len(self.train_images)} training and {len(self.test_images)} test images"
        height, width = self.image_shape
        labels = "without labels" if self.train_labels is None else "with labels"
        kind = self.train_images.dtype
        return f"<Dataset {self.name}: {counts} of {height} x {width} pixels, {kind}, {labels}>"


def as_floats(images: Array, dtype: DTypeLike = np.float32, out: Array | None = None) -> Array:
    """Pixels as floats in [0, 1]: uint8 divided by 255, floats as they are.

    The result has type ``dtype``, or is ``out``, of any float type, where that is given.
    """
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise InputError(f"images must be uint8 or floats, not {images.dtype}")
    white = 255 if images.dtype == np.uint8 else 1
    return np.divide(images, white, out=out, dtype=dtype if out is None else out.dtype)


def minibatches(
    images: Array, batch_size: int, dtype: DTypeLike, rng: np.random.Generator | None = None
) -> Iterator[Array]:
    """Yields all ``images``, (N, D), as floats in [0, 1], (batch_size, D) at a time, the rest last.

    In an order drawn from ``rng`` once, at the first batch; in their own order without ``rng``.
    Every batch lies in the same buffer, so it is valid only until the next one is asked for.
    """
    order = np.arange(len(images)) if rng is None else rng.permutation(len(images))
    rows = np.empty((min(batch_size, len(images)), images.shape[1]), images.dtype)
    floats = np.empty(rows.shape, dtype)
    for start in range(0, len(images), batch_size):
        chosen = order[start : start + batch_size]
        batch = rows[: len(chosen)]
        np.take(images, chosen, axis=0, out=batch, mode="clip")  # "raise" would copy ``batch``
        yield as_floats(batch, out=floats[: len(chosen)])
