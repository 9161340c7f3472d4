"""What computes: a library, the processor's kernels that it chose, and threads.

They decide in which order sums are rounded, so a run goes on to the bit only with the same.
"""

import os
from functools import cache
from typing import Any

import numpy as np


def numpy_kernels() -> str:
    """What NumPy computes with, in words: ``Trainer.computes_with`` of a training in NumPy."""
    found: Any = np.show_config("dicts")
    *_, simd = found["SIMD Extensions"]["baseline"] + found["SIMD Extensions"].get("found", [])
    described = ("{internal_api} {version}, {architecture}".format_map(lib) for lib in _blas())
    blas = next(described, "a BLAS unknown here")  # such as Apple's Accelerate
    return f"NumPy {np.__version__} ({simd}) with {blas}, threads: {blas_threads()}"


def blas_threads() -> int:
    """How many threads matrix products and Adam use; with another number a run rounds otherwise."""
    return max((lib["num_threads"] for lib in _blas()), default=os.cpu_count() or 1)


def _blas() -> list[dict[str, Any]]:
    """NumPy's own where it brings one; SciPy, for one, brings another into the same process."""
    found = [lib for lib in _libraries().info() if lib["user_api"] == "blas"]
    beside_numpy = os.path.realpath(os.path.dirname(np.__file__))  # numpy.libs, numpy/.dylibs
    return [lib for lib in found if lib["filepath"].startswith(beside_numpy)] or found


@cache
def _libraries() -> Any:
    """NumPy's BLAS and others that are loaded by now: finding them takes longer than asking."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
