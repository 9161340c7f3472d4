#!/usr/bin/env bash
# torch 2.13.0 · 2026-11-29
# torch.autograd.gradcheck passes a backward pass that returns zeros, if the loss is a mean over many
# pixels: its tolerance atol = 1e-5 is absolute, and the gradient of a mean over 512 images of 784
# pixels is smaller than that in every place. The same backward of the sum is found.
# One would believe that gradcheck in float64 finds a gradient that is not there.
# Seen: mean: passes; sum: GradcheckError.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile torch==2.13.0 numpy==2.4.6 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END'
import sys

import torch
from torch.autograd.gradcheck import GradcheckError

torch.manual_seed(0)
images = torch.rand(512, 784, dtype=torch.float64)


class SquaredError(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x_hat, divisor):
        return ((x_hat - images) ** 2).sum() / divisor

    @staticmethod
    def backward(ctx, upstream):
        return torch.zeros(512, 784, dtype=torch.float64), None


def verdict(divisor):
    # the gradient of 16 pixels is enough to check
    x_hat = torch.rand(512, 784, dtype=torch.float64)
    few = x_hat[0, :16].clone().requires_grad_()

    def loss(few):
        return SquaredError.apply(torch.cat([few, x_hat.ravel()[16:]]).view(512, 784), divisor)

    try:
        return torch.autograd.gradcheck(loss, few)
    except GradcheckError:
        return "GradcheckError"


mean, total = verdict(images.numel()), verdict(1)
print(f"torch 2.13.0 gradcheck of a backward that returns zeros: mean over pixels: {mean}; "
      f"sum: {total}.")
sys.exit(not (mean is True and total == "GradcheckError"))
END
