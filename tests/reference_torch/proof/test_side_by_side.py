"""NumPy and PyTorch trained side by side."""

from math import prod

import numpy as np
import pytest

from numpyvae import Config, Dataset, load_dataset
from reference_torch.proof.side_by_side import train_side_by_side


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_side_by_side_stays_together_in_float64_and_drifts_in_float32(own_folder, reconstruction):
    data = load_dataset("own.npz")
    config = Config(
        "own.npz", 30, batch_size=16, hidden=(20, 10), z_dim=3, reconstruction=reconstruction
    )
    exact = train_side_by_side(config, data, np.float64)
    assert len(exact.numpy_losses) == len(exact.torch_losses) == 30 * 4
    assert exact.loss_differences.max() < 1e-8
    assert exact.parameter_difference < 1e-8
    first, last = np.mean(exact.numpy_losses[:4]), np.mean(exact.numpy_losses[-4:])
    assert last < first  # both learn
    rough = train_side_by_side(config, data, np.float32)
    assert 1e-8 < rough.loss_differences.max() < 0.1


@pytest.mark.parametrize(
    ("network", "image_shape", "z_dim"),
    [("conv", (9, 10), 3), ("conv", (9, 10, 3), 3), ("conv-autoencoder", (16, 28, 3), 8)],
)
def test_convolutions_stay_together(network, image_shape, z_dim):
    pixels = np.random.default_rng(0).integers(0, 256, (40, prod(image_shape)), np.uint8)
    data = Dataset("own", pixels[:30], None, pixels[30:], None, image_shape)
    config = Config("own", 5, batch_size=8, network=network, hidden=(3, 4), z_dim=z_dim)
    both = train_side_by_side(config, data, np.float64)
    assert both.loss_differences.max() < 1e-8
    assert both.parameter_difference < 1e-8
    assert np.mean(both.numpy_losses[-4:]) < np.mean(both.numpy_losses[:4])
