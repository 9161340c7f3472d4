"""The proof of the proof: the comparisons with PyTorch catch every deliberate error, by name."""

import re
from contextlib import contextmanager
from itertools import product

import numpy as np
import pytest

from numpyvae import VAE, Adam, Convolutional, FullyConnected
from numpyvae.flat import FlatArrays
from numpyvae.importance import IWAE
from reference_torch.proof import parity
from reference_torch.proof.convolution_errors import CONVOLUTION_ERRORS
from reference_torch.proof.deliberate_errors import ERRORS, DeliberateError
from reference_torch.proof.gradcheck import Checked, gradcheck
from reference_torch.proof.importance_errors import IMPORTANCE_ERRORS
from reference_torch.proof.parallel import parallel_parity
from reference_torch.proof.parallel_errors import PARALLEL_ERRORS
from reference_torch.proof.parity import Comparison, adam_parity, assert_agree, model_parity

MODEL_ERRORS = [
    error for error in ERRORS + IMPORTANCE_ERRORS + CONVOLUTION_ERRORS if not error.in_adam
]
ALL_ERRORS = ERRORS + IMPORTANCE_ERRORS + CONVOLUTION_ERRORS + PARALLEL_ERRORS


def model(reconstruction, samples=None, bound="importance", network="fully-connected"):
    """A model whose layers encoder2 and decoder2 are square; what its forward pass needs; beta."""
    network = (
        Convolutional((9, 10), (3, 3), 4, np.float64)
        if network == "conv"
        else FullyConnected(12, 9, 9, 4, np.float64)
    )
    vae = (
        IWAE(network, reconstruction, samples=samples, bound=bound)
        if samples
        else VAE(network, reconstruction)
    )
    vae.parameters.flat[...] *= 2
    rng = np.random.default_rng(0)
    x, eps = rng.random((7, vae.x_dim)), rng.standard_normal((7 * (samples or 1), 4))
    return vae, x, eps, 1.0 if samples else 0.7


def model_rows(*kind, **more) -> list[Checked]:
    return gradcheck(*model(*kind, **more), np.random.default_rng(1))


def adam_comparisons() -> list[Comparison]:
    vae = VAE(FullyConnected(5, 4, 3, 2, np.float64))
    adam = Adam(vae.parameters, lr=0.01, weight_decay=0.1)
    rng = np.random.default_rng(0)
    gradients = []
    for _ in range(20):
        gradient = FlatArrays({name: p.shape for name, p in vae.parameters.items()}, np.float64)
        gradient.flat[...] = rng.standard_normal(gradient.flat.size)
        gradients.append(gradient)
    return adam_parity(adam, gradients)


@pytest.fixture
def exactly(monkeypatch):
    """``with exactly(): ...``: rounding is not measured, which takes most of the time."""

    @contextmanager
    def exactly():
        with monkeypatch.context() as patch:
            patch.setattr(parity, "NOISY_RUNS", 0)
            yield

    return exactly


def comparisons(error: DeliberateError) -> list[Comparison]:
    if error.in_adam:
        return adam_comparisons()
    if error.processes:
        return parallel_parity(*model(error.reconstruction, error.samples), error.processes)
    return model_parity(*model(error.reconstruction, error.samples, error.bound, error.network))


def test_without_an_error_all_is_right():
    for kind in product(("mse", "bce"), (None, 3), ("importance", "dreg")):
        rows = model_rows(*kind)
        assert_agree(row.comparison for row in rows)
        assert all(row.agrees for row in rows)
        for processes in (2, 4, 8):  # of 7 images, one process has none
            assert_agree(parallel_parity(*model(*kind), processes))
    assert all(row.agrees for row in model_rows("mse", network="conv"))
    assert_agree(adam_comparisons())


@pytest.mark.parametrize("error", ALL_ERRORS, ids=lambda error: error.name)
def test_every_error_is_caught_by_name(error, exactly):
    with error.applied():
        found = comparisons(error)
    assert sorted(c.name for c in found if not c.agrees) == sorted(error.caught)
    for name in error.caught:
        with pytest.raises(AssertionError, match=rf"(?m)^{re.escape(name)}: NumPy .*, PyTorch "):
            assert_agree(found)
    with exactly():
        assert_agree(comparisons(error))  # and it is gone


@pytest.mark.parametrize("error", MODEL_ERRORS, ids=lambda error: error.name)
def test_a_gradient_check_alone_misses_wrong_losses(error, exactly):
    """Finite differences catch what is not consistent, and only that; hence the comparison.

    Where a gradient is right on average only, its mean does."""
    with error.applied(), exactly():
        rows = model_rows(error.reconstruction, error.samples, error.bound, error.network)
    wrong = [r.comparison.name for r in rows if r.differences and not r.differences.agrees]
    assert bool(wrong) == (not error.consistent)


def test_every_error_is_described_once():
    assert len({error.name for error in ALL_ERRORS}) == len(ALL_ERRORS)
    assert all(error.explanation.endswith(".") for error in ALL_ERRORS)
