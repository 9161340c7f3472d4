#!/usr/bin/env bash
# keras 3.15.1, jax backend · 2026-11-29
# Three differences between Keras's Adam and PyTorch's, all silent: epsilon is 1e-7 and is added
# before the bias correction (in effect up to 30 times larger in the first steps); AdamW's default
# decay is 0.004; and weight_decay=w of plain Adam is decoupled, as in AdamW, where PyTorch's Adam
# adds it to the gradient.
# One would believe that the same class with the same rate takes the same steps.
# Seen: gradient 1e-8: 1 -> 0.99999684, PyTorch 0.9995; Adam(weight_decay=.5), rate .5, gradient 1:
# 1 -> 0.25, PyTorch 0.5.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile keras==3.15.1 jax==0.10.2 torch==2.13.0 || exit 3
cd "$work"
KERAS_HOME=$work KERAS_BACKEND=jax "$work/env/bin/python" -W ignore - <<'END'
import sys

import keras
import torch


def keras_step(adam, gradient):
    p = keras.Variable([1.0])
    adam.apply([keras.ops.convert_to_tensor([gradient])], [p])
    return float(keras.ops.convert_to_numpy(p)[0])


def torch_step(make, gradient, **settings):
    p = torch.ones(1, requires_grad=True)
    p.grad = torch.tensor([gradient])
    make([p], **settings).step()
    return p.item()


adam, torch_adam = keras.optimizers.Adam, torch.optim.Adam
tiny = keras_step(adam(1e-3), 1e-8), torch_step(torch_adam, 1e-8, lr=1e-3)
decay = (keras_step(adam(0.5, weight_decay=0.5), 1.0),
         torch_step(torch_adam, 1.0, lr=0.5, weight_decay=0.5))
default = keras.optimizers.AdamW().weight_decay
print(f"keras 3.15.1 Adam against torch: gradient 1e-8: {tiny[0]:.8f} / {tiny[1]:.8f}; "
      f"weight_decay 0.5: {decay[0]:.3f} / {decay[1]:.3f}; AdamW's default decay {default}.")
sys.exit(not (tiny[0] > 0.99999 and abs(tiny[1] - 0.9995) < 1e-6 and abs(decay[0] - 0.25) < 1e-3
              and abs(decay[1] - 0.5) < 1e-3 and default == 0.004))
END
