"""Weights as PyTorch's own files."""

import numpy as np
import pytest
import torch

from numpyvae import Config, InputError, Run
from reference_torch import TorchFullyConnected, TorchVAE
from reference_torch.twin.weights import load_state_dict, save_state_dict


@pytest.fixture
def run() -> Run:
    return Run.start(Config(hidden=(6, 5), z_dim=2), (5, 4))


def test_the_twin_loads_what_is_written(run, tmp_path):
    save_state_dict(run, tmp_path / "w.pt")
    model = TorchVAE(TorchFullyConnected(20, 6, 5, 2))
    model.load_state_dict(torch.load(tmp_path / "w.pt"))
    np.testing.assert_array_equal(model.mean.bias.detach(), run.vae.parameters["mean.bias"])


def test_a_state_dict_becomes_a_run(tmp_path):
    model = TorchVAE(TorchFullyConnected(20, 6, 5, 2)).double()
    torch.save(model.state_dict(), tmp_path / "w.pt")
    run = load_state_dict(tmp_path / "w.pt", None, (5, 4))
    np.testing.assert_allclose(run.vae.parameters["mean.bias"], model.mean.bias.detach(), rtol=1e-6)


class Hostile:
    def __reduce__(self):
        return (open, ("opened", "w"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Hostile(), "holds more than weights"),
        ([1, 2], r"does not hold a state_dict\(\)"),
        ({"a": 1}, r"does not hold a state_dict\(\)"),
        ({"a": torch.zeros(2)}, "lacks a matrix encoder1.weight"),
    ],
)
def test_anything_else_is_refused_and_not_executed(tmp_path, monkeypatch, content, said):
    monkeypatch.chdir(tmp_path)
    torch.save(content, "w.pt")
    with pytest.raises(InputError, match=said):
        load_state_dict(tmp_path / "w.pt", None, None)
    assert not (tmp_path / "opened").exists()
    (tmp_path / "w.pt").write_bytes(b"not a file of PyTorch")
    with pytest.raises(InputError, match="cannot read"):
        load_state_dict(tmp_path / "w.pt", None, None)
