"""Weights as PyTorch's own files."""

import numpy as np
import pytest
import torch

from numpyvae import Config, InputError, Run
from numpyvae.errors import InputWarning
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


def special(kind: str, weight: torch.Tensor) -> torch.Tensor:
    match kind:
        case "complex":
            return weight + 1j
        case "whole numbers":
            return weight.int()
        case "sparse":
            return weight.to_sparse()
        case "meta":
            return weight.to("meta")
        case "quantized":
            return torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8)
        case "nested":
            return torch.nested.nested_tensor([weight, weight])
    return torch.zeros(1, 1).expand(weight.shape)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "kind", ["complex", "whole numbers", "sparse", "meta", "quantized", "nested", "one number"]
)
def test_tensors_that_are_no_plain_floats_are_refused(run, tmp_path, kind):
    save_state_dict(run, tmp_path / "w.pt")
    state = torch.load(tmp_path / "w.pt")
    state["encoder1.weight"] = special(kind, state["encoder1.weight"])
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"encoder1\.weight in .* (plain tensor|fewer numbers)"):
        load_state_dict(tmp_path / "w.pt", None, (5, 4))


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_of_a_trainings_checkpoint_the_weights_are_taken_and_said(run, tmp_path, key):
    save_state_dict(run, tmp_path / "w.pt")
    wrapped = {f"module.{name}": w for name, w in torch.load(tmp_path / "w.pt").items()}
    torch.save({"epoch": 3, "optimizer": {}, key: wrapped}, tmp_path / "c.pt")
    with pytest.warns(InputWarning) as said:
        back = load_state_dict(tmp_path / "c.pt", None, (5, 4))
    assert [f"the entry {key} is taken" in str(said[0].message), len(said)] == [True, 2]
    np.testing.assert_array_equal(back.vae.parameters.flat, run.vae.parameters.flat)
