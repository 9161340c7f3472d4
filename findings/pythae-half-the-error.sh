#!/usr/bin/env bash
# pythae 0.1.2 · 2026-11-29
# VAE with reconstruction_loss="mse" minimises HALF the squared error, summed over pixels, plus the
# KL divergence, per image: the minimum of "squared error + 2 KL". BetaVAE without arguments has
# beta = 1, so it is the same model.
# One would believe that "mse" is a mean over pixels, or the plain squared error, and that the
# BetaVAE differs from the VAE.
# Seen: both losses are r/2 + k to float32 rounding.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile pythae==0.1.2 torch==2.13.0 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END' 2>log || { tail -n 1 log; exit 1; }
import sys

import torch
from pythae.models import VAE, BetaVAE, BetaVAEConfig, VAEConfig

torch.manual_seed(0)
x = torch.rand(8, 64)
shape = {"input_dim": (1, 8, 8), "latent_dim": 4}
vae = VAE(VAEConfig(**shape, reconstruction_loss="mse"))
beta_vae = BetaVAE(BetaVAEConfig(**shape, reconstruction_loss="mse"))
beta_vae.load_state_dict(vae.state_dict())


def off(model):
    output = model({"data": x.reshape(8, 1, 8, 8)})
    code = model.encoder(x)
    r = ((output.recon_x.reshape(8, 64) - x) ** 2).sum() / 8
    k = 0.5 * (code.log_covariance.exp() + code.embedding**2 - 1 - code.log_covariance).sum() / 8
    return float(abs(output.loss - (r / 2 + k))), float(abs(output.loss - (r + k)))


half, whole = off(vae)
half_beta, _ = off(beta_vae)
print(f"pythae 0.1.2: the loss of VAE is r/2 + k to {half:.0e} (r + k: off by {whole:.2f}); "
      f"BetaVAE as it comes, to {half_beta:.0e}.")
sys.exit(not (half < 1e-4 and half_beta < 1e-4 and whole > 0.1))
END
