#!/usr/bin/env bash
# neuralnetlib 5.0.0 · 2026-11-29
# A (variational) autoencoder in NumPy. gradient_clip_threshold = 5, its default, does not only cut
# what is too large: between the layers and again per array, it divides every gradient by its own
# standard deviation. Steps do not shrink near a minimum, and beta next to the reconstruction means
# nothing: the KL divergence's gradient is added to an error that was scaled to 1.
# One would believe that clipping leaves a small gradient alone.
# Seen: one SGD step of rate 1 moves a weight matrix by numbers of standard deviation 1.000 for
# images and for images a thousand times fainter; with the threshold 0: 0.1 and 0.05.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile neuralnetlib==5.0.0 numpy==2.4.6 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import sys

import numpy as np
from neuralnetlib.layers import Dense, Input
from neuralnetlib.models import Autoencoder
from neuralnetlib.optimizers import SGD


def step(images, threshold):
    model = Autoencoder(random_state=0, variational=True, gradient_clip_threshold=threshold)
    for layer in (Input(16), Dense(8, random_state=0)):  # mean and log_var of 4 units
        model.add_encoder_layer(layer)
    model.add_decoder_layer(Dense(16, random_state=1))
    model.compile(decoder_loss="mse", decoder_optimizer=SGD(learning_rate=1.0))
    model.forward_pass(images)
    before = model.decoder_layers[0].weights.copy()
    model.train_on_batch(images)
    return (model.decoder_layers[0].weights - before).std()


images = np.random.default_rng(0).random((32, 16))
clipped = step(images, 5.0), step(1e-3 * images, 5.0)
plain = step(images, 0.0), step(1e-3 * images, 0.0)
print(f"neuralnetlib 5.0.0: standard deviation of one step, for images and for fainter ones: "
      f"{clipped[0]:.3f}, {clipped[1]:.3f}; with gradient_clip_threshold=0 {plain[0]:.2f}, {plain[1]:.2f}.")
sys.exit(not (np.allclose(clipped, 1, atol=1e-3) and max(plain) < 0.2))
END
