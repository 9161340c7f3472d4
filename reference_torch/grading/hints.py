"""Hints: which known mistake explains a wrong result."""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from numpyvae.functional import Array

from ..proof.deliberate_errors import ERRORS, DeliberateError
from ..proof.parity import Comparison
from .estimate import Estimate
from .exercises import ADAM, MODEL, Exercise
from .known_mistakes import ADAM as ADAM_LINES
from .known_mistakes import ADAM_MISTAKES, FORMULAS, MORE_ERRORS, Changes, adam_path
from .worker import STEPS, Arguments, Results


class Case(NamedTuple):
    """One call of a learner's function: its results beside autograd's.

    ``edge``: what is special about the arguments. ``remark``: what else is to be said about the
    results, should they be right.
    """

    given: Arguments
    comparisons: Mapping[str, Comparison] | Mapping[str, Estimate]
    edge: str = ""
    remark: str | None = None

    @property
    def got(self) -> Results:
        return {name: comparison.numpy for name, comparison in self.comparisons.items()}

    @property
    def want(self) -> Results:
        return {name: comparison.reference for name, comparison in self.comparisons.items()}

    def is_wrong(self, name: str) -> bool:
        return name in self.comparisons and not self.comparisons[name].agrees

    def arrays(self) -> dict[str, Array]:
        return {n: value for n, value in self.given.items() if isinstance(value, np.ndarray)}

    def __str__(self) -> str:
        dtype = str(next(iter(self.arrays().values())).dtype)
        shown = [text for name, value in self.given.items() if (text := _shown(name, value))]
        return ", ".join([dtype, *shown]) + (f"; {self.edge}" if self.edge else "")


def _shown(name: str, value: Any) -> str:
    match value:
        case np.ndarray():
            return f"{name} {value.shape}"
        case float():
            return f"{name} {value:.3g}"
        case str():
            return value
        case int():
            return f"{name} {value}"
        case tuple() if name.endswith("_size"):
            return f"{name} {value}"
    return ""


def hint(exercise: Exercise, name: str, cases: list[Case]) -> str | None:
    """The mistake that explains a wrong result, if a known one does."""
    failures = [case for case in cases if case.is_wrong(name)]
    if all(case.edge for case in failures):
        return (
            _hint_of_formula(exercise, name, cases)
            or _hint_of_known_mistake(exercise, name, cases)
            or _hint_of_limit(name, failures)
            or _hint_of_edge(failures)
        )
    return (
        _hint_of_shape(name, failures)
        or _hint_of_formula(exercise, name, cases)
        or _hint_of_precision(name, failures)
        or _hint_of_factor(name, failures)
        or _hint_of_exchange(exercise, failures)
        or _hint_of_order(name, failures)
        or _hint_of_known_mistake(exercise, name, cases)
        or _hint_of_reduction(name, failures)
        or _hint_of_limit(name, failures)
    )


def _hint_of_edge(failures: list[Case]) -> str:
    edges = ", ".join(dict.fromkeys(case.edge for case in failures))
    return f"It is right for usual arguments, and wrong for these: {edges}."


def _pairs(name: str, failures: list[Case]) -> list[tuple[Array, Array]]:
    """What is found, and what should be."""
    return [(case.got[name], case.want[name]) for case in failures]


def _hint_of_shape(name: str, failures: list[Case]) -> str | None:
    pairs = _pairs(name, failures)
    if all(got.ndim == want.ndim == 2 and close(got.T, want) for got, want in pairs) and not all(
        close(got, want) for got, want in pairs
    ):
        return "It is transposed."
    if all(got.shape != want.shape and close(got.ravel(), want.ravel()) for got, want in pairs):
        more = {np.sign(got.ndim - want.ndim) for got, want in pairs}
        cause = {1: "is there a keepdims too many?", -1: "is an axis of size 1 squeezed away?"}
        end = cause.get(more.pop(), "reshape it.") if len(more) == 1 else "reshape it."
        return f"The numbers are right, only their shape is not: {end}"
    if all(got.ndim > want.ndim and close(got.sum(0), want) for got, want in pairs):
        return "The sum over the batch is missing."
    return None


def _hint_of_precision(name: str, failures: list[Case]) -> str | None:
    """Of usual arguments only: with others, a small difference may have many causes."""
    comparisons = [case.comparisons[name] for case in failures if not case.edge]
    errors = [c.error for c in comparisons if isinstance(c, Comparison)]
    if not errors or not max(errors) < 1e-3:
        return None
    factors = [_factor(*pair) for pair in _pairs(name, failures)]
    off = factors[0] - 1
    if np.allclose(factors, factors[0], rtol=0, atol=abs(off) / 100):
        return f"It is {factors[0]:.8g} times what it should be: is a number in it rounded?"
    digits = int(-np.log10(max(errors)))
    return (
        f"It is right to about {digits} digits: does something in it become float32, is a number "
        "in it rounded, or a small one added?"
    )


def _hint_of_factor(name: str, failures: list[Case]) -> str | None:
    factors = [_factor(*pair) for pair in _pairs(name, failures)]

    def all_are(values: list[float]) -> bool:
        return bool(np.allclose(factors, values, rtol=1e-3))

    if not np.any(factors):
        return "It is 0 everywhere."
    if all_are([-1.0] * len(factors)):
        return "The sign is wrong."
    if all_are(factors[:1] * len(factors)) and 1e-3 < abs(factors[0]) < 1e3:
        missing = Fraction(1 / factors[0]).limit_denominator(8)
        exact = missing != 1 and np.isclose(float(missing) * factors[0], 1)
        what = f": a factor {missing} is missing" if exact else ""
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
    size = float(np.abs(want).max())  # whose square may be no number any more
    factor = float(np.vdot(got / size, want / size) / np.vdot(want / size, want / size))
    return factor if close(got, factor * want) else math.nan


def _hint_of_exchange(exercise: Exercise, failures: list[Case]) -> str | None:
    if len(exercise.results) != 2:
        return None
    one, other = exercise.results
    for case in failures:
        if not close(case.got[one], case.want[other]) or not close(case.got[other], case.want[one]):
            return None
    return f"{one} and {other} are exchanged."


def _hint_of_order(name: str, failures: list[Case]) -> str | None:
    pairs = _pairs(name, failures)
    for axis, what in ((0, "rows"), (-1, "columns")):
        if all(got.ndim == 2 and close(np.flip(got, axis), want) for got, want in pairs):
            return f"Its {what} are in reverse order."
    return None


def _hint_of_reduction(name: str, failures: list[Case]) -> str | None:
    pairs = _pairs(name, failures)

    def reduced(by: Callable[..., Array], axis: int | None) -> bool:
        for got, want in pairs:
            value = by(want, axis=axis, keepdims=True)
            same_size = got.size == value.size and close(got.ravel(), value.ravel())
            if not same_size and not close(got, np.broadcast_to(value, want.shape)):
                return False
        return True

    for by, what in ((np.mean, "mean"), (np.sum, "sum")):
        for axis, over in ((0, "the rows"), (-1, "the columns"), (None, "all entries")):
            if reduced(by, axis):
                return (
                    f"It is the {what} over {over} of what it should be: every entry has a "
                    "gradient of its own."
                )
    return None


def _hint_of_limit(name: str, failures: list[Case]) -> str | None:
    pairs = _pairs(name, failures)
    limit = max(float(np.max(np.abs(got), initial=0)) for got, _ in pairs)
    if 0 < limit < math.inf and all(
        close(got, np.clip(want, -limit, limit)) for got, want in pairs
    ):
        return f"It is never larger than {limit:.3g}: is it clipped? A gradient has no limit."
    return None


def _hint_of_formula(exercise: Exercise, name: str, cases: list[Case]) -> str | None:
    for formula, text in FORMULAS.get((exercise.name, name), ()):
        if _explained(lambda given: {name: formula(**given)}, [name], cases):  # noqa: B023
            return text
    return None


def _hint_of_known_mistake(exercise: Exercise, name: str, cases: list[Case]) -> str | None:
    # Each result of an operation can be wrong by itself. In a model or along a path, a mistake must
    # explain the first wrong result and leave right what is right.
    names = [name]
    if exercise in (MODEL, ADAM):
        names += [n for n in exercise.results if not any(case.is_wrong(n) for case in cases)]
    cases = sorted(cases, key=lambda case: not case.is_wrong(name))  # stable

    def source(given: Arguments) -> Results:
        return _named(exercise, exercise.source(**given))

    if exercise is ADAM:
        for text, changes in ADAM_MISTAKES:
            if _explained(partial(_by_lines, exercise, changes), names, cases):
                return text
    else:
        for error in (*MORE_ERRORS, *ERRORS):
            if _concerns(error, exercise):
                with error.applied():
                    if _explained(source, names, cases):
                        return f"This is a known mistake: {error.name}. {error.explanation}"
    for argument, value in cases[0].given.items():
        if isinstance(value, np.ndarray | float):
            for text, change in ALTERED:

                def altered(given: Arguments) -> Results:
                    return source({**given, argument: change(given[argument])})  # noqa: B023

                if _explained(altered, names, cases):
                    return text.format(argument)
    return None


def _explained(by: Callable[[Arguments], Results], names: list[str], cases: list[Case]) -> bool:
    """Whether a function finds what is found under these names."""
    for case in cases:
        try:
            results = by(case.given)
        except (ValueError, ZeroDivisionError):  # impossible with these shapes or numbers
            return False
        if not all(close(case.got[n], results[n]) for n in names if n in case.got):
            return False
    return True


def _by_lines(exercise: Exercise, changes: Changes, given: Arguments) -> Results:
    lines = ADAM_LINES
    for right, wrong in changes:
        assert right in lines, right
        lines = lines.replace(right, wrong)
    return _named(exercise, adam_path(lines, given, STEPS))


def _named(exercise: Exercise, returned: Any) -> Results:
    """What the source returned, by name."""
    if isinstance(returned, Mapping):
        return dict(returned)
    values = [returned] if isinstance(returned, np.ndarray) else returned
    return dict(zip(exercise.results, values, strict=False))  # a path may be shorter


def _filled(number: float, value: Any) -> Any:
    return np.full_like(value, number) if isinstance(value, np.ndarray) else float(number)


def _clipped(limit: float, value: Any) -> Any:
    return np.clip(value, -limit, limit)


ALTERED: tuple[
    tuple[str, Callable[[Any], Any]], ...
] = (  # what may happen to an argument before it is used
    ("It would be right if {0} were 1: is {0} missing?", partial(_filled, 1)),
    ("It would be right if {0} were 0: is {0} missing?", partial(_filled, 0)),
    *(
        (
            f"It would be right if {{0}} were never larger than {limit}: is it clipped?",
            partial(_clipped, limit),
        )
        for limit in (0.5, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 80, 100, 500)
    ),
    ("It would be right if the rows of {0} were in reverse order.", partial(np.flip, axis=0)),
)


def _concerns(error: DeliberateError, exercise: Exercise) -> bool:
    if exercise is not MODEL:
        return exercise.name in {change.function.__name__ for change in error.changes}
    return not error.in_adam


def close(a: Array, b: Array) -> bool:
    """Whether two arrays are equal enough to recognise a mistake: the difference by norm."""
    if a.shape != b.shape:
        return False
    tolerance = 1e-3 if b.dtype == np.float32 else 1e-6
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    size = np.where(np.isfinite(b), b, 0).astype(np.float64)
    largest = float(np.abs(size).max(initial=0)) or 1.0  # whose square may be no number any more
    difference = np.where(equal, 0, a / largest - b / largest)
    return bool(np.linalg.norm(difference) <= tolerance * np.linalg.norm(size / largest))
