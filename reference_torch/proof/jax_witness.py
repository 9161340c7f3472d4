"""A second witness: JAX's automatic differentiation, and optax's Adam, in PyTorch's place.

How uncertain a result is was measured with PyTorch (``parity``), and JAX is allowed the same.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from numpyvae import VAE, Adam, InputError
from numpyvae.functional import Array

from ..twin.jax_model import RECONSTRUCTIONS, TWINS, loss
from .parity import Comparison, model_parity


def jax_parity(vae: VAE, x: Array, eps: Array, beta: float = 1.0) -> list[Comparison]:
    """``model_parity`` with JAX's losses and gradients.

    Raises:
        InputError: the network or the loss is none that is written in JAX.
    """
    found = losses_and_gradients(vae, x, eps, beta)
    return [
        comparison._replace(reference=found[comparison.name], witness="JAX")
        for comparison in model_parity(vae, x, eps, beta)
    ]


def losses_and_gradients(vae: VAE, x: Array, eps: Array, beta: float) -> dict[str, Array]:
    """What ``model_parity`` compares, from JAX."""
    for known, given in ((TWINS, type(vae.network)), (RECONSTRUCTIONS, vae.reconstruction)):
        if given not in known:
            raise InputError(f"the JAX witness does not know this model: {vae!r}")
    network = TWINS[type(vae.network)](vae.network)
    bound = getattr(vae, "bound", "elbo")
    settings: dict[str, Any] = {
        "reconstruction": vae.reconstruction,
        "samples": vae.samples,
        "bound": bound,
    }
    with jax.enable_x64(vae.dtype == np.float64):
        w = {name: jnp.asarray(array) for name, array in vae.parameters.items()}
        moved = {"mean": jnp.zeros((len(x), vae.z_dim), x.dtype)}
        moved |= {"log_var": moved["mean"], "z": jnp.zeros(eps.shape, x.dtype)}

        def total(w: Any, x: Any, moved: Any) -> tuple[Any, dict[str, Any]]:
            return loss(w, x, jnp.asarray(eps), beta, **settings, moved=moved, network=network)

        differentiate = jax.jit(jax.grad(total, argnums=(0, 1, 2), has_aux=True))
        (of_w, of_x, of_moved), terms = differentiate(w, jnp.asarray(x), moved)
        found = {**terms, "x": of_x, **of_moved, **of_w}
        return {name: np.asarray(array) for name, array in found.items()}


def optax_parity(adam: Adam, gradients: Iterable[Mapping[str, Array]]) -> list[Comparison]:
    """``adam_parity`` with ``optax.adam``, or with weight decay ``optax.adamw``."""
    import optax

    settings = {"b1": adam.betas[0], "b2": adam.betas[1], "eps": adam.eps}
    if adam.weight_decay:
        optimizer = optax.adamw(adam.lr, weight_decay=adam.weight_decay, **settings)
    else:
        optimizer = optax.adam(adam.lr, **settings)
    with jax.enable_x64(adam.parameters.flat.dtype == np.float64):
        parameters = {name: jnp.array(array) for name, array in adam.parameters.items()}
        state, update = optimizer.init(parameters), jax.jit(optimizer.update)
        for gradient in gradients:
            adam.step(gradient)
            given = {name: jnp.asarray(array) for name, array in gradient.items()}
            change, state = update(given, state, parameters)
            parameters = optax.apply_updates(parameters, change)
        return [
            Comparison(name, adam.parameters[name], np.asarray(p), witness="JAX")
            for name, p in parameters.items()
        ]
