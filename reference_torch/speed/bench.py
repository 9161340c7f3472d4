"""Measures how fast NumPy and PyTorch train on this machine."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from json import dumps
from pathlib import Path
from typing import Any

import torch

from numpyvae import InputError, load_dataset
from numpyvae.commands.arguments import add_data_arguments, add_json_argument, output
from numpyvae.data.files import make_folder, write_text
from numpyvae.training.checkpoint import load_checkpoint
from numpyvae.training.kernels import blas_threads, numpy_kernels

from .contenders import FUSED, JAX, NUMPY, PRODUCTS, TORCH_PRODUCTS, contenders
from .peak import PEAK
from .tables import command_table, growth_table, step_table
from .turns import alive

DESCRIPTION = """\
Measure the time of a training step of the article's network and of the convolutional one (forward,
backward, optimiser) in NumPy and in PyTorch, on this machine. Each contender has a process of its
own, as when a user trains with it. All are alive at once and take many short turns, so that what
else the machine does meets all of them; shown are lower quartile, median, lowest and highest over
the turns, and the ratio turn by turn. All use float32, the same number of threads, the same images
and weights, and read the loss after every step. Warm-up is not counted. The matrix products of the
step are also measured alone. JAX is measured where it is installed, with all cores.

Then: where NumPy's time goes; whole commands, from start to end; and how a step's time grows with
batch size and layer sizes. Run it on a quiet machine.
"""
SECONDS = 0.2  # of measuring one contender in one turn
BATCHES: dict[str, dict[str, Any]] = {str(batch): {"batch": batch} for batch in (64, 128, 512)}
CONVOLUTIONS: dict[str, dict[str, Any]] = {"64, conv": {"batch": 64, "network": "conv"}}
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def measure_steps(
    names: Sequence[str], sizes: Mapping[str, Mapping[str, Any]], rounds: int, threads: int
) -> dict[str, dict[str, list[float]]]:
    """Milliseconds per step, by size and contender: one number per turn."""
    results: dict[str, dict[str, list[float]]] = {size: {} for size in sizes}
    program = ["-m", "reference_torch.speed.step"]
    given = dumps(list(sizes.values()))
    with ExitStack() as stack:
        contenders = [
            stack.enter_context(alive([*program, name, given], _environment(threads)))
            for name in names
        ]
        for number, size in enumerate(sizes):
            for turn in contenders:
                turn(number, 0)  # gets ready, and warm
            for turn in contenders * rounds:
                for part, milliseconds in turn(number, SECONDS).items():
                    results[size].setdefault(part, []).append(milliseconds)
    return results


def growing_sizes() -> dict[str, dict[str, dict[str, Any]]]:
    """The series of growth: one size grows, the others are the article's."""
    return {
        "batch size": {str(2**n): {"batch": 2**n} for n in range(4, 13)},
        "hidden width": {
            str(2**n): {"batch": 64, "hidden": [2**n, 2 ** (n - 1)]} for n in range(6, 12)
        },
        "latent units": {str(n): {"batch": 64, "z_dim": n} for n in (2, 10, 50, 100, 200)},
    }


def measure_commands(
    commands: Mapping[str, Sequence[str]], rounds: int, threads: int
) -> dict[str, dict[str, Any]]:
    """Seconds from start to end of whole commands, one number per round, and peak memory, MiB.

    Of trainings also the seconds of each epoch, with its validation.
    """
    results: dict[str, dict[str, Any]] = {
        name: {"seconds": [], "epochs": [], "peak MiB": None} for name in commands
    }
    for _ in range(rounds):
        for name, command in commands.items():
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                done = _run([sys.executable, *(a.format(folder) for a in command)], threads)
                results[name]["seconds"].append(time.perf_counter() - start)
                if (run := Path(folder, "run")).exists():
                    epochs = [row["seconds"] for row in load_checkpoint(run).history]
                    results[name]["epochs"] += epochs
            if PEAK in done.stderr:
                results[name]["peak MiB"] = float(done.stderr.rpartition(PEAK)[2])
    return results


def measure_first_epoch(rounds: int, threads: int) -> dict[str, Any]:
    """Seconds until ``numpyvae train`` has printed the line of its first epoch on the digits."""
    times = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            command = [sys.executable, "-m", "numpyvae", "train", "--out", f"{folder}/run"]
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env=_environment(threads)
            ) as process:
                assert process.stdout is not None
                next(line for line in process.stdout if line.strip().startswith("1/"))
                times.append(time.perf_counter() - start)
                process.kill()
    return {"seconds": times, "epochs": [], "peak MiB": None}


def _environment(threads: int) -> dict[str, str]:
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
    return environment


def _run(command: Sequence[str], threads: int) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(threads))
    if done.returncode:
        reason = done.stderr.strip().splitlines() or ["no reason given"]
        raise InputError(f"{' '.join(command[1:4])} failed: {reason[-1]}")
    return done


def starting() -> dict[str, list[str]]:
    """Commands that do next to nothing."""
    return {
        "import numpy": ["-c", "import numpy"],
        "import numpyvae": ["-c", "import numpyvae"],
        "from numpyvae import VAE, Adam": ["-c", "from numpyvae import VAE, Adam"],
        "numpyvae --help": ["-m", "numpyvae", "--help"],
    }


def trainings(dataset: str, data_dir: str | None, epochs: int) -> dict[str, list[str]]:
    """Whole trainings, with data, validation, checkpoints and pictures."""
    flags = ["--dataset", dataset, "--epochs", str(epochs), "--out", "{}/run"]
    flags += ["--data-dir", data_dir] if data_dir else []
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    peak = "reference_torch.speed.peak"
    return {"numpyvae train": ["-m", peak, "numpyvae", "train", *flags]} | {
        f"reference_torch train --device {device}": [
            *("-m", peak, "reference_torch", "train", "--device", device, *flags)
        ]
        for device in devices
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_data_arguments(parser)
    add("--epochs", type=int, default=3, metavar="N", help="of the trainings (default 3)")
    add(
        "--rounds",
        type=int,
        default=25,
        metavar="N",
        help="turns of each contender (default 25); whole commands run a fifth as often, or less",
    )
    add("--threads", type=int, metavar="N", help="of each contender (default: all cores, then 1)")
    add("--no-compile", action="store_true", help="leave torch.compile out, which needs minutes")
    add("--no-commands", action="store_true", help="leave out whole commands")
    add("--no-growth", action="store_true", help="leave out how a step's time grows with the sizes")
    add_json_argument(parser)
    add(
        "--plot", type=output(".png"), metavar="FILE", help="draw how a step's time grows into FILE"
    )


def run(
    dataset: str | None,
    data_dir: str | None,
    epochs: int,
    rounds: int,
    threads: int | None,
    no_compile: bool,
    no_commands: bool,
    no_growth: bool,
    json: Path | None,
    plot: Path | None,
) -> None:
    """Measures and prints table after table."""
    for flag, value in (("--rounds", rounds), ("--epochs", epochs), ("--threads", threads)):
        if value is not None and value < 1:
            raise InputError(f"{flag} must be at least 1, got {value}")
    if plot and no_growth:
        raise InputError("--plot draws what --no-growth leaves out: give one of them")
    dataset = dataset or "digits"
    load_dataset(dataset, data_dir)  # complains before minutes of measuring, not after
    for path in filter(None, (json, plot)):
        make_folder(path.parent)
    counts = [threads] if threads else sorted({blas_threads(), 1}, reverse=True)
    threads = counts[0]
    results: dict[str, Any] = {"machine": machine(), "milliseconds per step": {}}
    print(results["machine"], end="\n\n", flush=True)
    names = contenders(not no_compile)
    for count in counts:
        if count < (os.cpu_count() or 1):  # JAX takes all cores, whatever it is told
            names = [name for name in names if name != JAX]
        steps = measure_steps(names, BATCHES, rounds, count)
        whole = [name for name in names if name not in (PRODUCTS, TORCH_PRODUCTS)]
        steps |= measure_steps(whole, CONVOLUTIONS, rounds, count)
        results["milliseconds per step"][threads_in_words(count)] = steps
        print(step_table(steps, threads_in_words(count)), flush=True)
    if not no_commands:
        measure_commands(starting(), 1, threads)  # now all is compiled, and in memory
        times = max(1, rounds // 5)
        results["start"] = measure_commands(starting(), times, threads)
        results["start"]["first epoch's line, on the digits"] = measure_first_epoch(times, threads)
        print(command_table("start-up", results["start"]), flush=True)
        commands = trainings(dataset, data_dir, epochs)
        results["trainings"] = measure_commands(commands, max(1, rounds // 10), threads)
        title = f"{epochs} epochs of {dataset}, whole commands"
        print(command_table(title, results["trainings"]), flush=True)
    if not no_growth:
        results["growth"] = {
            name: measure_steps((NUMPY, FUSED), sizes, max(1, rounds // 2), threads)
            for name, sizes in growing_sizes().items()
        }
        print(growth_table(results["growth"]), flush=True)
    if json:
        write_text(json, dumps(results, indent=2) + "\n")
    if plot:
        from .figures import growth

        growth(results["growth"], plot)


def threads_in_words(n: int) -> str:
    return f"{n} thread{'s' * (n > 1)}"


def machine() -> str:
    """What the figures are measured on."""
    gpu = f"; {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"{numpy_kernels()}; PyTorch {torch.__version__}, "
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}{gpu}"
    )
