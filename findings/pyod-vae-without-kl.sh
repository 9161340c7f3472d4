#!/usr/bin/env bash
# pyod 3.6.7 · 2026-11-29
# VAE as it comes trains without a KL divergence: capacity=0.0 is its default, and the KL divergence
# is clamped to [0, capacity]. Its gradient is zero, whatever beta is.
# One would believe that beta weighs the KL divergence. What is left is an autoencoder with noise.
# Seen: largest difference between the weights trained with beta = 0 and with beta = 1000: 0.0;
# with capacity = 1e9: 0.012.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile pyod==3.6.7 torch==2.13.0 tqdm==4.67.1 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import sys

import numpy as np
from pyod.models.vae import VAE

data = np.random.default_rng(0).random((64, 8))


def weights(**settings):
    detector = VAE(epoch_num=3, verbose=0, random_state=0, **settings)
    detector.fit(data)
    return np.concatenate([p.detach().numpy().ravel() for p in detector.model.parameters()])


clamped = abs(weights(beta=0.0) - weights(beta=1000.0)).max()
free = abs(weights(beta=0.0) - weights(beta=1000.0, capacity=1e9)).max()
print(f"pyod 3.6.7 VAE: beta 0 and beta 1000 lead to weights that differ by {clamped}; "
      f"with capacity 1e9, by {free:.2g}.")
sys.exit(not (clamped == 0 and free > 0.01))
END
