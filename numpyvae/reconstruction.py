"""The reconstruction losses, a record each: whatever depends on which one it is asks its record."""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi
from typing import Literal, NamedTuple

from . import functional as F
from .functional import Array

Reconstruction = Literal["mse", "bce"]


class ReconstructionLoss(NamedTuple):
    """R(x, z) = -log p(x|z), up to a constant, of pixels that are independent given z.

    ``title``: its name for people. ``takes_logits``: whether it is a function of the decoder's
    logits, or else of y, their sigmoid. ``value`` is R of each image, (B,), ``backward`` its
    gradient with respect to the logits or y, ``backward_x`` that with respect to x; the arguments
    are the logits or y, and x, (B, x_dim) both. ``likelihood``: what p(x|z) is, and ``binary``
    whether it is a probability of pixels that are 0 or 1, and not a density. ``log_normalizer``:
    what R leaves out of -log p(x|z), in nats per pixel, and ``normalizer`` the same as a formula,
    of x_dim pixels.
    """

    title: str
    takes_logits: bool
    value: Callable[..., Array]
    backward: Callable[..., Array]
    backward_x: Callable[[Array, Array], Array]
    likelihood: str
    binary: bool
    log_normalizer: float
    normalizer: str


RECONSTRUCTIONS: dict[Reconstruction, ReconstructionLoss] = {
    # -log N(x; y, 1/2) = (y - x)² + (log pi) / 2
    "mse": ReconstructionLoss(
        "squared error",
        takes_logits=False,
        value=F.squared_error,
        backward=F.squared_error_backward,
        backward_x=lambda y, x: -F.squared_error_backward(y, x),
        likelihood="a Gaussian of variance 1/2 per pixel",
        binary=False,
        log_normalizer=log(pi) / 2,
        normalizer="(x_dim / 2) log pi",
    ),
    "bce": ReconstructionLoss(
        "cross-entropy",
        takes_logits=True,
        value=F.bernoulli_cross_entropy,
        backward=F.bernoulli_cross_entropy_backward,
        backward_x=lambda logits, x: -logits,  # noqa: ARG005
        likelihood="a Bernoulli distribution per pixel",
        binary=True,
        log_normalizer=0.0,
        normalizer="",
    ),
}
