"""``python -m reference_torch train``."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

import numpyvae
from numpyvae import Dataset, Run
from numpyvae.commands import train
from numpyvae.commands.arguments import limited
from numpyvae.training.steps import Trainer

from .parallel import joined
from .training import trainer_on

DESCRIPTION = """\
Train as numpyvae train does, with PyTorch: the same settings, and the same run folder, which either
of the two can go on with.

On N processes, which share out every minibatch and train what one would:
torchrun --nproc-per-node N -m reference_torch train
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


@contextmanager
def without_subnormal_numbers() -> Iterator[None]:
    """Processors are slow with them; docs/adam.md explains where they come from.

    It is a setting of this thread, and of those that it begins from now on.
    """
    before = sys.float_info.min / 2 == 0  # PyTorch does not say; Python's floats have it, too
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def run(device: str, compile: bool, threads: int | None, **given: Any) -> None:
    cuda = device != "cpu" and torch.cuda.is_available()
    arguments = {"device": device, "CUDA": cuda, "compile": compile, "threads": threads, **given}
    with limited(threads), without_subnormal_numbers(), joined(arguments) as world:
        if threads is not None:
            torch.set_num_threads(threads)
        make_trainer = trainer_on(device, compile, world)
        if world.size == 1:
            train.run(make_trainer=make_trainer, threads=threads, **given)
            return

        def after_handing_out(run: Run, data: Dataset) -> Trainer:
            world.hand_out((run, data))
            return make_trainer(run, data)

        if world.rank == 0:
            processes = os.environ.get("LOCAL_WORLD_SIZE", world.size)
            given["command"] = f"torchrun --nproc-per-node {processes} -m reference_torch train"
            train.run(make_trainer=after_handing_out, threads=threads, **given)
        else:
            begun, data = world.hand_out()
            numpyvae.train(begun.config, data, run=begun, make_trainer=make_trainer)
