#!/usr/bin/env bash
# flax 0.12.8 (jax 0.10.2), torch 2.13.0 · 2026-11-29
# nnx.ConvTranspose does not flip its kernel where PyTorch's does, and with padding "SAME" it crops the
# other end: the same kernel gives other numbers of the same shape. transpose_kernel=True flips;
# the numbers are then PyTorch's shifted by one pixel.
# One would believe that a decoder carried over needs its axes moved and nothing else.
# Seen, kernel 1 2 3, stride 2: torch 2 13 20 130 ..., flax 3 2 31 20 ..., transposed 1 2 13 20 ...
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile flax==0.12.8 jax==0.10.2 torch==2.13.0 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import sys

import jax.numpy as jnp
import torch
from flax import nnx

x, kernel = [1.0, 10.0, 100.0, 1000.0], [1.0, 2.0, 3.0]
in_torch = torch.nn.functional.conv_transpose1d(
    torch.tensor(x).view(1, 1, 4), torch.tensor(kernel).view(1, 1, 3), stride=2, padding=1,
    output_padding=1).flatten().int().tolist()


def in_flax(**how):
    layer = nnx.ConvTranspose(1, 1, (3,), strides=2, use_bias=False, rngs=nnx.Rngs(0), **how)
    layer.kernel[...] = jnp.array(kernel).reshape(3, 1, 1)
    return [int(v) for v in layer(jnp.array(x).reshape(1, 4, 1)).ravel()]


plain, flipped = in_flax(), in_flax(transpose_kernel=True)
print(f"Kernel 1 2 3 over 1 10 100 1000, stride 2: torch 2.13.0 {in_torch[:5]}..., flax 0.12.8 "
      f"{plain[:5]}..., with transpose_kernel {flipped[:5]}...")
sys.exit(not (in_torch[:4] == [2, 13, 20, 130] and plain[:4] == [3, 2, 31, 20]
              and flipped[1:] == in_torch[:-1]))
END
