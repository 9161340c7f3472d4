"""Several processes train what one does: as threads where that will do, else by torchrun."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from math import prod
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from numpyvae import Adam, Dataset, InputError, load_checkpoint, load_dataset, train
from numpyvae.errors import InputWarning, ProcessLostError
from numpyvae.training.chance import Stream
from numpyvae.training.run import COLUMNS, new_model
from numpyvae.training.steps import visits
from reference_torch.proof.parallel import in_threads
from reference_torch.twin import parallel
from reference_torch.twin.parallel import ALONE, World, joined
from reference_torch.twin.training import CpuTrainer, DeviceTrainer, TorchStepper

IMPORTANCE = {"reconstruction": "bce", "binarize": True, "importance_samples": 5}
SMALL = shlex.split("--device cpu --dataset own.npz --hidden 6 5 --z-dim 2 --batch-size 7")
MANY = 10_000  # epochs, so that there is time to end a run
STREAMS = ("out", "err")
IMPORTED = [  # by a training, but for what these import
    *("torch._dynamo", "reference_torch.__main__", "reference_torch.twin.training"),
    *("numpyvae.training.folder", "numpyvae.figures.curves", "numpyvae.figures.images"),
]
LOOPBACK = "lo" if sys.platform == "linux" else "lo0"


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])


# The same run


def losses_and_weights(config, data, world):
    """In float64: the loss per image of 100 steps, and the weights after them."""
    vae = new_model(config, data.image_shape, np.float64)
    stepper = TorchStepper(vae, Adam(vae.parameters, weight_decay=0.01), world)
    rng, losses = Stream.TRAINING.generator(0), []
    while len(losses) < 100:
        for x, eps in visits(data.train_images, config, rng, shuffled=True):
            x, eps = x.astype(np.float64), eps.astype(np.float64)
            losses.append(np.array(stepper.train(x, eps, config.beta)) / len(x))
    stepper.store()
    return np.array(losses[:100]), vae.parameters.flat


@pytest.mark.parametrize(("changes", "sizes"), [({}, (2, 4)), (IMPORTANCE, (3,))])
def test_n_processes_take_the_steps_of_one(tiny, tiny_config, changes, sizes):
    """Batches of 13, which no number divides, and a last one of 1: most processes have no row."""
    config = replace(tiny_config, batch_size=13, **changes)
    expected = losses_and_weights(config, tiny, ALONE)
    for size in sizes:
        found = in_threads(size, partial(losses_and_weights, config, tiny))
        for one, all_of_them in zip(expected, zip(*found, strict=True), strict=True):
            np.testing.assert_allclose(all_of_them[0], one, rtol=1e-12, atol=1e-12)
            assert all(np.array_equal(other, all_of_them[0]) for other in all_of_them)


AUTOENCODER = {"network": "conv-autoencoder", "z_dim": 8, "noise": False, "beta": 0.0}


@pytest.mark.parametrize(
    ("changes", "image_shape"),
    [
        ({"network": "conv"}, (9, 10)),
        ({"network": "conv"}, (9, 10, 3)),
        (AUTOENCODER, (16, 28, 3)),
    ],
)
def test_n_processes_take_the_steps_of_one_with_convolutions(tiny_config, changes, image_shape):
    pixels = np.random.default_rng(0).integers(0, 256, (52, prod(image_shape)), np.uint8)
    data = Dataset("own", pixels[:40], None, pixels[40:], None, image_shape)
    config = replace(tiny_config, batch_size=13, hidden=(3, 4), **changes)
    expected = losses_and_weights(config, data, ALONE)
    for found in in_threads(2, partial(losses_and_weights, config, data)):
        for one, of_two in zip(expected, found, strict=True):
            np.testing.assert_allclose(of_two, one, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(
    "trainer", [CpuTrainer, partial(DeviceTrainer, device="cpu")], ids=["steps", "device"]
)
@pytest.mark.parametrize("changes", [{}, IMPORTANCE])
def test_n_processes_have_the_history_of_one(tiny, tiny_config, trainer, changes):
    config = replace(tiny_config, batch_size=13, **changes)

    def trained(world):
        return train(config, tiny, make_trainer=partial(trainer, world=world))

    expected = trained(ALONE)
    for run in in_threads(3, trained):
        assert run.adam.steps == expected.adam.steps == 12
        for row, one in zip(run.history, expected.history, strict=True):
            for column in set(COLUMNS) - {"seconds"}:
                assert row[column] == pytest.approx(one[column], rel=1e-5, abs=1e-6), column


def test_every_row_is_one_processs(tiny):
    for images in range(1, 10):
        x, eps = np.arange(images), np.arange(3 * images)
        shares = [World(rank, 4).share(x, eps) for rank in range(4)]
        assert np.concatenate([rows for rows, _ in shares]).tolist() == x.tolist()
        assert np.concatenate([noise for _, noise in shares]).tolist() == eps.tolist()
        assert all((rows.repeat(3) == noise // 3).all() for rows, noise in shares)
        assert np.ptp([len(rows) for rows, _ in shares]) <= 1


# Processes


def test_who_hears_nothing_of_the_others_says_so(monkeypatch):
    def silent(*_, **__):
        raise RuntimeError("Connection closed by peer")

    class Gone:
        allreduce = silent

    monkeypatch.setattr(torch.distributed, "broadcast_object_list", silent)
    with pytest.raises(ProcessLostError, match="the connection to another process is lost"):
        World(0, 2).hand_out()
    with pytest.raises(ProcessLostError, match="the connection to another process is lost"):
        World(0, 2, Gone()).total(torch.zeros(1))


def test_waiting_for_the_others_has_a_limit(monkeypatch):
    variables = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(parallel, "LIMIT", timedelta(seconds=0.5))
    with pytest.raises(InputError, match="the processes do not find each other: "), joined({}):
        pass
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(InputError, match="the processes do not find each other: "), joined({}):
        pass


def test_each_process_needs_a_cuda_device(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match="2 processes need a CUDA device each: here are 1"):
        World(0, 4).on_cuda()
    assert ALONE.on_cuda() is ALONE


PROCESS = """
import os, signal, sys
os.chdir(folder)
os.environ |= environment
for number, name in ((1, "out"), (2, "err")):
    path = f"{name}-{environment['RANK']}"
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
sys.stdout, sys.stderr = (open(number, "w", 1, closefd=False) for number in (1, 2))
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["reference_torch", "train", *arguments]
from reference_torch.__main__ import main
raise SystemExit(main())
"""


@pytest.fixture
def start(own_folder):
    """start(arguments, ...): a process for each, as torchrun would, in a folder with own.npz.

    They are forked from one that has imported everything, which takes seconds.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    started = []

    def start(*arguments_of):
        size, port = str(len(arguments_of)), free_port()
        world = {"WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size, "GLOO_SOCKET_IFNAME": LOOPBACK}
        world |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        for rank, arguments in enumerate(arguments_of):
            environment = {**world, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            given = {"folder": own_folder, "environment": environment}
            given["arguments"] = [*SMALL, *map(str, arguments)]
            process = context.Process(target=exec, args=(PROCESS, given))
            process.start()
            started.append(process)
        return started[-len(arguments_of) :]

    yield start
    for process in started:
        process.kill()
        process.join()


def ended(processes):
    """The exit statuses, and what each printed and complained of."""
    for process in processes:
        process.join()
    texts = [[Path(f"{name}-{n}").read_text() for n in range(len(processes))] for name in STREAMS]
    return [process.exitcode for process in processes], *texts


def stopped(folder, stop):
    """Calls ``stop`` after the second epoch."""
    while not (folder / "samples/epoch-0002.png").exists():
        time.sleep(0.05)
    stop()


def assert_goes_on(folder):
    """The run in a folder, and one that NumPy trains from the beginning, end alike."""
    kept = load_checkpoint(folder)
    assert len(kept.history) >= 2
    config = replace(kept.config, epochs=len(kept.history) + 1)
    kept.config, data = config, load_dataset("own.npz")
    with pytest.warns(InputWarning, match="trained with PyTorch .* in 2 processes and goes on wi"):
        resumed = train(config, data, run=kept)
    whole = train(config, data)
    for row, expected in zip(resumed.history, whole.history, strict=True):
        assert row["val_loss"] == pytest.approx(expected["val_loss"], rel=1e-4)


def test_processes_that_were_given_different_arguments_end(start, own_folder):
    statuses, out, errors = ended(start(["--lr", 0.1], ["--lr", 0.2]))
    assert (statuses, out) == ([2, 2], ["", ""])
    assert errors == [
        "python -m reference_torch train: process 0 has lr 0.1, process 1 has 0.2: give all "
        "processes the same arguments\n",
        "",
    ]
    assert not (own_folder / "runs").exists()


def test_a_killed_process_ends_all_and_others_go_on(start, own_folder):
    processes = start(*4 * [["--epochs", MANY, "--out", "run"]])
    run = own_folder / "run"
    stopped(run, processes[-1].kill)
    statuses, _, errors = ended(processes)
    assert statuses == [1, 1, 1, -signal.SIGKILL]
    assert re.search(r"another process is lost in epoch \d+; run keeps the run as it", errors[0])
    again = "torchrun --nproc-per-node 4 -m reference_torch train --out run --resume\n"
    assert errors[0].endswith(f"go on with: {again}")
    assert (errors[0].count("\n"), errors[1:]) == (1, 3 * [""])

    epochs = len(load_checkpoint(run).history) + 1
    statuses, out, errors = ended(start(*2 * [["--epochs", epochs, "--out", "run", "--resume"]]))
    assert (statuses, errors[1], out[1]) == ([0, 0], "", "")
    assert re.search(
        r"in 4 processes and goes on with .* in 2 processes: not to the bit", errors[0]
    )
    assert errors[0].count("\n") == 1
    assert out[0].count(f"{epochs}/{epochs}") == out[0].count("The run is in run") == 1
    assert (run / "evolution.png").exists()
    assert len((run / "history.csv").read_text().splitlines()) == epochs + 1
    assert_goes_on(run)


def test_ctrl_c_ends_a_torchrun_with_one_line_of_ours(own_folder):
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    process = subprocess.Popen(
        [
            sys.executable,
            *torchrun,
            *("-m", "reference_torch", "train", "--epochs", str(MANY)),
            *SMALL,
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "GLOO_SOCKET_IFNAME": LOOPBACK},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run = own_folder / "runs/own-1"
    stopped(run, lambda: process.send_signal(signal.SIGINT))
    out, error = process.communicate()
    ours = [line for line in error.splitlines() if line.startswith("python -m")]
    assert out.count("54 training") == out.count(f" 1/{MANY}") == len(ours) == 1
    assert re.search(r"interrupted in epoch \d+; runs/own-1 keeps the run as it was", ours[0])
    again = "torchrun --nproc-per-node 2 -m reference_torch train --out runs/own-1 --resume"
    assert ours[0].endswith(f"go on with: {again}")
    assert [path.name for path in (own_folder / "runs").iterdir()] == ["own-1"]
    assert_goes_on(run)
