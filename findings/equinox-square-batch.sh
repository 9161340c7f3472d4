#!/usr/bin/env bash
# equinox 0.13.8 (jax 0.10.2) · 2026-11-29
# eqx.nn.Linear takes one vector. Given a batch of rows it computes weight @ batch + bias, which
# raises where the sizes differ, but not where batch, inputs and outputs are equal: 64 images of
# 8 x 8 pixels into 64 units give an array of the right shape that mixes the images with each other.
# One would believe that a missing jax.vmap shows as an error.
# Seen: no error, wrong by up to 1.7; with 32 units: ValueError.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile equinox==0.13.8 jax==0.10.2 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import sys

import equinox as eqx
import jax

images = jax.random.uniform(jax.random.key(0), (64, 64))


def without_vmap(units):
    layer = eqx.nn.Linear(64, units, key=jax.random.key(1))
    try:
        return float(abs(layer(images) - jax.vmap(layer)(images)).max())
    except ValueError:
        return "ValueError"


square, other = without_vmap(64), without_vmap(32)
print(f"equinox 0.13.8 Linear on 64 images of 64 pixels without vmap: 64 units: no error, off by "
      f"{square:.2f}; 32 units: {other}.")
sys.exit(not (isinstance(square, float) and square > 0.1 and other == "ValueError"))
END
