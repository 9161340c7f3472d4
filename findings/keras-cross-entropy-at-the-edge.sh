#!/usr/bin/env bash
# keras 3.15.1, jax backend · 2026-11-29
# binary_crossentropy of a probability clips it to [1e-7, 1 - 1e-7]. Beyond, the loss is 16.1 and the
# gradient 0: a pixel that is wrong with full confidence teaches nothing. sigmoid does reach exactly
# 1 in float32, from a logit of about 17 on. With from_logits=True value and gradient are right.
# One would believe that the loss pushes hardest where it is most wrong.
# Seen: logit 20, target 0: loss 15.9, gradient 0; from logits: loss 20, gradient 1.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile keras==3.15.1 jax==0.10.2 || exit 3
cd "$work"
KERAS_HOME=$work KERAS_BACKEND=jax "$work/env/bin/python" -W ignore - <<'END'
import sys

import jax
import keras

target = keras.ops.zeros(1)


def loss(logit, from_logits):
    out = logit if from_logits else keras.ops.sigmoid(logit)
    return keras.losses.binary_crossentropy(target, out, from_logits=from_logits)


value, slope = jax.value_and_grad(lambda a: loss(a, False).sum())(keras.ops.array([20.0]))
true, right = jax.value_and_grad(lambda a: loss(a, True).sum())(keras.ops.array([20.0]))
print(f"keras 3.15.1 binary_crossentropy, logit 20, target 0: loss {float(value):.1f}, gradient "
      f"{float(slope[0])}; from logits: loss {float(true):.1f}, gradient {float(right[0])}.")
sys.exit(not (float(slope[0]) == 0 and 15 < float(value) < 17 and abs(float(right[0]) - 1) < 1e-6))
END
