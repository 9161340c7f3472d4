#!/usr/bin/env bash
# ctgan 0.12.1 · 2026-11-29
# TVAE weighs the squared error of a column with 1/sigma^2, twice that of the likelihood
# (loss_factor = 2), where sigma is learnt, starts at 0.1 and may fall to 0.01. So the KL divergence
# starts with 1/100 of the weight that it has in "squared error + KL", and may end at 1/10 000.
# One would believe that loss_factor = 2 turns half the squared error into the squared error.
# Seen: every sigma is 0.1 at the start; with one residual e, the gradient is 2 e / 0.01.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile ctgan==0.12.1 torch==2.13.0 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END' 2>log || { tail -n 1 log; exit 1; }
import sys

import torch
from ctgan.data_transformer import SpanInfo
from ctgan.synthesizers.tvae import Decoder, TVAE, _loss_function

torch.manual_seed(0)
sigma = Decoder(4, (8,), 3).sigma.detach()
columns = [[SpanInfo(1, "tanh")] for _ in range(3)]
x, mean, log_var = torch.zeros(1, 3), torch.zeros(1, 4), torch.zeros(1, 4)
before_tanh = torch.tensor([[0.2, 0.0, 0.0]], requires_grad=True)
loss, _ = _loss_function(before_tanh, x, sigma, mean, log_var, columns, TVAE().loss_factor)
loss.backward()
e = torch.tanh(torch.tensor(0.2))
slope_of_tanh = 1 - e**2
weight = float(before_tanh.grad[0, 0] / (2 * e * slope_of_tanh))
print(f"ctgan 0.12.1 TVAE: sigma starts at {float(sigma.mean()):.3f}; the squared error of a column "
      f"has weight {weight:.1f}.")
sys.exit(not abs(weight - 100) < 0.1)
END
