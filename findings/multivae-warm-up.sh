#!/usr/bin/env bash
# multivae 1.0.3 · 2026-11-29
# MVAE as it comes has warmup=10: in the first epoch, and whenever the model is called without an
# epoch, the KL divergence is multiplied by 0; it counts in full from epoch 10 on.
# One would believe that model(inputs).loss contains the KL divergence.
# Seen: the loss without an epoch equals that of epoch 1, equals that of beta = 0; epoch 10 is more.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile multivae==1.0.3 torch==2.13.0 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END' 2>log || { tail -n 1 log; exit 1; }
import sys
from unittest.mock import MagicMock

import torch

# Nothing below needs torchvision, whose build must match torch's: a stand-in does.
for name in "", ".datasets", ".datasets.utils", ".models", ".transforms", ".utils":
    sys.modules["torchvision" + name] = MagicMock()
from multivae.data.datasets.base import MultimodalBaseDataset
from multivae.models import MVAE, MVAEConfig

torch.manual_seed(0)
inputs = MultimodalBaseDataset({"a": torch.rand(8, 64), "b": torch.rand(8, 64)})


def loss(beta=1.0, **epoch):
    torch.manual_seed(0)
    sizes = {"a": (64,), "b": (64,)}
    model = MVAE(MVAEConfig(n_modalities=2, latent_dim=4, input_dims=sizes, beta=beta,
                            use_subsampling=False))
    torch.manual_seed(1)
    return float(model(inputs, **epoch).loss)


plain, none, full = loss(), loss(beta=0.0, epoch=10), loss(epoch=10)
print(f"multivae 1.0.3 MVAE: loss {plain:.4f} without an epoch, {none:.4f} with beta = 0, "
      f"{full:.4f} in epoch 10.")
sys.exit(not (plain == loss(epoch=1) == none < full))
END
