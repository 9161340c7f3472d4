#!/usr/bin/env bash
# pythae 0.1.2 · 2026-11-29
# The loss that IWAE reports is not the importance-weighted bound: it is -sum(w log w), with the
# normalised weights w held constant. Its gradient is that of the bound; its value lies below, by the
# KL divergence of w from the uniform distribution, which may be as large as log K.
# One would believe that the printed number is the bound, to be compared with another model's.
# Seen, K = 10: reported 2.64, the bound 2.81, difference 0.17: that KL divergence.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile pythae==0.1.2 torch==2.13.0 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END' 2>log || { tail -n 1 log; exit 1; }
import math
import sys

import torch
from pythae.models import IWAE, IWAEConfig

torch.manual_seed(0)
k, x = 10, torch.rand(8, 64)
model = IWAE(IWAEConfig(input_dim=(1, 8, 8), latent_dim=4, reconstruction_loss="mse",
                        number_samples=k))
torch.manual_seed(1)
reported = float(model({"data": x.reshape(8, 1, 8, 8)}).loss)

code = model.encoder(x)
mean, log_var = (a[:, None].expand(-1, k, -1) for a in (code.embedding, code.log_covariance))
torch.manual_seed(1)
eps = torch.randn_like(log_var.exp())  # the same noise
z = mean + (log_var / 2).exp() * eps
x_hat = model.decoder(z.reshape(-1, 4)).reconstruction.reshape(8, k, 64)
log_weights = (-0.5 * ((x_hat - x[:, None]) ** 2).sum(-1)
               + (-0.5 * z**2 + 0.5 * eps**2 + 0.5 * log_var).sum(-1))
bound = float(-(torch.logsumexp(log_weights, 1) - math.log(k)).mean())
share = torch.softmax(log_weights, 1)
missing = float((share * (share * k).log()).sum(1).mean())
print(f"pythae 0.1.2 IWAE, K = {k}: reported {reported:.4f}, the bound {bound:.4f}; "
      f"the difference {bound - reported:.4f} is KL(w, uniform) = {missing:.4f}.")
sys.exit(not (abs(bound - reported - missing) < 1e-3 and missing > 0.01))
END
