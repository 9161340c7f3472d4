#!/usr/bin/env bash
# paddlepaddle 3.3.1 on a CPU · 2026-11-29
# The gradient of binary_cross_entropy_with_logits is too small by exactly 1 where a logit is
# exactly 0; the value is right, and so is the gradient at 1e-30.
# One would believe sigmoid(logit) - target everywhere. Whoever starts the last layer at zero gets a
# wrong first step, in every pixel.
# Seen: target 0.3: -0.8 at 0, 0.2 at 1e-30.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile paddlepaddle==3.3.1 numpy==2.4.6 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END' 2>log || { tail -n 1 log; exit 1; }
import sys

import paddle
from paddle.nn.functional import binary_cross_entropy_with_logits as cross_entropy

logits = paddle.to_tensor([0.0, 1e-30, -1e-30, 2.0], stop_gradient=False)
cross_entropy(logits, paddle.full([4], 0.3), reduction="sum").backward()
seen = logits.grad.numpy()
right = 1 / (1 + 2.718281828**-2.0) - 0.3
print(f"paddlepaddle 3.3.1: gradient of the cross-entropy, target 0.3: {seen[0]:.2f} at the logit 0, "
      f"{seen[1]:.2f} at 1e-30, {seen[2]:.2f} at -1e-30 (true: 0.20).")
sys.exit(not (abs(seen[0] + 0.8) < 1e-6 and abs(seen[1] - 0.2) < 1e-6 and abs(seen[3] - right) < 1e-6))
END
