"""The command ``python -m reference_torch``."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext, redirect_stderr
from typing import TYPE_CHECKING

from numpyvae.commands.execute import execute

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from numpyvae.commands.parser import Parser

COMMANDS = {  # where each is, and what it does
    "gradcheck": ("reference_torch.proof.gradcheck", "check every hand-written gradient"),
    "compare": ("reference_torch.proof.compare", "train NumPy and PyTorch side by side"),
    "grade": ("reference_torch.grading.grade", "grade backward functions that you wrote yourself"),
    "train": ("reference_torch.twin.train", "train with PyTorch, on the CPU or CUDA"),
    "export": (
        "reference_torch.twin.weights:EXPORT",
        "write the weights of a checkpoint into a file for other programs",
    ),
    "import": (
        "reference_torch.twin.weights:IMPORT",
        "make a run folder of weights from another program",
    ),
    "bench": ("reference_torch.speed.bench", "measure the speed of both on this machine"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    try:
        with _one_voice():
            return execute("python -m reference_torch", command_line, arguments)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "threadpoolctl"):
            raise
        print(f"reference_torch needs {error.name}: pip install {error.name}", file=sys.stderr)
        return 2


def _one_voice() -> AbstractContextManager[object]:
    """A context in which only torchrun's first process on a machine complains of what all meet."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        return nullcontext()
    return redirect_stderr(open(os.devnull, "w"))  # until the process ends


def command_line(prog: str) -> Parser:
    from numpyvae.commands.parser import Parser, add_commands

    parser = Parser(
        prog=prog,
        description="numpyvae's model in PyTorch: proof, side-by-side training, CUDA, speed.",
    )
    add_commands(parser, COMMANDS)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
