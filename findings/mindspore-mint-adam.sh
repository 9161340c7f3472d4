#!/usr/bin/env bash
# mindspore 2.10.0 on a CPU · 2026-11-29
# mint.optim.Adam changes nothing on a CPU, and says nothing: the parameters stay as they are.
# nn.Adam of the same package takes the step of the paper.
# One would believe that an optimiser either steps or raises an error.
# Seen: after 10 steps of rate 0.1 with gradient 1 the parameter is still exactly 1; nn.Adam: 0.0.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile mindspore==2.10.0 numpy==1.26.4 || exit 3
cd "$work"
GLOG_v=4 "$work/env/bin/python" -W ignore - <<'END' 2>log || { tail -n 1 log; exit 1; }
import sys

import mindspore as ms
from mindspore import mint, nn

ms.set_device("CPU")
gradient = (ms.Tensor([1.0], ms.float32),)


def after(make):
    p = ms.Parameter(ms.Tensor([1.0], ms.float32), name="p")
    step = make([p])
    for _ in range(10):
        step(gradient)
    return float(p.asnumpy()[0])


still = after(lambda ps: mint.optim.Adam(ps, lr=0.1))
moved = after(lambda ps: nn.Adam(ps, learning_rate=0.1))
print(f"mindspore 2.10.0: 10 steps of rate 0.1 lead from 1 to {still} with mint.optim.Adam, "
      f"to {moved:.3f} with nn.Adam.")
sys.exit(not (still == 1.0 and moved < 0.1))
END
