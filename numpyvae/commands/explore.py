"""``numpyvae explore``."""

import argparse
from pathlib import Path

from ..data.files import write_text
from ..explore.page import page
from ..training.checkpoint import load_checkpoint
from .arguments import (
    add_checkpoint_argument,
    add_run_data_arguments,
    load_data,
    output,
    picture_path,
)

DESCRIPTION = """\
Write one HTML file with the trained model, some of its test images and its whole mathematics: draw,
drag z, step through the backward pass, nudge a weight, train on, plant a mistake. It opens from
disk in any browser and needs no network.
"""
PAGE = "explore.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint_argument(parser)
    add_run_data_arguments(parser)
    help = f"the page (default: {PAGE} beside CHECKPOINT)"
    parser.add_argument("--out", type=output(".html"), metavar="FILE", help=help)


def run(checkpoint: Path, dataset: str | None, data_dir: str | None, out: Path | None) -> None:
    run = load_checkpoint(checkpoint)
    data = load_data(run, dataset, data_dir)
    path = picture_path(out, checkpoint, PAGE)
    write_text(path, page(run, data))
    print(path)
