#!/usr/bin/env bash
# paddlepaddle 3.3.1 on a CPU · 2026-11-29
# Paddle's Linear keeps (in, out), PyTorch's (out, in). set_state_dict with PyTorch's weights skips
# what does not fit with a warning, loads the bias, and goes on with the random weight; a square
# layer's weight fits, and is taken transposed without a word.
# One would believe that it raises, as PyTorch's load_state_dict does, or transposes.
# Seen: returns ['weight'] as left out, the weight unchanged, the bias taken; 64 -> 64: none left out.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile paddlepaddle==3.3.1 numpy==2.4.6 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END' 2>log || { tail -n 1 log; exit 1; }
import sys

import numpy as np
import paddle


def load(inputs, outputs):
    layer = paddle.nn.Linear(inputs, outputs)
    before = layer.weight.numpy().copy()
    weight = np.arange(inputs * outputs, dtype=np.float32).reshape(outputs, inputs)  # as in PyTorch
    left_out = layer.set_state_dict({"weight": weight, "bias": np.ones(outputs, np.float32)})
    return left_out[0], bool((layer.weight.numpy() == before).all()), bool(layer.bias.numpy().all())


missing, unchanged, bias = load(64, 32)
square = load(64, 64)
print(f"paddlepaddle 3.3.1 set_state_dict with PyTorch's layout: 64 -> 32: left out {missing}, "
      f"weight unchanged {unchanged}, bias taken {bias}; 64 -> 64: left out {square[0]}.")
sys.exit(not (missing == ["weight"] and unchanged and bias and square[0] == [] and not square[1]))
END
