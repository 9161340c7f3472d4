"""Weights in and out, in files that other programs read."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from numpyvae import Config, InputError, load_weights, save_weights


def test_the_file_has_the_names_and_shapes_of_pytorch(run, tmp_path):
    save_weights(run, tmp_path / "w.safetensors")
    weights = load_file(tmp_path / "w.safetensors")
    assert {name: w.shape for name, w in weights.items()} == {
        name: w.shape for name, w in run.vae.parameters.items()
    }
    np.testing.assert_array_equal(weights["mean.bias"], run.vae.parameters["mean.bias"])


def test_the_way_back_brings_weights_settings_and_image_size(run, tmp_path):
    save_weights(run, tmp_path / "w.safetensors")
    back = load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(back.vae.parameters.flat, run.vae.parameters.flat)
    assert (back.config, back.image_shape) == (run.config, run.image_shape)
    assert (back.history, back.adam.steps) == ([], 0)


def test_a_file_of_another_program_says_only_sizes(run, tmp_path):
    half = {name: w.astype(np.float16) for name, w in run.vae.parameters.items()}
    save_file(half, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"20 pixels, which is not \(4, 4\)"):
        load_weights(tmp_path / "w.safetensors")
    back = load_weights(tmp_path / "w.safetensors", Config("mine", reconstruction="bce"), (5, 4))
    assert (back.config.dataset, back.config.hidden, back.config.z_dim) == ("mine", (6, 5), 2)
    assert back.vae.reconstruction == "bce"
    np.testing.assert_array_equal(back.vae.parameters["mean.bias"], half["mean.bias"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encoder1.weight": None}, "lacks a matrix encoder1.weight"),
        ({"encoder1.weight": np.zeros(3, np.float32)}, "lacks a matrix"),
        ({"decoder2.bias": None}, r"decoder2.bias of shape None, not \(6,\)"),
        ({"decoder2.bias": np.zeros((6, 1), np.float32)}, r"of shape \(6, 1\), not \(6,\)"),
        ({"more": np.zeros(1, np.float32)}, r"more of shape \(1,\), not None"),
        ({"mean.bias": np.zeros(2, np.int32)}, "mean.bias .* finite floats"),
        ({"mean.bias": np.full(2, np.nan, np.float32)}, "mean.bias .* finite floats"),
    ],
)
def test_weights_of_another_model_are_refused(run, tmp_path, change, said):
    weights = {**run.vae.parameters, **change}
    weights = {name: w for name, w in weights.items() if w is not None}
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=said) as error:
        load_weights(tmp_path / "w.safetensors", image_shape=(5, 4))
    assert "w.safetensors" in str(error.value)


def test_damaged_files_are_refused(run, tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match="cannot read"):
        load_weights(path)
    save_weights(run, path)
    whole = path.read_bytes()
    for content in (b"", whole[:100], whole[:-1], whole.replace(b"z_dim", b"z_dam")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"w\.safetensors"):
            load_weights(path)
