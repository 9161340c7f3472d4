#!/usr/bin/env bash
# flax 0.12.8 (jax 0.10.2) · 2026-11-29
# nnx.update(layer, weights) checks neither names nor shapes. PyTorch's name "weight" becomes a new
# attribute and the kernel keeps its random start; a kernel in PyTorch's layout, (out, in), replaces
# the (in, out) one.
# One would believe that weights that do not fit raise, as load_state_dict does.
# Seen: no error for either; the outputs did not change at all; a kernel (32, 64) for 64 inputs.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile flax==0.12.8 jax==0.10.2 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import sys

import jax.numpy as jnp
from flax import nnx

x = jnp.ones((4, 64))
layer = nnx.Linear(64, 32, rngs=nnx.Rngs(0))
before = layer(x)
nnx.update(layer, {"weight": jnp.zeros((32, 64)), "bias": jnp.zeros(32)})
unchanged = bool((layer(x) == before).all())
nnx.update(layer, {"kernel": jnp.zeros((32, 64))})
print(f"flax 0.12.8 nnx.update: the name 'weight' raises nothing, outputs unchanged: {unchanged}; "
      f"a kernel of shape {layer.kernel.shape} is taken by a layer of 64 inputs and 32 outputs.")
sys.exit(not (unchanged and layer.kernel.shape == (32, 64)))
END
