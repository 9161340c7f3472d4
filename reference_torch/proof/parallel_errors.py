"""Deliberate errors in sharing out a minibatch, as those in ``deliberate_errors``."""

from numpyvae.training import steps

from ..twin.parallel import World
from ..twin.training import TorchStepper
from .deliberate_errors import PARAMETERS, Change, DeliberateError

SUMS = "sums = self.total(torch.cat([*gradients, torch.stack(loss).detach()]))"
SHARE = "x, eps = self.world.share(x, eps)\nloss ="

PARALLEL_ERRORS = (
    DeliberateError(
        "gradients averaged over the processes",
        "The loss is a sum over the images, so the shares' gradients add up; "
        "DistributedDataParallel divides them by the number of processes.",
        (Change(World, SUMS, f"{SUMS}\nsums[: -len(loss)] /= self.size"),),
        PARAMETERS,
        public=True,
        processes=2,
    ),
    DeliberateError(
        "the same noise in every process",
        "Processes that draw their own noise from the same seed draw the same.",
        (
            Change(
                TorchStepper,
                SHARE,
                "x, own = self.world.share(x, eps)\neps = eps[: len(own)]\nloss =",
            ),
        ),
        ("total", "reconstruction", *PARAMETERS),
        processes=2,
    ),
    DeliberateError(
        "the rest of the images left out",
        "Where the number of processes does not divide the batch, some have a row more.",
        (Change(steps, "images * number // size", "images // size * number"),),
        ("total", "reconstruction", "kl", *PARAMETERS),
        processes=2,
    ),
)
