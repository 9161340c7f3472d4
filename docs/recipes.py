"""Weights to and from other packages, for elsewhere.md: what each transposes, and what it names.

``weights`` are a run's ``vae.parameters``, or what ``safetensors.numpy.load_file`` reads of an
exported file: ``encoder1.weight`` of shape (out, in), ``encoder1.bias``, and so on. Each recipe
makes of them the layers by name; what stands between the layers is two lines of yours.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from numpyvae.functional import Array

Weights = Mapping[str, Array]
LAYERS = ("encoder1", "encoder2", "mean", "log_var", "decoder1", "decoder2", "decoder3")


def to_pytorch(weights: Weights) -> Any:
    """As they are: PyTorch's Linear is (out, in), too. ``TorchVAE`` has the names as well."""
    import torch

    layers = torch.nn.ModuleDict()
    for name in LAYERS:
        outputs, inputs = weights[f"{name}.weight"].shape
        layers[name] = torch.nn.Linear(inputs, outputs)
    layers.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    return layers


def from_pytorch(layers: Any) -> dict[str, Array]:
    return {name: tensor.numpy() for name, tensor in layers.state_dict().items()}


def to_flax(weights: Weights) -> Any:
    """Its kernel is (in, out): the weight, transposed. ``nnx.update`` would check no shape."""
    from flax import nnx

    layers = nnx.Dict()
    for name in LAYERS:
        kernel = weights[f"{name}.weight"].T
        layers[name] = nnx.Linear(*kernel.shape, rngs=nnx.Rngs(0))
        layers[name].kernel[...] = kernel
        layers[name].bias[...] = weights[f"{name}.bias"]
    return layers


def from_flax(layers: Any) -> dict[str, Array]:
    weights = {}
    for name in LAYERS:
        weights[f"{name}.weight"] = np.ascontiguousarray(np.asarray(layers[name].kernel[...]).T)
        weights[f"{name}.bias"] = np.asarray(layers[name].bias[...])
    return weights


def to_keras(weights: Weights) -> Any:
    """Its kernel is (in, out): the weight, transposed. ``set_weights`` checks the shapes."""
    import keras

    layers = {}
    for name in LAYERS:
        kernel = weights[f"{name}.weight"].T
        layers[name] = keras.layers.Dense(kernel.shape[1])
        layers[name].build((None, kernel.shape[0]))
        layers[name].set_weights([kernel, weights[f"{name}.bias"]])
    return layers


def from_keras(layers: Any) -> dict[str, Array]:
    weights: dict[str, Array] = {}
    for name in LAYERS:
        kernel, bias = layers[name].get_weights()
        weights |= {f"{name}.weight": np.ascontiguousarray(kernel.T), f"{name}.bias": bias}
    return weights


def to_mlx(weights: Weights) -> Any:
    """As they are, (out, in). ``load_weights`` checks names and shapes; ``update`` no shape."""
    import mlx.core as mx
    from mlx import nn

    layers = {}
    for name in LAYERS:
        weight, bias = (mx.array(weights[f"{name}.{kind}"]) for kind in ("weight", "bias"))
        layers[name] = nn.Linear(weight.shape[1], weight.shape[0])
        layers[name].load_weights([("weight", weight), ("bias", bias)])
    return layers


def from_mlx(layers: Any) -> dict[str, Array]:
    return {
        f"{name}.{kind}": np.array(layers[name][kind])
        for name in LAYERS
        for kind in ("weight", "bias")
    }


def to_equinox(weights: Weights) -> Any:
    """As they are, (out, in). A layer takes one image: ``jax.vmap`` makes it take a batch."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    layers = {}
    for name in LAYERS:
        weight, bias = (jnp.asarray(weights[f"{name}.{kind}"]) for kind in ("weight", "bias"))
        layer = eqx.nn.Linear(weight.shape[1], weight.shape[0], key=jax.random.key(0))
        layers[name] = eqx.tree_at(lambda old: (old.weight, old.bias), layer, (weight, bias))
    return layers


def from_equinox(layers: Any) -> dict[str, Array]:
    return {
        f"{name}.{kind}": np.asarray(getattr(layers[name], kind))
        for name in LAYERS
        for kind in ("weight", "bias")
    }
