#!/usr/bin/env bash
# numpyro 0.22.0 · 2026-11-29
# Bernoulli.log_prob of a grey pixel (0.3) is -inf with a warning, and its gradient 0. PyTorch's
# refuses, or without validation gives the cross-entropy, as most VAE examples use it.
# One would believe that pixels in [0, 1] are a matter of the formula only.
# Seen: -inf, gradient 0.0 at the logit 2; the cross-entropy would be -1.527 with gradient -0.581.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile numpyro==0.22.0 jax==0.10.2 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import math
import sys

import jax
from numpyro.distributions import Bernoulli

value, slope = jax.value_and_grad(lambda a: Bernoulli(logits=a).log_prob(0.3))(2.0)
print(f"numpyro 0.22.0: Bernoulli(logits=2).log_prob(0.3) = {float(value)}, gradient {float(slope)}.")
sys.exit(not (float(value) == -math.inf and float(slope) == 0))
END
