"""What all commands promise."""

import os

import numpy as np
import pytest

from numpyvae.commands.main import COMMANDS, main


@pytest.mark.parametrize("command", ["", *COMMANDS, "experiment beta"])
def test_help_says_what_a_command_does(numpyvae, command):
    status, out, _ = numpyvae(f"{command} --help")
    assert status == 0
    assert out.startswith(f"usage: numpyvae {command}".rstrip())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "COMMAND"),
        ("fly", "invalid choice: 'fly'"),
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
        ("train --dataset wide.npy", "9000010 x 20 pixels"),
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
        ("sample run --out .", "cannot write .: only a regular file"),
        ("sample run --out /", "cannot write /: only a regular file"),
        ("sample run --out ''", "cannot write .: only a regular file"),
        ("sample run --out pipe", "cannot write pipe: only a regular file"),
        ("sample pipe", "cannot read pipe, damaged or of another kind: it is not a regular file"),
        ("train --dataset pipe.npz", "it is not a regular file"),
        ("train --out pipe", "cannot make the folder pipe"),
        ("reconstruct run --dataset digits", "images of (6, 5), digits has (28, 28)"),
        ("evaluate none.npz", "none.npz"),
        ("evaluate run --importance-samples 0", "importance samples must be at least 1, got 0"),
        ("evaluate run --n 0", "images must be at least 2, got 0"),
        ("evaluate run --seed -3", "seed must be at least 0, got -3"),
        ("evaluate run --dataset digits", "(28, 28)"),
        ("evaluate run --dataset nonsense", "unknown data set nonsense"),
        ("interpolate run --n 4", "4 pairs need 8 test images, and own.npz has 6"),
        ("interpolate run --n 0", "--n must be from 1"),
        ("interpolate run --seed -1", "--seed must be at least 0"),
        ("traverse run --n 101", "--n must be from 1 to 100"),
        ("traverse run --dataset digits", "images of (6, 5), digits has"),
        ("latent run none", "none"),
        ("latent run --dataset digits", "images of (6, 5), digits has (28, 28)"),
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
        ("experiment generation --values 1", "unrecognized arguments"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(
    trained_folder, monkeypatch, assert_mistake, line, message
):
    monkeypatch.chdir(trained_folder)
    assert_mistake(main, line, message)


@pytest.fixture(scope="module")
def trained_folder(own_images, tmp_path_factory):
    """A folder with a run, good images, broken ones, and some that are no numbers."""
    folder = tmp_path_factory.mktemp("trained")
    own_images(folder)
    (folder / "empty").mkdir()
    (folder / "broken.npz").write_bytes((folder / "own.npz").read_bytes()[:-30])
    np.save(folder / "nan.npy", np.full((4, 9), np.nan))
    np.save(folder / "wide.npy", np.zeros((3, 900_000), np.uint8))
    for name in ("pipe", "pipe.npz"):
        os.mkfifo(folder / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        tiny = "--dataset own.npz --hidden 6 5 --z-dim 2 --batch-size 16 --epochs 1 --out run"
        assert main(["train", *tiny.split()]) == 0
    return folder
