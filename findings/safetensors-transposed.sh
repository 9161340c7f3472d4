#!/usr/bin/env bash
# safetensors 0.8.0 with NumPy · 2026-11-29 (its own issue #825; 0.7.0 is right)
# save_file writes an array that is not C-ordered in the order of its memory: the file has the right
# shape and the wrong values. Whoever carries weights across with W.T gets them jumbled.
# One would believe that save_file copies what is not contiguous, or refuses it (as for torch).
# Seen: of a transposed 3 x 2 matrix 4 of 6 numbers come back in other places.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile safetensors==0.8.0 numpy==2.4.6 || exit 3
cd "$work"
"$work/env/bin/python" - <<'END'
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

weight = np.arange(6, dtype=np.float32).reshape(2, 3).T
save_file({"view": weight, "copy": np.ascontiguousarray(weight)}, "weights.safetensors")
back = load_file("weights.safetensors")
wrong = int((back["view"] != weight).sum())
print(f"safetensors 0.8.0: a transposed array comes back with shape {back['view'].shape} and "
      f"{wrong} of {weight.size} numbers wrong; its copy with {(back['copy'] != weight).sum()}.")
sys.exit(not (wrong > 0 and (back["copy"] == weight).all()))
END
