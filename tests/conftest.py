"""What the tests share."""

import numpy as np
import pytest
from hypothesis import settings

from numpyvae import Config, Dataset

# No deadline: how long one example takes says more about the machine than about the code.
settings.register_profile("numpyvae", deadline=None)
settings.load_profile("numpyvae")


@pytest.fixture
def tiny() -> Dataset:
    """40 training and 12 test images of 5 x 4 random pixels."""
    images = np.random.default_rng(0).integers(0, 256, (52, 20), np.uint8)
    return Dataset("tiny", images[:40], None, images[40:], None, (5, 4))


@pytest.fixture
def tiny_config() -> Config:
    """A run of three epochs that takes no time; the last minibatch is smaller than the others."""
    return Config(dataset="tiny", epochs=3, batch_size=16, z_dim=2, hidden=(6, 5))
