#!/usr/bin/env bash
# paddlepaddle 3.3.1 on a CPU · 2026-11-29
# cross_entropy never exceeds 64: log_softmax ends at -64. binary_cross_entropy_with_logits of the
# same package does not end.
# One would believe that a loss grows with the mistake.
# Seen: logits 1000 against 0, the wrong class: 64; binary: 1000.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile paddlepaddle==3.3.1 numpy==2.4.6 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END' 2>log || { tail -n 1 log; exit 1; }
import sys

import paddle
from paddle.nn import functional as F

classes = F.cross_entropy(paddle.to_tensor([[1000.0, 0.0]]), paddle.to_tensor([1])).item()
lowest = F.log_softmax(paddle.to_tensor([0.0, -1e4])).numpy()[1]
binary = F.binary_cross_entropy_with_logits(paddle.to_tensor([1000.0]), paddle.to_tensor([0.0])).item()
print(f"paddlepaddle 3.3.1: logits 1000 against 0, wrong class: cross_entropy {classes}, "
      f"binary {binary}; log_softmax([0, -10000])[1] = {lowest}.")
sys.exit(not (classes == 64 and binary == 1000 and lowest == -64))
END
