"""numpyvae's model the way a JAX user would write it: pure functions of the weights by name."""

from collections.abc import Mapping
from typing import Any, assert_never

import jax
import jax.numpy as jnp

from numpyvae.importance import Bound
from numpyvae.reconstruction import Reconstruction

Weights = Mapping[str, jax.Array]


def linear(w: Weights, layer: str, x: jax.Array) -> jax.Array:
    return x @ w[f"{layer}.weight"].T + w[f"{layer}.bias"]


def encode(w: Weights, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``FullyConnected``'s encoder: mean and log-variance of z, (B, z_dim), for x of (B, x_dim)."""
    h1 = jax.nn.relu(linear(w, "encoder1", x))
    h2 = jax.nn.relu(linear(w, "encoder2", h1))
    return linear(w, "mean", h2), linear(w, "log_var", h2)


def decode(w: Weights, z: jax.Array) -> jax.Array:
    """``FullyConnected``'s decoder: the logits (B, x_dim) of latent vectors z of (B, z_dim)."""
    h3 = jax.nn.relu(linear(w, "decoder1", z))
    h4 = jax.nn.relu(linear(w, "decoder2", h3))
    return linear(w, "decoder3", h4)


def reconstruction_loss(kind: Reconstruction, logits: jax.Array, x: jax.Array) -> jax.Array:
    """Of each image, (B,), for logits and x of (B, x_dim)."""
    match kind:
        case "mse":
            return jnp.sum((jax.nn.sigmoid(logits) - x) ** 2, axis=1)
        case "bce":  # the textbook's other form has a wrong gradient at a logit of 0, see proof.md
            return jnp.sum(jax.nn.softplus(logits) - x * logits, axis=1)
        case unknown:
            assert_never(unknown)


def loss(
    w: Weights,
    x: jax.Array,
    eps: jax.Array,
    beta: float = 1.0,
    reconstruction: Reconstruction = "mse",
    samples: int = 1,
    bound: Bound = "elbo",
    moved: Mapping[str, Any] | None = None,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The total of ``VAE.forward`` or ``IWAE.forward``, and its terms by name.

    ``moved`` is added to ``mean``, ``log_var`` and ``z``: the gradient with respect to it, at 0, is
    that with respect to them.
    """
    moved = moved or {"mean": 0, "log_var": 0, "z": 0}
    mean, log_var = encode(w, x)
    mean, log_var = mean + moved["mean"], log_var + moved["log_var"]
    images, means, log_vars = (jnp.repeat(a, samples, axis=0) for a in (x, mean, log_var))
    z = means + jnp.exp(log_vars / 2) * eps + moved["z"]

    def log_weights(z: jax.Array, log_q: jax.Array) -> tuple[jax.Array, jax.Array]:
        losses = reconstruction_loss(reconstruction, decode(w, z), images)
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
