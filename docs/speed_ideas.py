"""Measures what ideas for a faster training step bring, one by one, and writes it into speed.md.

    python docs/speed_ideas.py

Each idea is tried on the article's network, in a process of its own; all are alive at once and take
short turns. Run it on a quiet machine: it takes some minutes.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median
from unittest.mock import patch

import numpy as np
from generated import DOCS, printed_by, put, ranging

from numpyvae import (
    VAE,
    Adam,
    Config,
    FlatArrays,
    FullyConnected,
    Run,
    functional,
    load_dataset,
    optim,
)
from numpyvae.experiments.report import table
from numpyvae.functional import Array
from numpyvae.optim import Move
from numpyvae.training.kernels import blas_threads
from numpyvae.training.steps import NumpyStepper, visits
from reference_torch.speed.contenders import Sizes
from reference_torch.speed.step import LEAST_OF_TURN, milliseconds
from reference_torch.speed.tables import lower
from reference_torch.speed.turns import alive, answer

ROUNDS = 25  # turns of each idea
SECONDS = 0.2  # of measuring one idea in one turn
REST = 0.2  # seconds after a turn whose threads stay awake
TRAININGS = 5  # long ones, with the sweep and without
BLOCKS = "Adam in blocks of "  # so many Ki numbers, which all 11 passes go over before the next
ROWS, ROWS_ON_THREADS = "ReLU, sigmoid, losses in blocks of 64 Ki", "the same on all threads"
SPINNING = {  # OpenBLAS's threads, after a product: for 2 to another power of cycles
    "OpenBLAS's threads asleep between products": {"OPENBLAS_THREAD_TIMEOUT": "4"},
    "OpenBLAS's threads always awake": {"OPENBLAS_THREAD_TIMEOUT": "28"},
}
SHARES = {"images shared out among threads": 1, "all images at once": 10**9}  # rows per thread
ELEMENTWISE = (
    *("relu", "relu_backward", "sigmoid", "sigmoid_backward"),
    *("squared_error", "squared_error_backward"),
)
IDEAS = (
    "as it is",
    "sigmoid by tanh",
    "both heads as one product",
    "Adam layer by layer",
    ROWS,
    ROWS_ON_THREADS,
    "Adam on one thread",
    *SHARES,
    *SPINNING,
    *(f"{BLOCKS}{size} Ki" for size in (32, 144, 288)),
)


def tanh_sigmoid(a: Array, out: Array | None = None) -> Array:
    """y = (1 + tanh(a / 2)) / 2."""
    y = np.multiply(a, 0.5, out=out)
    np.tanh(y, out=y)
    y += 1
    y *= 0.5
    return y


def in_blocks(
    function: Callable[..., Array], share: Callable[..., Iterable[Array]]
) -> Callable[..., Array]:
    """``function``, done to blocks of rows, which stay in the cache from one pass to the next."""

    def blockwise(*arrays: Array, **memory: Array) -> Array:
        rows = 64 * 1024 * len(arrays[0]) // arrays[0].size
        blocks = [slice(start, start + rows) for start in range(0, len(arrays[0]), rows)]

        def work(block: slice) -> Array:
            part_of = {name: array[block] for name, array in memory.items()}
            return function(*(array[block] for array in arrays), **part_of)

        results = list(share(work, blocks))
        return memory["out"] if "out" in memory else np.concatenate(results)

    return blockwise


class OneHead(FullyConnected):
    """Both heads as one product, forward and for the weights' gradient.

    (Their weights are not trained here: for timing only.)
    """

    def __init__(self, *sizes: *tuple[int, int, int, int]) -> None:
        super().__init__(*sizes)
        self.heads = np.zeros((2 * self.z_dim, self.h_dim2), self.dtype)
        self.heads_bias = np.zeros(2 * self.z_dim, self.dtype)
        self.grad_heads, self.grad_heads_bias = (a.copy() for a in (self.heads, self.heads_bias))

    def _linear(self, layer: str, x: Array, out: Array | None) -> Array:
        if layer not in ("mean", "log_var") or out is None:
            return super()._linear(layer, x, out)
        if layer == "mean":
            self.both = functional.linear(x, self.heads, self.heads_bias)
            out[...] = self.both[:, : self.z_dim]
        else:
            out[...] = self.both[:, self.z_dim :]
        return out

    def _linear_backward_parameters(self, layer: str, grad_y: Array, x: Array) -> None:
        if layer == "mean":
            out = (self.grad_heads, self.grad_heads_bias)
            functional.linear_backward_parameters(self.both, x, out=out)
        elif layer != "log_var":
            super()._linear_backward_parameters(layer, grad_y, x)


class Eager(FullyConnected):
    """Adam moves each layer as soon as its gradient is there, while that is in the cache.

    (The gradient of the layer's input then sees the new weights, so this is for timing only.)
    """

    def __init__(self, *sizes: *tuple[int, int, int, int]) -> None:
        super().__init__(*sizes)
        self.adams = {
            name: Adam(
                slice_of(self.parameters, piece_of(self.parameters, name)), weight_decay=0.01
            )
            for name in self.parameters
        }

    def _linear_backward_parameters(self, layer: str, grad_y: Array, x: Array) -> None:
        super()._linear_backward_parameters(layer, grad_y, x)
        for part in ("weight", "bias"):
            name = f"{layer}.{part}"
            self.adams[name].step({"p": self.gradients[name].ravel()})


def in_blocks_of(size: int, adam: Adam) -> None:
    """Lets ``adam`` do all passes of a step to block after block of so many numbers."""
    in_slices, numbers = adam._in_slices, adam.parameters.flat.size

    def each_block(move: Move) -> None:
        def blocks(part: slice) -> None:
            first, end, _ = part.indices(numbers)
            for start in range(first, end, size):
                move(slice(start, min(start + size, end)))

        in_slices(blocks)

    adam._in_slices = each_block


def slice_of(arrays: FlatArrays, part: slice) -> FlatArrays:
    """A part of the flat vector, as FlatArrays with a single name."""
    view = FlatArrays({"p": arrays.flat[part].shape}, arrays.flat.dtype)
    view.flat = arrays.flat[part]
    view._views = {"p": view.flat}
    return view


def piece_of(arrays: FlatArrays, name: str) -> slice:
    """Where in the flat vector an array lies."""
    names = list(arrays)
    start = sum(arrays[other].size for other in names[: names.index(name)])
    return slice(start, start + arrays[name].size)


def take_turns(idea: str, batch: int) -> None:
    """Answers the milliseconds per step with an idea, given seconds to measure it."""
    sizes = Sizes(batch)
    network = {"both heads as one product": OneHead, "Adam layer by layer": Eager}
    with ExitStack() as stack:
        if idea == "sigmoid by tanh":
            stack.enter_context(patch.object(functional, "sigmoid", tanh_sigmoid))
        if idea in (ROWS, ROWS_ON_THREADS):
            pool = stack.enter_context(ThreadPoolExecutor(blas_threads()))
            for name in ELEMENTWISE:
                function = in_blocks(getattr(functional, name), map if idea == ROWS else pool.map)
                stack.enter_context(patch.object(functional, name, function))
        vae = VAE(network.get(idea, FullyConnected)(*sizes.sizes))
        vae.network.rows_per_thread = SHARES.get(idea, vae.network.rows_per_thread)
        stepper = NumpyStepper(vae, Adam(vae.parameters, weight_decay=0.01))
        stack.enter_context(stepper.in_threads())
        if idea == "Adam on one thread":
            stepper.adam._in_slices = optim.whole
        if idea.startswith(BLOCKS):
            in_blocks_of(1024 * int(idea.removeprefix(BLOCKS).removesuffix(" Ki")), stepper.adam)
        act = stepper.gradients if isinstance(vae.network, Eager) else stepper.train

        def step() -> object:
            return act(sizes.x, sizes.eps, 1.0)

        milliseconds(step, 0)  # gets warm
        answer(lambda seconds: milliseconds(step, seconds, LEAST_OF_TURN))


def subnormal(sweep: int) -> tuple[float, float]:
    """Adam's milliseconds per step after 60 epochs of the digits, and the share of subnormal
    numbers in its sum of gradients, where it sweeps them out every so many steps."""
    data = load_dataset("digits")
    run, times = Run.start(Config(), data.image_shape), []
    with patch.object(optim, "SWEEP", sweep), run.adam.threads(blas_threads()):
        for _ in range(60):
            for x, eps in visits(data.train_images, run.config, run.rng, shuffled=True):
                run.vae.forward(x, eps)
                gradients = run.vae.backward()
                start = time.perf_counter()
                run.adam.step(gradients)
                times.append(1e3 * (time.perf_counter() - start))
    sums = np.abs(run.adam.gradient_sum)
    return median(times[-200:]), float(np.mean((sums > 0) & (sums < np.finfo(sums.dtype).tiny)))


def in_turns(batch: str) -> dict[str, list[float]]:
    """Milliseconds per step, turn by turn, of every idea."""
    times: dict[str, list[float]] = {idea: [] for idea in IDEAS}
    with ExitStack() as stack:
        turns = {
            idea: stack.enter_context(
                alive([__file__, idea, batch], {**os.environ, **SPINNING.get(idea, {})})
            )
            for idea in IDEAS
        }
        for _ in range(ROUNDS):
            for idea, turn in turns.items():
                times[idea].append(turn(SECONDS))
                if idea in SPINNING:
                    time.sleep(REST)
    return times


def main() -> None:
    match sys.argv[1:]:
        case ["subnormal", sweep]:
            print(json.dumps(subnormal(int(sweep))))
            return
        case [idea, batch]:
            take_turns(idea, int(batch))
            return
    rows = []
    for batch in ("64", "512"):
        for idea, values in in_turns(batch).items():
            if idea == IDEAS[0]:
                now, text = np.array(values), ""
            else:
                low, gain, high = np.quantile(1 - values / now, (0.25, 0.5, 0.75))
                text = f"{gain:+.1%} ({low:+.1%} to {high:+.1%})"
            rows.append([f"batch {batch}, {idea}", f"{lower(values):.2f}", text])
            print(*rows[-1], flush=True)
    small = []
    for name, steps in (("as it is", optim.SWEEP), ("without sweeping", 10**9)):
        found = [printed_by(__file__, "subnormal", str(steps)) for _ in range(TRAININGS)]
        of_adam, shares = zip(*found, strict=True)
        small.append([name, ranging(of_adam), f"{median(shares):.0%}"])
    texts = {
        "ideas": table(["", "ms per step", "gain, and half of the turns"], rows),
        "subnormal": table(["Adam", "ms per step", "subnormal"], small),
    }
    put(DOCS / "speed.md", "measured", texts)


if __name__ == "__main__":
    main()
