"""The command ``numpyvae``."""

from collections.abc import Sequence

from . import evaluate, experiment, interpolate, latent, reconstruct, sample, train, traverse
from .arguments import Parser, add_commands, execute

COMMANDS = {
    "train": train,
    "sample": sample,
    "reconstruct": reconstruct,
    "evaluate": evaluate,
    "experiment": experiment,
    "latent": latent,
    "interpolate": interpolate,
    "traverse": traverse,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = Parser(
        prog="numpyvae",
        description="A variational autoencoder in NumPy, its backward pass derived by hand.",
    )
    add_commands(parser, COMMANDS)
    return execute(parser, arguments)
