#!/usr/bin/env bash
# numpy-ml 0.1.2 · 2026-11-29 (with collections.Hashable put back, without which it does not import)
# BernoulliVAE draws z with the standard deviation exp(log_var), where its own text and its own KL
# divergence say exp(log_var / 2). Its backward pass is the right derivative of that forward pass, so
# a check of its gradients by finite differences finds nothing.
# One would believe that a gradient check proves a VAE.
# Seen: at log_var = 2 the draws have standard deviation 7.4 = exp(2), where exp(1) = 2.7 is meant;
# gradients right to 1e-9.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile numpy-ml==0.1.2 numpy==2.4.6 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import collections
import collections.abc
import sys

collections.Hashable = collections.abc.Hashable
import numpy as np
from numpy_ml.neural_nets.models.vae import BernoulliVAE

np.random.seed(0)
x = np.random.rand(2, 16, 16, 1)
vae = BernoulliVAE(T=3, latent_dim=8, enc_conv1_kernel_shape=(3, 3), enc_conv2_kernel_shape=(3, 3))
vae.N = 256
std = vae._sample(np.zeros((100_000, 1)), np.full((100_000, 1), 2.0)).std()
vae.forward(x)  # makes the weights


def loss():
    np.random.seed(1)  # the same noise in every pass
    x_hat = vae.forward(x)
    return vae.loss(x.reshape(2, -1), x_hat, vae._dv["t_mean"], vae._dv["t_log_var"]), x_hat


vae.flush_gradients()
vae.backward(x, loss()[1])
worst = 0.0
for layer in (vae.encoder["FC4"], vae.encoder["FC5"], vae.decoder["FC1"]):
    weights, gradient = layer.parameters["W"], layer.gradients["W"].copy()
    place = np.unravel_index(abs(gradient).argmax(), gradient.shape)
    at = weights[place]
    values = []
    for shift in (1e-5, -1e-5):
        weights[place] = at + shift
        values.append(loss()[0])
    weights[place] = at
    numerical = (values[0] - values[1]) / 2e-5
    worst = max(worst, abs(numerical - gradient[place]) / abs(numerical))
print(f"numpy-ml 0.1.2: at log_var = 2 its noise has standard deviation {std:.2f} "
      f"(exp(1) = 2.72); its gradients pass the check, off by {worst:.0e} at most.")
sys.exit(not (7.3 < std < 7.5 and worst < 1e-5))
END
