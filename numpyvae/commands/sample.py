"""``numpyvae sample``."""

import argparse
from pathlib import Path

from ..training.chance import Stream
from ..training.checkpoint import load_checkpoint
from .arguments import (
    add_checkpoint_argument,
    add_count_argument,
    add_picture_argument,
    add_seed_argument,
    check_count,
    check_seed,
    picture_path,
)

HELP = "draw new images from a checkpoint"
DESCRIPTION = "Draw latent vectors from the prior N(0, I), decode them, and save a picture."
PICTURE = "sample.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint_argument(parser)
    add_count_argument(parser, 64, "images")
    add_seed_argument(parser, "the latent vectors")
    add_picture_argument(parser, PICTURE)


def run(checkpoint: Path, n: int, seed: int, out: Path | None) -> None:
    from ..figures.images import image_grid

    check_count(n)
    check_seed(seed)
    run = load_checkpoint(checkpoint)
    path = picture_path(out, checkpoint, PICTURE)
    image_grid(run.vae.sample(n, Stream.NEW_IMAGES.generator(seed)), run.image_shape, path)
    print(path)
