"""The command ``numpyvae``."""

from collections.abc import Sequence

from .. import __version__
from . import evaluate, experiment, explore, latent, sample, train
from .arguments import Parser, add_commands
from .execute import execute
from .pictures import INTERPOLATE, RECONSTRUCT, TRAVERSE
from .weights import EXPORT, IMPORT

COMMANDS = {
    "train": train,
    "sample": sample,
    "reconstruct": RECONSTRUCT,
    "evaluate": evaluate,
    "experiment": experiment,
    "latent": latent,
    "interpolate": INTERPOLATE,
    "traverse": TRAVERSE,
    "explore": explore,
    "export": EXPORT,
    "import": IMPORT,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return execute("numpyvae", command_line, arguments)


def command_line(prog: str) -> Parser:
    parser = Parser(
        prog=prog,
        description="A variational autoencoder in NumPy, its backward pass derived by hand.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    add_commands(parser, COMMANDS)
    return parser
