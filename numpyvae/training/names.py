"""Other people's names for the weights: a file that says which of theirs is which of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from ..data.files import StrPath, reading
from ..errors import InputError
from ..functional import Array
from ..network import parameter_shapes

OURS = list(parameter_shapes(1, 1, 1, 1))  # encoder1.weight and so on: every network has them
LAYERS = list(dict.fromkeys(name.split(".")[0] for name in OURS))
HEADS = ("mean", "log_var")  # the convolutional autoencoder has none
TRANSPOSED = "transposed"


class Line(NamedTuple):
    """One array of theirs and of ours, and where the file says so."""

    theirs: str
    ours: str
    transposed: bool
    where: str


def renamed(weights: Mapping[str, Array], path: StrPath, names: StrPath) -> dict[str, Array]:
    """The weights of the file ``path`` by our names, as the file ``names`` maps them.

    A line of it is ``THEIRS OURS`` or ``THEIRS OURS transposed``. Two layers, such as ``fc1
    encoder1``, stand for both of their arrays: ``fc1.weight`` of (out, in), or ``fc1.kernel`` of
    (in, out), and ``fc1.bias``; two arrays, ``fc1.weight encoder1.weight``, for one. What comes
    after # is a comment.

    Raises:
        InputError: the file is missing, or a line makes no sense; it maps twice, leaves out an
            array of theirs or ours, or names one that there is not; or a matrix has its outputs
            last, and is not transposed.
    """
    found: dict[str, Array] = {}
    left = dict(weights)
    for line in lines_of(names, weights):
        if line.ours in found:
            raise InputError(f"{line.where} maps to {line.ours}, as a line before it does")
        if line.theirs not in weights:
            raise InputError(f"{line.where} {path} has no {line.theirs}, but {listed(weights)}")
        if left.pop(line.theirs, None) is None:
            raise InputError(f"{line.where} maps {line.theirs}, as a line before it does")
        array = weights[line.theirs]
        if line.transposed and array.ndim != 2:
            raise InputError(
                f"{line.where} {line.theirs} has shape {array.shape}, and is no matrix"
            )
        found[line.ours] = array.T if line.transposed else array
    headless = not any(name.startswith(HEADS) for name in found)
    headless &= np.ndim(found.get("encoder1.weight", 0)) == 4
    layers = [layer for layer in LAYERS if not (headless and layer in HEADS)]
    missing = [name for name in OURS if name not in found and name.split(".")[0] in layers]
    if missing:
        raise InputError(f"{names} maps nothing to {listed(missing)}")
    if left:
        raise InputError(f"{names} says nothing of {listed(left)} in {path}")
    for layer in layers:
        weight, bias = found[f"{layer}.weight"], found[f"{layer}.bias"]
        if weight.ndim == 2 and weight.shape[0] != bias.size == weight.shape[1]:
            raise InputError(
                f"{names}: what is mapped to {layer}.weight has shape {weight.shape}, its outputs "
                f"last: write {TRANSPOSED} at the end of its line"
            )
    return found


def lines_of(names: StrPath, weights: Mapping[str, Array]) -> Iterable[Line]:
    """The lines of a file of names."""
    with reading(names) as stream:
        text = stream.read().decode()
    for number, row in enumerate(text.splitlines(), 1):
        where = f"{names}, line {number},"
        match row.split("#")[0].split():
            case []:
                continue
            case [theirs, ours, *rest] if ours in OURS and rest in ([], [TRANSPOSED]):
                yield Line(theirs, ours, bool(rest), where)
            case [theirs, ours, *rest] if ours in LAYERS and rest in ([], [TRANSPOSED]):
                yield from of_layer(theirs, ours, bool(rest), where, weights)
            case _:
                raise InputError(
                    f"{where} must be a name of theirs, one of {', '.join(LAYERS)} or of their "
                    f"arrays, as mean.bias, and perhaps {TRANSPOSED}: {row.strip()!r}"
                )


def of_layer(
    theirs: str, ours: str, transposed: bool, where: str, weights: Mapping[str, Array]
) -> Iterable[Line]:
    """The lines of both arrays of a layer. PyTorch and MLX write fc1.weight, Flax fc1/kernel."""
    dot = "/" if any(name.startswith(f"{theirs}/") for name in weights) else "."
    kernel = f"{theirs}{dot}kernel"
    if kernel in weights:
        yield Line(kernel, f"{ours}.weight", True, where)
    else:
        yield Line(f"{theirs}{dot}weight", f"{ours}.weight", transposed, where)
    yield Line(f"{theirs}{dot}bias", f"{ours}.bias", False, where)


def listed(names: Iterable[str], most: int = 8) -> str:
    """The first few."""
    names = sorted(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
