"""``numpyvae evaluate``."""

import argparse
from pathlib import Path

from ..data.files import make_folder, write_text
from ..evaluation.evaluate import as_json, evaluate, table
from ..training.checkpoint import load_checkpoint
from .arguments import (
    add_checkpoint_argument,
    add_json_argument,
    add_quiet_argument,
    add_run_data_arguments,
    add_seed_argument,
    add_threads_argument,
    limited,
    load_data,
)

DESCRIPTION = """\
Print how good a model is on test images: ELBO, importance-sampled negative log-likelihood, active
units, distance of its samples to the images.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint_argument(parser)
    help = "test images for the likelihoods (default 1000)"
    parser.add_argument("--n", type=int, default=1000, metavar="N", help=help)
    add_run_data_arguments(parser)
    parser.add_argument(
        "--importance-samples",
        type=int,
        default=500,
        metavar="N",
        help="latent vectors per image (default 500)",
    )
    add_seed_argument(parser, "noise and samples")
    add_threads_argument(parser)
    add_json_argument(parser)
    add_quiet_argument(parser, "the results")


def run(
    checkpoint: Path,
    n: int,
    dataset: str | None,
    data_dir: str | None,
    importance_samples: int,
    seed: int,
    threads: int | None,
    json: Path | None,
    quiet: bool,
) -> None:
    run = load_checkpoint(checkpoint)
    data = load_data(run, dataset, data_dir)
    if json:
        make_folder(json.parent)
    with limited(threads):
        result = evaluate(run, data, importance_samples, n, seed, progress=not quiet)
    print(table(result))
    if json:
        write_text(json, as_json(result) + "\n")
