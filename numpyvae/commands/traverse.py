"""``numpyvae traverse``."""

import argparse
from pathlib import Path

from ..evaluation.latent import draw_traversal
from ..training.checkpoint import load_checkpoint
from .arguments import (
    MOST_ROWS,
    add_checkpoint_argument,
    add_count_argument,
    add_data_arguments,
    add_picture_argument,
    check_count,
    load_data_for,
    picture_path,
)

HELP = "draw what the most active latent units do"
DESCRIPTION = """\
Draw images decoded from 0 with one latent unit moved from -3 to 3: the most active units, those
whose posterior means vary most over the test images, one per row.
"""
PICTURE = "traverse.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint_argument(parser)
    add_count_argument(parser, 10, "units")
    add_data_arguments(parser)
    add_picture_argument(parser, PICTURE)


def run(
    checkpoint: Path, n: int, dataset: str | None, data_dir: str | None, out: Path | None
) -> None:
    check_count(n, MOST_ROWS)
    run = load_checkpoint(checkpoint)
    data = load_data_for(run, checkpoint, dataset, data_dir)
    path = picture_path(out, checkpoint, PICTURE)
    draw_traversal(run, data, path, n)
    print(path)
