"""NumPy and PyTorch trained side by side."""

import numpy as np
import pytest

from numpyvae import Config, load_dataset
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
