#!/usr/bin/env bash
# torch 2.13.0 DataLoader with a NumPy Generator · 2026-11-29
# A Dataset that owns np.random.default_rng(seed), for the noise eps or for augmentation, is copied
# into every worker together with its state, anew in every epoch: all workers draw the same numbers,
# and every epoch repeats the one before. NumPy's global np.random is seeded per worker and is safe.
# One would believe that the modern Generator is the safe choice, and that torch seeds it, too.
# Seen: 2 workers, 2 epochs of 8 items: 4 different draws of 16; without workers 16; np.random 16.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile torch==2.13.0 numpy==2.4.6 || exit 3
cd "$work"
cat >noisy.py <<'END'
import sys

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


class Noisy(Dataset):
    def __init__(self, rng):
        self.rng = rng

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return (self.rng or np.random).normal()


def different(rng, workers):
    loader = DataLoader(Noisy(rng), batch_size=2, num_workers=workers)
    return len(torch.cat([batch for _ in range(2) for batch in loader]).unique())


if __name__ == "__main__":
    own, alone = different(np.random.default_rng(0), 2), different(np.random.default_rng(0), 0)
    shared = different(None, 2)
    print(f"torch 2.13.0 DataLoader, 2 workers, 2 epochs of 8 items: {own} different draws from the "
          f"Dataset's Generator ({alone} without workers), {shared} from np.random.")
    sys.exit(not (own == 4 and alone == shared == 16))
END
"$work/env/bin/python" -W ignore noisy.py
