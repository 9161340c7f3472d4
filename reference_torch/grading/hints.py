"""Hints: which known mistake explains a wrong result."""

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from numpyvae.functional import Array

from ..proof.deliberate_errors import ERRORS
from ..proof.parity import Comparison
from .exercises import Arguments, Exercise, Results, named_results


class Case(NamedTuple):
    """One call of a learner's function, with the results of the two sides."""

    given: Arguments
    rows: int
    got: Results
    want: Results
    comparisons: list[Comparison]

    def __str__(self) -> str:
        arrays = {name: value for name, value in self.given.items() if hasattr(value, "shape")}
        shapes = ", ".join(f"{name} {value.shape}" for name, value in arrays.items())
        dtype = next(iter(arrays.values())).dtype
        return f"{dtype}, {shapes}"


def hint(exercise: Exercise, name: str, cases: list[Case]) -> str | None:
    """The known mistake that explains all the wrong cases of a result, if there is one."""
    pairs = [(case.got[name], case.want[name]) for case in cases]
    if all(got.shape == want.shape[::-1] and _close(got.T, want) for got, want in pairs):
        return "It is transposed."
    if all(got.ndim > want.ndim and _close(got.sum(0), want) for got, want in pairs):
        return "The sum over the batch is missing."
    if text := _factor_hint(cases, [_factor(got, want) for got, want in pairs]):
        return text
    if len(exercise.results) == 2:
        first, second = exercise.results
        if all(
            _close(case.got[first], case.want[second])
            and _close(case.got[second], case.want[first])
            for case in cases
        ):
            return f"{first} and {second} are exchanged."

    def explained_by(**changed: float) -> bool:
        """Whether the source, with arguments filled with other numbers, finds the same."""
        for case in cases:
            others = {key: _filled(case.given[key], value) for key, value in changed.items()}
            result = named_results(exercise, exercise.source(**{**case.given, **others}))
            if not _close(case.got[name], result[name]):
                return False
        return True

    for error in ERRORS:
        with error.applied():
            if explained_by():
                return f"This is a known mistake: {error.name}. {error.explanation}"
    for argument, value in cases[0].given.items():
        if isinstance(value, np.ndarray | float):
            for number in (1, 0):
                if explained_by(**{argument: number}):
                    return f"It would be right if {argument} were {number}: is {argument} missing?"
    return None


def _factor_hint(cases: list[Case], factors: list[float]) -> str | None:
    def all_are(values: list[float]) -> bool:
        return bool(np.allclose(factors, values, rtol=1e-3))

    if not np.any(factors):
        return "It is 0 everywhere."
    if all_are([-1.0] * len(factors)):
        return "The sign is wrong."
    if all_are(factors[:1] * len(factors)):
        missing = Fraction(1 / factors[0]).limit_denominator(8)
        what = f": a factor {missing} is missing" if np.isclose(missing * factors[0], 1) else ""
        return f"It is {factors[0]:.3g} times what it should be{what}."
    if all_are([1 / case.rows for case in cases]):
        return "It is a mean over the batch, and should be a sum."
    columns = [next(iter(case.want.values())).shape[-1] for case in cases]
    if all_are([1 / n for n in columns]):
        return "It is a mean over the columns; in a sum, each of them counts whole."
    if all_are([1 / (case.rows * n) for case, n in zip(cases, columns, strict=True)]):
        return "It is a mean over all entries; in a sum, each of them counts whole."
    return None


def _factor(got: Array, want: Array) -> float:
    """The number c for which got is c want, or nan."""
    if got.shape != want.shape or not want.any():
        return math.nan
    factor = float(np.vdot(got, want) / np.vdot(want, want))
    return factor if _close(got, factor * want) else math.nan


def _close(a: Array, b: Array) -> bool:
    """Whether the difference is small by norm: enough to recognise a mistake."""
    return a.shape == b.shape and bool(np.linalg.norm(a - b) <= 1e-3 * np.linalg.norm(b))


def _filled(value: Any, number: float) -> Any:
    return np.full_like(value, number) if isinstance(value, np.ndarray) else float(number)
