"""The command ``numpyvae``."""

from __future__ import annotations

from .. import __version__
from .execute import TYPE_CHECKING, execute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .parser import Parser

COMMANDS = {  # where each is, and what it does
    "train": (
        "numpyvae.commands.train",
        "train a VAE and keep it, its history and pictures in a run folder",
    ),
    "sample": ("numpyvae.commands.sample", "draw new images from a checkpoint"),
    "reconstruct": (
        "numpyvae.commands.pictures:RECONSTRUCT",
        "draw test images, their reconstructions, and new samples",
    ),
    "evaluate": (
        "numpyvae.commands.evaluate",
        "likelihood, active units and sample distance of a checkpoint",
    ),
    "experiment": (
        "numpyvae.commands.experiment",
        "redo the article's claims: train, measure, draw, and report what held",
    ),
    "latent": ("numpyvae.commands.latent", "draw where the test images lie in the latent space"),
    "encode": (
        "numpyvae.commands.encode",
        "write where all images lie in the latent space, as numbers",
    ),
    "interpolate": (
        "numpyvae.commands.pictures:INTERPOLATE",
        "draw paths through the latent space between test images",
    ),
    "traverse": (
        "numpyvae.commands.pictures:TRAVERSE",
        "draw what the most active latent units do",
    ),
    "explore": (
        "numpyvae.commands.explore",
        "the network and its backward pass alive in the browser, as one HTML file",
    ),
    "export": (
        "numpyvae.commands.weights:EXPORT",
        "write the weights of a checkpoint into a file for other programs",
    ),
    "import": (
        "numpyvae.commands.weights:IMPORT",
        "make a run folder of weights from another program",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return execute("numpyvae", command_line, arguments)


def command_line(prog: str) -> Parser:
    from .parser import Parser, add_commands

    parser = Parser(
        prog=prog,
        description="A variational autoencoder in NumPy, its backward pass derived by hand.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    add_commands(parser, COMMANDS)
    return parser
