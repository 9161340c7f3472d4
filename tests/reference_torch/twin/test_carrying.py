"""Weights and Adam's state, either way."""

import numpy as np
import pytest
import torch

from numpyvae import VAE, Adam, Convolutional, ConvolutionalAutoencoder, FullyConnected
from numpyvae.importance import IWAE
from reference_torch.proof.parity import Comparison, assert_agree
from reference_torch.twin.carrying import adam_to_numpy, adam_to_torch, to_numpy, to_torch

NETWORKS = {
    FullyConnected: (6, 5, 4, 3),
    Convolutional: ((8, 9, 3), (3, 4), 2),
    ConvolutionalAutoencoder: ((16, 28, 3), (3, 4)),
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_weights_go_there_and_back(dtype, reconstruction, network):
    vae = VAE(network(*NETWORKS[network], dtype), reconstruction)
    twin = to_torch(vae)
    assert list(twin.state_dict()) == list(vae.parameters)
    into = VAE(network(*NETWORKS[network], dtype, seed=1), reconstruction)
    for back in (to_numpy(twin), to_numpy(twin, into)):
        np.testing.assert_array_equal(back.parameters.flat, vae.parameters.flat)
        assert (back.dtype, back.reconstruction) == (vae.dtype, reconstruction)
    assert back is into
    kept = vae.parameters.flat.copy()
    with torch.no_grad():
        twin.encoder1.bias.add_(1)
    np.testing.assert_array_equal(vae.parameters.flat, kept)  # a copy, not a view


def torch_optimizer(adam, twin):
    return torch.optim.AdamW(
        twin.parameters(), adam.lr, adam.betas, adam.eps, weight_decay=adam.weight_decay
    )


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("steps", [0, 1, 30])
def test_adam_goes_there_and_back_in_mid_run(steps, network):
    """NumPy, then PyTorch, then NumPy: as NumPy all the way."""
    rng = np.random.default_rng(0)
    vae = VAE(network(*NETWORKS[network], np.float64))
    x, eps = rng.random((5, vae.x_dim)), rng.standard_normal((5, vae.z_dim))
    straight = to_numpy(to_torch(vae))
    adam, adam_straight = (
        Adam(model.parameters, lr=0.01, weight_decay=0.1) for model in (vae, straight)
    )
    for model, optimizer, n in ((vae, adam, steps), (straight, adam_straight, steps + 40)):
        for _ in range(n):
            model.forward(x, eps)
            optimizer.step(model.backward())

    twin = to_torch(vae)
    optimizer = torch_optimizer(adam, twin)
    adam_to_torch(adam, optimizer, twin)
    for _ in range(20):
        optimizer.zero_grad()
        twin(torch.tensor(x), torch.tensor(eps)).total.backward()
        optimizer.step()

    vae = to_numpy(twin)
    adam = Adam(vae.parameters, lr=0.01, weight_decay=0.1)
    adam_to_numpy(optimizer, twin, adam)
    assert adam.steps == steps + 20
    for _ in range(20):
        vae.forward(x, eps)
        adam.step(vae.backward())
    assert adam.steps == adam_straight.steps
    pairs = {
        "parameters": (vae.parameters.flat, straight.parameters.flat),
        "gradient_sum": (adam.gradient_sum, adam_straight.gradient_sum),
        "square_sum": (adam.square_sum, adam_straight.square_sum),
    }
    assert_agree(Comparison(name, *pair) for name, pair in pairs.items())


def test_an_optimizer_before_its_first_step_has_an_empty_state():
    vae = VAE(FullyConnected(4, 3, 3, 2))
    adam = Adam(vae.parameters)
    adam.step(vae.parameters)
    twin = to_torch(vae)
    adam_to_numpy(torch_optimizer(adam, twin), twin, adam)
    assert adam.steps == 0
    assert not np.any(adam.gradient_sum)
    assert not np.any(adam.square_sum)


@pytest.mark.parametrize("bound", ["importance", "dreg", "elbo"])
def test_samples_and_bound_go_there_and_back(bound):
    vae = IWAE(FullyConnected(6, 5, 4, 3, np.float64), "bce", samples=3, bound=bound)
    twin = to_torch(vae)
    back = to_numpy(twin)
    assert (twin.samples, twin.bound) == (back.samples, back.bound) == (3, bound)
    torch.manual_seed(0)
    x = torch.rand(2, 6, dtype=torch.float64)
    assert twin(x).total != twin(x).total  # the noise is drawn anew
