"""One contiguous vector, seen as many named arrays."""

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .functional import Array


class FlatArrays(Mapping[str, Array]):
    """A mapping from names to arrays that all lie in one vector, ``flat``, in order.

    The arrays are views: writing into one writes into ``flat`` and the other way round. Assigning
    to a name copies into its array, so ``arrays[name] -= step`` works. Adam and checkpoints use
    ``flat``, the mathematics the names.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], dtype: DTypeLike) -> None:
        sizes = [prod(shape) for shape in shapes.values()]
        self.flat: Array = np.zeros(sum(sizes), dtype)
        pieces = np.split(self.flat, np.cumsum(sizes)[:-1])
        self._views = {
            name: piece.reshape(shape)
            for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
        }

    def __getitem__(self, name: str) -> Array:
        return self._views[name]

    def __setitem__(self, name: str, values: ArrayLike) -> None:
        self._views[name][...] = values

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)
