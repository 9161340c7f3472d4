"""Arrays that remember what is computed from them."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from numpyvae.functional import Array


class Watched(np.ndarray[Any, Any]):
    """An array that keeps in ``seen`` all arrays that are computed from it, and from these."""

    seen: list[Array]

    def __array_finalize__(self, source: Any) -> None:
        self.seen = getattr(source, "seen", [])

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: tuple[Any, ...] = (), **settings: Any
    ) -> Any:
        self._keep(inputs)
        settings = {name: _plain(value) for name, value in settings.items()}
        if out:
            settings["out"] = tuple(map(_plain, out))
        result = getattr(ufunc, method)(*map(_plain, inputs), **settings)
        self._keep([result])
        return out[0] if len(out) == 1 else watched(result, self.seen)

    def __array_function__(self, function: Any, types: Any, inputs: Any, settings: Any) -> Any:
        self._keep(inputs)  # not the result, which may be empty_like's: memory with old numbers
        return watched(super().__array_function__(function, types, inputs, settings), self.seen)

    def _keep(self, values: Iterable[Any]) -> None:
        self.seen += [np.array(value) for value in values if isinstance(value, np.ndarray)]


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, Watched) else value


def watched(value: Any, seen: list[Array]) -> Any:
    """A value whose arrays are watched."""
    if isinstance(value, dict):
        return {name: watched(part, seen) for name, part in value.items()}
    if not isinstance(value, np.ndarray):
        return value
    array = value.view(Watched)
    array.seen = seen
    return array
