#!/usr/bin/env bash
# jax 0.10.2, torch 2.13.0 · 2026-11-29
# Automatic differentiation of the textbook's stable cross-entropy, relu(a) - t a + log(1 + e^-|a|),
# is wrong at a logit of exactly 0: the derivatives that relu and |a| are given there do not cancel.
# The true gradient is sigmoid(a) - t. softplus(a) - t a is right in both.
# One would believe that automatic differentiation of a smooth function is exact.
# Seen, t = 0.3, true 0.2: torch -0.3, jax -0.8; softplus 0.2 in both.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile jax==0.10.2 torch==2.13.0 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import sys

import jax
import jax.numpy as jnp
import torch

t = 0.3
a = torch.zeros(1, requires_grad=True)
textbook = torch.relu(a) - t * a + torch.log1p(torch.exp(-a.abs()))
softplus = torch.nn.functional.softplus(a) - t * a
in_torch = [torch.autograd.grad(f, a)[0].item() for f in (textbook, softplus)]
in_jax = [float(jax.grad(f)(0.0)) for f in (
    lambda a: jax.nn.relu(a) - t * a + jnp.log1p(jnp.exp(-abs(a))),
    lambda a: jax.nn.softplus(a) - t * a,
)]
print(f"Gradient of relu(a) - t a + log(1 + e^-|a|) at 0, true 0.2: torch 2.13.0 {in_torch[0]:.1f}, "
      f"jax 0.10.2 {in_jax[0]:.1f}; of softplus(a) - t a: {in_torch[1]:.1f}, {in_jax[1]:.1f}.")
expected = (-0.3, 0.2, -0.8, 0.2)
sys.exit(any(abs(s - e) > 1e-6 for s, e in zip(in_torch + in_jax, expected)))
END
