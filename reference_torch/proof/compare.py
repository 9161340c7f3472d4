"""``python -m reference_torch compare``."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from numpyvae import Config, InputError
from numpyvae.commands.arguments import add_data_arguments, add_settings, load_new_data, output
from numpyvae.data.files import make_folder

from .side_by_side import SideBySide, train_side_by_side

DESCRIPTION = """\
Train the hand-written NumPy model and its PyTorch twin side by side, from the same weights, with
the same minibatches and the same noise, and show how far apart they are after every step.

In float64 the losses stay together to rounding for a whole run. In float32 every operation rounds
half a billion times as coarsely, the two sides add up in different orders, and training lets the
difference grow: both train equally well, but along paths that part.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data_arguments(parser)
    add_settings(parser, "network", "epochs", "batch_size", "reconstruction", "beta", "seed")
    add_settings(parser, "importance_samples", "bound")
    parser.add_argument(
        "--dtype",
        choices=["float64", "float32"],
        default="float64",
        help="float64 (default) shows agreement, float32 how rounding grows",
    )
    parser.add_argument(
        "--out",
        type=output(".png"),
        default=Path("compare.png"),
        metavar="FILE",
        help="the picture of both loss curves and their difference (default compare.png)",
    )


def run(dataset: str | None, data_dir: str | None, dtype: str, out: Path, **settings: Any) -> None:
    """Trains both and prints, at the end, a table; draws the picture."""
    from .figures import side_by_side

    config = Config(dataset=dataset or "digits", **settings)
    data = load_new_data(config, data_dir)
    if out.is_dir():
        raise InputError(f"--out {out} is a folder: give the name of a picture")
    make_folder(out.parent)
    both = train_side_by_side(config, data, dtype, shown=True)
    side_by_side(both.numpy_losses, both.torch_losses, f"{data.name}, {dtype}", out)
    print(table(both))
    print(out)


def table(both: SideBySide) -> str:
    """The outcome: losses, differences and time per step of the two."""
    steps = len(both.numpy_losses)
    last = slice(-max(1, steps // 20), None)
    numpy_ms, torch_ms = (
        1e3 * float(np.median(seconds)) for seconds in (both.numpy_seconds, both.torch_seconds)
    )
    means = [float(np.mean(losses[last])) for losses in (both.numpy_losses, both.torch_losses)]
    rows = [
        (f"after {steps} steps", "NumPy", "PyTorch", "difference"),
        (
            "loss per image, last twentieth",
            *(f"{mean:.6f}" for mean in means),
            f"{abs(means[0] - means[1]):.1e}",
        ),
        ("largest difference of a loss", "", "", f"{both.loss_differences.max():.1e}"),
        ("largest difference of a parameter", "", "", f"{both.parameter_difference:.1e}"),
        ("ms per step, median", f"{numpy_ms:.2f}", f"{torch_ms:.2f}", ""),
    ]
    return "\n".join("{:<34}{:>14}{:>14}{:>14}".format(*row) for row in rows)
