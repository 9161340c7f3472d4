#!/usr/bin/env bash
# multivae 1.0.3 · 2026-11-29
# decoder_dist="bernoulli" takes the decoder's output as logits, but the decoder that comes with the
# package ends in a sigmoid: its pixels go through a sigmoid twice. No pixel's probability can leave
# (0.5, 0.731), so a white pixel costs at least 0.31 nats and a black one 0.69.
# One would believe that the package's own decoder fits the package's own likelihood.
# Seen: an image that is all black costs at least log 2 a pixel, after any training.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile multivae==1.0.3 torch==2.13.0 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END' 2>log || { tail -n 1 log; exit 1; }
import math
import sys
from unittest.mock import MagicMock

import torch

# Nothing below needs torchvision, whose build must match torch's: a stand-in does.
for name in "", ".datasets", ".datasets.utils", ".models", ".transforms", ".utils":
    sys.modules["torchvision" + name] = MagicMock()
from multivae.data.datasets.base import MultimodalBaseDataset
from multivae.models import MVAE, MVAEConfig

torch.manual_seed(0)
black = torch.zeros(32, 16)
inputs = MultimodalBaseDataset({"a": black, "b": black})
dist = {"a": "bernoulli", "b": "bernoulli"}
model = MVAE(MVAEConfig(n_modalities=2, latent_dim=2, input_dims={"a": (16,), "b": (16,)},
                        decoders_dist=dist, use_subsampling=False))
adam = torch.optim.Adam(model.parameters(), lr=1e-2)
for _ in range(300):
    adam.zero_grad()
    loss = model(inputs).loss  # without the KL divergence, see multivae-warm-up.sh
    loss.backward()
    adam.step()
per_pixel = float(loss) / 32
ends = [str(decoder)[-250:].count("Sigmoid") for decoder in model.decoders.values()]
print(f"multivae 1.0.3: 300 steps on black pixels: {per_pixel:.4f} nats a pixel, log 2 = "
      f"{math.log(2):.4f}; decoders that end in a sigmoid: {sum(ends)} of 2.")
sys.exit(not (math.log(2) <= per_pixel < 0.7 and ends == [1, 1]))
END
