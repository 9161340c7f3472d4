"""What the tests of the commands share."""

import pytest

from numpyvae.commands.main import main

TINY = "--dataset own.npz --hidden 6 5 --z-dim 2 --batch-size 16"


@pytest.fixture
def numpyvae(own_folder, call):
    """numpyvae(line) -> (exit status, output, errors), in a folder with own.npz."""
    return lambda line: call(main, line)


@pytest.fixture
def train(numpyvae, unrendered_within):
    """train(line): ``numpyvae train`` with a model, images and figures that take no time."""

    def train(line):
        with unrendered_within():
            return numpyvae(f"train {TINY} {line}")

    return train


@pytest.fixture
def mistake(numpyvae, assert_mistake):
    """mistake(line, message): one line, status 2, nothing written or changed."""
    return lambda line, message: assert_mistake(main, line, message)
