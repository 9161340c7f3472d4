"""Holds a step that several processes share against the step of NumPy, which takes it alone."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import numpy as np
import torch.distributed as dist

from numpyvae import VAE, Adam
from numpyvae.functional import Array

from ..twin.carrying import to_array
from ..twin.parallel import World
from ..twin.training import TorchStepper
from .parity import Comparison

LIMIT = timedelta(minutes=2)
Result = TypeVar("Result")


def in_threads(size: int, work: Callable[[World], Result]) -> list[Result]:
    """What ``work`` returns in each process of a world whose processes are threads of this one.

    They exchange what processes would, through gloo, and cost no seconds to start.
    """
    store = dist.HashStore()  # type: ignore[attr-defined]

    def member(rank: int) -> Result:
        return work(World(rank, size, dist.ProcessGroupGloo(store, rank, size, LIMIT)))

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(member, range(size)))


def parallel_parity(
    vae: VAE, x: Array, eps: Array, beta: float, processes: int
) -> list[Comparison]:
    """Compares a NumPy model's losses and gradients with those of processes that share the batch.

    The comparisons: ``total``, ``reconstruction`` and ``kl``, then the parameters by their names.
    """
    loss = vae.forward(x, eps, beta)._asdict()
    results: dict[str, Array] = {name: np.array(value, vae.dtype) for name, value in loss.items()}
    results |= vae.backward()

    def step(world: World) -> dict[str, Array]:
        stepper = TorchStepper(vae, Adam(vae.parameters), world)
        shared = stepper.train(x, eps, beta)._asdict()
        found = {name: np.array(value, vae.dtype) for name, value in shared.items()}
        for name, parameter in stepper.model.named_parameters():
            assert parameter.grad is not None
            found[name] = to_array(parameter.grad)
        return found

    found, *_ = in_threads(processes, step)
    return [Comparison(name, result, found[name]) for name, result in results.items()]
