"""Weights in and out, in files that other programs read."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from numpyvae import Config, InputError, Run, load_weights, save_weights
from numpyvae.errors import InputWarning
from numpyvae.networks import NETWORKS


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


@pytest.mark.parametrize("network", NETWORKS)
def test_the_weights_say_whether_images_have_colour(tmp_path, network):
    for image_shape in ((16, 16), (16, 16, 3)):
        run = Run.start(Config(network=network, hidden=(4, 3), z_dim=3), image_shape)
        save_file(dict(run.vae.parameters), tmp_path / "w.safetensors")
        back = load_weights(tmp_path / "w.safetensors", image_shape=(16, 16))
        assert back.image_shape == image_shape
        np.testing.assert_array_equal(back.vae.parameters.flat, run.vae.parameters.flat)


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


def rewrite(path, **settings) -> None:
    """Changes what the file says of the run."""
    with safe_open(path, "numpy") as file:
        known = json.loads(file.metadata()["numpyvae"])
    known["config"] |= settings.pop("config", {})
    save_file(load_file(path), path, {"numpyvae": json.dumps({**known, **settings})})


@pytest.mark.parametrize(
    "shape",
    [
        [-5, -4],
        [True, 20],
        [5.0, 4.0],
        ["5", "4"],
        "54",
        [[5], [4]],
        {"5": 0, "4": 0},
        [20],
        [5, 4, 1],
        [5, 4, 4],
    ],
)
def test_an_image_shape_that_none_has_is_refused(run, tmp_path, shape):
    save_weights(run, tmp_path / "w.safetensors")
    rewrite(tmp_path / "w.safetensors", image_shape=shape)
    with pytest.raises(
        InputError, match=r"w\.safetensors make no sense: an image shape is \(height"
    ):
        load_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", ["\ud800", "a\0b"])
def test_a_data_set_that_none_can_be_called_is_refused(run, tmp_path, name):
    save_weights(run, tmp_path / "w.safetensors")
    rewrite(tmp_path / "w.safetensors", config={"dataset": name})
    with pytest.raises(InputError, match="dataset must be a name or a path") as error:
        load_weights(tmp_path / "w.safetensors")
    assert str(error.value).isprintable()


def test_a_weight_beyond_float32_is_refused_before_a_run_begins(run, tmp_path):
    large = {name: w.astype(np.float64) * 1e300 for name, w in run.vae.parameters.items()}
    save_file(large, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="must be finite floats, in float32 too"):
        load_weights(tmp_path / "w.safetensors", image_shape=(5, 4))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_what_wrappers_put_before_names_is_taken_off_and_said(run, tmp_path, prefix):
    wrapped = {prefix + name: w for name, w in run.vae.parameters.items()}
    save_file(wrapped, tmp_path / "w.safetensors")
    with pytest.warns(InputWarning, match=r"the names in .* are taken without the (module|_orig)"):
        back = load_weights(tmp_path / "w.safetensors", image_shape=(5, 4))
    np.testing.assert_array_equal(back.vae.parameters.flat, run.vae.parameters.flat)
