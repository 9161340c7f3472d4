"""The command ``python -m reference_torch``."""

import sys
from collections.abc import Sequence

from numpyvae.commands.arguments import Parser, add_commands
from numpyvae.commands.execute import execute

try:
    from .grading import grade
    from .proof import compare, gradcheck
    from .speed import bench
    from .twin import train
    from .twin.parallel import one_voice
    from .twin.weights import EXPORT, IMPORT
except ModuleNotFoundError as error:
    if error.name not in ("torch", "threadpoolctl"):
        raise
    print(f"reference_torch needs {error.name}: pip install {error.name}", file=sys.stderr)
    raise SystemExit(2) from None

COMMANDS = {
    "gradcheck": gradcheck,
    "compare": compare,
    "grade": grade,
    "train": train,
    "export": EXPORT,
    "import": IMPORT,
    "bench": bench,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    with one_voice():
        return execute("python -m reference_torch", command_line, arguments)


def command_line(prog: str) -> Parser:
    parser = Parser(
        prog=prog,
        description="numpyvae's model in PyTorch: proof, side-by-side training, CUDA, speed.",
    )
    add_commands(parser, COMMANDS)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
