"""What a run was computed with is what NumPy computes with, whatever else the process loads."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from numpyvae.training import kernels
from numpyvae.training.kernels import blas_threads, numpy_kernels

PACKAGES = Path(np.__file__).resolve().parents[1]
OTHER = (PACKAGES / "scipy.libs/libscipy_openblas.so", "0.3.30", 4)


def described(filepath: Path, version: str, threads: int) -> dict[str, object]:
    words = {"filepath": str(filepath), "version": version, "num_threads": threads}
    return words | {"user_api": "blas", "internal_api": "openblas", "architecture": "Zen"}


def loads(monkeypatch, libraries: list[dict[str, object]]) -> None:
    """The process has loaded these."""
    loaded = SimpleNamespace(info=lambda: libraries)
    monkeypatch.setattr(kernels, "_libraries", lambda: loaded)


@pytest.mark.parametrize("own", ["numpy.libs/libscipy_openblas64_.so", "numpy/.dylibs/lib.dylib"])
@pytest.mark.parametrize("first", [0, 1])
def test_numpys_own_blas_counts_and_no_others(monkeypatch, own, first):
    loaded = [(PACKAGES / own, "0.3.31", 3), OTHER]
    found = [described(*lib) for lib in (loaded[first], loaded[1 - first])]
    loads(monkeypatch, found)
    assert numpy_kernels().endswith("with openblas 0.3.31, Zen, threads: 3")
    assert blas_threads() == 3


def test_a_blas_that_packages_share_is_numpys(monkeypatch):
    shared = described(Path("/somewhere/lib/libopenblas.so.0"), "0.3.28", 2)
    loads(monkeypatch, [shared])
    assert numpy_kernels().endswith("with openblas 0.3.28, Zen, threads: 2")


def test_the_number_of_threads_is_that_of_this_moment():
    for threads in (1, 2, 1):
        with threadpool_limits(threads, "blas"):
            assert blas_threads() == threads
