"""The tables of docs/elsewhere.md against the packages, where they are installed."""

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from numpyvae import VAE, Adam, FullyConnected
from numpyvae import functional as F
from numpyvae.flat import FlatArrays

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/elsewhere.md"
pytestmark = pytest.mark.filterwarnings("ignore")  # of packages that are not ours


def rows(title):
    """The cells of the rows that a test checks, in the section of that title."""
    section = PAGE.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    return [cells for cells in lines if cells[-1].startswith("test")]


def package(row):
    return row[0].split()[0].rstrip(",")


def each(title):
    return pytest.mark.parametrize("row", rows(title), ids=lambda row: row[0].replace("`", ""))


@pytest.fixture(autouse=True)
def installed(request):
    needed = package(request.node.callspec.params["row"]) if "row" in request.fixturenames else None
    for name in {"keras": ("keras", "jax")}.get(needed, (needed,)):
        if name not in (None, "numpyvae") and find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


# Adam


def numpyvae_adam(name, gradient, steps):
    parameters = FlatArrays({"p": (1,)}, np.float32)
    parameters["p"] = 1
    adam = Adam(parameters)
    for _ in range(steps):
        adam.step({"p": np.array([gradient], np.float32)})
    return parameters["p"][0], adam.weight_decay


def torch_adam(name, gradient, steps):
    import torch

    p = torch.ones(1, requires_grad=True)
    optimizer = getattr(torch.optim, name)([p], lr=1e-3)
    p.grad = torch.tensor([gradient])
    for _ in range(steps):
        optimizer.step()
    return p.item(), optimizer.defaults["weight_decay"]


def optax_adam(name, gradient, steps):
    import inspect

    import jax.numpy as jnp
    import optax

    optimizer, p = getattr(optax, name)(1e-3), jnp.ones(1)
    state = optimizer.init(p)
    for _ in range(steps):
        update, state = optimizer.update(jnp.array([gradient]), state, p)
        p = optax.apply_updates(p, update)
    decay = inspect.signature(getattr(optax, name)).parameters.get("weight_decay")
    return float(p[0]), decay.default if decay else 0


def keras_adam(name, gradient, steps):
    import keras

    p = keras.Variable([1.0])
    optimizer = getattr(keras.optimizers, name)(1e-3)
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor([gradient])], [p])
    return float(keras.ops.convert_to_numpy(p)[0]), optimizer.weight_decay or 0


def mlx_adam(name, gradient, steps):
    import mlx.core as mx
    import mlx.optimizers

    optimizer = getattr(mlx.optimizers, name)(learning_rate=1e-3)
    parameters = {"p": mx.array([1.0])}
    for _ in range(steps):
        parameters = optimizer.apply_gradients({"p": mx.array([gradient])}, parameters)
    return parameters["p"].item(), getattr(optimizer, "weight_decay", 0)


@each("Adam")
def test_adam(row):
    name, decay, _, *expected, _ = row
    step = globals()[f"{package(row)}_adam"]
    cases = ((1.0, 1), (1e-8, 1), (1.0, 100))
    found = [step(name.split("`")[1], gradient, steps) for gradient, steps in cases]
    assert found[0][1] == float(decay)
    np.testing.assert_allclose([p for p, _ in found], [float(e) for e in expected], atol=1.5e-6)


# Layers


def numpyvae_layer():
    vae = VAE(FullyConnected(784, 512, 256, 50, np.float32))
    weights, bias = vae.parameters["encoder1.weight"], vae.parameters["encoder1.bias"]
    zero = np.zeros((1, 1), np.float32)
    return weights, bias, [F.relu_backward(zero + 1, F.relu(zero)).item()]


def torch_layer():
    import torch

    torch.manual_seed(0)
    layer = torch.nn.Linear(784, 512)
    slopes = []
    for kink in (
        torch.relu,
        lambda x: torch.maximum(x, torch.zeros(1)),
        lambda x: torch.maximum(torch.zeros(1), x),
    ):
        x = torch.zeros(1, requires_grad=True)
        kink(x).backward()
        slopes.append(x.grad.item())
    return layer.weight.detach().numpy(), layer.bias.detach().numpy(), slopes


def jax_slopes():
    import jax
    import jax.numpy as jnp

    kinks = jax.nn.relu, lambda x: jnp.maximum(x, 0), lambda x: jnp.maximum(0, x)
    return [float(jax.grad(kink)(0.0)) for kink in kinks]


def equinox_layer():
    import equinox as eqx
    import jax

    layer = eqx.nn.Linear(784, 512, key=jax.random.key(0))
    return np.asarray(layer.weight), np.asarray(layer.bias), jax_slopes()


def flax_layer():
    from flax import nnx

    layer = nnx.Linear(784, 512, rngs=nnx.Rngs(0))
    return np.asarray(layer.kernel[...]), np.asarray(layer.bias[...]), jax_slopes()


def keras_layer():
    import jax
    import keras

    layer = keras.layers.Dense(512)
    layer.build((None, 784))
    kernel, bias = layer.get_weights()
    maximum = keras.ops.maximum
    kinks = keras.ops.relu, lambda x: maximum(x, 0.0), lambda x: maximum(0.0, x)
    return kernel, bias, [float(jax.grad(kink)(0.0)) for kink in kinks]


def mlx_layer():
    import mlx.core as mx
    from mlx import nn

    mx.random.seed(0)
    layer = nn.Linear(784, 512)
    kinks = nn.relu, lambda x: mx.maximum(x, 0), lambda x: mx.maximum(0, x)
    slopes = [mx.grad(kink)(mx.array(0.0)).item() for kink in kinks]
    return np.array(layer.weight), np.array(layer.bias), slopes


def assert_drawn(said, array):
    kind, _, size = said.partition(", ")
    if said == "0":
        assert not array.any()
        return
    number = float(size.split()[-1])
    measured = abs(array).max() if kind == "uniform" else array.std()
    assert abs(measured / number - 1) < 0.02
    spread = array.std() / abs(array).max()
    assert (abs(spread - 3**-0.5) < 0.03) == (kind == "uniform")


@each("Layers")
def test_layer(row):
    _, layout, first_weights, first_bias, slopes, _ = row
    weights, bias, found = globals()[f"{package(row)}_layer"]()
    assert weights.shape == {"(out, in)": (512, 784), "(in, out)": (784, 512)}[layout]
    assert_drawn(first_weights, weights)
    assert_drawn(first_bias, bias)
    assert found == [float(slope) for slope in slopes.split(", ")]


# Cross-entropy


def of_numpyvae(kind, value, target):
    logits, x = np.array([[value]], np.float32), np.array([[target]], np.float32)
    gradient = F.bernoulli_cross_entropy_backward(logits, x)
    return F.bernoulli_cross_entropy(logits, x).item(), gradient.item()


def of_torch(kind, value, target):
    import torch
    from torch.nn import functional

    name = "binary_cross_entropy" + ("_with_logits" if kind == "logits" else "")
    out = torch.tensor([value], requires_grad=True)
    loss = getattr(functional, name)(out, torch.tensor([target]))
    loss.backward()
    return loss.item(), out.grad.item()


def through_jax(loss, value):
    import jax

    found, gradient = jax.value_and_grad(loss)(value)
    return float(found), float(gradient)


def of_keras(kind, value, target):
    import keras

    def loss(out):
        out, t = keras.ops.reshape(out, (1,)), keras.ops.array([target])
        return keras.losses.binary_crossentropy(t, out, from_logits=kind == "logits")

    return through_jax(lambda out: loss(out).sum(), value)


def of_optax(kind, value, target):
    import optax

    return through_jax(lambda out: optax.sigmoid_binary_cross_entropy(out, target), value)


def of_mlx(kind, value, target):
    import mlx.core as mx
    from mlx.nn.losses import binary_cross_entropy

    def loss(out):
        return binary_cross_entropy(out, mx.array([target]), with_logits=kind == "logits").sum()

    found, gradient = mx.value_and_grad(loss)(mx.array([value]))
    return found.item(), gradient.item()


@each("Cross-entropy at the edge")
def test_cross_entropy(row):
    _, black, black_gradient, far, far_gradient, at_zero, _ = row
    of = globals()[f"of_{package(row)}"]
    assert (black == "-") != (far == "-")
    if far == "-":
        cases = [of("probabilities", 0.0, 1.0)]
        expected = [(black, black_gradient)]
    else:
        cases = [of("logits", 200.0, 0.0), of("logits", 0.0, 0.3)]
        expected = [(far, far_gradient), (str(np.log(2)), at_zero)]
    for found, said in zip(cases, expected, strict=True):
        np.testing.assert_allclose(found, [float(number) for number in said], rtol=1e-4, atol=1e-6)


# The findings


SCRIPTS = sorted((ROOT / "findings").glob("*.sh"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_finding_is_named_on_the_page_and_says_what_it_must(script):
    text = script.read_text()
    assert f"[{script.stem}](../findings/{script.name})" in PAGE.read_text()
    comments = re.match(r"#!/usr/bin/env bash\n((?:#.*\n)+)set -eu\n", text)[1]
    assert re.search(r"\d+\.\d+.* · 20\d\d-\d\d-\d\d", comments)
    assert "\n# One would believe" in comments
    assert "\n# Seen" in comments
    assert "trap 'rm -rf \"$work\"' EXIT" in text
    assert "numpyvae" not in text
    assert script.stat().st_mode & 0o100
    assert len(text.splitlines()) <= 60
    for pinned in re.findall(r"pip\" install (.*?)\|\|", text, re.DOTALL):
        packages = [p for p in pinned.replace("\\", "").split() if not p.startswith("-")]
        assert packages
        assert all("==" in package for package in packages)


def test_every_row_of_the_page_is_checked():
    """By a script that exists or by a test above."""
    header = r"package|optimiser|layer|function"
    tables = re.findall(rf"^\| (?!{header})(.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert len(tables) > 40
    for line in tables:
        last = line.split(" | ")[-1]
        assert last.startswith("test") or re.search(r"\(\.\./findings/[\w-]+\.sh\)", last), line
