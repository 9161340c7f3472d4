"""One contender, in this process: ``python -m reference_torch.speed.step NAME SIZES``.

SIZES is a JSON list of arguments for ``Sizes``. Whenever it is given a size's number and seconds,
it answers the milliseconds per step, by part where there are parts.
"""

import sys
import time
from contextlib import ExitStack
from json import loads

import numpy as np

from .contenders import Sizes, Step
from .turns import answer

LEAST = 30  # steps before measuring, and steps measured
LEAST_OF_TURN = 3  # the same, where the step has been measured before


def main(name: str, sizes: str) -> None:
    """Answers with the figures of contender ``name``."""
    given = loads(sizes)
    steps: dict[int, dict[str, Step]] = {}
    with ExitStack() as stack:

        def turn(number: int, seconds: float) -> dict[str, float]:
            least = LEAST_OF_TURN
            if number not in steps:
                steps.clear()
                stack.close()
                steps[number] = ready(name, Sizes(**given[number]), stack)
                least = LEAST
            return {p: milliseconds(step, seconds, least) for p, step in steps[number].items()}

        answer(turn)


def ready(name: str, sizes: Sizes, stack: ExitStack) -> dict[str, Step]:
    """A contender's steps; NumPy has the threads that it has in training until ``stack`` closes."""
    steps = sizes.contender(name)
    for threads in sizes.threads:
        stack.enter_context(threads)
    return steps


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
