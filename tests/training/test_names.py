"""Weights of other people by their own names."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from numpyvae import InputError, load_weights

PYTORCH_EXAMPLE = """\
# theirs  ours
fc1       encoder1
fc2       encoder2

fc31      mean      # the heads
fc32      log_var
fc4       decoder1
fc5       decoder2
fc6       decoder3
"""
NAMES = dict(line.split()[:2] for line in PYTORCH_EXAMPLE.splitlines() if line[:2] == "fc")


def theirs(run, rename=lambda layer, kind: f"{layer}.{kind}", turn=False):
    """A run's weights, as another program names them."""
    layers = {ours: name for name, ours in NAMES.items()}
    found = {}
    for name, array in run.vae.parameters.items():
        layer, kind = name.split(".")
        turned = np.ascontiguousarray(array.T) if turn and array.ndim == 2 else array.copy()
        found[rename(layers[layer], kind)] = turned
    return found


@pytest.fixture
def load(run, tmp_path):
    """Writes weights and names, and reads them again."""

    def load(weights, names=PYTORCH_EXAMPLE):
        save_file(weights, tmp_path / "w.safetensors")
        (tmp_path / "names.txt").write_text(names)
        return load_weights(
            tmp_path / "w.safetensors", image_shape=(5, 4), names=tmp_path / "names.txt"
        )

    return load


def test_layers_of_another_name(run, load):
    np.testing.assert_array_equal(load(theirs(run)).vae.parameters.flat, run.vae.parameters.flat)


@pytest.mark.parametrize("dot", [".", "/"])
def test_kernels_are_transposed(run, load, dot):
    """As Flax and Keras name them, nested or not."""
    kinds = {"weight": "kernel", "bias": "bias"}
    weights = theirs(run, lambda layer, kind: f"params{dot}{layer}{dot}{kinds[kind]}", turn=True)
    names = "\n".join(f"params{dot}{name} {ours}" for name, ours in NAMES.items())
    np.testing.assert_array_equal(load(weights, names).vae.parameters.flat, run.vae.parameters.flat)


def test_single_arrays_and_what_is_transposed(run, load):
    """As of paddle: (in, out), and named by number."""
    weights = theirs(run, lambda layer, kind: f"{layer}_{kind[0]}", turn=True)
    lines = [
        f"{name}_w {ours}.weight transposed\n{name}_b {ours}.bias" for name, ours in NAMES.items()
    ]
    back = load(weights, "\n".join(lines))
    np.testing.assert_array_equal(back.vae.parameters.flat, run.vae.parameters.flat)


def test_a_layer_can_be_transposed_as_a_whole(run, load):
    names = PYTORCH_EXAMPLE.replace("encoder1", "encoder1 transposed")
    weights = theirs(run)
    weights["fc1.weight"] = np.ascontiguousarray(weights["fc1.weight"].T)
    back = load(weights, names)
    np.testing.assert_array_equal(back.vae.parameters.flat, run.vae.parameters.flat)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("fc2   ", "fc1   ", "line 3, maps fc1.weight, as a line before it does"),
        ("encoder2", "encoder1", "line 3, maps to encoder1.weight, as a line before it does"),
        ("fc6       decoder3\n", "", "maps nothing to decoder3.bias, decoder3.weight"),
        (
            "fc6  ",
            "fc7  ",
            r"line 9, .*w.safetensors has no fc7.weight, but fc1.bias, .* and 6 more",
        ),
        (
            "decoder3",
            "decoder4",
            r"line 9, must be a name of theirs, one of encoder1, .*'fc6       d",
        ),
        ("decoder3", "decoder3 turned", "line 9, must be .* perhaps transposed"),
        ("decoder3", "", "line 9, must be .*: 'fc6'"),
        ("decoder3", "decoder3 transposed", r"has shape \(6, 20\), its outputs last: write transp"),
    ],
)
def test_a_file_of_names_that_does_not_fit_is_refused_in_one_line(run, load, old, new, said):
    assert PYTORCH_EXAMPLE.count(old) == 1
    with pytest.raises(InputError, match=said) as error:
        load(theirs(run), PYTORCH_EXAMPLE.replace(old, new))
    assert "names.txt" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_array_that_no_line_names_is_not_left_out_in_silence(run, load):
    with pytest.raises(InputError, match=r"names.txt says nothing of bn1.scale in .*w.safetensors"):
        load(theirs(run) | {"bn1.scale": np.ones(3, np.float32)})


def test_only_a_matrix_can_be_transposed(run, load):
    alone = "fc1.bias encoder1.bias transposed\nfc1.weight encoder1.weight\n"
    with pytest.raises(InputError, match=r"fc1.bias has shape \(6,\), and is no matrix"):
        load(theirs(run), alone + PYTORCH_EXAMPLE.replace("fc1       encoder1", ""))


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_of_names_that_cannot_be_read(run, tmp_path, content):
    save_file(theirs(run), tmp_path / "w.safetensors")
    if content:
        (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read .*names.txt"):
        load_weights(tmp_path / "w.safetensors", names=tmp_path / "names.txt")
