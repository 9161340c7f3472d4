"""Checkpoints: what goes in comes out, and nothing damaged or foreign is trusted."""

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae import Config, InputError, load_checkpoint, save_checkpoint
from numpyvae.data.npz import write_npz
from numpyvae.training.run import COLUMNS, Run


@pytest.fixture
def path(run, tmp_path):
    save_checkpoint(tmp_path / "checkpoint.npz", run)
    return tmp_path / "checkpoint.npz"


def rewrite(path, **changes) -> None:
    with np.load(path, allow_pickle=False) as arrays:
        write_npz(path, {**arrays, **changes})


def header_with(path, **changes):
    with np.load(path, allow_pickle=False) as arrays:
        return np.array(json.dumps({**json.loads(str(arrays["header"])), **changes}))


def test_a_checkpoint_round_trip_changes_nothing(assert_same_run, run, path):
    loaded = load_checkpoint(path)
    assert_same_run(loaded, run)
    assert loaded.history == run.history
    assert loaded.image_shape == run.image_shape
    assert_same_run(load_checkpoint(path.parent), run)  # the folder will do
    assert loaded.rng.random() == run.rng.random()


def test_anyone_can_read_a_checkpoint_without_pickle(run, path):
    with np.load(path, allow_pickle=False) as arrays:
        assert set(arrays) == {"header", "parameters", "gradient_sum", "square_sum", "history"}
        header = json.loads(str(arrays["header"]))
        assert header["format"] == "numpyvae checkpoint"
        assert header["config"]["z_dim"] == 2
        np.testing.assert_array_equal(arrays["parameters"], run.vae.parameters.flat)


def test_the_same_run_gives_the_same_bytes(run, path):
    before = path.read_bytes()
    save_checkpoint(path, run)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "does not say 'numpyvae checkpoint'"),
        ({"version": 99}, "version 99"),
        ({"config": {}}, "a configuration has the settings"),
        ({"image_shape": [5, 5]}, "finite float32 numbers"),
        ({"image_shape": [0, 4]}, "image shape"),
        ({"image_shape": 20}, "no usable checkpoint"),
        ({"image_shape": [10**9, 10**9]}, "finite float32 numbers"),
        ({"adam_steps": -1}, "adam_steps"),
        ({"adam_steps": 1.5}, "adam_steps"),
        ({"rng": {"bit_generator": "MT19937"}}, "no usable checkpoint"),
        ({"rng": 3}, "no usable checkpoint"),
        ({"columns": ["epoch"]}, "columns"),
    ],
)
def test_a_header_that_lies_is_refused(path, changes, message):
    rewrite(path, header=header_with(path, **changes))
    with pytest.raises(InputError, match=message) as error:
        load_checkpoint(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["parameters", "gradient_sum", "square_sum"])
def test_vectors_of_the_wrong_size_type_or_value_are_refused(path, run, name):
    good = run.vectors()[name]
    for bad in (good[:-1], good.astype(np.float64), np.full_like(good, np.nan), good[None]):
        rewrite(path, **{name: bad})
        with pytest.raises(InputError, match=f"{name} must be"):
            load_checkpoint(path)
    rewrite(path, **{name: good, "square_sum": -np.ones_like(good)})
    with pytest.raises(InputError, match="square_sum must not be negative"):
        load_checkpoint(path)


def test_a_history_that_makes_no_sense_is_refused(path, run):
    good = np.array([[row[c] for c in COLUMNS] for row in run.history])
    one_nan = good.copy()
    one_nan[1, COLUMNS.index("val_loss")] = np.nan
    for bad in (good[:, 1:], good[::-1], one_nan, good[0]):
        rewrite(path, history=bad)
        with pytest.raises(InputError, match="history"):
            load_checkpoint(path)


def test_a_missing_array_or_text_that_is_no_json_is_refused(path):
    rewrite(path, header=np.array("not json"))
    with pytest.raises(InputError, match="no usable checkpoint"):
        load_checkpoint(path)
    write_npz(path, {"images": np.zeros(3)})
    with pytest.raises(InputError, match="no numpyvae checkpoint: it lacks 'header'"):
        load_checkpoint(path)
    with pytest.raises(InputError, match="No such file"):
        load_checkpoint(path.parent / "missing.npz")


@pytest.fixture(scope="module")
def good_bytes(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "c.npz"
    run = Run.start(Config(z_dim=1, hidden=(2, 2)), (2, 2))
    save_checkpoint(path, run)
    return path.read_bytes()


@given(data=st.data())
def test_damage_anywhere_is_an_input_error_or_harmless(damaged, good_bytes, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(damaged(data, good_bytes))
    try:
        run = load_checkpoint(path)
    except InputError:
        return
    with zipfile.ZipFile(io.BytesIO(good_bytes)) as archive:  # the damage hit nothing that counts
        content = np.lib.format.read_array(archive.open("parameters.npy"))
    np.testing.assert_array_equal(run.vae.parameters.flat, content)
