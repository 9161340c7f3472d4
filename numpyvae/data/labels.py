"""Labels: a whole number for each image, and the names that some labels have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..functional import Array
from .pixels import as_array


def as_labels(labels: ArrayLike | None, count: int) -> Array | None:
    """A label for each of ``count`` images, (N,) or (N, 1) whole numbers or names, as (N,).

    Numbers become the smallest unsigned type that holds them, names the type str.

    Raises:
        InputError: they are anything else.
    """
    if labels is None:
        return None
    labels = as_array(labels, "labels")
    if labels.dtype.kind in "ST" or all(isinstance(label, str) for label in labels.flat):
        with suppress(UnicodeDecodeError):
            labels = labels.astype(np.str_)
    if labels.dtype.kind not in "buiU":
        raise InputError(f"labels of type {labels.dtype}: give whole numbers or names")
    if labels.shape not in ((count,), (count, 1)):
        raise InputError(f"labels of shape {labels.shape} for {count} images: give ({count},)")
    labels = labels.reshape(count)
    if labels.dtype.kind == "U":
        return labels
    if labels.min() < 0:
        raise InputError(f"labels from {labels.min()} to {labels.max()}: give 0 and above")
    return labels.astype(np.min_scalar_type(int(labels.max())))


def number_names(
    labels: Array | None, test_labels: Array | None
) -> tuple[Array | None, Array | None, tuple[str, ...] | None]:
    """Labels, as ``as_labels`` returns them, as whole numbers, and the name of each number.

    Names that are whole numbers are their own labels, and no names are returned. Others are
    numbered from 0 in the order in which people count: a2 before a10.

    Raises:
        InputError: only some of the labels are names.
    """
    given = [part for part in (labels, test_labels) if part is not None]
    if len({part.dtype.kind == "U" for part in given}) == 2:
        raise InputError("labels and test labels: give numbers for both, or names for both")
    if not given or given[0].dtype.kind != "U":
        return labels, test_labels, None
    names = sorted(set(np.concatenate(given).tolist()), key=as_counted)
    numbers: Sequence[int] = [int(name) for name in names if re.fullmatch("[0-9]{1,18}", name)]
    named = len(set(numbers)) < len(names)  # 7 and 07 are two labels
    if named:
        numbers = range(len(names))
    number_of = dict(zip(names, numbers, strict=True))
    kind = np.min_scalar_type(max(numbers))
    first, second = (
        None if part is None else np.array([number_of[name] for name in part.tolist()], kind)
        for part in (labels, test_labels)
    )
    return first, second, tuple(names) if named else None


def as_counted(name: str) -> tuple[list[str | int], str]:
    """A key to sort names by as people do: numbers in them count, capitals do not."""
    parts = re.split("([0-9]{1,18})", name)  # text and digits in turn
    return [int(part) if i % 2 else part.casefold() for i, part in enumerate(parts)], name
