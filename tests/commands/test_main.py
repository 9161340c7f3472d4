"""What all commands promise."""

import os
import re
from dataclasses import replace

import numpy as np
import pytest

from numpyvae import (
    Config,
    __version__,
    load_checkpoint,
    load_dataset,
    load_weights,
    save_checkpoint,
    save_weights,
    train,
)
from numpyvae.commands.main import COMMANDS, main
from numpyvae.training.folder import begin_run

pytestmark = pytest.mark.usefixtures("unrendered")


@pytest.mark.parametrize("command", ["", *COMMANDS, "experiment beta"])
def test_help_says_what_a_command_does(numpyvae, command):
    status, out, _ = numpyvae(f"{command} --help")
    assert status == 0
    assert out.startswith(f"usage: numpyvae {command}".rstrip())


def test_help_says_what_is_the_runs_own_and_groups_what_belongs_together(numpyvae):
    for command in ("sample", "evaluate", "encode", "latent", "explore", "traverse"):
        text = " ".join(numpyvae(f"{command} --help")[1].split())
        assert "(default: the run's own)" in text
        assert "downloaded" not in text
    _, group = numpyvae("train --help")[1].split("importance-weighted bound:\n")
    assert re.findall(r"^  (--[a-z-]+)", group, re.MULTILINE) == ["--importance-samples", "--bound"]


def test_the_version_is_said(numpyvae):
    assert numpyvae("--version") == (0, f"numpyvae {__version__}\n", "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "COMMAND"),
        ("fly", "invalid choice: 'fly' (choose from"),
        ("trian", "invalid choice: 'trian' (did you mean train?); see numpyvae --help"),
        ("experiment bta", "invalid choice: 'bta' (did you mean beta?)"),
        ("train --reconstruction bec", "invalid choice: 'bec' (did you mean bce?)"),
        ("train --dataset nothing", "unknown data set nothing"),
        ("train --dataset nothing.npz", "cannot read nothing.npz"),
        ("train --dataset broken.npz", "cannot read broken.npz"),
        ("train --dataset nan.npy", "nan"),
        ("train --dataset mnist --data-dir empty", "train-images-idx3-ubyte"),
        ("train --epochs 0", "epochs must be"),
        ("train --epochs ten", "--epochs: invalid int value: 'ten'"),
        ("train --batch-size 0", "batch_size must be"),
        ("train --z-dim -3", "z_dim must be"),
        ("train --hidden 4 0", "hidden must be"),
        ("train --hidden 4", "--hidden: expected 2 arguments"),
        ("train --lr -1", "lr must be"),
        ("train --lr nan", "lr must be"),
        ("train --beta inf", "beta must be"),
        ("train --binarize", "binarize needs reconstruction bce"),
        ("train --importance-samples 0", "importance_samples must be"),
        ("train --importance-samples 5 --autoencoder", "importance_samples needs noise"),
        ("train --importance-samples 5 --beta 2", "needs beta 1, got 2.0"),
        ("train --bound tight", "--bound: invalid choice: 'tight'"),
        ("train --autoencoder --beta 2", "--autoencoder means beta 0"),
        ("train --hidden 1000000 1000000", "not enough memory"),
        ("train --z-dim 1000000000000000000", "z_dim must be a whole number from 1 to 1000000"),
        (f"train --lr 1{400 * '0'}", "lr must be"),
        ("train --epochs 9999999", "epochs must be"),
        ("train --dataset wide.npy --hidden 1 1 --z-dim 1", "9000010 x 20 pixels"),
        ("train --batch_size 5", "--batch_size (did you mean --batch-size?); see numpyvae train -"),
        ("train --epoch 5", "--epoch (did you mean --epochs?)"),
        ("train more", "unknown argument more; see numpyvae train --help"),
        ("train --threads 0", "--threads must be at least 1"),
        ("train --threads 99999999999999999999", "and at most 1024, got 99999999999999999999"),
        ("train --image-size 0 5", "--image-size must be at least 1 1, got 0 5"),
        ("train --image-size 5 5", "only a folder of pictures is scaled"),
        ("train --out own.npz", "cannot make the folder"),
        ("train --out own.npz/run", "cannot make the folder"),
        ("train --dataset own.npz --out run", "holds a run already"),
        ("train --resume", "--resume needs --out"),
        ("train --resume --out empty", "there is no run in empty"),
        ("train --resume --out run --beta 3", "has beta 1.0, not 3.0"),
        ("sample missing.npz", "missing.npz: No such file"),
        ("sample own.npz", "no numpyvae checkpoint"),
        ("sample broken.npz", "cannot read broken.npz"),
        ("sample run --n 0", "--n must be"),
        ("sample run --seed -1", "--seed must be"),
        ("sample run --out own.npz/x.png", "own.npz"),
        ("sample run --out x.jpg", "must end in .png or .svg or .pdf or .npy"),
        ("sample run --out .", "not empty: single pictures get a folder of their own"),
        ("sample run --out /", "not empty"),
        ("sample run --out ''", "not empty"),
        ("reconstruct run --pictures none.png", "cannot read none.png"),
        ("reconstruct run --pictures own.npz", "none of PNG, JPEG"),
        ("reconstruct run --pictures x.png --dataset digits", "give --pictures, or --dataset"),
        ("encode run --out x.csv", "must end in .npz"),
        ("latent run --out .", "must end in .png or .svg or .pdf"),
        ("sample run --out pipe.png", "cannot write pipe.png: only a regular file"),
        ("sample pipe", "cannot read pipe, damaged or of another kind: it is not a regular file"),
        ("train --dataset pipe.npz", "it is not a regular file"),
        ("train --out pipe", "cannot make the folder pipe"),
        ("reconstruct run --dataset digits", "digits has images of 28 x 28 pixels, not 6 x 5"),
        ("explore run --out x.pdf", "x.pdf must end in .html, as what it will hold"),
        ("sample run --label 7", "no training image of own.npz has the label 7: it has 0, 1"),
        ("sample run --dataset own.npz", "they need --label"),
        ("reconstruct moved", "(--data-dir says where the run's images are now)"),
        ("train --resume --out cosine --epochs 9", "give --lr-schedule"),
        ("export run --to x.pt", "numpyvae export and import are for .safetensors"),
        ("export run", "--to"),
        ("import own.npz --out new", "must end in .safetensors"),
        ("import broken.safetensors --out new", "cannot read broken.safetensors"),
        ("evaluate none.npz", "none.npz"),
        ("evaluate run --importance-samples 0", "importance samples must be at least 1, got 0"),
        ("evaluate run --n 0", "images must be at least 2, got 0"),
        ("evaluate run --seed -3", "seed must be at least 0, got -3"),
        ("evaluate run --dataset digits", "28 x 28 pixels, not 6 x 5"),
        ("evaluate run --dataset nonsense", "unknown data set nonsense"),
        ("interpolate run --dataset two.npy", "two.npy has one test image: a path needs two"),
        ("interpolate run --n 0", "--n must be from 1"),
        ("interpolate run --seed -1", "--seed must be at least 0"),
        ("traverse run --n 101", "--n must be from 1 to 100"),
        ("traverse run --dataset digits", "digits has images of 28 x 28 pixels, not 6 x 5"),
        ("latent run none", "none"),
        ("latent run --dataset digits", "digits has images of 28 x 28 pixels, not 6 x 5"),
        ("experiment", "EXPERIMENT"),
        ("experiment gamma", "invalid choice: 'gamma'"),
        ("experiment beta --values", "--values: expected at least one argument"),
        ("experiment beta --values -1", "beta must be"),
        ("experiment beta --values 1 1", "each once"),
        ("experiment beta --values one", "invalid float value: 'one'"),
        ("experiment latent-dim --values 0", "z_dim must be"),
        ("experiment latent-dim --values 2.5", "invalid int value: '2.5'"),
        ("experiment generation --epochs 0", "epochs must be"),
        ("experiment generation --dataset nothing", "unknown data set nothing"),
        ("experiment generation --values 1", "unknown argument --values"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(
    trained_folder, monkeypatch, assert_mistake, line, message
):
    monkeypatch.chdir(trained_folder)
    assert_mistake(main, line, message)


@pytest.fixture(scope="module")
def trained_folder(own_images, tmp_path_factory, unrendered_within):
    """A folder with a run, good images, broken ones, and some that are no numbers."""
    folder = tmp_path_factory.mktemp("trained")
    own_images(folder)
    (folder / "empty").mkdir()
    (folder / "broken.npz").write_bytes((folder / "own.npz").read_bytes()[:-30])
    (folder / "broken.safetensors").write_bytes(bytes(100))
    np.save(folder / "nan.npy", np.full((4, 9), np.nan))
    np.save(folder / "two.npy", np.arange(0, 240, 4, np.uint8).reshape(2, 6, 5))
    np.save(folder / "wide.npy", np.full((3, 1, 900_000), 99, np.uint8))
    for name in ("pipe", "pipe.npz", "pipe.png"):
        os.mkfifo(folder / name)
    with unrendered_within(), pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        tiny = "train --dataset own.npz --hidden 6 5 --z-dim 2 --batch-size 16 --epochs 1 --out"
        assert main([*tiny.split(), "run"]) == 0
        assert main([*tiny.split(), "cosine", "--lr-schedule", "cosine"]) == 0
        moved = load_checkpoint("run")
        moved.data_dir = str(folder / "gone")
        with begin_run(moved, folder / "moved"):
            pass
    return folder


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("evaluate run --json run/checkpoint.npz", "must end in .json, as what it will hold"),
        ("evaluate run --json run/history.csv", "must end in .json"),
        ("explore run --out run/checkpoint.npz", "must end in .html"),
        ("sample run --out run/sample.jpg", "must end in .png"),
        ("evaluate run --json run/config.json", "belongs to the run in its folder: give another"),
        ("sample run --out run/loss.png", "belongs to the run"),
        ("sample run --out other/../run/evolution.png", "belongs to the run"),
        ("reconstruct run --out run/reconstructions.png", "belongs to the run"),
        ("latent run --out run/samples/epoch-0009.png", "belongs to the run"),
        ("evaluate run --json beta/experiment.json", "belongs to the experiment in its folder"),
        ("traverse run --out beta/units.png", "belongs to the experiment"),
        ("evaluate run --json runs/threads.json", "belongs to the experiment"),
    ],
)
def test_no_command_writes_what_a_run_or_an_experiment_keeps(
    numpyvae, train, mistake, line, message
):
    train("--epochs 1 --out run")
    for name in ("beta", "runs", "other"):
        os.mkdir(name)
    for name in ("beta/experiment.json", "runs/threads.json"):
        with open(name, "w") as stream:
            stream.write("[1]")
    mistake(line, message)


def test_names_that_are_free_are_written_beside_a_run(numpyvae, train):
    train("--epochs 1 --out run")
    for line in (
        "evaluate run --n 6 --importance-samples 2 --json run/evaluation.json",
        "sample run --n 4 --out run/samples/mine.png",
        "sample run --n 4 --out loss.png",
        "reconstruct run --n 2",
    ):
        assert [numpyvae(line)[0] for _ in range(2)] == [0, 0]


def test_a_tilde_is_the_users_folder_wherever_a_path_is_given(tmp_path, monkeypatch, own_images):
    """A shell puts it there only where ~ begins a word, and in Python there is no shell."""
    home, here = tmp_path / "home", tmp_path / "here"
    for folder in (home, here):
        folder.mkdir()
    own_images(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    config = Config(dataset="~/own.npz", epochs=1, z_dim=2, hidden=(4, 4))
    data = load_dataset("~/own.npz")
    train(config, data, "~/run", progress=False)
    run = train(replace(config, epochs=2), data, "~/run", resume=True, progress=False)
    assert len(load_checkpoint("~/run").history) == 2
    assert load_dataset("own.npz", "~").data_dir == str(home)
    save_checkpoint("~/a.npz", run)
    save_weights(run, "~/a.safetensors")
    load_weights("~/a.safetensors")
    small = "--epochs 1 --z-dim 2 --hidden 4 4 --quiet"
    for line in (
        f"train --dataset own.npz --data-dir=~ --out=~/b {small}",
        "evaluate ~/b --json=~/b.json --n 6 --importance-samples 2",
        "export ~/b --to=~/b.safetensors",
        "import ~/b.safetensors --out=~/c",
        "sample ~/c --out=~/c.png",
    ):
        assert main(line.split()) == 0
    made = {"run", "a.npz", "a.safetensors", "b", "b.json", "b.safetensors", "c", "c.png"}
    assert made <= set(os.listdir(home))
    assert os.listdir(here) == []
