#!/usr/bin/env bash
# pyvae 1.1.0 · 2026-11-29
# Its encoder clamps log_var to [-3, 3]: no standard deviation leaves [0.22, 4.48], so no unit can
# hold a pixel's value more sharply than that, and outside the gradient of log_var is 0.
# One would believe that the posterior may become as narrow as the data asks.
# Seen: with a bias of -10 for log_var the standard deviation is 0.2231, the bias's gradient 0.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile pyvae==1.1.0 torch==2.13.0 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import sys

import torch
from pyvae.models import InformedVAE

torch.manual_seed(0)
model = InformedVAE(torch.ones(16, 6), latent_dim=3)
bias = model.encoder.fc_log_var.bias
bias.data.fill_(-10.0)
x = torch.rand(8, 16)
x_hat, mean, log_var, hidden = model(x)
model.loss(x, x_hat, mean, log_var, hidden).backward()
std = float((log_var / 2).exp().min())
print(f"pyvae 1.1.0: log_var's bias at -10: standard deviation {std:.4f} (exp(-5) = 0.0067), "
      f"gradient of that bias {float(bias.grad.abs().max())}.")
sys.exit(not (abs(std - 0.2231) < 1e-3 and not bias.grad.any()))
END
