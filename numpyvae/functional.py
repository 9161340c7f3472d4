"""The mathematics: every operation's forward pass, its hand-derived backward pass right below.

Conventions, used throughout:

- A batch is rows: ``x`` is ``(B, n)``, one image or one latent vector per row.
- Weights are ``(out, in)``, as in ``torch.nn.Linear``.
- Losses are summed over pixels or latent units and returned per image, shape ``(B,)``. The loss
  that is differentiated is their sum over the batch.
- ``grad_y`` stands for dL/dy, where L is that scalar loss. A backward function takes ``grad_y``
  and whatever of the forward pass it needs, and returns dL/d(input), the chain rule's next link.
- ``out=`` works as in NumPy: the result is written there. Without it, the function allocates.
  ``scratch=`` is memory for one intermediate result, of the shape and dtype of the first argument.
- The dtype of the result is the dtype of the inputs.
- A result too small for it is as good as 0, whatever ``np.seterr`` asks for: ``underflow_to_zero``.
- A number such as (B2) is that of an equation in the book: M in docs/model.md, B in
  docs/backward.md, where it is derived.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
underflow_to_zero = np.errstate(under="ignore")  # a decorator


@underflow_to_zero
def linear(x: Array, weight: Array, bias: Array, out: Array | None = None) -> Array:
    """y = x Wᵀ + b. (B1)

    Shapes: x (B, in), weight (out, in), bias (out,), y (B, out).
    """
    y = np.matmul(x, weight.T, out=out)
    y += bias
    return y


@underflow_to_zero
def linear_backward_parameters(
    grad_y: Array, x: Array, out: tuple[Array | None, Array | None] = (None, None)
) -> tuple[Array, Array]:
    """dL/dW = grad_yᵀ x (B2) and dL/db = the sum of grad_y over the batch (B3).

    Every image used the same W and b, so its contributions add up: the product does that for W.
    Shapes: grad_y (B, out), x (B, in); returns (out, in) and (out,).
    """
    grad_weight = np.matmul(grad_y.T, x, out=out[0])
    grad_bias = np.sum(grad_y, axis=0, out=out[1])
    return grad_weight, grad_bias


@underflow_to_zero
def linear_backward_input(grad_y: Array, weight: Array, out: Array | None = None) -> Array:
    """dL/dx = grad_y W. (B4)

    Shapes: grad_y (B, out), weight (out, in); returns (B, in).
    """
    return np.matmul(grad_y, weight, out=out)


def relu(x: Array, out: Array | None = None) -> Array:
    """y = max(x, 0), elementwise. (B5)"""
    return np.maximum(x, 0, out=out)


def relu_backward(grad_y: Array, y: Array, out: Array | None = None) -> Array:
    """dL/dx = grad_y where y > 0, else 0. (B6) At the kink the gradient is 0, as in PyTorch.

    ``out`` must not be ``grad_y`` itself.
    """
    out = np.empty_like(grad_y) if out is None else out
    np.greater(y, 0, out=out)
    out *= grad_y
    return out


@underflow_to_zero
def sigmoid(a: Array, out: Array | None = None) -> Array:
    """y = 1 / (1 + exp(-a)), elementwise. (B7)

    For very negative a, exp(-a) overflows to infinity and y is 0, which is right.
    """
    y = np.negative(a, out=out)
    with np.errstate(over="ignore"):
        np.exp(y, out=y)
    y += 1
    return np.reciprocal(y, out=y)


@underflow_to_zero
def sigmoid_backward(grad_y: Array, y: Array, out: Array | None = None) -> Array:
    """dL/da = grad_y y (1 - y). (B8) ``out`` must not be ``grad_y`` or ``y``."""
    grad_a = np.subtract(1, y, out=out)
    grad_a *= y
    grad_a *= grad_y
    return grad_a


@underflow_to_zero
def reparameterize(mean: Array, log_var: Array, eps: Array, out: Array | None = None) -> Array:
    """z = mean + exp(log_var / 2) eps. (M1)

    A sample of N(mean, exp(log_var)) where eps is one of N(0, I): exp(log_var / 2) is the
    standard deviation. Kingma and Welling (2014), section 2.4.
    """
    z = np.multiply(log_var, 0.5, out=out)
    np.exp(z, out=z)
    z *= eps
    z += mean
    return z


@underflow_to_zero
def reparameterize_backward(
    grad_z: Array, log_var: Array, eps: Array, out: tuple[Array | None, Array | None] = (None, None)
) -> tuple[Array, Array]:
    """dL/dmean = grad_z (B11) and dL/dlog_var = grad_z eps exp(log_var / 2) / 2 (B12).

    ``eps`` is the very noise of the forward pass. ``out``: arrays for the two results, neither
    of them ``grad_z``.
    """
    grad_mean = np.positive(grad_z, out=out[0])  # dz/dmean = 1: a copy
    grad_log_var = np.multiply(log_var, 0.5, out=out[1])
    np.exp(grad_log_var, out=grad_log_var)
    grad_log_var *= eps
    grad_log_var *= 0.5
    grad_log_var *= grad_z
    return grad_mean, grad_log_var


@underflow_to_zero
def kl_divergence(mean: Array, log_var: Array) -> Array:
    """KL(N(mean, exp(log_var)) || N(0, I)) = 1/2 sum(mean² + exp(log_var) - 1 - log_var). (M2)

    Shapes: (B, z) and (B, z); returns (B,), in nats. Kingma and Welling (2014), appendix B.
    ``expm1`` keeps the small differences that exp(log_var) - 1 would round away.
    """
    return 0.5 * np.sum(np.square(mean) + (np.expm1(log_var) - log_var), axis=1)


@underflow_to_zero
def kl_divergence_backward(
    grad_kl: float,
    mean: Array,
    log_var: Array,
    out: tuple[Array | None, Array | None] = (None, None),
) -> tuple[Array, Array]:
    """dL/dmean = grad_kl mean (B13) and dL/dlog_var = grad_kl (exp(log_var) - 1) / 2 (B14)."""
    grad_mean = np.multiply(mean, grad_kl, out=out[0])
    grad_log_var = np.expm1(log_var, out=out[1])
    grad_log_var *= 0.5 * grad_kl
    return grad_mean, grad_log_var


@underflow_to_zero
def squared_error(y: Array, x: Array, scratch: Array | None = None) -> Array:
    """sum((y - x)²) over the pixels. (M3)

    Shapes: (B, n) and (B, n); returns (B,). ``scratch`` is for y - x.
    """
    difference = np.subtract(y, x, out=scratch)
    return np.vecdot(difference, difference)


def squared_error_backward(y: Array, x: Array, out: Array | None = None) -> Array:
    """dL/dy = 2 (y - x). (B9) With respect to x it is the negative of that."""
    grad_y = np.subtract(y, x, out=out)
    grad_y *= 2
    return grad_y


@underflow_to_zero
def bernoulli_cross_entropy(logits: Array, x: Array, scratch: Array | None = None) -> Array:
    """-sum(x log y + (1 - x) log(1 - y)) over the pixels, where y = sigmoid(logits), in nats.

    Shapes: (B, n) and (B, n); returns (B,). ``scratch`` is for either part of the sum below.

    With a = logits, a pixel costs log(1 + exp(a)) - x a. Written as (M4)::

        ([a > 0] - x) a  +  log(1 + exp(-|a|))

    nothing overflows, and both parts are at least 0, so nothing cancels.
    """
    part = np.empty_like(logits) if scratch is None else scratch
    np.greater(logits, 0, out=part)
    part -= x
    part *= logits
    linear_part = np.sum(part, axis=-1)

    np.abs(logits, out=part)
    np.negative(part, out=part)
    np.exp(part, out=part)
    np.log1p(part, out=part)
    return linear_part + np.sum(part, axis=-1)


@underflow_to_zero
def bernoulli_cross_entropy_backward(logits: Array, x: Array, out: Array | None = None) -> Array:
    """dL/dlogits = sigmoid(logits) - x. (B10) With respect to x the gradient is -logits."""
    grad_logits = sigmoid(logits, out=out)
    grad_logits -= x
    return grad_logits
