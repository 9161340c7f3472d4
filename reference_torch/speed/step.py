"""Measures the steps of one contender in this process: ``python -m reference_torch.speed.step``.

Prints a JSON list: for each size, the milliseconds per step, by part where there are parts.
"""

import json
import sys
import time
from contextlib import ExitStack

import numpy as np

from numpyvae.training.kernels import blas_threads

from .contenders import Sizes, Step

LEAST = 30  # steps before measuring, and steps measured


def main(name: str, sizes: str, seconds: str) -> None:
    """``sizes`` is a JSON list of arguments for ``Sizes``; each is measured for ``seconds``."""
    found = [measure(name, Sizes(**size), float(seconds)) for size in json.loads(sizes)]
    print(json.dumps(found))


def measure(name: str, sizes: Sizes, seconds: float) -> dict[str, float]:
    """Milliseconds per step, with as many threads as a training has."""
    steps = sizes.contender(name)
    with ExitStack() as stack:
        for adam in sizes.adams:
            stack.enter_context(adam.threads(blas_threads()))
        return {part: milliseconds(step, seconds) for part, step in steps.items()}


def milliseconds(step: Step, seconds: float, least: int = LEAST) -> float:
    """The median time of one call, of ``least`` calls or more, after as many as a warm-up."""
    times: list[float] = []
    for _ in range(least):
        step()
    while len(times) < least or sum(times) < seconds:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


if __name__ == "__main__":
    main(*sys.argv[1:])
