"""Work shared out among threads: NumPy lets other threads run while it computes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

Share = Callable[[Sequence[Callable[[], Any]]], list[Any]]


@contextmanager
def sharing(n: int) -> Iterator[Share]:
    """While this lasts: a function that does jobs on n threads, and returns their results in order.

    One of the n is the calling thread: it does the first job, and also what no other comes to. All
    jobs heed the caller's ``np.errstate``. What a job raises is raised.
    """
    if n == 1:
        yield lambda jobs: [job() for job in jobs]
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(n - 1) as pool:

        def share(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
            first, *rest = jobs
            others = [(job, pool.submit(copy_context().run, job)) for job in rest]
            results = [first()]
            for job, future in others:
                results.append(job() if future.cancel() else future.result())
            return results

        yield share
