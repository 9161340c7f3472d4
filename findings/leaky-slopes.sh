#!/usr/bin/env bash
# keras 3.15.1 (jax backend), flax 0.12.8, torch 2.13.0 · 2026-11-29
# What carries no weights does not carry over either. Keras's leaky ReLU has the slope 0.3 as a layer
# and 0.2 as a function, PyTorch's and Flax's 0.01. flax.nnx.gelu approximates with tanh; PyTorch's and
# Keras's are exact. LayerNorm adds 1e-5 (torch), 1e-6 (flax), 1e-3 (keras) to the variance.
# One would believe that one package has one slope, and a layer without parameters one formula.
# Seen: -1 -> -0.3, -0.2, -0.01, -0.01; GELU off by 5e-4; LayerNorm of inputs near 0.01: 0.95, 1, 0.3.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile keras==3.15.1 flax==0.12.8 jax==0.10.2 torch==2.13.0 ||
    exit 3
cd "$work"
KERAS_HOME=$work KERAS_BACKEND=jax "$work/env/bin/python" -W ignore - <<'END'
import sys

import keras
import numpy as np
import torch
from flax import nnx
from torch.nn import functional as F

minus = np.array([[-1.0]], np.float32)
slopes = [-float(np.asarray(leaky(minus)).item()) for leaky in (
    keras.layers.LeakyReLU(), keras.activations.leaky_relu, nnx.leaky_relu)]
slopes.append(-F.leaky_relu(torch.tensor(minus)).item())

x = np.linspace(-3, 3, 601, dtype=np.float32)
exact = F.gelu(torch.tensor(x)).numpy()
gelu = [float(abs(np.asarray(f(x)) - exact).max()) for f in (nnx.gelu, keras.activations.gelu)]

faint = np.array([[-0.01, 0.01]], np.float32)  # would be -1, 1 without the added number
norm = [float(np.asarray(layer(faint))[0, 1]) for layer in (
    nnx.LayerNorm(2, rngs=nnx.Rngs(0)), keras.layers.LayerNormalization())]
norm.append(torch.nn.LayerNorm(2)(torch.tensor(faint))[0, 1].item())
print("Slope of keras's layer, keras's function, flax, torch: "
      + ", ".join(f"{s:.2f}" for s in slopes)
      + f"; GELU off from torch's: flax {gelu[0]:.0e}, keras {gelu[1]:.0e}; LayerNorm of 0.01: "
      f"flax {norm[0]:.3f}, keras {norm[1]:.3f}, torch {norm[2]:.3f}.")
sys.exit(not (np.allclose(slopes, [0.3, 0.2, 0.01, 0.01]) and gelu[0] > 1e-4 > 1e-5 > gelu[1]
              and norm[1] < 0.5 < norm[2] < 0.98 < norm[0]))
END
