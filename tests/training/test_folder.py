"""The run folder: what it holds, and which runs go on in it."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numpyvae import InputError, load_checkpoint, train
from numpyvae.figures.images import read_image_grid
from numpyvae.training.folder import new_folder, sample_latents
from numpyvae.training.run import COLUMNS

PICTURES = ["evolution.gif", "evolution.png", "loss.png", "reconstructions.png"]


def test_a_run_folder_holds_everything(assert_same_run, tiny, tiny_config, tmp_path):
    run = train(tiny_config, tiny, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*PICTURES, "checkpoint.npz", "config.json", "history.csv", "samples"]
    )
    assert json.loads((tmp_path / "config.json").read_text())["z_dim"] == 2
    with open(tmp_path / "history.csv") as stream:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]
    assert rows == run.history
    assert tuple(rows[0]) == COLUMNS
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
    with pytest.raises(InputError, match=r"images of \(5, 4\), tiny has \(4, 5\)"):
        train(tiny_config, replace(tiny, image_shape=(4, 5)), tmp_path, resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the folder"):
        train(tiny_config, tiny, tmp_path / "file")
    assert (tmp_path / "checkpoint.npz").read_bytes() == before


def test_a_new_folder_is_the_first_that_is_free(own_folder):
    assert new_folder("some/own.npz") == Path("runs/own-1")
    (own_folder / "runs/own-1").mkdir(parents=True)
    assert new_folder("own.npz") == Path("runs/own-2")
