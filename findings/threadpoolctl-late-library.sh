#!/usr/bin/env bash
# threadpoolctl 3.8.0, numpy 2.4.6, scipy 1.17.1 · 2026-11-29
# threadpool_limits(1) limits the libraries that are loaded at that moment. SciPy brings an OpenBLAS
# of its own, next to NumPy's; if it is imported inside the limit, its products use all cores.
# One would believe that a limit holds for whatever runs under it.
# Seen on 2 cores: NumPy's OpenBLAS 1 thread, SciPy's 2.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ "$(nproc)" -gt 1 ] || exit 3
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile threadpoolctl==3.8.0 numpy==2.4.6 scipy==1.17.1 || exit 3
cd "$work"
env -u OPENBLAS_NUM_THREADS -u OMP_NUM_THREADS -u MKL_NUM_THREADS "$work/env/bin/python" - <<'END'
import sys

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

with threadpool_limits(1):
    first = [pool["num_threads"] for pool in threadpool_info()]
    import scipy.linalg.blas

    scipy.linalg.blas.dgemm(1.0, np.eye(8), np.eye(8))
    both = [pool["num_threads"] for pool in threadpool_info()]
print(f"threadpoolctl 3.8.0, limit 1: NumPy's OpenBLAS has {first} thread; after importing SciPy "
      f"inside the limit the two have {both}.")
sys.exit(not (first == [1] and len(both) == 2 and max(both) > 1))
END
