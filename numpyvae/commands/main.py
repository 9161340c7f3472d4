"""The command ``numpyvae``."""

from collections.abc import Sequence

from . import evaluate, experiment, explore, latent, train
from .arguments import Parser, add_commands, execute
from .pictures import INTERPOLATE, RECONSTRUCT, SAMPLE, TRAVERSE

COMMANDS = {
    "train": train,
    "sample": SAMPLE,
    "reconstruct": RECONSTRUCT,
    "evaluate": evaluate,
    "experiment": experiment,
    "latent": latent,
    "interpolate": INTERPOLATE,
    "traverse": TRAVERSE,
    "explore": explore,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = Parser(
        prog="numpyvae",
        description="A variational autoencoder in NumPy, its backward pass derived by hand.",
    )
    add_commands(parser, COMMANDS)
    return execute(parser, arguments)
