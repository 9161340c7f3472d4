"""Measures how fast NumPy and PyTorch train on this machine."""

import argparse
import itertools
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from json import dumps, loads
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_info

from numpyvae import VAE, Adam, InputError, load_dataset
from numpyvae.cli import add_data_arguments
from numpyvae.files import make_folder, write_text
from numpyvae.model import parameter_shapes

from .parity import to_torch

DESCRIPTION = """\
Measure the time of a training step of the article's network (forward, backward, optimiser) in
NumPy and in PyTorch, on this machine, in one process: the contenders take turns for many rounds,
and the median counts. Both sides use float32, the same number of threads, the same images and
weights, and read the loss after every step. Warm-up is not counted. The floor is what NumPy needs
for the step's matrix products alone.

Then: where NumPy's time goes, a whole epoch of both trainers with data and validation, and how a
step's time grows with batch size and layer sizes. Run it on a quiet machine.
"""

BATCH_SIZES = (64, 128, 512)
NUMPY, FLOOR = "NumPy, this package", "matrix products alone, NumPy"
DEFAULT, FUSED = "PyTorch, AdamW as it comes", "PyTorch, AdamW fused"
COMPILED = "PyTorch, compiled, AdamW fused"
PARTS = ("forward", "backward", "Adam")  # of NumPy's step
STEPS = 10  # of a contender before the next one's turn
REST = 0.03  # seconds between turns: the other side's threads spin on for a while

Contenders = Mapping[str, Callable[[], object]]


def medians(contenders: Contenders, rounds: int) -> dict[str, float]:
    """Milliseconds of one call of each contender: the median over ``rounds`` turns."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            time.sleep(REST)
            call()
            call()
            for _ in range(STEPS):
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
    return {name: 1e3 * float(np.median(values)) for name, values in times.items()}


class Sizes:
    """A network and a minibatch to measure with; the article's network by default."""

    def __init__(
        self, batch: int, hidden: tuple[int, int] = (512, 256), z_dim: int = 50, x_dim: int = 784
    ) -> None:
        self.network = (x_dim, *hidden, z_dim)
        rng = np.random.default_rng(0)
        self.x = rng.random((batch, x_dim), np.float32)
        self.eps = rng.standard_normal((batch, z_dim), np.float32)

    def numpy_parts(self) -> dict[str, Callable[[], object]]:
        """NumPy's step, and its three parts one by one."""
        vae = VAE(*self.network)
        adam = Adam(vae.parameters, weight_decay=0.01)
        standing = Adam(vae.parameters, lr=0.0, weight_decay=0.01)  # leaves the weights sane

        def step() -> float:
            loss = vae.forward(self.x, self.eps)
            adam.step(vae.backward())
            return loss.total

        parts = (
            lambda: vae.forward(self.x, self.eps),
            vae.backward,
            lambda: standing.step(vae.gradients),
        )
        return {NUMPY: step, **dict(zip(PARTS, parts, strict=True))}

    def products(self) -> Callable[[], object]:
        """The matrix products of the step, and nothing else."""
        rng = np.random.default_rng(0)
        shapes = [s for s in parameter_shapes(*self.network).values() if len(s) == 2]
        calls: list[Callable[[], object]] = []

        def product(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> None:
            out = np.empty((a.shape[0], b.shape[1]), np.float32)
            calls.append(lambda: np.matmul(a, b, out=out))

        for n_out, n_in in shapes:
            x = rng.random((len(self.x), n_in), np.float32)
            grad_y = rng.random((len(self.x), n_out), np.float32)
            weight = rng.random((n_out, n_in), np.float32)
            product(x, weight.T)  # forward
            product(grad_y.T, x)  # the weight's gradient
            if len(calls) > 2:  # the images need no gradient
                product(grad_y, weight)

        def run() -> None:
            for call in calls:
                call()

        return run

    def torch_step(
        self, compiled: bool = False, device: str = "cpu", **adamw: Any
    ) -> Callable[[], object]:
        """PyTorch's step."""
        model = to_torch(VAE(*self.network), device)
        optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01, **adamw)
        forward = torch.compile(model) if compiled else model
        x, eps = (torch.from_numpy(array).to(device) for array in (self.x, self.eps))

        def step() -> float:
            optimizer.zero_grad()
            loss = forward(x, eps).total
            loss.backward()
            optimizer.step()
            return float(loss.item())

        return step


def compiler_works() -> bool:
    """Whether ``torch.compile`` finds what it needs on this machine."""
    try:
        torch.compile(lambda x: x + 1)(torch.ones(2))
    except Exception:  # its errors have many kinds, and all mean the same here
        return False
    return True


def measure_steps(rounds: int, compiled: bool) -> dict[str, dict[str, float]]:
    """Milliseconds per step, by batch size and contender."""
    results = {}
    for batch in BATCH_SIZES:
        sizes = Sizes(batch)
        contenders = {
            FLOOR: sizes.products(),
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


EPOCH = """
import json, pathlib, sys
from numpyvae import Config, load_dataset, train
from numpyvae.training import NumpyTrainer
trainer, dataset, data_dir = sys.argv[1:]
if trainer == "numpy":
    make_trainer = NumpyTrainer
else:
    from reference_torch.training import trainer_on
    make_trainer = trainer_on(trainer)
run = train(Config(dataset=dataset, epochs=3), load_dataset(dataset, data_dir or None),
            make_trainer=make_trainer)
status = pathlib.Path("/proc/self/status")  # on Linux
lines = status.read_text().splitlines() if status.exists() else []
peaks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
seconds = min(row["seconds"] for row in run.history[1:])
print(json.dumps({"seconds": seconds, "peak MiB": peaks[0] if peaks else None}))
"""


def measure_epochs(dataset: str, data_dir: str | None) -> dict[str, dict[str, float | None]]:
    """Seconds of an epoch (the better of two, after a first) and peak memory, by trainer.

    Each in a process of its own, whose memory is its own.
    """
    trainers = {"NumPy": "numpy", "PyTorch, CPU": "cpu"}
    if torch.cuda.is_available():
        trainers["PyTorch, CUDA"] = "cuda"
    results = {}
    for name, trainer in trainers.items():
        command = [sys.executable, "-c", EPOCH, trainer, dataset, data_dir or ""]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise InputError(f"the epoch of {name} failed: {done.stderr.strip().splitlines()[-1]}")
        results[name] = loads(done.stdout)
    return results


# The command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_data_arguments(parser)
    add("--rounds", type=int, default=20, metavar="N", help="turns of each contender (default 20)")
    add("--no-compile", action="store_true", help="leave torch.compile out, which needs a minute")
    add("--no-growth", action="store_true", help="leave out how a step's time grows with the sizes")
    add("--json", type=Path, metavar="FILE", help="write all figures to FILE, too")
    add("--plot", type=Path, metavar="FILE", help="draw how a step's time grows into FILE")


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
        from numpyvae import figures

        figures.growth(results["growth"], plot)


def machine() -> str:
    """What the figures were measured on."""
    blas = next(lib for lib in threadpool_info() if lib["user_api"] == "blas")
    torch.set_num_threads(blas["num_threads"])
    gpu = f"; {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"NumPy {np.__version__} ({blas['internal_api']} {blas['version']}), "
        f"PyTorch {torch.__version__}, {blas['num_threads']} threads each, "
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}{gpu}"
    )


def step_table(by_batch: Mapping[str, Mapping[str, float]]) -> str:
    """Per batch size: each contender, against NumPy; and where NumPy's time goes."""
    text = ""
    for batch, times in by_batch.items():
        ours, parts = times[NUMPY], [times[part] for part in PARTS]
        text += f"{'batch ' + batch:<32}{'ms per step':>12}{'times NumPy':>13}\n"
        for name, ms in times.items():
            if name not in PARTS:
                text += f"  {name:<30}{ms:12.2f}{ms / ours:13.2f}\n"
        text += f"  share of products in NumPy's step {times[FLOOR] / ours:.0%}; one by one: "
        text += ", ".join(f"{part} {ms:.2f} ms" for part, ms in zip(PARTS, parts, strict=True))
        text += "\n\n"
    return text


def epoch_table(epochs: Mapping[str, Any]) -> str:
    """Per trainer: an epoch with its validation, and the process's peak memory."""
    text = f"{'an epoch of ' + epochs['dataset']:<32}{'seconds':>12}{'peak MiB':>13}\n"
    for name, result in epochs.items():
        if name != "dataset":
            peak = "-" if result["peak MiB"] is None else f"{result['peak MiB']:.0f}"
            text += f"  {name:<30}{result['seconds']:12.2f}{peak:>13}\n"
    return text


def growth_table(growth: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Per size that grows: both contenders, their ratio, and where the faster one changes."""
    text = ""
    for name, by_size in growth.items():
        text += f"{name:<18}{'NumPy ms':>10}{'PyTorch ms':>12}{'ratio':>8}\n"
        ratios = {}
        for size, times in by_size.items():
            ratios[size] = times[FUSED] / times[NUMPY]
            text += f"  {size:<16}{times[NUMPY]:10.2f}{times[FUSED]:12.2f}{ratios[size]:8.2f}\n"
        text += f"  {crossover(ratios)}\n\n"
    return text


def crossover(ratios: Mapping[str, float]) -> str:
    """Where the faster of the two changes, in words."""
    faster = {size: "NumPy" if ratio > 1 else "PyTorch" for size, ratio in ratios.items()}
    sizes = list(faster)
    changes = [
        f"between {a} and {b} from {faster[a]} to {faster[b]}"
        for a, b in itertools.pairwise(sizes)
        if faster[a] != faster[b]
    ]
    if not changes:
        return f"{faster[sizes[0]]} is faster at every size"
    return "the faster one changes " + ", ".join(changes)
