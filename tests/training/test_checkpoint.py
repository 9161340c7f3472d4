"""Checkpoints: what goes in comes out, and nothing damaged or foreign is trusted."""

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae import Config, InputError, LossNotFiniteError, load_checkpoint, save_checkpoint
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


def pcg64(state, inc):
    numbers = {"state": state, "inc": inc}
    return {"bit_generator": "PCG64", "state": numbers, "has_uint32": 0, "uinteger": 0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "does not say 'numpyvae checkpoint'"),
        ({"version": 99}, "version 99"),
        ({"config": {}}, "a configuration has the settings"),
        ({"image_shape": [5, 5]}, "finite float32 numbers"),
        ({"image_shape": [0, 4]}, "image shape"),
        ({"image_shape": [5, 4, 1]}, "image shape"),
        ({"image_shape": [5, 4, 3]}, "finite float32 numbers"),
        ({"image_shape": [True, 20]}, "image shape"),
        ({"image_shape": 20}, "no usable checkpoint"),
        ({"image_shape": [10**9, 10**9]}, "finite float32 numbers"),
        ({"adam_steps": -1}, "adam_steps"),
        ({"adam_steps": 1.5}, "adam_steps"),
        ({"adam_steps": 10**400}, "adam_steps"),
        ({"rng": {"bit_generator": "MT19937"}}, "no usable checkpoint"),
        ({"rng": 3}, "no usable checkpoint"),
        ({"rng": pcg64(-1, 3)}, "random state"),
        ({"rng": pcg64(2**200, 3)}, "random state"),
        ({"rng": pcg64(1, 2**128 + 1)}, "random state"),
        ({"rng": pcg64(1, 2)}, "random state"),
        ({"rng": pcg64(1.0, 3)}, "random state"),
        ({"rng": {**pcg64(1, 3), "has_uint32": 2}}, "random state"),
        ({"rng": {**pcg64(1, 3), "uinteger": 2**32}}, "random state"),
        ({"columns": ["epoch"]}, "columns"),
        ({"label_names": "abc"}, "label_names"),
        ({"label_names": ["a", 3]}, "label_names"),
        ({"images": 3}, "its images is 3"),
        ({"trained_with": "NumPy"}, "its trained_with are 'NumPy'"),
        ({"trained_with": [None]}, "its trained_with are"),
    ],
)
def test_a_header_that_lies_is_refused(path, changes, message):
    rewrite(path, header=header_with(path, **changes))
    with pytest.raises(InputError, match=message) as error:
        load_checkpoint(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_names_of_labels_are_kept_and_older_checkpoints_have_none(run, path):
    assert load_checkpoint(path).label_names is None
    run.label_names = ("café", "\udcff", "")
    save_checkpoint(path, run)
    assert load_checkpoint(path).label_names == run.label_names
    header = json.loads(str(header_with(path)))
    del header["label_names"]
    rewrite(path, header=np.array(json.dumps(header)))
    assert load_checkpoint(path).label_names is None


def test_every_state_that_a_generator_can_have_is_loaded(path):
    for state, inc in ((0, 1), (2**128 - 1, 2**128 - 1)):
        rewrite(path, header=header_with(path, rng=pcg64(state, inc)))
        load_checkpoint(path).rng.permutation(100)


@pytest.mark.parametrize(
    ("name", "value"),
    [("lr", 10**400), ("beta", 1e31), ("batch_size", 10**25), ("epochs", 10**400)],
)
def test_settings_beyond_all_measure_are_refused(path, run, name, value):
    rewrite(path, header=header_with(path, config={**asdict(run.config), name: value}))
    with pytest.raises(InputError, match=f"{name} must be"):
        load_checkpoint(path)


def test_json_nested_without_end_is_refused(path):
    rewrite(path, header=np.array("[" * 100_000))
    with pytest.raises(InputError, match="no usable checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["parameters", "gradient_sum", "square_sum"])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_could_not_be_loaded_is_not_saved(path, run, name, value):
    before = path.read_bytes()
    run.vectors()[name][3] = value
    with pytest.raises(LossNotFiniteError, match=f"{name} is not finite"):
        save_checkpoint(path, run)
    assert path.read_bytes() == before


def test_a_history_that_could_not_be_loaded_is_not_saved(path, run):
    before = path.read_bytes()
    run.history[1]["val_kl"] = 1e101
    with pytest.raises(LossNotFiniteError, match="history"):
        save_checkpoint(path, run)
    assert path.read_bytes() == before


def test_a_compressed_checkpoint_takes_no_more_memory_than_its_size(path, traced):
    """Zip files squeeze zeros a thousandfold."""
    np.savez_compressed(path, parameters=np.zeros(50_000_000, np.float32))
    with traced() as peak, pytest.raises(InputError, match="more data than a file of its size"):
        load_checkpoint(path)
    assert peak() < 1 << 20


def test_a_checkpoint_of_version_1_is_read_for_ever():
    """Written on 2026-11-25, after two epochs on 40 random images."""
    run = load_checkpoint(Path(__file__).with_name("checkpoint-1.npz"))
    assert [round(row["val_loss"], 6) for row in run.history] == [2.182455, 2.164702]
    assert run.config == Config(dataset="tiny", epochs=2, batch_size=16, z_dim=2, hidden=(6, 5))
    assert (run.image_shape, run.adam.steps) == ((5, 4), 6)
    assert run.rng.integers(10**6) == 349883
    assert float(run.vae.parameters.flat.sum()) == pytest.approx(7.805803298950195, rel=1e-6)


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
    for bad in (
        good[:, 1:],
        good[::-1],
        one_nan,
        good[0],
        good * [1, *[1e101] * (len(COLUMNS) - 1)],
    ):
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


def test_a_checkpoint_from_before_the_images_were_known_is_read(path):
    with np.load(path, allow_pickle=False) as arrays:
        header = json.loads(str(arrays["header"]))
    assert header.pop("images")
    assert header.pop("trained_with")
    rewrite(path, header=np.array(json.dumps(header)))
    assert (load_checkpoint(path).images, load_checkpoint(path).trained_with) == (None, [])
