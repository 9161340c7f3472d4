"""The page's mathematics in JavaScript gives numpyvae's numbers, and its mistakes are the book's."""

import numpy as np
import pytest

from numpyvae import VAE, Adam
from numpyvae.explore.page import MATHEMATICS, source

EXACT = {"rtol": 1e-12, "atol": 1e-12}
SINGLE = {"rtol": 2e-4, "atol": 2e-4}
CASES = [  # sizes, images, beta
    ((1, 1, 1, 1), 1, 1.0),
    ((12, 9, 9, 4), 7, 0.7),
    *(
        (tuple(map(int, rng.integers(1, 30, 4))), int(rng.integers(1, 12)), rng.uniform(0, 3))
        for rng in map(np.random.default_rng, range(6))
    ),
]


def problem(sizes, images, reconstruction, dtype=np.float64, seed=0):
    """A model of these sizes, images and noise for it."""
    vae = VAE(*sizes, reconstruction, dtype, seed)
    vae.parameters.flat[...] *= 2
    rng = np.random.default_rng(seed)
    x = rng.random((images, sizes[0])).astype(dtype)
    return vae, x, rng.standard_normal((images, sizes[3])).astype(dtype)


def asked(vae, x, eps, beta, **more):
    """The same for JavaScript."""
    return {
        "sizes": vae.sizes,
        "reconstruction": vae.reconstruction,
        "parameters": vae.parameters.flat.tolist(),
        "x": x.tolist(),
        "eps": eps.tolist(),
        "beta": beta,
        "single": vae.dtype == np.float32,
        **more,
    }


def wrong(found, vae, x, eps, beta, tolerance=EXACT):
    """The names of all losses and arrays in which JavaScript differs from numpyvae."""
    loss = vae.forward(x, eps, beta)
    gradients = vae.backward()
    expected = {
        **loss._asdict(),
        **{f"a.{name}": array for name, array in vae.activations.items()},
        **{f"grad.{name}": array for name, array in vae.activation_gradients.items()},
        **gradients,
        "x": vae.input_gradient(),
    }
    if vae.reconstruction == "bce":  # which computes neither
        del expected["a.y"], expected["grad.y"]
    given = {
        **found["loss"],
        **{f"a.{name}": array for name, array in found["activations"].items()},
        **{f"grad.{name}": array for name, array in found["activation_gradients"].items()},
        **found["gradients"],
        "x": found["x"],
    }
    assert found["names"] == list(gradients)
    return [
        name
        for name, array in expected.items()
        if not np.allclose(given[name], np.ravel(array), **tolerance)
    ]


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
@pytest.mark.parametrize(("sizes", "images", "beta"), CASES)
def test_every_loss_activation_and_gradient(mathematics, sizes, images, beta, reconstruction):
    for dtype, tolerance in ((np.float64, EXACT), (np.float32, SINGLE)):
        given = (*problem(sizes, images, reconstruction, dtype), beta)
        assert not wrong(mathematics.call("differentiate", asked(*given)), *given, tolerance)


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_extreme_logits_and_variances(mathematics, reconstruction):
    vae, x, eps = problem((6, 5, 4, 3), 3, reconstruction)
    vae.parameters["decoder3.bias"] = [800, -800, 40, -40, 1e-9, 0]
    vae.parameters["log_var.bias"] = [-60, 12, 1e-9]
    found = mathematics.call("differentiate", asked(vae, x, eps, 1.0))
    assert not wrong(found, vae, x, eps, 1.0, {"rtol": 1e-12})


def trained(vae, batches, beta, settings):
    adam = Adam(vae.parameters, **settings)
    losses = []
    for x, eps in batches:
        losses.append(vae.forward(x, eps, beta).total)
        adam.step(vae.backward())
    return losses


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_fifty_steps_of_adam(mathematics, reconstruction):
    settings = {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}
    batches = [problem((12, 9, 7, 3), 5 - seed % 2, "mse", seed=seed)[1:] for seed in range(50)]
    vae, *_ = problem((12, 9, 7, 3), 1, reconstruction)
    question = asked(vae, *batches[0], 0.7, settings=settings)
    question["batches"] = [[x.tolist(), eps.tolist()] for x, eps in batches]
    found = mathematics.call("train", question)
    losses = trained(vae, batches, 0.7, settings)
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-12)
    np.testing.assert_allclose(found["parameters"], vae.parameters.flat, **EXACT)
