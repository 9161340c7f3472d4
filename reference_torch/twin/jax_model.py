"""numpyvae's model the way a JAX user would write it: pure functions of the weights by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from numpyvae.convolutional import Convolutional, ConvolutionalAutoencoder
from numpyvae.importance import Bound
from numpyvae.network import FullyConnected, Network
from numpyvae.reconstruction import Reconstruction

Weights = Mapping[str, jax.Array]
Coder = Callable[[Weights, jax.Array], Any]
AXES = ("NHWC", "OIHW", "NHWC")  # of images, kernels and images


def linear(w: Weights, layer: str, x: jax.Array) -> jax.Array:
    return x @ w[f"{layer}.weight"].T + w[f"{layer}.bias"]


def fully_connected() -> tuple[Coder, Coder]:
    """``FullyConnected``: its encoder, x (B, x_dim) to mean and log-variance of z, (B, z_dim) each,
    and its decoder, z to logits."""

    def encode(w: Weights, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        h1 = jax.nn.relu(linear(w, "encoder1", x))
        h2 = jax.nn.relu(linear(w, "encoder2", h1))
        return linear(w, "mean", h2), linear(w, "log_var", h2)

    def decode(w: Weights, z: jax.Array) -> jax.Array:
        h3 = jax.nn.relu(linear(w, "decoder1", z))
        h4 = jax.nn.relu(linear(w, "decoder2", h3))
        return linear(w, "decoder3", h4)

    return encode, decode


def convolution(w: Weights, layer: str, x: jax.Array, stride: int) -> jax.Array:
    """With padding 1."""
    kernel, bias = w[f"{layer}.weight"], w[f"{layer}.bias"]
    strides, padding = (stride, stride), ((1, 1), (1, 1))
    return jax.lax.conv_general_dilated(x, kernel, strides, padding, None, None, AXES) + bias


def transposed(
    w: Weights,
    layer: str,
    x: jax.Array,
    stride: int,
    padding: int,
    output_padding: Sequence[int] = (0, 0),
) -> jax.Array:
    """The transposed convolution: 0 between the pixels, and the kernel turned round."""
    kernel = jnp.flip(w[f"{layer}.weight"], (2, 3)).swapaxes(0, 1)
    around = kernel.shape[-1] - 1 - padding
    both = tuple((around, around + more) for more in output_padding)
    dilation = (stride, stride)
    y = jax.lax.conv_general_dilated(x, kernel, (1, 1), both, dilation, None, AXES)
    return y + w[f"{layer}.bias"]


def convolutional(image_shape: Sequence[int], channels: Sequence[int]) -> tuple[Coder, Coder]:
    """``Convolutional``, likewise. JAX has images as rows of pixels with their channels, too."""
    height, width, c0 = (*image_shape, 1)[:3]

    def encode(w: Weights, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        h1 = jax.nn.relu(convolution(w, "encoder1", x.reshape(-1, height, width, c0), 2))
        h2 = jax.nn.relu(convolution(w, "encoder2", h1, 2)).reshape(len(x), -1)
        return linear(w, "mean", h2), linear(w, "log_var", h2)

    def decode(w: Weights, z: jax.Array) -> jax.Array:
        h3 = jax.nn.relu(linear(w, "decoder1", z))
        h3 = h3.reshape(-1, height // 4, width // 4, channels[1])
        h4 = jax.nn.relu(transposed(w, "decoder2", h3, 2, 1, (height // 2 % 2, width // 2 % 2)))
        return transposed(w, "decoder3", h4, 2, 1, (height % 2, width % 2)).reshape(len(z), -1)

    return encode, decode


def convolutional_autoencoder(
    image_shape: Sequence[int], channels: Sequence[int]
) -> tuple[Coder, Coder]:
    """``ConvolutionalAutoencoder``, likewise."""
    height, width, c0 = (*image_shape, 1)[:3]

    def pool(x: jax.Array, stride: int) -> jax.Array:
        window, strides = (1, 2, 2, 1), (1, stride, stride, 1)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, "VALID")

    def encode(w: Weights, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        image = 2 * x.reshape(-1, height, width, c0) - 1
        p1 = pool(jax.nn.relu(convolution(w, "encoder1", image, 3)), 2)
        mean = pool(jax.nn.relu(convolution(w, "encoder2", p1, 2)), 1).reshape(len(x), -1)
        return mean, jnp.zeros_like(mean)

    def decode(w: Weights, z: jax.Array) -> jax.Array:
        code = z.reshape(-1, (height - 4) // 12, (width - 4) // 12, channels[1])
        h3 = jax.nn.relu(transposed(w, "decoder1", code, 2, 0))
        h4 = jax.nn.relu(transposed(w, "decoder2", h3, 3, 1))
        return 2 * transposed(w, "decoder3", h4, 2, 1).reshape(len(z), -1)

    return encode, decode


TWINS: dict[type[Network], Callable[[Any], tuple[Coder, Coder]]] = {
    FullyConnected: lambda network: fully_connected(),  # noqa: ARG005
    Convolutional: lambda network: convolutional(*network.sizes[:2]),
    ConvolutionalAutoencoder: lambda network: convolutional_autoencoder(*network.sizes),
}


def squared_error(logits: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.sum((jax.nn.sigmoid(logits) - x) ** 2, axis=1)


def cross_entropy(logits: jax.Array, x: jax.Array) -> jax.Array:
    """The textbook's other form would have a wrong gradient at a logit of 0: see docs/proof.md."""
    return jnp.sum(jax.nn.softplus(logits) - x * logits, axis=1)


# Of logits and x, (B, x_dim) both; returns (B,)
RECONSTRUCTIONS: dict[Reconstruction, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "mse": squared_error,
    "bce": cross_entropy,
}


def loss(
    w: Weights,
    x: jax.Array,
    eps: jax.Array,
    beta: float = 1.0,
    reconstruction: Reconstruction = "mse",
    samples: int = 1,
    bound: Bound = "elbo",
    moved: Mapping[str, Any] | None = None,
    network: tuple[Coder, Coder] | None = None,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The total of ``VAE.forward`` or ``IWAE.forward``, and its terms by name.

    ``moved`` is added to ``mean``, ``log_var`` and ``z``: the gradient with respect to it, at 0, is
    that with respect to them. ``network``: encoder and decoder, by default ``fully_connected()``.
    """
    encode, decode = network or fully_connected()
    moved = moved or {"mean": 0, "log_var": 0, "z": 0}
    mean, log_var = encode(w, x)
    mean, log_var = mean + moved["mean"], log_var + moved["log_var"]
    images, means, log_vars = (jnp.repeat(a, samples, axis=0) for a in (x, mean, log_var))
    z = means + jnp.exp(log_vars / 2) * eps + moved["z"]

    def log_weights(z: jax.Array, log_q: jax.Array) -> tuple[jax.Array, jax.Array]:
        losses = RECONSTRUCTIONS[reconstruction](decode(w, z), images)
        return losses, (jnp.sum(-0.5 * z**2 - log_q, axis=1) - losses).reshape(-1, samples)

    log_q = -0.5 * (log_vars + eps**2)
    if bound == "dreg":  # log q is a function of z alone, and z hears w̃²
        _, log_w = log_weights(z, log_q)
        still = jax.lax.stop_gradient
        weights = still(jax.nn.softmax(log_w)).reshape(-1, 1)
        z = still(z) + weights * (z - still(z))  # z, and its gradient times the weights
        noise = (z - still(means)) / jnp.exp(still(log_vars) / 2)
        log_q = -0.5 * (still(log_vars) + noise**2)
    losses, log_w = log_weights(z, log_q)

    terms = {
        "reconstruction": jnp.sum(losses) / samples,
        "kl": 0.5 * jnp.sum(mean**2 + jnp.exp(log_var) - 1 - log_var),
    }
    if bound == "elbo":
        total = terms["reconstruction"] + beta * terms["kl"]
    else:
        total = jnp.sum(jnp.log(float(samples)) - jax.nn.logsumexp(log_w, axis=1))
    return total, {"total": total, **terms}
