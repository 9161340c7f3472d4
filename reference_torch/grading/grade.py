"""Grades backward functions that a learner wrote: against autograd, with hints."""

import argparse
import copy
import linecache
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from numpyvae import InputError
from numpyvae import functional as F

from ..proof.parity import parity
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
    named_results,
)
from .hints import Case, hint

HELP = "grade backward functions that you wrote yourself"
DESCRIPTION = """\
Grade the functions that you wrote into a copy of docs/exercises/by_hand.py.

Each is called with random arrays of several shapes, in float64 and float32, and its results are
compared with what PyTorch's automatic differentiation finds. docs/exercises.md tells how to work.

FILE is a Python program, and grading runs it: grade only what you wrote or have read.

The exit status is 0 if all functions are right, 1 if any is wrong or not yet written, 2 if the
file cannot be read or has none of them.
"""
EXERCISES_FILE = "docs/exercises/by_hand.py"
DTYPES = (np.float64, np.float32)


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
        cases = list(_cases(exercise, function))
        remarks = _judge(exercise, cases)
    except NotImplementedError:
        return Verdict(exercise.name, "not yet written")
    except Mistake as mistake:
        remarks = (str(mistake),)
    except (Exception, SystemExit) as error:
        remarks = _describe(error, str(module.__file__))
    return Verdict(exercise.name, "wrong" if remarks else "right", remarks)


def _cases(exercise: Exercise, function: Callable[..., Any]) -> Iterator[Case]:
    for shape in SHAPES:
        for dtype in DTYPES:
            for draw in exercise.draws:
                given = draw(Draw(shape, dtype))
                got = named_results(exercise, _call(exercise, function, given))
                if not _same(got, named_results(exercise, _call(exercise, function, given))):
                    raise Mistake(
                        "Called twice with the same arguments, it gives two different results. "
                        "Nothing in a backward pass is random: eps is the noise of the forward "
                        "pass, and is given."
                    )
                comparisons = parity(partial(_reference, exercise, given), got)
                want = {comparison.name: comparison.torch for comparison in comparisons}
                yield Case(given, shape[0], got, want, comparisons)


def _call(exercise: Exercise, function: Callable[..., Any], given: Arguments) -> Any:
    lent = copy.deepcopy(given)
    returned = copy.deepcopy(exercise.call(function, lent))
    changed = [name for name, value in given.items() if not _same(value, lent[name])]
    if changed:
        raise Mistake(
            f"It writes into its argument {changed[0]}, which others still need: make a new array."
        )
    return returned


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


def _same(a: Any, b: Any) -> bool:
    """Whether two values are equal in every digit, all arrays in them included."""
    if isinstance(a, Mapping):
        return all(_same(a[name], b.get(name)) for name in a)
    if isinstance(a, list):
        return all(map(_same, a, b))
    return np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) else bool(a == b)


def _judge(exercise: Exercise, cases: list[Case]) -> tuple[str, ...]:
    """What is wrong, if anything is: the first wrong result, with a hint, then the others."""
    wrong = {
        name: [case for case in cases if not case.comparisons[i].agrees]
        for i, name in enumerate(exercise.results)
    }
    names = [name for name, failures in wrong.items() if failures]
    if names:
        name, failures = names[0], wrong[names[0]]
        remarks = _how_wrong(name, failures[0])
        if text := hint(exercise, name, failures):
            remarks.append(text)
        if exercise is MODEL:
            remarks.append(f"Wrong, in the order of the backward pass: {', '.join(names)}.")
            remarks.append("The mistake is before the first of these, after the last right one.")
        elif len(names) > 1:
            remarks += _how_wrong(names[1], wrong[names[1]][0])
            remarks += filter(None, [hint(exercise, names[1], wrong[names[1]])])
        return tuple(remarks)
    for case in cases:
        for name in exercise.results:
            if case.got[name].dtype != case.want[name].dtype:
                return (f"{name} is {case.got[name].dtype} where its arguments are {case}.",)
    return ()


def _how_wrong(name: str, case: Case) -> list[str]:
    got, want = case.got[name], case.want[name]
    if got.shape != want.shape:
        return [f"{name} has the shape {got.shape}, and should have {want.shape}.", f"({case})"]
    comparison = next(comparison for comparison in case.comparisons if comparison.name == name)
    with np.errstate(invalid="ignore"):
        distance = np.nan_to_num(np.abs(got - want), nan=np.inf)
    worst = np.unravel_index(np.argmax(distance), distance.shape)
    return [
        f"{name} is off by {100 * comparison.error:.3g} %: {got[worst]:.4g} at "
        f"{list(map(int, worst))}, where autograd finds {want[worst]:.4g}.",
        f"({case})",
    ]


def _load(path: Path) -> ModuleType:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"there is no {path}: copy {EXERCISES_FILE} to begin") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a Python file: {error}") from None
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
    what = f"{type(error).__name__}: {error}"
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
