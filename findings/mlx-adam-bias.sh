#!/usr/bin/env bash
# mlx 0.32.4 (its CPU build) · 2026-11-29
# optimizers.Adam and AdamW do not correct the bias of their running averages unless asked to
# (bias_correction=True). The first step is sqrt(10) times the learning rate, and the steps stay
# larger for hundreds of steps.
# One would believe that a class called Adam is the algorithm of the paper, as in PyTorch.
# Seen: gradient 1, rate 0.001: 1 -> 0.996838 after one step (0.999 corrected), 0.534 after 100 (0.9).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile 'mlx[cpu]==0.32.4' || exit 3
cd "$work"
"$work/env/bin/python" - <<'END'
import sys

import mlx.core as mx
import mlx.optimizers as optim


def after(steps, **settings):
    adam, parameter = optim.Adam(learning_rate=1e-3, **settings), {"p": mx.array([1.0])}
    for _ in range(steps):
        parameter = adam.apply_gradients({"p": mx.array([1.0])}, parameter)
    return parameter["p"].item()


one, hundred, corrected = after(1), after(100), after(1, bias_correction=True)
print(f"mlx 0.32.4 Adam: 1 becomes {one:.6f} in one step and {hundred:.4f} in 100; "
      f"with bias_correction=True {corrected:.6f} in one.")
sys.exit(not (abs(one - 0.996838) < 1e-5 and hundred < 0.6 and abs(corrected - 0.999) < 1e-6))
END
