#!/usr/bin/env bash
# autoencoders 0.6.8 · 2026-11-29
# The plain VAE of this package (first released this year) has free_bits = 0.02: a unit whose KL
# divergence, averaged over the batch, is below 0.02 nats costs 0.02 and gets no gradient from it. And
# the squared error is a MEAN over pixels and batch, the KL divergence a sum over units: beside
# "squared error + beta KL", beta is the number of pixels.
# One would believe that a VAE with kl_weight = 1 has beta = 1, and that its loss is the sum of the
# reconstruction_loss and the kl_loss that it returns.
# Seen: units near the prior: kl_loss 0.004, in the loss 0.16, gradient of the KL divergence 0.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile autoencoders==0.6.8 torch==2.13.0 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import sys

import torch
from autoencoders.data.base import TensorSpec
from autoencoders import VariationalAutoencoderConfig, VariationalAutoencoderModel

torch.manual_seed(0)
config = VariationalAutoencoderConfig(latent_dim=8)
model = VariationalAutoencoderModel(config=config, sample_spec=TensorSpec(shape=(64,)))
mean = torch.full((16, 8), 0.03).requires_grad_()
log_var = torch.zeros(16, 8).requires_grad_()
reported = float(model.compute_kl_loss(mean, log_var))
used = model.compute_free_bits_kl_loss(mean, log_var)
used.backward()
x = torch.rand(16, 64)
per_pixel = float(model.compute_loss(x + 1.0, x))
print(f"autoencoders 0.6.8 VAE: kl_loss {reported:.4f}, in the loss {float(used):.2f}, gradient "
      f"{float(mean.grad.abs().max())}; 64 pixels that are off by 1 cost {per_pixel:.1f}.")
sys.exit(not (reported < 0.01 and abs(float(used) - 0.16) < 1e-6 and not mean.grad.any()
              and abs(per_pixel - 1) < 1e-5))
END
