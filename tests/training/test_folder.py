"""The run folder: what it holds, and which runs go on in it."""

import csv
import json
import os
import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numpyvae import Dataset, InputError, load_checkpoint, save_checkpoint, train
from numpyvae.data.files import locked
from numpyvae.errors import InputWarning
from numpyvae.figures.images import read_image_grid
from numpyvae.training import folder, steps
from numpyvae.training.folder import RUN_FILES, new_folder
from numpyvae.training.kernels import numpy_kernels
from numpyvae.training.pictures import sample_latents
from numpyvae.training.run import COLUMNS
from numpyvae.training.steps import NumpyStepper, StepwiseTrainer

pytestmark = pytest.mark.usefixtures("unrendered")

PICTURES = ["evolution.gif", "evolution.png", "loss.png", "reconstructions.png"]


def test_a_run_folder_holds_everything(assert_same_run, tiny, tiny_config, tmp_path):
    run = train(tiny_config, tiny, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*PICTURES, "best.npz", "checkpoint.npz", "config.json", "history.csv", "samples"]
    )
    assert json.loads((tmp_path / "config.json").read_text())["z_dim"] == 2
    with open(tmp_path / "history.csv") as stream:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]
    assert rows == run.history
    assert tuple(rows[0]) == COLUMNS
    assert b"\r" not in (tmp_path / "history.csv").read_bytes()
    assert_same_run(load_checkpoint(tmp_path), run)


def test_the_sample_grids_show_the_same_latent_vectors(tiny, tiny_config, tmp_path):
    run = train(tiny_config, tiny, tmp_path)
    grids = [read_image_grid(p, (5, 4)) for p in sorted((tmp_path / "samples").iterdir())]
    assert [len(grid) for grid in grids] == [64] * 3
    last = run.vae.decode(sample_latents(tiny_config))
    np.testing.assert_array_equal(grids[-1], np.rint(last * 255).astype(np.uint8))
    assert not np.array_equal(grids[0], grids[1])


def test_resuming_mends_texts_that_a_kill_left_behind_the_checkpoint(tiny, tiny_config, tmp_path):
    train(replace(tiny_config, epochs=2), tiny, tmp_path)
    (tmp_path / "history.csv").unlink()
    run = train(replace(tiny_config, epochs=2), tiny, tmp_path, resume=True)
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 1 + len(run.history) == 3
    train(tiny_config, tiny, tmp_path, resume=True)
    assert json.loads((tmp_path / "config.json").read_text())["epochs"] == 3


class Scripted(StepwiseTrainer):
    """Learns nothing, and has the validation losses that it is given."""

    losses = (5.0, 4.0, 6.0, 4.0, 3.0, 3.5, 3.5, 1.0)

    def __init__(self, run, data):
        super().__init__(run, data, NumpyStepper(run.vae, run.adam))

    def validate(self):
        return super().validate() | {"loss": self.losses[len(self.run.history)]}


def test_the_best_checkpoint_is_kept_beside_the_last(
    assert_same_run, tiny, tiny_config, tmp_path, monkeypatch
):
    checkpoints = {}

    def kept(run, folder, keep=folder.keep_run):
        keep(run, folder)
        checkpoints[len(run.history)] = load_checkpoint(folder)
        best = load_checkpoint(folder / "best.npz")
        assert_same_run(best, checkpoints[run.best_epoch()])

    monkeypatch.setattr("numpyvae.training.loop.keep_run", kept)
    run = train(replace(tiny_config, epochs=7), tiny, tmp_path, make_trainer=Scripted)
    assert len(load_checkpoint(tmp_path / "best.npz").history) == run.best_epoch() == 5
    (tmp_path / "best.npz").unlink()  # as a kill before it was written would leave it
    config = replace(tiny_config, epochs=8)
    train(config, tiny, tmp_path, resume=True, make_trainer=Scripted)
    (tmp_path / "best.npz").write_bytes(b"older")
    train(config, tiny, tmp_path, resume=True, make_trainer=Scripted)
    assert len(load_checkpoint(tmp_path / "best.npz").history) == 8


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 4), (3, 8), (None, 8)])
def test_a_run_without_patience_ends_early(tiny, tiny_config, tmp_path, patience, epochs):
    """The second 4.0 is no lower than the first, so of 4.0, 6.0, 4.0 two epochs are in vain."""
    config = replace(tiny_config, epochs=8, patience=patience)
    run = train(config, tiny, tmp_path, make_trainer=Scripted)
    assert len(run.history) == epochs
    assert run.finished()
    again = train(config, tiny, tmp_path, resume=True, make_trainer=Scripted)
    assert len(again.history) == epochs
    more = replace(config, patience=5)
    assert len(train(more, tiny, tmp_path, resume=True, make_trainer=Scripted).history) == 8


def test_what_cannot_be_started_or_resumed(tiny, tiny_config, tmp_path):
    with pytest.raises(InputError, match=r"no run in .* to resume"):
        train(tiny_config, tiny, tmp_path, resume=True)
    train(tiny_config, tiny, tmp_path)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    with pytest.raises(InputError, match="holds a run already"):
        train(tiny_config, tiny, tmp_path)
    with pytest.raises(InputError, match=r"has beta 1\.0, not 2\.0; seed 0, not 7"):
        train(replace(tiny_config, beta=2.0, seed=7), tiny, tmp_path, resume=True)
    with pytest.raises(InputError, match="has finished epoch 3 already"):
        train(replace(tiny_config, epochs=2), tiny, tmp_path, resume=True)
    with pytest.raises(InputError, match="images of 5 x 4 pixels, tiny has 4 x 5"):
        train(tiny_config, replace(tiny, image_shape=(4, 5)), tmp_path, resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the folder"):
        train(tiny_config, tiny, tmp_path / "file")
    assert (tmp_path / "checkpoint.npz").read_bytes() == before


def test_a_folder_in_use_by_another_process_is_refused(tiny, tiny_config, tmp_path):
    train(replace(tiny_config, epochs=1), tiny, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    for resume in (True, False):
        with locked(tmp_path), pytest.raises(InputError, match="is in use by process"):
            train(tiny_config, tiny, tmp_path, resume=resume)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_a_folder_of_samples_that_is_a_link_is_not_followed(tiny, tiny_config, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "samples").symlink_to("../elsewhere")
    with pytest.raises(InputError, match=r"samples: it is a link"):
        train(tiny_config, tiny, tmp_path / "run")
    (tmp_path / "run" / "samples").unlink()
    train(replace(tiny_config, epochs=1), tiny, tmp_path / "run")
    (tmp_path / "run" / "samples").rename(tmp_path / "run" / "old")
    (tmp_path / "run" / "samples").symlink_to("../elsewhere")
    with pytest.raises(InputError, match=r"samples: it is a link"):
        train(tiny_config, tiny, tmp_path / "run", resume=True)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("damage", ["missing", "cut short", "a pipe", "other"])
def test_resuming_redraws_all_but_damaged_samples(tiny, tiny_config, tmp_path, damage):
    train(replace(tiny_config, epochs=2), tiny, tmp_path)
    sample = tmp_path / "samples" / "epoch-0001.png"
    whole = sample.read_bytes()
    sample.unlink()
    match damage:
        case "cut short":
            sample.write_bytes(whole[:100])
        case "a pipe":
            os.mkfifo(sample)
        case "other":
            sample.write_bytes((tmp_path / "loss.png").read_bytes())
    for name in PICTURES:
        (tmp_path / name).unlink()
    train(tiny_config, tiny, tmp_path, resume=True)
    assert all((tmp_path / name).exists() for name in PICTURES)


@pytest.mark.parametrize("image_shape", [(1700, 1700), (1, 70_000)])
def test_images_too_large_for_our_pictures_are_refused_before_training(
    tiny_config, tmp_path, image_shape
):
    images = np.zeros((2, image_shape[0] * image_shape[1]), np.uint8)
    data = Dataset("tiny", images, None, images, None, image_shape)
    with pytest.raises(InputError, match=r"100 images of .* are a picture of"):
        train(replace(tiny_config, hidden=(1, 1)), data, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert len(train(replace(tiny_config, hidden=(1, 1), epochs=1), data).history) == 1


def test_a_new_folder_is_the_first_that_is_free(own_folder):
    with new_folder("some/own.npz") as first, new_folder("own.npz") as second:
        assert (first, second) == (Path("runs/own-1"), Path("runs/own-2"))
        Path("runs/own-3").symlink_to("nowhere")
        with new_folder("own.npz") as fourth:
            assert fourth == Path("runs/own-4")
        (first / "kept").touch()
    assert sorted(os.listdir("runs")) == ["own-1", "own-3"]


def test_no_folder_is_left_where_nothing_begins(own_folder):
    with pytest.raises(ZeroDivisionError), new_folder("own.npz"):
        raise ZeroDivisionError
    assert not Path("runs").exists()
    Path("runs").touch()
    with pytest.raises(InputError, match="cannot make the folder runs"), new_folder("own.npz"):
        pytest.fail("there is none")


@pytest.mark.parametrize("name", [*RUN_FILES[1:], "samples/epoch-0001.png"])
def test_a_run_begins_in_no_folder_with_files_of_others(tiny, tiny_config, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=f"holds a file {name} of somebody else, .*: give another"):
        train(tiny_config, tiny, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / name).read_text() == "precious"
    (tmp_path / name).rename(tmp_path / "notes.txt")
    train(replace(tiny_config, epochs=1), tiny, tmp_path)


class Unlocked(StepwiseTrainer):
    """Somebody removes the lock in its second epoch, and may begin to write there, too."""

    def validate(self):
        if len(self.run.history) == 1:
            Path("run/.lock").unlink()
        return super().validate()


def test_a_run_whose_lock_is_gone_writes_no_more(tiny, tiny_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"cannot write .*epoch-0002.png: somebody removed run/"):
        train(
            tiny_config,
            tiny,
            "run",
            make_trainer=lambda run, data: Unlocked(run, data, NumpyStepper(run.vae, run.adam)),
        )
    assert len(load_checkpoint("run").history) == 1
    assert not Path("run/loss.png").exists()
    train(tiny_config, tiny, "run", resume=True)


# The same data and the same machine


def other_images(data: Dataset) -> Dataset:
    return replace(data, train_images=255 - data.train_images)


def test_a_run_goes_on_with_its_own_images_alone(tiny, tiny_config, tmp_path):
    one = replace(tiny_config, epochs=1)
    run = train(one, tiny, tmp_path)
    assert load_checkpoint(tmp_path).images == run.images == tiny.identity()
    before = (tmp_path / "checkpoint.npz").read_bytes()
    said = f"was trained on {tiny.identity()}, but tiny now means {other_images(tiny).identity()}"
    with pytest.raises(InputError, match=re.escape(said)):
        train(tiny_config, other_images(tiny), tmp_path, resume=True)
    with pytest.raises(InputError, match=re.escape(said)):
        train(tiny_config, other_images(tiny), run=run)
    assert (tmp_path / "checkpoint.npz").read_bytes() == before
    moved = replace(tiny, name="elsewhere/tiny", data_dir=None)
    train(replace(tiny_config, dataset="elsewhere/tiny"), moved, tmp_path, resume=True)


def test_an_old_run_takes_the_images_that_it_is_given(tiny, tiny_config, tmp_path):
    run = train(replace(tiny_config, epochs=1), tiny, tmp_path)
    run.images, run.trained_with = None, []
    save_checkpoint(tmp_path / "checkpoint.npz", run)
    assert train(tiny_config, tiny, tmp_path, resume=True).images == tiny.identity()


def test_a_run_remembers_what_it_was_trained_with(tiny, tiny_config, tmp_path, monkeypatch):
    here = numpy_kernels()
    assert np.__version__ in here
    with warnings.catch_warnings(action="error"):
        train(replace(tiny_config, epochs=1), tiny, tmp_path)
        train(replace(tiny_config, epochs=2), tiny, tmp_path, resume=True)
    assert load_checkpoint(tmp_path).trained_with == [here]
    monkeypatch.setattr(steps, "numpy_kernels", lambda: "an abacus")
    with pytest.warns(InputWarning, match=rf"trained with {re.escape(here)} and .* an abacus: not"):
        train(tiny_config, tiny, tmp_path, resume=True)
    assert load_checkpoint(tmp_path).trained_with == [here, "an abacus"]
    with warnings.catch_warnings(action="error"):
        train(tiny_config, tiny, tmp_path, resume=True)
