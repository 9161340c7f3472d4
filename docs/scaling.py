"""Measures how time and memory of training grow, beside what is expected on paper; fills speed.md.

    python docs/scaling.py            all tables: ten minutes on a quiet machine, 10 GB of disk
    python docs/scaling.py disk       only this table, or growth, memory, or images
    python docs/scaling.py --short    all from fewer steps and smaller files, written nowhere

Every row is measured in a process of its own; the table of disk.py, in turns. On paper a step takes
the time of its multiplications and additions, at the rate of its matrix products with 256 images,
and the time of Adam for so many parameters; both constants are measured beforehand, alone.
"""

import ctypes
import importlib
import json
import mmap
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from disk import disk
from generated import DOCS, printed_by, put
from generated import threads as of_threads

from numpyvae import VAE, Adam, Config, FullyConnected, load_dataset
from numpyvae.data import own
from numpyvae.experiments.report import table
from numpyvae.functional import Array
from numpyvae.network import parameter_shapes
from numpyvae.networks import NetworkName
from numpyvae.training.kernels import blas_threads
from numpyvae.training.steps import NumpyStepper, visits
from reference_torch.speed.contenders import DEFAULT, NUMPY, Sizes
from reference_torch.speed.step import milliseconds, ready

ARTICLE = {"batch": 64, "hidden": 512, "latent": 50}  # hidden: of the first layer; the second half
SERIES = {
    "batch": [1, 4, 16, 64, 256, 1024, 4096],
    "hidden": [32, 128, 512, 2048],
    "latent": [2, 50, 500],
}
IMAGES = [60_000, 600_000, 6_000_000]
LARGE_FILE = 10 * 10**9  # bytes
PIXELS = 784
CORES = os.cpu_count() or 1
PRODUCTS_BATCH = 256  # images, for the rate of products
NEAR = 1.25  # a law holds while what is measured is at most so many times what it says
LEAST = 5  # steps before measuring, and steps measured: some take a third of a second
MIB = 2**20


# In a process of its own


def held() -> float:
    """MiB of memory that this process cannot give back: mapped files are not counted."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def in_memory(mapped: Array) -> float:
    """MiB of a mapped array that the system has read."""
    place, size = mapped.ctypes.data, mapped.nbytes
    start = place - place % mmap.PAGESIZE
    pages = np.empty(-(-(place + size - start) // mmap.PAGESIZE), np.uint8)
    call = ctypes.CDLL(None, use_errno=True).mincore
    call.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    if call(start, len(pages) * mmap.PAGESIZE, pages.ctypes.data):
        raise OSError(ctypes.get_errno(), "mincore")
    return float(np.sum(pages & 1)) * mmap.PAGESIZE / MIB


def constants(seconds: float) -> dict[str, float]:
    """The rate of the products of a step, and Adam's time, with this process's threads."""
    products = milliseconds(Sizes(PRODUCTS_BATCH).products(), seconds, LEAST)
    vae = VAE()
    adam = Adam(vae.parameters, weight_decay=0.01)
    with adam.threads(blas_threads()):
        update = milliseconds(lambda: adam.step(vae.gradients), seconds, LEAST)
    return {
        "rate": operations(**{**ARTICLE, "batch": PRODUCTS_BATCH}) / products,  # per ms
        "adam": update / vae.parameters.flat.size,  # ms per parameter
    }


def step(seconds: float, batch: int, hidden: int, latent: int) -> dict[str, float]:
    """Milliseconds per step, and the MiB that the model, Adam and the buffers hold."""
    rng, before = np.random.default_rng(0), held()
    x = rng.random((batch, PIXELS), np.float32)
    eps = rng.standard_normal((batch, latent), np.float32)
    vae = VAE(FullyConnected(PIXELS, hidden, hidden // 2, latent))
    stepper = NumpyStepper(vae, Adam(vae.parameters, weight_decay=0.01))
    with stepper.in_threads():
        ms = milliseconds(lambda: stepper.train(x, eps, 1.0), seconds, LEAST)
        return {"ms": ms, "MiB": held() - before}


def peak(seconds: float, network: NetworkName, contender: str) -> dict[str, float]:  # noqa: ARG001
    """The most MiB that steps hold at once, with 64 images, beyond what is imported for them."""
    if contender != NUMPY:
        importlib.import_module("reference_torch.twin.carrying")
    sizes, before = Sizes(64, network=network), held()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is held now
    with ExitStack() as stack:
        step = ready(contender, sizes, stack)[contender]
        for _ in range(LEAST):
            step()
        status = Path("/proc/self/status").read_text()
    most = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    now = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return {"MiB": held() + most - now - before}


def data(seconds: float, path: str, train: bool) -> dict[str, float]:
    """Loading a file of images that is left on the disk; where asked, training on it, too."""
    before, start = held(), time.perf_counter()
    with patch.object(own, "LARGE", 0):  # smaller files are read otherwise
        images = load_dataset(path).train_images
    figures = {"load": time.perf_counter() - start, "loaded MiB": held() - before}
    figures["read MiB"] = in_memory(images)
    if not train:
        return figures
    vae = VAE()
    stepper = NumpyStepper(vae, Adam(vae.parameters, weight_decay=0.01))
    x, eps = next(visits(images[:64], Config("mnist"), np.random.default_rng(0)))
    stepper.train(x, eps, 1.0)  # all that does not depend on the number of images is there
    model, start = held(), time.perf_counter()
    batches = visits(images, Config("mnist"), np.random.default_rng(0), shuffled=True)
    stepper.train(*next(batches), 1.0)
    first = time.perf_counter() - start
    with stepper.in_threads():
        ms = milliseconds(lambda: stepper.train(*next(batches), 1.0), seconds, LEAST)
    return {**figures, "first": first, "ms": ms, "epoch MiB": held() - model}


# Around them


def measure(what: str, seconds: float, threads: int = CORES, **arguments: Any) -> dict[str, float]:
    given = json.dumps({"seconds": seconds, **arguments})
    return printed_by(__file__, what, given, **of_threads(threads))


def operations(batch: int, hidden: int, latent: int) -> int:
    """Multiplications and additions of a step's products, on paper.

    A weight is met once forward, once for its own gradient, and once for its layer's input, which
    the images do not need: 2 operations each, for every image.
    """
    shapes = parameter_shapes(PIXELS, hidden, hidden // 2, latent)
    weights = [np.prod(shape) for shape in shapes.values() if len(shape) == 2]
    return 2 * batch * int(3 * sum(weights) - weights[0])


def parameters(hidden: int, latent: int) -> int:
    shapes = parameter_shapes(PIXELS, hidden, hidden // 2, latent)
    return int(sum(np.prod(shape) for shape in shapes.values()))


def numbers(batch: int, hidden: int, latent: int, cores: int = 1) -> int:
    """float32 numbers that training holds, on paper: five vectors as long as the parameters (these,
    their gradient, Adam's two sums and its scratch), and for every image its pixels and noise, each
    layer's output, that output's gradient, and the little room for intermediate results. Each core
    that takes a share of a large minibatch has a gradient.
    """
    layers = 3 * hidden + 3 * latent + 2 * PIXELS  # h1 to h4; mean, log_var, z; logits, y
    before_relu, room, given = 3 * hidden, PIXELS + hidden // 2, PIXELS + latent
    per_image = layers + (layers + before_relu) + room + given
    vectors = 4 + (cores if batch >= cores * FullyConnected.rows_per_thread else 1)
    return vectors * parameters(hidden, latent) + batch * per_image


def growth(seconds: float, short: bool) -> str:
    """Tables of time and memory against each size, each beside its law."""
    cores = sorted({1, CORES})
    known = {n: measure("constants", seconds, n) for n in cores}
    text = ""
    for n, found in known.items():
        text += f"- {counted(n)}: {found['rate'] / 1e6:.1f} billion operations a second"
        text += f" in products, {found['adam'] * 1e6:.2f} ns of Adam per parameter\n"
    for name, values in SERIES.items():
        excess: dict[str, dict[int, float]] = {}
        rows = []
        for value in values[1:-1] if short else values:
            sizes = {**ARTICLE, name: value}
            size = parameters(sizes["hidden"], sizes["latent"])
            row = [str(value), f"{operations(**sizes) / 1e6:,.0f}"]
            for n in cores:
                found = measure("step", seconds, n, **sizes)
                paper = operations(**sizes) / known[n]["rate"] + size * known[n]["adam"]
                row += [f"{found['ms']:.2f}", f"{paper:.2f}"]
                law = f"time on {counted(n)}"
                excess.setdefault(law, {})[value] = found["ms"] / paper
            memory = 4 * numbers(**sizes, cores=CORES) / MIB
            excess.setdefault("memory", {})[value] = found["MiB"] / memory
            rows.append([*row, f"{found['MiB']:.0f}", f"{memory:.0f}"])
        timed = (head for n in cores for head in (f"ms, {counted(n)}", "on paper"))
        text += "\n" + table([name, "million operations", *timed, "MiB", "on paper"], rows) + "\n"
        for law, ratios in excess.items():
            far = [f"{ratio:.1f} at {value}" for value, ratio in ratios.items() if ratio > NEAR]
            text += f"\nThe law of {law} " + (
                f"breaks: {', '.join(far)} times as much as on paper." if far else "holds."
            )
        text += "\n"
    return text


def memory(seconds: float) -> str:
    """The table of what steps hold, beyond imports, beside PyTorch."""
    rows = []
    for network in ("fully-connected", "conv"):
        ours, theirs = (
            measure("peak", seconds, network=network, contender=name)["MiB"]
            for name in (NUMPY, DEFAULT)
        )
        rows.append([network, f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"])
    return table(["64 images, MiB", NUMPY, DEFAULT, "ratio"], rows)


def counted(cores: int) -> str:
    return f"{cores} core{'s' * (cores > 1)}"


def images(seconds: float, short: bool) -> str:
    """The table of data sets that stay on the disk."""
    rows = []
    for count in [*(IMAGES[:1] if short else IMAGES), LARGE_FILE // PIXELS]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "images.npy"
            sparse_file(path, count)
            found = measure("data", seconds, path=str(path), train=count in IMAGES)
        row = [f"{count:,}", f"{count * PIXELS / 1e9:.2f} GB", f"{found['load']:.2f} s"]
        row += [f"{found['read MiB']:.0f}", f"{found['loaded MiB']:.0f}"]
        if count in IMAGES:
            row += [f"{found['first']:.2f} s", f"{found['ms']:.2f}"]
            row += [f"{found['epoch MiB']:.0f}", f"{8 * count / MIB:.0f}"]
        else:
            row += [""] * 4
        rows.append(row)
    head = ["images", "file", "loaded in", "MiB read", "MiB held", "first batch", "ms per step"]
    return table([*head, "MiB of an epoch", "on paper"], rows)


def sparse_file(path: Path, count: int) -> None:
    """1000 random images and then black ones, which take no room on the disk."""
    shape = (count, 28, 28)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    images[:1000] = np.random.default_rng(0).integers(0, 256, (1000, 28, 28), np.uint8)


def main(*wanted: str) -> None:
    short = "--short" in wanted
    seconds = 0.1 if short else 1.0
    tables: dict[str, Callable[[], str]] = {
        "growth": lambda: growth(seconds, short),
        "memory": lambda: memory(seconds),
        "images": lambda: images(seconds, short),
        "disk": lambda: disk(short),
    }
    texts = {name: make() for name, make in tables.items() if name in wanted or short or not wanted}
    if short:
        print(*texts.values(), sep="\n\n")
    else:
        put(DOCS / "speed.md", "measured", texts)


if __name__ == "__main__":
    if not sys.argv[2:] or sys.argv[2].isidentifier():
        main(*sys.argv[1:])
    else:
        what, arguments = sys.argv[1:]
        print(json.dumps(globals()[what](**json.loads(arguments))))
