"""The first wrong array of a backward pass: all gradients in their order, and what is watched."""

import copy
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from numpyvae import functional as F
from numpyvae.functional import Array
from numpyvae.reconstruction import RECONSTRUCTIONS, Reconstruction

from .exercises import Arguments, source_model


class Link(NamedTuple):
    """How a gradient is found: by which equation, from which other gradients."""

    equation: str
    sources: tuple[str, ...]


def _layer(name: str, grad_y: str, grad_x: str = "") -> dict[str, Link]:
    """The gradients that a linear layer's backward pass finds; the first layer needs no grad_x."""
    links = {f"{name}.weight": Link("(B2)", (grad_y,)), f"{name}.bias": Link("(B3)", (grad_y,))}
    return links | ({grad_x: Link("(B4)", (grad_y,))} if grad_x else {})


# Every gradient of the model, in the order in which a backward pass finds them
CHAIN = {
    "y": Link("(B9)", ()),
    "logits": Link("(B8)", ("y",)),
    **_layer("decoder3", "logits", "h4"),
    "a4": Link("(B6)", ("h4",)),
    **_layer("decoder2", "a4", "h3"),
    "a3": Link("(B6)", ("h3",)),
    **_layer("decoder1", "a3", "z"),
    "mean, through the KL": Link("(B13)", ()),
    "mean": Link("(B15)", ("z", "mean, through the KL")),
    **_layer("mean", "mean", "h2, through mean"),
    "log_var, through z": Link("(B12)", ("z",)),
    "log_var, through the KL": Link("(B14)", ()),
    "log_var": Link("(B16)", ("log_var, through z", "log_var, through the KL")),
    **_layer("log_var", "log_var", "h2, through log_var"),
    "h2": Link("(B17)", ("h2, through mean", "h2, through log_var")),
    "a2": Link("(B6)", ("h2",)),
    **_layer("encoder2", "a2", "h1"),
    "a1": Link("(B6)", ("h1",)),
    **_layer("encoder1", "a1"),
}


def gradients_on_the_way(given: Arguments) -> dict[str, Array]:
    """The right gradients with respect to activations, by their names in ``CHAIN``."""
    vae = source_model(**{name: value for name, value in given.items() if name != "a"})
    w, a, grad = vae.parameters, vae.activations, dict(vae.activation_gradients)
    _, through_z = F.reparameterize_backward(grad["z"], a["log_var"], given["eps"])
    kl_mean, kl_log_var = F.kl_divergence_backward(given["beta"], a["mean"], a["log_var"])
    return grad | {
        "mean, through the KL": kl_mean,
        "log_var, through z": through_z,
        "log_var, through the KL": kl_log_var,
        "h2, through mean": F.linear_backward_input(grad["mean"], w["mean.weight"]),
        "h2, through log_var": F.linear_backward_input(grad["log_var"], w["log_var.weight"]),
    }


def first_wrong(right: Iterable[str], reconstruction: Reconstruction) -> str:
    """Names the first wrong gradient, where these are right, and so all that they come from."""
    chain = CHAIN
    if RECONSTRUCTIONS[reconstruction].takes_logits:
        chain = {name: link for name, link in CHAIN.items() if name != "y"}
        chain["logits"] = Link("(B10)", ())
    known = set(right)
    for name, link in reversed(chain.items()):
        if name in known:
            known.update(link.sources)
    first = next(name for name in chain if name not in known)
    equation, sources = chain[first]
    text = f"The first wrong array is {_in_words(first)}, {equation}."
    if sources:
        text += f" What it should come from is right: {' and '.join(map(_in_words, sources))}."
    return text


def _in_words(name: str) -> str:
    return f"the gradient {'of' if '.' in name else 'at'} {name}"


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


def watch(call: Callable[[Arguments], Any], given: Arguments) -> list[Array]:
    """All arrays that a call computes, by NumPy, from what it is given."""
    seen: list[Array] = []
    call(watched(copy.deepcopy(given), seen))
    return seen
