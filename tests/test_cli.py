"""The command line, as a user calls it."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import numpyvae
from numpyvae.commands.main import main

TINY = ["--hidden", "6", "5", "--z-dim", "2", "--batch-size", "16"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with a small data set of one's own."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", images=rng.integers(0, 256, (50, 6, 5), np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(capsys, line: str) -> tuple[int, str, str]:
    try:
        status = main(line.split())
    except SystemExit as stop:  # argparse's own complaints and --help
        status = stop.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def train(capsys, line: str) -> tuple[int, str, str]:
    return call(capsys, " ".join(["train", "--dataset own.npz", *TINY, line]))


def test_train_prints_a_line_per_epoch_and_leaves_a_run(folder, capsys):
    status, out, err = train(capsys, "--epochs 3")
    assert (status, err) == (0, "")
    assert re.findall(r"^ +(\d)/3 ", out, re.MULTILINE) == ["1", "2", "3"]
    assert "own-1" in out
    with open("runs/own-1/history.csv") as stream:
        rows = list(csv.DictReader(stream))
    assert f"{float(rows[-1]['val_loss']):.3f}" in out
    assert (folder / "runs/own-1/reconstructions.png").exists()
    train(capsys, "--epochs 1")
    assert (folder / "runs/own-2/checkpoint.npz").exists()


def test_every_setting_reaches_the_run(folder, capsys):
    status, _, err = train(
        capsys,
        "--epochs 2 --lr 0.01 --lr-schedule cosine --weight-decay 0.1 --beta 0.5 --seed 3 "
        "--reconstruction bce --binarize --out run",
    )
    assert (status, err) == (0, "")
    assert numpyvae.load_checkpoint("run").config == numpyvae.Config(
        dataset="own.npz",
        epochs=2,
        batch_size=16,
        lr=0.01,
        lr_schedule="cosine",
        weight_decay=0.1,
        beta=0.5,
        z_dim=2,
        hidden=(6, 5),
        reconstruction="bce",
        binarize=True,
        seed=3,
    )


def test_an_autoencoder_has_no_noise_and_no_kl(folder, capsys):
    assert train(capsys, "--epochs 1 --autoencoder --out run")[0] == 0
    config = numpyvae.load_checkpoint("run").config
    assert (config.noise, config.beta) == (False, 0.0)
    assert train(capsys, "--autoencoder --beta 2 --out other")[0] == 2


def test_resume_goes_on_with_the_settings_of_the_run(folder, capsys):
    train(capsys, "--epochs 1 --lr 0.01 --out run")
    status, out, _ = call(capsys, "train --out run --resume --epochs 3")
    assert status == 0
    assert re.findall(r"^ +(\d)/3 ", out, re.MULTILINE) == ["2", "3"]
    assert numpyvae.load_checkpoint("run").config.lr == 0.01


def test_sample_and_reconstruct_draw_from_a_checkpoint(folder, capsys):
    train(capsys, "--epochs 1 --out run")
    status, out, _ = call(capsys, "sample run --n 5 --seed 1")
    assert (status, out) == (0, "run/sample.png\n")
    first = Path("run/sample.png").read_bytes()
    call(capsys, "sample run/checkpoint.npz --n 5 --seed 2 --out new/a.png")
    assert Path("new/a.png").read_bytes() != first
    call(capsys, "sample run --n 5 --seed 1 --out new/b.png")
    assert Path("new/b.png").read_bytes() == first
    status, out, _ = call(capsys, "reconstruct run --n 3")
    assert (status, out) == (0, "run/reconstruct.png\n")


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
        ("train --z-dim 999999999999", "not enough memory"),
        ("train --out own.npz", "cannot make the folder"),
        ("train --out own.npz/run", "cannot make the folder"),
        ("train --out run", "holds a run already"),
        ("train --resume", "--resume needs --out"),
        ("train --resume --out empty", "there is no run in empty"),
        ("train --resume --out run --beta 3", "has beta 1.0, not 3.0"),
        ("sample missing.npz", "missing.npz: No such file"),
        ("sample own.npz", "no numpyvae checkpoint"),
        ("sample broken.npz", "cannot read broken.npz"),
        ("sample run --n 0", "--n must be"),
        ("sample run --seed -1", "--seed must be"),
        ("sample run --out own.npz/x.png", "own.npz"),
        ("reconstruct run --dataset digits", "images of (6, 5), digits has (28, 28)"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(folder, capsys, line, message):
    train(capsys, "--epochs 1 --out run")
    Path("empty").mkdir()
    Path("broken.npz").write_bytes(Path("own.npz").read_bytes()[:-30])
    np.save("nan.npy", np.full((4, 9), np.nan))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    status, out, err = call(capsys, line)
    assert status == 2
    assert message in err
    assert err.count("\n") == 1
    assert out == ""
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(folder, capsys):
    Path("locked").mkdir(mode=0o500)
    status, _, err = train(capsys, "--out locked/run")
    assert status == 2
    assert "locked" in err


@pytest.mark.parametrize("line", ["", "train", "sample", "reconstruct"])
def test_help_says_what_a_command_does(capsys, line):
    status, out, _ = call(capsys, f"{line} --help")
    assert status == 0
    assert out.startswith("usage: numpyvae")


def start(*arguments: str, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
    """A run in a process of its own."""
    command = [sys.executable, "-m", "numpyvae", "train", "--dataset", "own.npz", *TINY]
    return subprocess.Popen([*command, *arguments], stdout=stdout, stderr=stderr, text=True)


def wait_for_epochs(process: subprocess.Popen[str], epochs: int) -> None:
    for _ in range(epochs + 1):  # and the header
        process.stdout.readline()


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(folder):
    process = start("--epochs", "100000", "--out", "run")
    wait_for_epochs(process, 3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("go on with: numpyvae train --out run --resume\n")
    assert "Traceback" not in err
    kept = numpyvae.load_checkpoint("run")
    assert len(kept.history) >= 3
    assert f"after epoch {len(kept.history)};" in err
    assert Path("run/loss.png").exists()


def test_a_killed_run_resumes_to_where_it_would_have_ended(folder):
    process = start("--epochs", "1000", "--out", "killed")
    wait_for_epochs(process, 4)
    time.sleep(0.03)
    process.kill()
    process.communicate()
    done = len(numpyvae.load_checkpoint("killed").history)
    epochs = str(done + 3)
    for arguments in (["--out", "killed", "--resume"], ["--out", "whole"]):
        process = start("--epochs", epochs, *arguments)
        process.communicate(timeout=100)
        assert process.returncode == 0
    a, b = numpyvae.load_checkpoint("killed"), numpyvae.load_checkpoint("whole")
    np.testing.assert_array_equal(a.vae.parameters.flat, b.vae.parameters.flat)
    drop_seconds = [{**row, "seconds": 0} for row in a.history]
    assert drop_seconds == [{**row, "seconds": 0} for row in b.history]


def test_a_loss_that_explodes_ends_with_status_1_and_a_hint(folder, capsys):
    status, _, err = train(capsys, "--lr 1e30 --out run")
    assert status == 1
    assert re.search(r"the loss is \S+ in step \d+ in epoch 1;.*a smaller --lr may help", err)


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_on_a_terminal_a_live_bar_shows_loss_and_time_left(folder):
    import fcntl
    import pty
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    process = start("--epochs", "40", "--out", "run", stdout=follower, stderr=follower)
    os.close(follower)
    shown = b""
    while True:
        try:
            shown += os.read(leader, 65536)
        except OSError:  # the program has ended
            break
    os.close(leader)
    assert process.wait() == 0
    assert re.search(rb"\d+%.*<\d\d:\d\d.*step/s, loss \d+\.\d\d", shown)
