"""One training on several processes, as torchrun starts them: data parallelism.

All processes draw the same minibatches and the same noise, and each computes with its share of the
rows. The loss is a sum over the images, so the shares' gradients, added up by one all-reduce, are
the gradient of the whole minibatch, and every process takes the same step.

Only the first process has the data set, the run folder and the terminal. It hands out the run and
the images when training begins; from then on, gradients and losses are all that is exchanged.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from numpyvae import InputError
from numpyvae.errors import ProcessLostError
from numpyvae.training.steps import R, share_of

from .model import Loss

LIMIT = timedelta(minutes=10)  # that a process waits for the others


class World(NamedTuple):
    """The processes of a training, and which of them this one is; by default it is alone.

    ``group`` is a ``torch.distributed.ProcessGroup``, or what has its ``allreduce``.
    """

    rank: int = 0
    size: int = 1
    group: Any = None

    def in_words(self) -> str:
        return f" in {self.size} processes" if self.size > 1 else ""

    def share(self, *arrays: R) -> tuple[R, ...]:
        """This process's rows of a minibatch, as ``share_of`` takes them."""
        return share_of(self.rank, self.size, *arrays)

    def sum(self, loss: Loss, model: nn.Module) -> Loss:
        """The loss of the whole minibatch from the shares'; its gradients replace the share's."""
        if self.size == 1:
            return loss
        parameters = list(model.parameters())
        gradients = [p.grad.flatten() for p in parameters if p.grad is not None]
        sums = self.total(torch.cat([*gradients, torch.stack(loss).detach()]))
        pieces = torch.split(sums, [*map(len, gradients), len(loss)])
        for parameter, piece in zip(parameters, pieces[:-1], strict=True):
            parameter.grad = piece.view_as(parameter)
        return Loss(*pieces[-1])

    def total(self, share: Tensor) -> Tensor:
        """Makes a tensor the sum of all processes', in each of them."""
        if self.size > 1:
            with _others():
                self.group.allreduce([share]).wait()
        return share

    def hand_out(self, given: Any = None) -> Any:
        """In every process, what the first one gives."""
        box = [given]
        with _others():
            dist.broadcast_object_list(box, src=0)
        return box[0]

    def agree(self, arguments: Mapping[str, object]) -> None:
        """Raises InputError, in every process alike, where one was given other arguments."""
        given: list[dict[str, object]] = [{}] * self.size
        with _others():
            dist.all_gather_object(given, dict(arguments))
        for rank, others in enumerate(given):
            for name in sorted(given[0].keys() | others.keys()):
                first, other = given[0].get(name), others.get(name)
                if first != other:
                    raise InputError(
                        f"process 0 has {name} {first}, process {rank} has {other}: give all "
                        "processes the same arguments"
                    )

    def on_cuda(self) -> "World":
        """The same processes, each with a device of its own, through NCCL."""
        if self.size == 1:
            return self
        processes, devices = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
        if processes > devices:
            raise InputError(f"{processes} processes need a CUDA device each: here are {devices}")
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        return self._replace(group=dist.new_group(backend="nccl", timeout=LIMIT))


ALONE = World()


@contextmanager
def joined(arguments: Mapping[str, object]) -> Iterator[World]:
    """The processes that torchrun has started, once all are there; or else this one alone.

    Raises:
        InputError: they do not find each other, or were given different arguments.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield ALONE
        return
    try:
        dist.init_process_group("gloo", timeout=LIMIT)
    except (RuntimeError, ValueError) as error:
        reason, *_ = str(error).splitlines()
        raise InputError(f"the processes do not find each other: {reason}") from error
    if dist.get_rank() == 0:
        signal.signal(signal.SIGTERM, _terminated)
    world = World(dist.get_rank(), dist.get_world_size(), dist.group.WORLD)
    world.agree(arguments)
    yield world
    dist.destroy_process_group()  # not after an error: it might wait for the others


@contextmanager
def _others() -> Iterator[None]:
    """What goes wrong in the block is that another process is gone, or silent beyond the limit."""
    try:
        yield
    except RuntimeError as error:
        time.sleep(0.5)  # for the signal that ended the other one: it may be on its way to us, too
        raise ProcessLostError("the connection to another process is lost") from error


def _terminated(*_: object) -> None:
    """How torchrun ends the other processes when one has ended: no reason for a second word."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise ProcessLostError("terminated (by torchrun, where another process has ended)")
