"""``numpyvae reconstruct``, ``interpolate`` and ``traverse``: a picture of test images each."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..data.dataset import Dataset
from ..evaluation.latent import draw_interpolation, draw_traversal
from ..training.checkpoint import load_checkpoint
from ..training.pictures import draw_reconstructions
from ..training.run import Run
from .arguments import (
    add_checkpoint_argument,
    add_data_arguments,
    add_number_argument,
    add_picture_argument,
    add_seed_argument,
    check_number,
    check_seed,
    load_data,
    picture_path,
)

MOST_ROWS = 100  # or columns


class Picture(NamedTuple):
    """A command that draws ``n`` of something from a run and its test images.

    ``seed`` says what is random, if anything is. ``draw`` is given the run, the data, n, the seed
    and the path of the picture.
    """

    name: str
    DESCRIPTION: str
    counted: str
    default: int
    most: int
    seed: str | None
    draw: Callable[[Run, Dataset, int, int, Path], object]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_checkpoint_argument(parser)
        add_number_argument(parser, self.counted, self.default)
        add_data_arguments(parser)
        if self.seed:
            add_seed_argument(parser, self.seed)
        add_picture_argument(parser, f"{self.name} beside CHECKPOINT")

    def run(
        self,
        checkpoint: Path,
        n: int,
        dataset: str | None,
        data_dir: str | None,
        out: Path | None,
        seed: int = 0,
    ) -> None:
        check_number(n, self.most)
        check_seed(seed)
        run = load_checkpoint(checkpoint)
        data = load_data(run, dataset, data_dir)
        path = picture_path(out, checkpoint, self.name)
        self.draw(run, data, n, seed, path)
        print(path)


RECONSTRUCT = Picture(
    "reconstruct.png",
    "Save a picture of test images above their reconstructions (decoded from a sample of\n"
    "q(z|x), as in training), and of as many new samples.",
    *("images", 10, MOST_ROWS),
    seed="the latent vectors",
    draw=draw_reconstructions,
)
INTERPOLATE = Picture(
    "interpolate.png",
    "Draw, for pairs of test images, the images decoded on the straight line between their\n"
    "posterior means.",
    *("pairs", 8, MOST_ROWS),
    seed="the choice of the pairs",
    draw=draw_interpolation,
)
TRAVERSE = Picture(
    "traverse.png",
    "Draw images decoded with one latent unit moved from -3 to 3: the most active units, those\n"
    "whose posterior means vary most over the test images, one per row. The others stay at 0, or\n"
    "at one draw from the prior where they are not in use.",
    *("units", 10, MOST_ROWS),
    seed=None,
    draw=lambda run, data, n, _, path: draw_traversal(run, data, n, path),
)
