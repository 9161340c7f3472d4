"""``numpyvae explore``."""

import argparse
from pathlib import Path

from ..data.files import write_text
from ..explore.page import book_page, page
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
disk in any browser and needs no network. Without CHECKPOINT the model is a small one that comes
with numpyvae.
"""
PAGE = "explore.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    help = "a run folder or its checkpoint.npz (default: the small network of the book)"
    add_checkpoint_argument(parser, nargs="?", help=help)
    add_run_data_arguments(parser)
    help = f"the page (default: {PAGE} beside CHECKPOINT, or here)"
    parser.add_argument("--out", type=output(".html"), metavar="FILE", help=help)


def run(
    checkpoint: Path | None, dataset: str | None, data_dir: str | None, out: Path | None
) -> None:
    if checkpoint is None:
        text = book_page(dataset or "digits", data_dir)
    else:
        run = load_checkpoint(checkpoint)
        text = page(run, load_data(run, dataset, data_dir))
    path = picture_path(out, checkpoint or Path(), PAGE)
    write_text(path, text)
    print(path)
