"""docs/recipes.py: the same outputs and gradients in five packages, where they are installed."""

import importlib

import numpy as np
import pytest
import recipes

from numpyvae import VAE, FullyConnected

CLOSE = 1e-6  # by norm, in float32


def loss_of(layers, x, eps, ops):
    """The article's loss, written once for all packages: layers called by name."""
    exp, relu, sigmoid, total = ops
    h2 = relu(layers["encoder2"](relu(layers["encoder1"](x))))
    mean, log_var = layers["mean"](h2), layers["log_var"](h2)
    z = mean + exp(log_var / 2) * eps
    h4 = relu(layers["decoder2"](relu(layers["decoder1"](z))))
    y = sigmoid(layers["decoder3"](h4))
    return total((y - x) ** 2) + 0.5 * total(mean**2 + exp(log_var) - 1 - log_var)


def pytorch(layers, x, eps):
    import torch

    ops = torch.exp, torch.relu, torch.sigmoid, torch.sum
    loss = loss_of(layers, torch.tensor(x), torch.tensor(eps), ops)
    loss.backward()
    return loss.item(), {name: p.grad.numpy() for name, p in layers.named_parameters()}


def jax_ops():
    import jax
    import jax.numpy as jnp

    return jnp.exp, jax.nn.relu, jax.nn.sigmoid, jnp.sum


def flax(layers, x, eps):
    from flax import nnx

    loss, gradients = nnx.value_and_grad(lambda layers: loss_of(layers, x, eps, jax_ops()))(layers)
    return float(loss), recipes.from_flax(gradients)


def equinox(layers, x, eps):
    import equinox as eqx
    import jax

    def loss(layers):
        batched = {name: jax.vmap(layer) for name, layer in layers.items()}
        return loss_of(batched, x, eps, jax_ops())

    value, gradients = eqx.filter_value_and_grad(loss)(layers)
    return float(value), recipes.from_equinox(gradients)


def keras(layers, x, eps):
    import jax
    from keras import StatelessScope, ops

    variables = [v for layer in layers.values() for v in (layer.kernel, layer.bias)]

    def loss(values):
        with StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return loss_of(layers, x, eps, (ops.exp, ops.relu, ops.sigmoid, ops.sum))

    value, gradients = jax.value_and_grad(loss)([v.value for v in variables])
    names = [f"{name}.{kind}" for name in layers for kind in ("weight", "bias")]
    found = dict(zip(names, map(np.asarray, gradients), strict=True))
    return float(value), {name: g.T if g.ndim == 2 else g for name, g in found.items()}


def mlx(layers, x, eps):
    import mlx.core as mx
    from mlx import nn

    def loss(parameters):
        for name, layer in layers.items():
            layer.update(parameters[name])
        return loss_of(layers, mx.array(x), mx.array(eps), (mx.exp, nn.relu, mx.sigmoid, mx.sum))

    parameters = {name: layer.parameters() for name, layer in layers.items()}
    value, gradients = mx.value_and_grad(loss)(parameters)
    return value.item(), recipes.from_mlx(gradients)


CASES = {
    "torch": (recipes.to_pytorch, recipes.from_pytorch, pytorch),
    "flax": (recipes.to_flax, recipes.from_flax, flax),
    "keras": (recipes.to_keras, recipes.from_keras, keras),
    "mlx": (recipes.to_mlx, recipes.from_mlx, mlx),
    "equinox": (recipes.to_equinox, recipes.from_equinox, equinox),
}


@pytest.fixture
def small():
    vae = VAE(FullyConnected(12, 9, 7, 3))  # no two sizes alike: a transposed weight cannot fit
    rng = np.random.default_rng(0)
    for array in vae.parameters.values():
        array[...] = 0.5 * rng.standard_normal(array.shape)
    x = rng.random((5, 12), np.float32)
    return vae, x, rng.standard_normal((5, 3), np.float32)


@pytest.mark.filterwarnings("ignore")  # of packages that are not ours
@pytest.mark.parametrize("package", CASES)
def test_the_same_loss_and_gradients_with_carried_weights(package, small):
    for needed in ("jax", package) if package == "keras" else (package,):
        importlib.import_module(needed) if needed == "torch" else pytest.importorskip(needed)
    vae, x, eps = small
    there, back, loss_and_gradients = CASES[package]
    layers = there(vae.parameters)
    returned = back(layers)
    assert returned.keys() == vae.parameters.keys()
    for name, weight in vae.parameters.items():
        assert np.array_equal(returned[name], weight)
        assert returned[name].flags.c_contiguous

    ours = vae.forward(x, eps).total
    expected = {name: g.copy() for name, g in vae.backward().items()}
    loss, gradients = loss_and_gradients(layers, x, eps)
    assert abs(loss - ours) <= CLOSE * ours
    for name, gradient in expected.items():
        assert np.linalg.norm(gradients[name] - gradient) <= CLOSE * np.linalg.norm(gradient), name


@pytest.mark.parametrize("package", ["flax", "equinox", "mlx"])
def test_a_network_of_equal_sizes_shows_a_transposition(package, small):
    """The check above can fail: weights that are carried transposed give another loss."""
    pytest.importorskip(package)
    vae = VAE(FullyConnected(6, 6, 6, 6))
    rng = np.random.default_rng(1)
    x, eps = rng.random((6, 6), np.float32), rng.standard_normal((6, 6), np.float32)
    there, _, loss_and_gradients = CASES[package]
    turned = {n: a.T.copy() if a.ndim == 2 else a for n, a in vae.parameters.items()}
    ours = vae.forward(x, eps).total
    assert abs(loss_and_gradients(there(vae.parameters), x, eps)[0] - ours) < CLOSE * ours
    assert abs(loss_and_gradients(there(turned), x, eps)[0] - ours) > 100 * CLOSE * ours
