"""Measures how fast NumPy and PyTorch train on this machine."""

import argparse
import platform
import subprocess
import sys
from json import dumps, loads
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_info

from numpyvae import InputError, load_dataset
from numpyvae.commands.arguments import add_data_arguments, add_json_argument, png
from numpyvae.data.files import make_folder, write_text

from .contenders import COMPILED, DEFAULT, FUSED, NUMPY, PRODUCTS, Sizes, compiler_works, medians
from .tables import epoch_table, growth_table, step_table

HELP = "measure the speed of both on this machine"
DESCRIPTION = """\
Measure the time of a training step of the article's network (forward, backward, optimiser) in
NumPy and in PyTorch, on this machine, in one process: the contenders take turns for many rounds,
and the median counts. Both sides use float32, the same number of threads, the same images and
weights, and read the loss after every step. Warm-up is not counted. The matrix
products of NumPy's step are also measured alone.

Then: where NumPy's time goes, a whole epoch of both trainers with data and validation, and how a
step's time grows with batch size and layer sizes. Run it on a quiet machine.
"""
BATCH_SIZES = (64, 128, 512)


def measure_steps(rounds: int, compiled: bool) -> dict[str, dict[str, float]]:
    """Milliseconds per step, by batch size and contender."""
    results = {}
    for batch in BATCH_SIZES:
        sizes = Sizes(batch)
        contenders = {
            PRODUCTS: sizes.products(),
            **sizes.numpy_parts(),
            DEFAULT: sizes.torch_step(),
            "PyTorch, AdamW foreach": sizes.torch_step(foreach=True),
            FUSED: sizes.torch_step(fused=True),
        }
        if compiled:
            contenders[COMPILED] = sizes.torch_step(compiled=True, fused=True)
        if torch.cuda.is_available():
            contenders["PyTorch, CUDA, fused"] = sizes.torch_step(device="cuda", fused=True)
        results[str(batch)] = medians(contenders, rounds)
    return results


def growing_sizes() -> dict[str, dict[int, Sizes]]:
    """The series of ``measure_growth``: one size grows, the others are the article's."""
    return {
        "batch size": {n: Sizes(n) for n in (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)},
        "hidden width": {n: Sizes(64, (n, n // 2)) for n in (64, 128, 256, 512, 1024, 2048)},
        "latent units": {n: Sizes(64, z_dim=n) for n in (2, 10, 50, 100, 200)},
    }


def measure_growth(rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds per step of NumPy and of PyTorch (fused) as one size grows, by that size."""
    return {
        name: {
            str(n): medians(
                {NUMPY: sizes.numpy_parts()[NUMPY], FUSED: sizes.torch_step(fused=True)}, rounds
            )
            for n, sizes in series.items()
        }
        for name, series in growing_sizes().items()
    }


def measure_epochs(dataset: str, data_dir: str | None) -> dict[str, dict[str, float | None]]:
    """Seconds of an epoch (the better of two, after a first) and peak memory, by trainer.

    Each in a process of its own, whose memory is its own.
    """
    trainers = {"NumPy": "numpy", "PyTorch, CPU": "cpu"}
    if torch.cuda.is_available():
        trainers["PyTorch, CUDA"] = "cuda"
    results = {}
    for name, trainer in trainers.items():
        command = [sys.executable, "-m", "reference_torch.speed.epoch", trainer, dataset]
        done = subprocess.run([*command, data_dir or ""], capture_output=True, text=True)
        if done.returncode:
            raise InputError(f"the epoch of {name} failed: {done.stderr.strip().splitlines()[-1]}")
        results[name] = loads(done.stdout)
    return results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_data_arguments(parser)
    add("--rounds", type=int, default=20, metavar="N", help="turns of each contender (default 20)")
    add("--no-compile", action="store_true", help="leave torch.compile out, which needs a minute")
    add("--no-growth", action="store_true", help="leave out how a step's time grows with the sizes")
    add_json_argument(parser)
    add("--plot", type=png, metavar="FILE", help="draw how a step's time grows into FILE")


def run(
    dataset: str | None,
    data_dir: str | None,
    rounds: int,
    no_compile: bool,
    no_growth: bool,
    json: Path | None,
    plot: Path | None,
) -> None:
    """Measures and prints table after table."""
    if rounds < 1:
        raise InputError(f"--rounds must be at least 1, got {rounds}")
    if plot and no_growth:
        raise InputError("--plot draws what --no-growth leaves out: give one of them")
    dataset = dataset or "digits"
    load_dataset(dataset, data_dir)  # complains before minutes of measuring, not after
    for path in filter(None, (json, plot)):
        make_folder(path.parent)
    results: dict[str, Any] = {"machine": machine()}
    print(results["machine"], end="\n\n", flush=True)
    results["milliseconds per step"] = measure_steps(rounds, not no_compile and compiler_works())
    print(step_table(results["milliseconds per step"]), flush=True)
    results["epochs"] = {"dataset": dataset, **measure_epochs(dataset, data_dir)}
    print(epoch_table(results["epochs"]), flush=True)
    if not no_growth:
        results["growth"] = measure_growth(max(1, rounds // 4))
        print(growth_table(results["growth"]), flush=True)
    if json:
        write_text(json, dumps(results, indent=2) + "\n")
    if plot:
        from ..figures import growth

        growth(results["growth"], plot)


def machine() -> str:
    """What the figures were measured on."""
    known = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
    if known:
        name, threads = "{internal_api} {version}".format(**known[0]), known[0]["num_threads"]
    else:  # such as Apple's Accelerate
        name, threads = "a BLAS that threadpoolctl does not know", torch.get_num_threads()
    torch.set_num_threads(threads)
    gpu = f"; {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"NumPy {np.__version__} ({name}), PyTorch {torch.__version__}, {threads} threads each, "
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}{gpu}"
    )
