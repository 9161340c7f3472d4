"""Measures the steps of one contender in this process: ``python -m reference_torch.speed.step``.

Prints a JSON list: for each size, the milliseconds per step, by part where there are parts.
"""

import json
import sys
import time
from contextlib import ExitStack

import numpy as np

from numpyvae.training.loop import blas_threads

from .contenders import Sizes, Step

SECONDS, LEAST = 1.0, 30  # of measuring one size: for so long, and at least so many steps


def main(name: str, sizes: str) -> None:
    """``sizes`` is a JSON list of arguments for ``Sizes``."""
    print(json.dumps([measure(name, Sizes(**size)) for size in json.loads(sizes)]))


def measure(name: str, sizes: Sizes) -> dict[str, float]:
    """Milliseconds per step, with as many threads as a training has."""
    steps = sizes.contender(name)
    with ExitStack() as stack:
        for adam in sizes.adams:
            stack.enter_context(adam.threads(blas_threads()))
        return {part: milliseconds(step) for part, step in steps.items()}


def milliseconds(step: Step) -> float:
    """The median time of one call, after a warm-up."""
    times: list[float] = []
    for _ in range(LEAST):
        step()
    while len(times) < LEAST or sum(times) < SECONDS:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


if __name__ == "__main__":
    main(*sys.argv[1:])
