"""Many runs at once are the runs that one process makes, whoever dies."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from math import inf
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest

from numpyvae import InputError, LossNotFiniteError, load_checkpoint, train
from numpyvae.errors import InputWarning
from numpyvae.experiments import jobs
from numpyvae.experiments.jobs import VERSIONS, dask_cluster, processes, train_part, write_files
from numpyvae.experiments.runs import train_all
from numpyvae.training import loop


@pytest.fixture
def settings(tiny_config):
    return {"vae": tiny_config, "beta-2": replace(tiny_config, beta=2.0)}


def assert_same_runs(folder: Path, expected: Path) -> None:
    """Every file that is expected, with the same bytes but for the seconds."""
    for wanted in filter(Path.is_file, expected.rglob("*")):
        found = folder / wanted.relative_to(expected)
        if wanted.suffix == ".npz":
            with np.load(found) as arrays, np.load(wanted) as others:
                assert arrays.files == others.files
                for name in arrays.files:
                    columns = slice(-1) if name == "history" else slice(None)
                    a, b = (np.atleast_2d(x[name])[:, columns] for x in (arrays, others))
                    np.testing.assert_array_equal(a, b)
        elif wanted.name == "history.csv":
            a, b = (re.sub(r",[^,]*$", "", x.read_text(), flags=re.M) for x in (found, wanted))
            assert a == b
        else:
            assert found.read_bytes() == wanted.read_bytes(), wanted


def when(true, act):
    """Calls act() from another thread as soon as true() is."""

    def watch():
        end = time.monotonic() + 100
        while time.monotonic() < end and not true():
            time.sleep(0.01)
        act()

    threading.Thread(target=watch, daemon=True).start()


def epochs(folder: Path) -> list[int]:
    """How many epochs the runs below a folder have, as their histories say."""
    found = []
    for path in folder.rglob("history.csv"):
        with suppress(FileNotFoundError):
            found.append(len(path.read_text().splitlines()) - 1)
    return found


@pytest.fixture
def undrawn(monkeypatch):
    """This process leaves out the pictures that end a run; others draw them."""
    monkeypatch.setattr(loop, "draw_pictures", lambda *_: None)


def test_two_processes_make_the_runs_that_one_makes_and_go_on_with_begun_ones(
    settings, tiny, tmp_path, capsys, undrawn
):
    train_all(settings, [1], tiny, tmp_path / "one")
    train(replace(settings["vae"], epochs=1, seed=1), tiny, tmp_path / "two/vae/seed-1")
    train_all(settings, [1], tiny, tmp_path / "two", progress=True, workers=processes(2, 1))
    assert_same_runs(tmp_path / "two", tmp_path / "one")
    assert json.loads((tmp_path / "two/threads.json").read_text()) == [1]
    losses = {
        f"{path.parent}: validation loss {load_checkpoint(path).history[-1]['val_loss']:.3f}"
        for path in tmp_path.glob("two/*/*/checkpoint.npz")
    }
    assert set(capsys.readouterr().out.splitlines()) == losses
    assert not active_children()


def test_finished_runs_need_no_workers(settings, tiny, tmp_path, undrawn):
    train_all(settings, [1], tiny, tmp_path)
    train_all(settings, [1], tiny, tmp_path, workers=lambda _: 1 / 0)


@pytest.mark.parametrize(("cores", "jobs", "each"), [(8, 2, 4), (8, 3, 2), (2, 5, 1)])
def test_processes_share_the_cores(monkeypatch, tiny, cores, jobs, each):
    asked = []

    class Executor:
        def __init__(self, number, *_):
            assert number == jobs

        def submit(self, job, *_):
            asked.append(job.args[1])

        def shutdown(self, **_):
            pass

    monkeypatch.setattr("numpyvae.experiments.jobs.ProcessPoolExecutor", Executor)
    monkeypatch.setattr("numpyvae.experiments.jobs.blas_threads", lambda: cores)
    for threads in (None, 7):
        with processes(jobs, threads)(tiny) as workers:
            workers.submit(None, None, None)
    assert asked == [each, 7]


@pytest.mark.parametrize("which", [0, 1])
def test_a_process_that_dies_ends_the_others_with_one_line(settings, tiny, tmp_path, which):
    endless = {name: replace(config, epochs=10**6) for name, config in settings.items()}

    def kill():
        sorted(active_children(), key=lambda child: child.pid)[which].kill()

    when(lambda: sum(n > 1 for n in epochs(tmp_path)) == 2, kill)
    with pytest.raises(ChildProcessError, match=r"has died, .*; the same command goes on from"):
        train_all(endless, [0], tiny, tmp_path, workers=processes(2, 1))
    assert not active_children()
    for path in tmp_path.glob("*/seed-0"):
        assert len(load_checkpoint(path).history) >= epochs(path)[0] > 1


def test_a_process_that_dies_at_once_is_missed(settings, tiny, tmp_path):
    def lose_the_last():
        with processes(2, 1)(tiny) as workers:
            for name, config in settings.items():
                workers.submit(replace(config, epochs=10**6), tmp_path / name, None)
            last = max(active_children(), key=lambda child: child.pid)
            last.kill()
            last.join()
            workers.check()

    with pytest.raises(ChildProcessError, match="has died"):
        lose_the_last()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_all_processes_end_with_their_parent(tmp_path, monkeypatch, how):
    monkeypatch.chdir(tmp_path)
    np.save("own.npy", np.random.default_rng(0).integers(0, 255, (90, 5, 4), np.uint8))
    line = "experiment beta --dataset own.npy --epochs 9999 --seeds 1 --values 1 2 --jobs 2 --out o"
    command = [sys.executable, "-m", "numpyvae", *line.split()]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, process_group=0) as parent:
        while sum(n > 1 for n in epochs(tmp_path)) < 2:
            assert parent.poll() is None
            time.sleep(0.05)
        if how == signal.SIGINT:
            os.killpg(parent.pid, how)  # to all of them, as a terminal does
        else:
            parent.send_signal(how)
        out, err = parent.communicate(timeout=60)  # until nobody has these streams any more
    assert out == ""
    if how == signal.SIGINT:
        line = "numpyvae experiment beta: interrupted; the same command goes on from there\n"
        assert (parent.returncode, err) == (130, line)
    for path in tmp_path.glob("o/runs/*/seed-0"):
        assert len(load_checkpoint(path).history) > 1


def test_a_training_that_breaks_down_ends_all(settings, tiny, tmp_path):
    settings["vae"] = replace(settings["vae"], lr=1e20, epochs=50)
    with pytest.raises(LossNotFiniteError, match=r"vae/seed-0 keeps the run as it was after epoch"):
        train_all(settings, [0], tiny, tmp_path, workers=processes(2, 1))


def test_a_run_is_trained_part_by_part_without_our_disk(tiny, tiny_config, tmp_path, unrendered):
    train(tiny_config, tiny, tmp_path / "whole")
    files, parts = {}, []
    for _ in range(tiny_config.epochs):
        parts.append(train_part(tiny, 1, 0.0, VERSIONS, tiny_config, Path("nowhere/run"), files))
        files |= parts[-1].files
    assert [part.finished for part in parts] == [False, False, True]
    assert "samples/epoch-0001.png" not in parts[1].files
    write_files(tmp_path / "parts", files)
    assert_same_runs(tmp_path / "parts", tmp_path / "whole")
    assert not Path("nowhere").exists()


def test_a_breakdown_elsewhere_names_our_folder_and_keeps_the_last_epoch(tiny, tiny_config):
    config = replace(tiny_config, lr=1e20, epochs=50)
    part = train_part(tiny, 1, inf, VERSIONS, config, Path("our/run"), {})
    assert not part.finished
    assert "; our/run keeps the run as it was after epoch" in part.failure
    assert "checkpoint.npz" in part.files


def test_a_worker_with_another_version_is_refused(tiny, tiny_config):
    with pytest.raises(InputError, match="this machine has numpyvae 0, a worker numpyvae"):
        train_part(tiny, 1, inf, "numpyvae 0", tiny_config, Path("run"), {})


@pytest.fixture
def dask(tmp_path):
    """A Dask scheduler, two workers, each a process, and the scheduler's address."""
    about = tmp_path / "scheduler.json"
    options = ["--scheduler-file", str(about), "--host", "127.0.0.1", "--no-dashboard"]
    worker = [*options, "--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path)]
    lines = [["scheduler", *options, "--port", "0"], ["worker", *worker], ["worker", *worker]]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen([sys.executable, "-m", "dask", *line], **quiet) for line in lines]
    while not about.exists():
        assert started[0].poll() is None
        time.sleep(0.05)
    address = json.loads(about.read_text())["address"]
    yield address, *started[1:], started[0]
    for process in started:
        process.kill()
        process.wait()


def test_on_a_cluster_nothing_is_lost_with_a_worker(
    settings, tiny, tmp_path, monkeypatch, dask, undrawn
):
    address, first, second, _ = dask
    settings = {name: replace(config, epochs=6) for name, config in settings.items()}
    train_all(settings, [1], tiny, tmp_path / "here")
    train(replace(settings["vae"], epochs=1, seed=1), tiny, tmp_path / "there/vae/seed-1")
    at_kill = []

    def kill():
        at_kill.extend(epochs(tmp_path / "there"))
        first.kill()

    monkeypatch.setattr(jobs, "WHILE", 0.0)  # a job for every epoch
    when(lambda: min(epochs(tmp_path / "there")) > 1, kill)
    train_all(settings, [1], tiny, tmp_path / "there", workers=dask_cluster(address))
    assert max(at_kill) < 6
    assert_same_runs(tmp_path / "there", tmp_path / "here")

    # With nobody left, there is an end to waiting, and what was done is kept.
    monkeypatch.setattr(jobs, "PATIENCE", 1.0)
    longer = {name: replace(config, epochs=10**6) for name, config in settings.items()}
    when(lambda: min(epochs(tmp_path / "there")) > 6, second.kill)
    with pytest.raises(ConnectionError, match=f"{address} failed .*; the same command goes on"):
        train_all(longer, [1], tiny, tmp_path / "there", workers=dask_cluster(address))
    assert min(epochs(tmp_path / "there")) > 6


def test_an_unreachable_scheduler_is_one_error(settings, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE", 0.2)
    with pytest.raises(InputError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1: "):
        train_all(settings, [1], tiny, tmp_path, workers=dask_cluster("tcp://127.0.0.1:1"))


def test_a_scheduler_that_never_answers_is_said_and_is_an_end(
    settings, tiny, tmp_path, monkeypatch
):
    monkeypatch.setattr(jobs, "QUIET", 0.2)
    monkeypatch.setattr(jobs, "PATIENCE", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        start = time.monotonic()
        with (
            pytest.warns(InputWarning, match=f"the scheduler at {address} has not answered for"),
            pytest.raises(InputError, match=f"no Dask scheduler answers at {address}: the sch"),
        ):
            train_all(settings, [1], tiny, tmp_path, workers=dask_cluster(address))
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("whom", ["worker", "scheduler"])
def test_a_process_that_stops_is_said_and_is_an_end(
    settings, tiny, tmp_path, monkeypatch, dask, whom
):
    address, first, _, scheduler = dask
    stopped = {"worker": first, "scheduler": scheduler}[whom]
    monkeypatch.setattr(jobs, "QUIET", 1.0)
    monkeypatch.setattr(jobs, "PATIENCE", 3.0)
    monkeypatch.setattr(jobs, "LONG_PATIENCE", 3.0)
    longer = {name: replace(config, epochs=10**6) for name, config in settings.items()}
    monkeypatch.setattr(jobs, "WHILE", 0.0)
    when(lambda: min(epochs(tmp_path), default=0) > 1, lambda: stopped.send_signal(signal.SIGSTOP))
    said = "has been silent for|has not answered for"  # whichever is noticed first
    with (
        pytest.warns(InputWarning, match=said),
        pytest.raises(ConnectionError, match=r"silent|does not answer"),
    ):
        train_all(longer, [1], tiny, tmp_path, workers=dask_cluster(address))
