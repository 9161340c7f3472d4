"""``numpyvae interpolate``."""

import argparse
from pathlib import Path

from ..evaluation.latent import draw_interpolation
from ..training.checkpoint import load_checkpoint
from .arguments import (
    MOST_ROWS,
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

HELP = "draw paths through the latent space between test images"
DESCRIPTION = """\
Draw, for pairs of test images, the images decoded on the straight line between their posterior
means.
"""
PICTURE = "interpolate.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint_argument(parser)
    add_count_argument(parser, 8, "pairs")
    add_data_arguments(parser)
    add_seed_argument(parser, "the choice of the pairs")
    add_picture_argument(parser, PICTURE)


def run(
    checkpoint: Path,
    n: int,
    seed: int,
    dataset: str | None,
    data_dir: str | None,
    out: Path | None,
) -> None:
    check_count(n, MOST_ROWS)
    check_seed(seed)
    run = load_checkpoint(checkpoint)
    data = load_data_for(run, checkpoint, dataset, data_dir)
    path = picture_path(out, checkpoint, PICTURE)
    draw_interpolation(run, data, path, n, seed=seed)
    print(path)
