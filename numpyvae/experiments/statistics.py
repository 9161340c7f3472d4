"""What differences between settings are worth, over the seeds."""

from collections.abc import Sequence
from math import nan
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..functional import Array

SURE = 0.95  # of intervals; a difference counts where its corrected p is below 1 - SURE


class Difference(NamedTuple):
    """A mean difference, its 95 % interval, and the p of no difference.

    All but the mean are nan where they cannot be said: one seed, or no spread over the seeds.
    """

    mean: float
    low: float
    high: float
    p: float


def paired(differences: Sequence[float] | Array) -> Difference:
    """Student's paired t-test on one difference per seed.

    It takes the differences as draws from a normal distribution of unknown width, and gives few
    of them an honestly wide interval. Where all of them are the same, as with counts, there is
    no width to judge by, and nothing is claimed.
    """
    from scipy.stats import ttest_1samp

    values = np.asarray(differences, np.float64)
    mean = float(values.mean())
    if len(values) < 2 or not np.ptp(values) > 1e-9 * np.abs(values).max():
        return Difference(mean, nan, nan, nan)
    found = ttest_1samp(values, 0)
    low, high = found.confidence_interval(SURE)
    return Difference(mean, float(low), float(high), float(found.pvalue))


def holm(ps: Sequence[float]) -> list[float]:
    """The p-values, corrected for their number by Holm (1979); nan counts as 1.

    Of all differences that are no differences, the chance to take even one of them for real stays
    below 5 %: the smallest p is multiplied by their number n, the next by n - 1, and so on, and
    none may fall below the one before.
    """
    p = np.nan_to_num(np.asarray(ps, np.float64), nan=1.0)
    order = np.argsort(p)
    corrected = np.empty_like(p)
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(corrected, 1).tolist()


def check_scipy() -> None:
    """Raises InputError where SciPy is missing, before hours of training rather than after."""
    try:
        import scipy.stats  # noqa: F401
    except ImportError as error:
        raise InputError("experiments need SciPy: pip install 'numpyvae[experiments]'") from error
