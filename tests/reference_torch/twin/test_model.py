"""The model in PyTorch."""

from typing import get_args

import numpy as np
import pytest
import torch

from numpyvae import VAE, Convolutional, Dataset, FullyConnected, as_floats
from numpyvae.reconstruction import RECONSTRUCTIONS, Reconstruction
from reference_torch import TorchFullyConnected, TorchVAE
from reference_torch.twin import model
from reference_torch.twin.carrying import to_torch


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_encode_decode_and_sample(reconstruction):
    rng = np.random.default_rng(0)
    vae = VAE(FullyConnected(9, 7, 5, 3, np.float64), reconstruction)
    x, z = rng.random((4, 9)), rng.standard_normal((4, 3))
    twin = to_torch(vae)
    with torch.no_grad():
        encoded, decoded = twin.encode(torch.tensor(x)), twin.decode(torch.tensor(z))
    for ours, theirs in zip(vae.encode(x), encoded, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(vae.decode(z), decoded.numpy(), rtol=1e-10, atol=1e-13)
    images = twin.sample(6, torch.Generator().manual_seed(0))
    assert images.shape == (6, 9)
    assert not images.requires_grad
    assert bool(((images >= 0) & (images <= 1)).all())


def test_a_picture_in_colour_is_the_same_picture_to_pytorch():
    """As torchvision has them, (B, 3, H, W), without our rows in between."""
    rgb = np.random.default_rng(0).integers(0, 256, (12, 9, 10, 3), np.uint8)
    data = Dataset.from_arrays(rgb, test_images=rgb[:5], colour=True)
    vae = VAE(Convolutional(data.image_shape, (3, 4), 2, np.float64))
    x = as_floats(data.test_images, np.float64)
    mean, log_var = vae.encode(x)
    vae.forward(x, np.zeros_like(mean))
    twin = to_torch(vae)
    pictures = torch.tensor(rgb[:5] / 255.0).permute(0, 3, 1, 2)
    with torch.no_grad():
        h1 = twin.network.encoder1(pictures).relu()
        encoded = twin.encode(torch.tensor(x))
    np.testing.assert_allclose(vae.activations["h1"], h1.numpy(), rtol=1e-10, atol=1e-13)
    for ours, theirs in zip((mean, log_var), encoded, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-10, atol=1e-13)
    assert vae.decode(mean).shape == (5, 270)


def test_torch_model_draws_its_own_noise():
    torch.manual_seed(0)
    twin = TorchVAE(TorchFullyConnected(6, 5, 4, 3))
    x = torch.rand(2, 6)
    first, second = twin(x), twin(x)
    assert first.kl == second.kl
    assert first.reconstruction != second.reconstruction
    with pytest.raises(ValueError, match="'mse' or 'bce', got 'l1'"):
        TorchVAE(TorchFullyConnected(6, 5, 4, 3), "l1")


def test_every_loss_has_its_name_its_record_and_its_twin():
    assert set(get_args(Reconstruction)) == set(RECONSTRUCTIONS) == set(model.RECONSTRUCTIONS)
