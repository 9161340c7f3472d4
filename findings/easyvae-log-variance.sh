#!/usr/bin/env bash
# easyvae 1.3.3 · 2026-11-29
# A VAE in NumPy. Its step follows the gradient of half the squared error plus the KL divergence,
# but the gradient with respect to log_var is wrong: the reconstruction part is multiplied by std
# only (and not by the 1/4 that its own z = mean + eps * std / 2 calls for), the KL part by a std
# that does not belong there. Everything in the encoder below learns from it.
# One would believe that a VAE whose loss falls has the right backward pass.
# Seen: mean right to 1e-9; log_var off by several times its own size.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile easyvae==1.3.3 numpy==2.4.6 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import sys

import numpy as np
from easyvae.activations import ReLU
from easyvae.autoencoder import VariationalAutoencoder

np.random.seed(0)
x = np.random.rand(8)
vae = VariationalAutoencoder([8, 4], [4, 8], 0.0, ReLU())  # rate 0: the weights stay
vae.train(x)
layer = vae.sampler
eps, mean, log_var = layer.eps, layer.mean.copy(), layer.logvar.copy()
theirs_mean, theirs_log_var = layer.mean_nn.error.copy(), layer.std_nn.error.copy()


def loss(mean, log_var):
    x_hat = vae.decoder.forward(mean + 0.5 * eps * np.exp(0.5 * log_var))
    kl = 0.5 * np.sum(np.exp(log_var) + mean**2 - 1 - log_var)
    return 0.5 * np.sum((x_hat - x) ** 2) + kl


def slope(function, at):
    steps = 1e-5 * np.eye(at.size)
    return np.array([(function(at + h) - function(at - h)) / 2e-5 for h in steps])


def off(theirs, true):
    return np.linalg.norm(theirs - true) / np.linalg.norm(true)


of_mean = off(theirs_mean, slope(lambda m: loss(m, log_var), mean))
of_log_var = off(theirs_log_var, slope(lambda v: loss(mean, v), log_var))
print(f"easyvae 1.3.3: gradient against finite differences: mean off by {of_mean:.0e}, "
      f"log_var off by {of_log_var:.0%}.")
sys.exit(not (of_mean < 1e-6 and of_log_var > 0.5))
END
