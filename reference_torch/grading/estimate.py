"""A result that is drawn, and need only be right on average, with less noise than another."""

from typing import NamedTuple

import numpy as np

from numpyvae.functional import Array

STANDARD_ERRORS = 5  # that a mean may be away
LESS = 0.8  # of the variance, at most


class Estimate(NamedTuple):
    """Draws of a gradient, a row each, instead of a ``Comparison`` of each entry.

    ``reference`` is one right answer, given the same noise, by which mistakes are recognised;
    ``unbiased`` is another, noisier one: the gradient whose mean is asked for.
    """

    name: str
    numpy: Array
    reference: Array
    unbiased: Array

    @property
    def away(self) -> Array:
        """How many standard errors the mean is away, for each column: both have the same noise."""
        if self.numpy.shape != self.unbiased.shape:
            return np.full(self.unbiased.shape[1], np.inf)
        difference = self.numpy.astype(np.float64) - self.unbiased
        error = np.std(difference, axis=0) / np.sqrt(len(difference))
        mean = np.abs(np.mean(difference, axis=0))
        rounding = 1e-5 * np.max(np.abs(self.unbiased), axis=0)
        return np.nan_to_num(mean / (error + rounding), nan=np.inf)

    @property
    def agrees(self) -> bool:
        return bool(np.max(self.away) <= STANDARD_ERRORS)

    @property
    def noise(self) -> float:
        """Its variance, as a part of the noisier one's."""
        return float(np.var(self.numpy, axis=0).sum() / np.var(self.unbiased, axis=0).sum())

    def how_wrong(self) -> str:
        worst = int(np.argmax(self.away))
        found, wanted = (float(np.mean(a, axis=0)[worst]) for a in (self.numpy, self.unbiased))
        return (
            f"{self.name} has the mean {found:.4g} over {len(self.numpy)} draws of eps at "
            f"[{worst}], where the bound's own gradient, by autograd, has {wanted:.4g}: "
            f"{self.away[worst]:.0f} standard errors away."
        )

    def how_noisy(self) -> str | None:
        """What is to be said of its variance, should its mean be right."""
        if self.noise <= LESS:
            return None
        return (
            f"{self.name} is right on average, but its variance is {self.noise:.2g} times that of "
            "the bound's own gradient: less noise is what all this is for."
        )
