"""Grades backward functions that a learner wrote: against autograd, with hints."""

import argparse
import copy
import linecache
import logging
import textwrap
import traceback
from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from numpyvae import InputError
from numpyvae import functional as F
from numpyvae.data.files import reading
from numpyvae.functional import Array

from ..proof.parity import Comparison, parity
from .chain import CHAIN, first_wrong, gradients_on_the_way, watch
from .exercises import (
    ADAM,
    EXERCISES,
    MODEL,
    OPERATIONS,
    SHAPES,
    Arguments,
    Draw,
    Exercise,
    Mistake,
    Results,
    named_results,
)
from .hints import Case, close, hint

DESCRIPTION = """\
Grade the functions that you wrote into a copy of docs/exercises/by_hand.py.

Each is called with random arrays of several shapes, in float64 and float32, and its results are
compared with what PyTorch's automatic differentiation finds. docs/exercises.md tells how to work.

FILE is a Python program, and grading runs it: grade only what you wrote or have read.

The exit status is 0 if all functions are right, 1 if any is wrong or not yet written, 2 if the
file cannot be read or has none of them.
"""
EXERCISES_FILE = "docs/exercises/by_hand.py"
DTYPES = ("float64", "float32")


class Verdict(NamedTuple):
    """``state`` is "right", "wrong" or "not yet written"; ``remarks`` say what is wrong."""

    name: str
    state: str
    remarks: tuple[str, ...] = ()


def grade(path: Path) -> list[Verdict]:
    """Grades a learner's file.

    Raises:
        InputError: it cannot be read or run, or has none of the functions.
    """
    with np.errstate(all="ignore"):  # the numbers are judged, not how they came about
        return _grade(path)


def _grade(path: Path) -> list[Verdict]:
    module = _load(path)
    if not any(hasattr(module, exercise.name) for exercise in EXERCISES):
        raise InputError(f"{path} has none of the functions of {EXERCISES_FILE}: copy that file")
    verdicts = [_verdict(exercise, module) for exercise in OPERATIONS]
    right_ones = {exercise.name: getattr(F, exercise.name) for exercise in OPERATIONS}
    with patch.dict(vars(module), right_ones):
        verdicts.append(_verdict(MODEL, module))
    return [*verdicts, _verdict(ADAM, module)]


def _verdict(exercise: Exercise, module: ModuleType) -> Verdict:
    function = getattr(module, exercise.name, None)
    if function is None:
        return Verdict(exercise.name, "not yet written", ("The file has no such function.",))
    try:
        problems = product(SHAPES, DTYPES, exercise.draws)
        cases = [_case(exercise, function, *problem) for problem in problems]
    except NotImplementedError:
        return Verdict(exercise.name, "not yet written")
    except Mistake as mistake:
        remarks: tuple[str, ...] = (str(mistake),)
    except (Exception, SystemExit) as error:
        remarks = _describe(error, str(module.__file__))
    else:
        remarks = _judge(exercise, function, cases)
    return Verdict(exercise.name, "wrong" if remarks else "right", remarks)


def _case(
    exercise: Exercise,
    function: Callable[..., Any],
    shape: tuple[int, int, int],
    dtype: str,
    draw: Callable[[Draw], Arguments],
) -> Case:
    given = draw(Draw(shape, dtype))
    got, remark = _call(exercise, function, given)
    if not _same(got, _call(exercise, function, given)[0]):
        raise Mistake(
            "Called twice with the same arguments, it gives two different results. Nothing in a "
            "backward pass is random: eps is the noise of the forward pass, and is given."
        )
    expected = _expected(exercise, shape, dtype, draw)
    return Case(given, {c.name: c._replace(numpy=got[c.name]) for c in expected}, remark)


@cache
def _expected(
    exercise: Exercise,
    shape: tuple[int, int, int],
    dtype: str,
    draw: Callable[[Draw], Arguments],
) -> list[Comparison]:
    """What autograd finds, beside zeros for the learner's results."""
    given = draw(Draw(shape, dtype))
    return parity(partial(_reference, exercise, given), dict.fromkeys(exercise.results, 0))


def _call(
    exercise: Exercise, function: Callable[..., Any], given: Arguments
) -> tuple[Results, str | None]:
    """What a function returns; with a remark where that is no new array."""
    lent = copy.deepcopy(given)
    returned = exercise.call(function, lent)
    for name, value in given.items():
        if not _same(value, lent[name]):
            raise Mistake(
                f"It writes into its argument {name}, which others still need: make a new array."
            )
    results, remark = named_results(exercise, returned), None
    arguments = [(name, array) for name, value in lent.items() for array in _arrays(value)]
    for name, result in results.items():
        for argument, array in arguments:
            if np.may_share_memory(result, array):
                remark = (
                    f"{name} is its argument {argument} itself, or a part of it, and should be a "
                    "new array: who changes one would change the other."
                )
    return {name: np.array(result) for name, result in results.items()}, remark


def _reference(exercise: Exercise, given: Arguments) -> dict[str, Tensor]:
    results = exercise.autograd(**{name: _tensors(value) for name, value in given.items()})
    return dict(zip(exercise.results, results, strict=True))


def _tensors(value: Any) -> Any:
    """A value with all arrays in it as tensors; ``clone``, so that the copy is rounded, too."""
    if isinstance(value, np.ndarray):
        return torch.tensor(value).clone()
    if isinstance(value, dict):
        return {name: _tensors(part) for name, part in value.items()}
    return [_tensors(part) for part in value] if isinstance(value, list) else value


def _arrays(value: Any) -> list[Array]:
    """All arrays in a value."""
    parts = value.values() if isinstance(value, dict) else value
    return list(parts) if isinstance(value, dict | list) else [np.asarray(value)]


def _same(a: Any, b: Any) -> bool:
    """Whether two values are equal in every digit, all arrays in them included."""
    if isinstance(a, Mapping):
        return all(_same(a[name], b.get(name)) for name in a)
    if isinstance(a, list):
        return all(map(_same, a, b))
    return np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) else bool(a == b)


def _judge(exercise: Exercise, function: Callable[..., Any], cases: list[Case]) -> tuple[str, ...]:
    """What is wrong, if anything is: the first wrong result, with a hint, then the others."""
    wrong = {name: [case for case in cases if case.is_wrong(name)] for name in exercise.results}
    names = [name for name, failures in wrong.items() if failures]
    remarks: list[str | None] = []
    if exercise is MODEL and names:
        right = [name for name in exercise.results if name not in names]
        remarks.append(_courtesy(_first_wrong, function, right, wrong[names[0]]))
    # What a model's or a path's first mistake entails is no mistake of its own
    for name in names if exercise in OPERATIONS else names[:1]:
        remarks += [*_how_wrong(name, wrong[name][0]), _courtesy(hint, exercise, name, cases)]
    if exercise is MODEL and len(names) > 1:
        remarks.append(f"Wrong, in the order of the backward pass: {', '.join(names)}.")
    if names:
        return tuple(filter(None, remarks))
    for case in cases:
        for name in exercise.results:
            if case.got[name].dtype != case.want[name].dtype:
                return (f"{name} is {case.got[name].dtype} where its arguments are {case}.",)
        if case.remark:
            return (case.remark,)
    return ()


def _courtesy(find: Callable[..., str | None], *arguments: Any) -> str | None:
    """An explanation; none where it cannot be found, as the verdict stands without it."""
    try:
        return find(*arguments)
    except Exception:
        logging.getLogger(__name__).debug("no explanation", exc_info=True)
        return None


def _first_wrong(
    function: Callable[..., Any], right: list[str], failures: list[Case]
) -> str | None:
    """Names the first wrong gradient of the model, those that it does not return included.

    Such a one is right if any array that the learner's lines compute has its numbers.
    """
    x, reconstruction = (failures[0].given[name] for name in ("x", "reconstruction"))
    alike = [
        case
        for case in failures
        if case.given["x"].dtype == x.dtype and case.given["reconstruction"] == reconstruction
    ]
    present: set[str] = set()
    missing: set[str] = set()
    for case in alike:
        seen = watch(lambda given: function(**given), case.given)
        for name, want in gradients_on_the_way(case.given).items():
            if want.any():
                found = any(close(array, want) for array in seen)
                (present if found else missing).add(name)
    known = {source for name in right for source in CHAIN[name].sources}
    if known & missing or not present - missing:
        return None  # what must be there is not seen: computed image by image, or without NumPy
    return first_wrong([*right, *(present - missing)], reconstruction)


def _how_wrong(name: str, case: Case) -> list[str]:
    got, want = case.got[name], case.want[name]
    if got.shape != want.shape:
        return [f"{name} has the shape {got.shape}, and should have {want.shape}.", f"({case})"]
    distance = np.nan_to_num(np.abs(got - want), nan=np.inf)
    worst = np.unravel_index(np.argmax(distance), distance.shape)
    error = case.comparisons[name].error
    percent = np.format_float_positional(100 * error, precision=3, fractional=False, trim="-")
    by = f"off by {percent} %: " if np.isfinite(error) else ""
    return [
        f"{name} is {by}{got[worst]:.4g} at {list(map(int, worst))}, where autograd finds "
        f"{want[worst]:.4g}.",
        f"({case})",
    ]


def _load(path: Path) -> ModuleType:
    if not path.exists():
        raise InputError(f"there is no {path}: copy {EXERCISES_FILE} to begin")
    with reading(path) as stream:
        text = stream.read().decode()
    linecache.checkcache(str(path))  # another file may have been graded under this name
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    try:
        exec(compile(text, str(path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{path} cannot be run. " + " ".join(_describe(error, str(path)))
        ) from None
    return module


def _describe(error: BaseException, path: str) -> tuple[str, ...]:
    """An error of the learner's code, with the line of the file where it arose."""
    what = ": ".join(filter(None, [type(error).__name__, str(error)]))
    if isinstance(error, SyntaxError) and error.filename == path:
        return (f"Line {error.lineno} is no valid Python: {error.msg}", (error.text or "").strip())
    lines = [
        number
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == path
    ]
    if not lines:
        return (f"{what}. Is its signature still that of {EXERCISES_FILE}?",)
    return (f"Line {lines[-1]}: {linecache.getline(path, lines[-1]).strip()}", what)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="your functions; it is executed")


def run(file: Path) -> int:
    """Prints the verdicts; returns 0 if all are right, else 1."""
    verdicts = grade(file)
    for verdict in verdicts:
        print(f"{verdict.name:<33} {verdict.state}")
        for remark in verdict.remarks:
            print(textwrap.indent(textwrap.fill(remark, 84, break_on_hyphens=False), "    "))
    right = sum(verdict.state == "right" for verdict in verdicts)
    print(
        f"\n{right} of {len(verdicts)} right" + (": all done." if right == len(verdicts) else ".")
    )
    return 0 if right == len(verdicts) else 1
