"""One contiguous vector, seen as many named arrays."""

from __future__ import annotations

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
        size = sum(prod(shape) for shape in shapes.values())
        self.__setstate__((dict(shapes), np.zeros(size, dtype)))

    def __getstate__(self) -> tuple[dict[str, tuple[int, ...]], Array]:
        """What copies and pickles hold: the vector once, and no views, which would come apart."""
        return {name: view.shape for name, view in self.items()}, self.flat

    def __setstate__(self, state: tuple[dict[str, tuple[int, ...]], Array]) -> None:
        shapes, self.flat = state
        ends = np.cumsum([prod(shape) for shape in shapes.values()])
        pieces = np.split(self.flat, ends[:-1])
        self._views = {
            name: piece.reshape(shape)
            for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
        }

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name} {view.shape}" for name, view in self.items())
        return f"<FlatArrays, {self.flat.size:,} numbers of {self.flat.dtype}: {arrays}>"

    def __getitem__(self, name: str) -> Array:
        return self._views[name]

    def __setitem__(self, name: str, values: ArrayLike) -> None:
        self._views[name][...] = values

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)
