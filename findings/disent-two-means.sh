#!/usr/bin/env bash
# disent 0.8.0 · 2026-11-29
# Vae takes the mean of the squared error over pixels and the mean of the KL divergence over units
# (loss_reduction="mean"). Beside "squared error + beta KL", both summed, that is beta = D / Z: 1024
# for 64 x 64 pixels and 4 units. BetaVae's default beta of 0.003 is multiplied by that.
# One would believe that a VAE's two terms are those of the ELBO, and that beta = 1 means 1.
# Seen: the loss is r/(BD) + k/(BZ), and r/(BD) + 0.003 k/(BZ), to float32 rounding.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile disent==0.8.0 lightning==2.6.6 torch==2.13.0 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END' 2>log || { tail -n 1 log; exit 1; }
import sys
from unittest.mock import MagicMock

import torch

# Nothing below needs torchvision, whose build must match torch's: a stand-in does.
parts = "", ".datasets", ".datasets.utils", ".models", ".transforms", ".transforms.functional"
for name in parts:
    sys.modules["torchvision" + name] = MagicMock()
from disent.frameworks.vae import BetaVae, Vae
from disent.model import AutoEncoder
from disent.model.ae import DecoderLinear, EncoderLinear

shape, units = (1, 64, 64), 4
torch.manual_seed(0)
x = torch.rand(8, *shape)


def off(kind, beta):
    """The loss of a training step against means over everything."""
    coder = AutoEncoder(EncoderLinear(shape, units, 2), DecoderLinear(shape, units))
    model = kind(model=coder, cfg=kind.cfg())
    model.log_dict = lambda *a, **k: None
    torch.manual_seed(1)
    loss = model.do_training_step({"x_targ": (x,)}, 0)
    torch.manual_seed(1)
    posterior, prior = model.encode_dists(x)
    r = ((model.decode(posterior.rsample()) - x) ** 2).mean()
    k = torch.distributions.kl_divergence(posterior, prior).mean()
    return float(abs(loss - (r + beta * k)))


vae, beta_vae = off(Vae, 1.0), off(BetaVae, 0.003)
print(f"disent 0.8.0: the loss of Vae is r/(BD) + k/(BZ) to {vae:.0e}, BetaVae's as it comes "
      f"r/(BD) + 0.003 k/(BZ) to {beta_vae:.0e}; our beta is {64 * 64 // units} times that.")
sys.exit(not max(vae, beta_vae) < 1e-5)
END
