"""``numpyvae train``, as a user calls it."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl

from numpyvae import Config, load_checkpoint
from numpyvae.commands import train as command
from numpyvae.training.config import default_epochs

pytestmark = pytest.mark.usefixtures("unrendered")


def test_train_prints_a_line_per_epoch_and_leaves_a_run(own_folder, train):
    status, out, err = train("--epochs 3")
    assert (status, err) == (0, "")
    assert re.findall(r"^ +(\d)/3 ", out, re.MULTILINE) == ["1", "2", "3"]
    assert "own-1" in out
    with open("runs/own-1/history.csv") as stream:
        rows = list(csv.DictReader(stream))
    assert f"{float(rows[-1]['val_loss']):.3f}" in out
    assert (own_folder / "runs/own-1/reconstructions.png").exists()
    train("--epochs 1")
    assert (own_folder / "runs/own-2/checkpoint.npz").exists()


def test_every_setting_reaches_the_run(own_folder, train):
    status, _, err = train(
        "--epochs 2 --lr 0.01 --lr-schedule cosine --weight-decay 0.1 --beta 0.5 --seed 3 "
        "--reconstruction bce --binarize --importance-samples 3 --bound elbo --out run",
    )
    assert (status, err) == (0, "")
    assert load_checkpoint("run").config == Config(
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
        importance_samples=3,
        bound="elbo",
        binarize=True,
        seed=3,
    )


def test_an_autoencoder_has_no_noise_and_no_kl(own_folder, train):
    assert train("--epochs 1 --autoencoder --out run")[0] == 0
    config = load_checkpoint("run").config
    assert (config.noise, config.beta) == (False, 0.0)


def test_resume_goes_on_with_the_settings_of_the_run(numpyvae, train):
    train("--epochs 1 --lr 0.01 --out run")
    status, out, _ = numpyvae("train --out run --resume --epochs 3")
    assert status == 0
    assert re.findall(r"^ +(\d)/3 ", out, re.MULTILINE) == ["2", "3"]
    assert load_checkpoint("run").config.lr == 0.01


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(own_folder, train):
    Path("locked").mkdir(mode=0o500)
    status, _, err = train("--out locked/run")
    assert status == 2
    assert "locked" in err


def test_a_loss_that_explodes_ends_with_status_1_and_a_hint(own_folder, train):
    status, _, err = train("--lr 1e30 --out run")
    assert status == 1
    assert re.search(r"the loss is \S+ in step \d+ in epoch 1;.*a smaller --lr may help", err)


def test_quiet_says_only_where_the_run_is(own_folder, train):
    assert train("--epochs 1 --quiet") == (0, "runs/own-1\n", "")


def test_threads_are_limited_while_it_trains(own_folder, train, monkeypatch):
    seen = []
    info = threadpoolctl.threadpool_info
    real = command.train
    monkeypatch.setattr(command, "train", lambda *a, **b: seen.extend(info()) or real(*a, **b))
    assert train("--epochs 1 --threads 1 --out run")[0] == 0
    assert {library["num_threads"] for library in seen if library["user_api"] == "blas"} <= {1}


def test_a_run_that_ended_early_says_so(numpyvae, train):
    _, out, _ = train("--epochs 50 --patience 1 --lr 0.5 --out run")
    best, done = load_checkpoint("run/best.npz").history, load_checkpoint("run").history
    assert len(best) + 1 == len(done) < 50
    assert f"Ended early: no validation loss was below that of epoch {len(best)}.\n" in out
    assert f"best.npz (epoch {len(best)})" in out
    assert max(map(len, out.splitlines())) < 80
    _, out, _ = numpyvae("train --out run --resume")
    assert out.startswith("The run has ended early; --patience 2 would go on with it.\n")
    assert numpyvae("sample run/best.npz --n 2")[0] == 0


def test_a_finished_run_says_how_to_go_on(numpyvae, train):
    train("--epochs 2 --out run")
    status, out, _ = numpyvae("train --out run --resume")
    assert status == 0
    assert out.startswith("The run has all its 2 epochs; --epochs 4 would go on with it.\n")
    assert out.splitlines()[1].startswith("The run is in run")  # and no empty table


def test_a_cosine_goes_on_when_it_is_said_how(numpyvae, train):
    train("--epochs 2 --lr-schedule cosine --out run")
    assert numpyvae("train --out run --resume --epochs 3")[0] == 2
    assert numpyvae("train --out run --resume --epochs 3 --lr-schedule constant --lr 0.1")[0] == 0
    assert [row["lr"] for row in load_checkpoint("run").history] == [1e-3, 5e-4, 0.1]


def test_a_run_knows_where_its_images_are(own_folder, train, numpyvae, monkeypatch):
    train("--epochs 1 --out run")
    (own_folder / "elsewhere").mkdir()
    monkeypatch.chdir(own_folder / "elsewhere")
    assert numpyvae("reconstruct ../run")[0] == 0
    assert numpyvae("train --resume --out ../run --epochs 2")[0] == 0
    (own_folder / "own.npz").rename(own_folder / "elsewhere/own.npz")
    status, _, error = numpyvae("reconstruct ../run")
    assert (status, "(--data-dir says where the run's images are now)" in error) == (2, True)
    assert numpyvae("reconstruct ../run --data-dir .")[0] == 0
    assert numpyvae("train --resume --out ../run --data-dir . --epochs 3")[0] == 0
    assert numpyvae("reconstruct ../run")[0] == 0


def test_a_run_that_will_disappoint_says_so_and_names_the_cure(train):
    _, out, _ = train("--epochs 2 --out few")
    few = "These were 8 training steps in all, which is few: try more --epochs."
    assert out.splitlines()[-1] == few
    _, out, _ = train("--epochs 20 --batch-size 4 --beta 100 --out collapsed")
    assert " ".join(out.splitlines()).endswith(
        "The KL divergence is 0.00 nats per image: the codes say next to nothing, and all "
        "samples will be much the same. A smaller --beta helps, or --beta-warmup EPOCHS."
    )
    _, out, _ = train("--epochs 20 --batch-size 4 --beta 0.5 --beta-warmup 40 --out rising")
    assert " ".join(out.splitlines()).endswith(
        "The weight of the KL divergence has risen to 0.25 only, not to 0.5: --resume with more "
        "--epochs goes on."
    )
    _, out, _ = train("--epochs 20 --batch-size 4 --beta 0.001 --lr 0.01 --out well")
    assert out.splitlines()[-1].endswith("samples.")


def test_few_images_get_more_epochs():
    assert [default_epochs(n) for n in (60_000, 16_000, 1500, 64, 1)] == [10, 10, 105, 2500, 2500]
    assert default_epochs(1500, batch_size=1500) == 2500


# In a process of its own


TINY = "--dataset own.npz --hidden 6 5 --z-dim 2 --batch-size 16"


def start(*arguments: str, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
    """A run in a process of its own, that Ctrl-C can reach even from tests in the background."""
    command = [sys.executable, "-m", "numpyvae", "train", *TINY.split(), *arguments]
    listen = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, stdout=stdout, stderr=stderr, text=True, preexec_fn=listen)


def wait_for_epochs(process: subprocess.Popen[str], epochs: int) -> None:
    assert any(re.match(rf" *{epochs}/", line) for line in process.stdout)


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(own_folder):
    process = start("--epochs", "100000", "--out", "run")
    wait_for_epochs(process, 3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("go on with: numpyvae train --out run --resume\n")
    assert "Traceback" not in err
    kept = load_checkpoint("run")
    assert len(kept.history) >= 3
    assert f"after epoch {len(kept.history)};" in err
    assert Path("run/loss.png").exists()


def test_a_killed_run_resumes_to_where_it_would_have_ended(numpyvae):
    process = start("--epochs", "1000", "--out", "killed")
    wait_for_epochs(process, 4)
    time.sleep(0.03)
    process.kill()
    process.communicate()
    done = len(load_checkpoint("killed").history)
    for arguments in ("--out killed --resume", "--out whole"):
        assert numpyvae(f"train {TINY} --epochs {done + 3} {arguments}")[0] == 0
    a, b = load_checkpoint("killed"), load_checkpoint("whole")
    np.testing.assert_array_equal(a.vae.parameters.flat, b.vae.parameters.flat)
    drop_seconds = [{**row, "seconds": 0} for row in a.history]
    assert drop_seconds == [{**row, "seconds": 0} for row in b.history]


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_on_a_terminal_a_live_bar_shows_loss_and_time_left(own_folder):
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


# Which images, and where


@pytest.fixture
def two_folders(own_folder):
    """A/own.npz, and B/own.npz with other images."""
    with np.load("own.npz") as arrays:
        for name, images in (("A", arrays["images"]), ("B", 255 - arrays["images"])):
            Path(name).mkdir()
            np.savez(f"{name}/own.npz", images=images, labels=arrays["labels"])
    return own_folder


def test_another_file_of_the_same_name_is_other_data(two_folders, train, numpyvae, mistake):
    train("--data-dir A --epochs 1 --out run")
    resume, said = "train --out run --resume --epochs 2", "the run was trained on 54 + 6 images of"
    for line in (resume, "reconstruct run", "evaluate run", "sample run --label 1"):
        mistake(f"{line} --data-dir B", said)
    mistake(f"{resume} --dataset B/own.npz", said)
    Path("A").rename("C")
    Path("B").rename("A")
    mistake("evaluate run", said)
    mistake(resume, said)
    assert numpyvae(f"{resume} --data-dir C")[0] == 0
    assert numpyvae("reconstruct run")[0] == 0


def test_other_images_that_are_named_are_looked_at(two_folders, train, numpyvae):
    train("--data-dir A --epochs 1 --out run")
    assert numpyvae("reconstruct run --dataset B/own.npz")[0] == 0
    assert numpyvae("train --out run --resume --epochs 2")[0] == 0


def test_two_trainings_at_the_same_moment_take_two_folders(own_folder):
    both = [start("--epochs", "1", "--quiet") for _ in range(2)]
    printed = sorted(process.communicate(timeout=100) for process in both)
    assert printed == [("runs/own-1\n", ""), ("runs/own-2\n", "")]


def test_the_images_say_how_long_the_code_of_the_articles_autoencoder_is(numpyvae):
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 28), np.uint8)
    np.save("im.npy", images)
    line = "train --dataset im.npy --network conv-autoencoder --hidden 4 6 --epochs 1 --quiet --out"
    assert numpyvae(f"{line} run")[0] == 0
    assert load_checkpoint("run").config.z_dim == 6 * 1 * 2
    status, _, err = numpyvae(f"{line} other --z-dim 5")
    assert (status, "z_dim must be 12, not 5" in err) == (2, True)
