#!/usr/bin/env bash
# scikit-learn 1.9.1 · 2026-11-29
# The Adam of MLPRegressor and MLPClassifier adds epsilon before the bias correction is made: in the
# first step it counts sqrt(1000) = 32 times as much as in the paper and in PyTorch, which shows where
# gradients are about as small as epsilon.
# One would believe that the class takes the paper's steps: it cites it.
# Seen: gradient 1e-8, rate 0.001: 1 -> 0.999969, the paper 0.9995; gradient 1: 0.999 in both.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile scikit-learn==1.9.1 numpy==2.4.6 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import sys

import numpy as np
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer


def after(steps, gradient):
    p = np.array([1.0])
    adam = AdamOptimizer([p], learning_rate_init=1e-3)
    for _ in range(steps):
        adam.update_params([p], [np.array([gradient])])
    return p[0]


tiny, one, hundred = after(1, 1e-8), after(1, 1.0), after(100, 1.0)
print(f"scikit-learn 1.9.1 Adam: gradient 1e-8: 1 becomes {tiny:.6f} (paper: 0.999500); gradient 1: "
      f"{one:.6f}, after 100 steps {hundred:.6f}.")
sys.exit(not (abs(tiny - 0.999969) < 1e-6 and abs(one - 0.999) < 1e-6 and abs(hundred - 0.900001) < 1e-5))
END
