"""Hints: which known mistake explains a wrong result."""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from numpyvae.functional import Array

from ..proof.deliberate_errors import ERRORS, DeliberateError
from ..proof.parity import Comparison
from .exercises import ADAM, OPERATIONS, Arguments, Exercise, Results, named_results
from .known_mistakes import FORMULAS, MORE_ERRORS


class Case(NamedTuple):
    """One call of a learner's function: its results beside autograd's.

    ``remark``: what else is to be said about the results, should they be right.
    """

    given: Arguments
    comparisons: dict[str, Comparison]
    remark: str | None = None

    @property
    def got(self) -> Results:
        return {name: comparison.numpy for name, comparison in self.comparisons.items()}

    @property
    def want(self) -> Results:
        return {name: comparison.torch for name, comparison in self.comparisons.items()}

    def is_wrong(self, name: str) -> bool:
        return not self.comparisons[name].agrees

    def arrays(self) -> dict[str, Array]:
        return {n: value for n, value in self.given.items() if isinstance(value, np.ndarray)}

    def __str__(self) -> str:
        arrays = self.arrays()
        shapes = [f"{name} {value.shape}" for name, value in arrays.items()]
        texts = [value for value in self.given.values() if isinstance(value, str)]
        return ", ".join([str(next(iter(arrays.values())).dtype), *shapes, *texts])


def hint(exercise: Exercise, name: str, cases: list[Case]) -> str | None:
    """The mistake that explains a wrong result, if a known one does."""
    failures = [case for case in cases if case.is_wrong(name)]
    return (
        _hint_of_shape(name, failures)
        or _hint_of_factor(name, failures)
        or _hint_of_exchange(exercise, failures)
        or _hint_of_known_mistake(exercise, name, cases)
    )


def _hint_of_shape(name: str, failures: list[Case]) -> str | None:
    pairs = [(case.got[name], case.want[name]) for case in failures]
    if all(got.shape == want.shape[::-1] and close(got.T, want) for got, want in pairs):
        return "It is transposed."
    if all(got.shape != want.shape and close(got.ravel(), want.ravel()) for got, want in pairs):
        return "The numbers are right, only their shape is not: is there a keepdims too many?"
    if all(got.ndim > want.ndim and close(got.sum(0), want) for got, want in pairs):
        return "The sum over the batch is missing."
    return None


def _hint_of_factor(name: str, failures: list[Case]) -> str | None:
    factors = [_factor(case.got[name], case.want[name]) for case in failures]

    def all_are(values: list[float]) -> bool:
        return bool(np.allclose(factors, values, rtol=1e-3))

    if not np.any(factors):
        return "It is 0 everywhere."
    if all_are([-1.0] * len(factors)):
        return "The sign is wrong."
    if all_are(factors[:1] * len(factors)) and 1e-3 < abs(factors[0]) < 1e3:
        missing = Fraction(1 / factors[0]).limit_denominator(8)
        what = f": a factor {missing} is missing" if np.isclose(missing * factors[0], 1) else ""
        return f"It is {factors[0]:.3g} times what it should be{what}."
    shapes = [next(iter(case.arrays().values())).shape for case in failures]
    rows, columns = [shape[0] for shape in shapes], [shape[-1] for shape in shapes]
    if all_are([1 / n for n in rows]):
        return "It is a mean over the batch, and should be a sum."
    if all_are([1 / n for n in columns]):
        return "It is a mean over the columns; in a sum, each of them counts whole."
    if all_are([1 / (n * m) for n, m in zip(rows, columns, strict=True)]):
        return "It is a mean over all entries; in a sum, each of them counts whole."
    return None


def _factor(got: Array, want: Array) -> float:
    """The number c for which got is c want, or nan."""
    if got.shape != want.shape or not want.any():
        return math.nan
    factor = float(np.vdot(got, want) / np.vdot(want, want))
    return factor if close(got, factor * want) else math.nan


def _hint_of_exchange(exercise: Exercise, failures: list[Case]) -> str | None:
    if len(exercise.results) != 2:
        return None
    one, other = exercise.results
    for case in failures:
        if not close(case.got[one], case.want[other]) or not close(case.got[other], case.want[one]):
            return None
    return f"{one} and {other} are exchanged."


def _hint_of_known_mistake(exercise: Exercise, name: str, cases: list[Case]) -> str | None:
    # Each result of an operation can be wrong by itself. In a model or along a path, a mistake must
    # explain the first wrong result and leave right what is right.
    names = [name]
    if exercise not in OPERATIONS:
        names += [n for n in exercise.results if not any(case.is_wrong(n) for case in cases)]

    def source(given: Arguments) -> Results:
        return named_results(exercise, exercise.source(**given))

    def explained(by: Callable[[Arguments], Results], **filled: float) -> bool:
        """Whether a function, of arguments filled with other numbers, finds what is found."""
        for case in cases:
            others = {key: _filled(case.given[key], number) for key, number in filled.items()}
            try:
                results = by({**case.given, **others})
            except ValueError:  # no such mistake is possible with these shapes
                return False
            if not all(close(case.got[n], results[n]) for n in names):
                return False
        return True

    for formula, text in FORMULAS.get((exercise.name, name), ()):
        if explained(partial(_by_formula, name, formula)):
            return text
    for error in (*MORE_ERRORS, *ERRORS):
        if _concerns(error, exercise):
            with error.applied():
                if explained(source):
                    return f"This is a known mistake: {error.name}. {error.explanation}"
    for argument, value in cases[0].given.items():
        if isinstance(value, np.ndarray | float):
            for number in (1, 0):
                if explained(source, **{argument: number}):
                    return f"It would be right if {argument} were {number}: is {argument} missing?"
    return None


def _by_formula(name: str, formula: Callable[..., Array], given: Arguments) -> Results:
    return {name: formula(**given)}


def _concerns(error: DeliberateError, exercise: Exercise) -> bool:
    if exercise in OPERATIONS:
        return exercise.name in {change.function.__name__ for change in error.changes}
    return error.in_adam == (exercise is ADAM)


def _filled(value: Any, number: float) -> Any:
    return np.full_like(value, number) if isinstance(value, np.ndarray) else float(number)


def close(a: Array, b: Array) -> bool:
    """Whether two arrays are equal enough to recognise a mistake: the difference by norm."""
    if a.shape != b.shape:
        return False
    both_nan = np.isnan(a) & np.isnan(b)
    difference, size = np.where(both_nan, 0, a - b), np.where(both_nan, 0, b)
    tolerance = 1e-3 if b.dtype == np.float32 else 1e-6
    return bool(np.linalg.norm(difference) <= tolerance * np.linalg.norm(size))
