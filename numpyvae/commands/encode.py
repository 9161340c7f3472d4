"""``numpyvae encode``."""

import argparse
from pathlib import Path

import numpy as np

from ..data.npz import write_npz
from ..evaluation.likelihood import encode
from ..training.checkpoint import load_checkpoint
from .arguments import (
    add_checkpoint_argument,
    add_run_data_arguments,
    load_data,
    output,
    picture_path,
)

DESCRIPTION = """\
Write the codes of all images, for programs of your own: means and log-variances of q(z|x) as arrays
mean and log_var (N, z_dim) of the training images, test_mean and test_log_var of the test images;
labels and test_labels, and label_names, where there are any.
"""
CODES = "codes.npz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint_argument(parser)
    add_run_data_arguments(parser)
    help = f"the file (default: {CODES} beside CHECKPOINT)"
    parser.add_argument("--out", type=output(".npz"), metavar="FILE", help=help)


def run(checkpoint: Path, dataset: str | None, data_dir: str | None, out: Path | None) -> None:
    run = load_checkpoint(checkpoint)
    data = load_data(run, dataset, data_dir)
    path = picture_path(out, checkpoint, CODES)
    arrays = {}
    for prefix, images, labels in (
        ("", data.train_images, data.train_labels),
        ("test_", data.test_images, data.test_labels),
    ):
        arrays[f"{prefix}mean"], arrays[f"{prefix}log_var"] = encode(run.vae, images)
        if labels is not None:
            arrays[f"{prefix}labels"] = labels
    if data.label_names is not None:
        arrays["label_names"] = np.array(data.label_names)
    write_npz(path, arrays)
    print(path)
