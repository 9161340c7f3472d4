"""``numpyvae reconstruct``."""

import argparse
from pathlib import Path

import numpy as np

from ..training.chance import Stream
from ..training.checkpoint import load_checkpoint
from ..training.folder import draw_reconstructions
from .arguments import (
    add_checkpoint_argument,
    add_count_argument,
    add_data_arguments,
    add_picture_argument,
    add_seed_argument,
    check_count,
    check_seed,
    load_data_for,
    picture_path,
)

HELP = "draw test images, their reconstructions, and new samples"
DESCRIPTION = """\
Save a picture of test images above their reconstructions (decoded from the mean of q(z|x)), and of
as many new samples.
"""
PICTURE = "reconstruct.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint_argument(parser)
    add_count_argument(parser, 10, "images")
    add_data_arguments(parser)
    add_seed_argument(parser, "the latent vectors")
    add_picture_argument(parser, PICTURE)


def run(
    checkpoint: Path,
    n: int,
    seed: int,
    dataset: str | None,
    data_dir: str | None,
    out: Path | None,
) -> None:
    check_count(n)
    check_seed(seed)
    run = load_checkpoint(checkpoint)
    data = load_data_for(run, checkpoint, dataset, data_dir)
    rng = Stream.NEW_IMAGES.generator(seed)
    z = rng.standard_normal((n, run.config.z_dim), np.float32)
    path = picture_path(out, checkpoint, PICTURE)
    draw_reconstructions(run, data.test_images[:n], z, path)
    print(path)
