"""``numpyvae sample``."""

import argparse
import re
from math import ceil, sqrt
from pathlib import Path

from ..data.npz import write_npy
from ..data.pictures import write_pictures
from ..errors import InputError
from ..evaluation.latent import sample_label
from ..training.chance import Stream
from ..training.checkpoint import load_checkpoint
from ..training.pictures import draw_images
from .arguments import (
    MOST_IMAGES,
    add_checkpoint_argument,
    add_number_argument,
    add_picture_argument,
    add_run_data_arguments,
    add_seed_argument,
    check_number,
    check_seed,
    load_data,
    picture_path,
)

DESCRIPTION = """\
Draw latent vectors, decode them, and save a picture: from the prior N(0, I), or, with --label, from
a Gaussian fitted to where the training images of that label lie in the latent space.
"""
FORBIDDEN = re.compile(r"[^\w .-]")  # in the name of a file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint_argument(parser)
    add_number_argument(parser, "images", 64)
    help = "draw images like those of a label: its name, or else its number"
    parser.add_argument("--label", metavar="NAME", help=help)
    add_run_data_arguments(parser, "images with labels")
    add_seed_argument(parser, "the latent vectors")
    what = "the picture: .png, .svg or .pdf; or .npy, an array (N, H, W), in colour (N, H, W, 3); "
    what += "or a new folder, for single pictures"
    default = "sample.png or sample-LABEL.png beside CHECKPOINT"
    add_picture_argument(parser, default, ".npy", "", what=what)


def run(
    checkpoint: Path,
    n: int,
    label: str | None,
    dataset: str | None,
    data_dir: str | None,
    seed: int,
    out: Path | None,
) -> None:
    from ..figures.images import check_grid

    check_number(n, MOST_IMAGES)
    check_seed(seed)
    if label is None and (dataset or data_dir):
        raise InputError("--dataset and --data-dir say where labels are: they need --label")
    run, rng = load_checkpoint(checkpoint), Stream.NEW_IMAGES.generator(seed)
    if out is None or out.suffix.lower() not in ("", ".npy"):
        check_grid(n, run.image_shape, ceil(sqrt(n)))  # before so many are decoded
    if label is None:
        images, name = run.vae.sample(n, rng), "sample.png"
    else:
        images = sample_label(run.vae, load_data(run, dataset, data_dir), label, n, rng)
        name = f"sample-{FORBIDDEN.sub('_', label)}.png"
    path = picture_path(out, checkpoint, name)
    match path.suffix.lower():
        case ".npy":
            write_npy(path, images.reshape(n, *run.image_shape))
        case "":
            write_pictures(path, images.reshape(n, *run.image_shape))
        case _:
            draw_images(run, images, path)
    print(path)
