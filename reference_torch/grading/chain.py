"""The first wrong array of a backward pass: all gradients in their order."""

from collections.abc import Iterable
from typing import NamedTuple

from numpyvae import functional as F
from numpyvae.functional import Array
from numpyvae.reconstruction import RECONSTRUCTIONS, Reconstruction

from .exercises import source_model
from .worker import Arguments


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
