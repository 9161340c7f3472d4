"""What the tests of training share."""

import numpy as np
import pytest

from numpyvae import Run, train


@pytest.fixture
def run(tiny, tiny_config) -> Run:
    """A finished run."""
    return train(tiny_config, tiny)


def without_seconds(run: Run) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.history]


@pytest.fixture
def assert_same_run():
    """assert_same_run(a, b): bit for bit, but for the time it took."""

    def assert_same_run(a: Run, b: Run) -> None:
        for name, vector in a.vectors().items():
            np.testing.assert_array_equal(vector, b.vectors()[name], err_msg=name)
        assert a.adam.steps == b.adam.steps
        assert a.rng.bit_generator.state == b.rng.bit_generator.state
        assert without_seconds(a) == without_seconds(b)
        assert a.config == b.config

    return assert_same_run
