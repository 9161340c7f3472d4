"""``python -m reference_torch train``."""

import argparse
from typing import Any

import torch

from numpyvae.commands import train
from numpyvae.commands.arguments import limited

from .training import trainer_on

HELP = "train with PyTorch, on the CPU or CUDA"
DESCRIPTION = """\
Train as numpyvae train does, with PyTorch: the same settings, and the same run folder, which either
of the two can go on with.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="auto (default): CUDA where there is a device, else the CPU",
    )
    parser.add_argument(
        "--compile", action="store_true", help="on CUDA: compile the model first; takes a while"
    )
    train.add_arguments(parser)


def run(device: str, compile: bool, threads: int | None, **given: Any) -> None:
    with limited(threads):
        if threads is not None:
            torch.set_num_threads(threads)
        train.run(make_trainer=trainer_on(device, compile), threads=threads, **given)
