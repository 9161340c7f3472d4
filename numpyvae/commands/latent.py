"""``numpyvae latent``."""

import argparse
from pathlib import Path

from ..evaluation.latent import draw_latent_space, draw_manifold
from ..training.checkpoint import load_checkpoint
from .arguments import (
    add_checkpoint_argument,
    add_picture_argument,
    add_run_data_arguments,
    load_data,
    picture_path,
)

DESCRIPTION = """\
Draw the test images' posterior means, coloured by label, in their first two principal components,
with the prior's circles; with two latent units, also what the decoder makes of the prior's
quantiles. A second checkpoint is drawn beside the first.
"""
PICTURE = "latent.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint_argument(parser)
    parser.add_argument(
        "other", type=Path, nargs="?", metavar="CHECKPOINT2", help="such as an autoencoder's"
    )
    add_run_data_arguments(parser)
    add_picture_argument(parser, f"{PICTURE} beside CHECKPOINT")


def run(
    checkpoint: Path,
    other: Path | None,
    dataset: str | None,
    data_dir: str | None,
    out: Path | None,
) -> None:
    runs = {"": load_checkpoint(checkpoint)}
    if other:
        runs = {str(checkpoint): runs[""], str(other): load_checkpoint(other)}
    data = load_data(next(iter(runs.values())), dataset, data_dir)
    for run in runs.values():
        run.check_fit(data)
    path = picture_path(out, checkpoint, PICTURE)
    draw_latent_space(runs, data, path)
    print(path)
    flat = {name: run for name, run in runs.items() if run.config.z_dim == 2}
    if flat:
        path = path.with_stem(f"{path.stem}-manifold")
        draw_manifold(flat, path)
        print(path)
