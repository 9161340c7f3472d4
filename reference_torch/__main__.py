"""The command ``python -m reference_torch``."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from numpyvae.cli import Parser, add_train_arguments, execute, run_train

try:
    from . import bench, compare, gradcheck, grade
except ModuleNotFoundError as error:
    if error.name not in ("torch", "threadpoolctl"):
        raise
    print(f"reference_torch needs {error.name}: pip install '.[torch]' brings it", file=sys.stderr)
    raise SystemExit(2) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = Parser(
        prog="python -m reference_torch",
        description="numpyvae's model in PyTorch: proof, side-by-side training, CUDA, speed.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, module, help_line in (
        ("gradcheck", gradcheck, "check every hand-written gradient"),
        ("compare", compare, "train NumPy and PyTorch side by side"),
        ("bench", bench, "measure the speed of both on this machine"),
        ("grade", grade, "grade backward functions that you wrote yourself"),
    ):
        command = commands.add_parser(
            name,
            help=help_line,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)

    command = commands.add_parser(
        "train",
        help="train with PyTorch, on the CPU or CUDA",
        description="Train as numpyvae train does, with PyTorch: the same settings, and the same "
        "run folder, which either of the two can go on with.",
        argument_default=argparse.SUPPRESS,
    )
    command.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="auto (default): CUDA where there is a device, else the CPU",
    )
    command.add_argument(
        "--compile",
        action="store_true",
        default=False,
        help="on CUDA: compile the model first, which takes a while",
    )
    add_train_arguments(command)
    command.set_defaults(run=train, prog=command.prog)
    return execute(parser, arguments)


def train(device: str, compile: bool, **settings: Any) -> int:
    from .training import trainer_on

    return run_train(make_trainer=trainer_on(device, compile), **settings)


if __name__ == "__main__":
    raise SystemExit(main())
