"""Grades backward functions that a learner wrote: against autograd, with hints."""

import argparse
import logging
import textwrap
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from numpyvae import InputError

from ..proof.parity import Comparison, parity
from .chain import CHAIN, first_wrong, gradients_on_the_way
from .estimate import Estimate
from .exercises import ADAM, EXERCISES, MODEL, SHAPES, Exercise, Problem
from .hints import Case, close, hint
from .process import Process
from .worker import EXERCISES_FILE, Answer, Arguments, Task, same

DESCRIPTION = """\
Grade the functions that you wrote into a copy of docs/exercises/by_hand.py.

Each is called with random arrays of several shapes, in float64 and float32, and its results are
compared with what PyTorch's automatic differentiation finds. docs/exercises.md tells how to work.

FILE is a Python program, and grading runs it, in a process of its own: grade only what you wrote or
have read. A call may take 10 seconds.

The exit status is 0 if all functions are right, 1 if any is wrong or not yet written, 2 if the
file cannot be read or has none of them.
"""
NOT_YET = "not yet written"


class Verdict(NamedTuple):
    """``state`` is "right", "wrong" or "not yet written"; ``remarks`` say what is wrong."""

    name: str
    state: str
    remarks: tuple[str, ...] = ()


def grade(path: Path) -> list[Verdict]:
    """Grades a learner's file, which runs in a process of its own.

    Raises:
        InputError: it cannot be read or run, or has none of the functions.
    """
    with np.errstate(all="ignore"), Process(path) as process:
        written = process.ask("has", [exercise.name for exercise in EXERCISES]).value
        if not written:
            raise InputError(
                f"{path} has none of the functions of {EXERCISES_FILE}: copy that file"
            )
        return [
            _verdict(exercise, process)
            if exercise.name in written
            else Verdict(exercise.name, NOT_YET, ("The file has no such function.",))
            for exercise in EXERCISES
        ]


def _verdict(exercise: Exercise, process: Process) -> Verdict:
    ask = partial(_ask, process, _task(exercise))
    problems = list(exercise.problems())
    arguments = [_given(problem) for problem in problems]
    try:
        answers = [ask("results", given) for given in arguments]
        for given, answer in reversed(list(zip(arguments, answers, strict=True))):
            if not same(answer.value, ask("results", given).value):
                raise Wrong(
                    "Called again with the same arguments, it gives another result. A backward "
                    "pass draws nothing (eps is the noise of the forward pass, and is given) and "
                    "keeps nothing from one call to the next."
                )
        ask("unchanged")
    except Wrong as wrong:
        remarks: tuple[str, ...] = wrong.args
    except NotImplementedError:
        return Verdict(exercise.name, NOT_YET)
    else:
        cases = [_case(exercise, *of) for of in zip(problems, arguments, answers, strict=True)]
        remarks = _judge(exercise, partial(ask, "seen"), cases)
    return Verdict(exercise.name, "wrong" if remarks else "right", remarks)


class Wrong(Exception):
    """A function is wrong beside its numbers: the remarks."""


def _ask(process: Process, task: Task, method: str, *arguments: Any) -> Answer:
    answer = process.ask(method, task, *arguments)
    if answer.failure == ():
        raise NotImplementedError
    if answer.failure:
        raise Wrong(*answer.failure)
    return answer


def _task(exercise: Exercise) -> Task:
    return Task(exercise.name, exercise.results, exercise.call, exercise.lent)


def _case(exercise: Exercise, problem: Problem, given: Arguments, answer: Answer) -> Case:
    expected = _expected(exercise.autograd, exercise.results, problem)
    comparisons = {c.name: c._replace(numpy=answer.value[c.name]) for c in expected}
    if exercise.estimated is None:
        return Case(given, comparisons, problem.edge, answer.remark)
    unbiased = _expected(exercise.estimated, exercise.results, problem)
    estimates = {
        other.name: Estimate(*comparisons[other.name][:3], other.reference) for other in unbiased
    }
    noisy = next(filter(None, (e.how_noisy() for e in estimates.values() if e.agrees)), None)
    return Case(given, estimates, problem.edge, answer.remark or noisy)


@cache
def _given(problem: Problem) -> Arguments:
    return problem.arguments()


@cache
def _expected(
    autograd: Callable[..., tuple[Tensor, ...]], names: tuple[str, ...], problem: Problem
) -> list[Comparison]:
    """What autograd finds, beside zeros for the learner's results."""
    given = _given(problem)

    def reference() -> dict[str, Tensor]:
        results = autograd(**{name: _tensors(value) for name, value in given.items()})
        return dict(zip(names, results, strict=False))  # a path may be shorter

    return parity(reference, dict.fromkeys(reference(), 0))


def _tensors(value: Any) -> Any:
    """A value with all arrays in it as tensors; ``clone``, so that the copy is rounded, too."""
    if isinstance(value, np.ndarray):
        return torch.tensor(value).clone()
    if isinstance(value, dict):
        return {name: _tensors(part) for name, part in value.items()}
    return [_tensors(part) for part in value] if isinstance(value, list) else value


def _judge(
    exercise: Exercise, seen: Callable[[Arguments], Answer], cases: list[Case]
) -> tuple[str, ...]:
    """What is wrong, if anything is: the first wrong result, with a hint, then the others."""
    wrong = {name: [case for case in cases if case.is_wrong(name)] for name in exercise.results}
    names = [name for name, failures in wrong.items() if failures]
    remarks: list[str | None] = []
    if exercise is MODEL and names:
        right = [name for name in exercise.results if name not in names]
        remarks.append(_courtesy(_first_wrong, seen, right, wrong[names[0]]))
    # What a model's or a path's first mistake entails is no mistake of its own
    for name in names[:1] if exercise in (MODEL, ADAM) else names:
        remarks += [*_how_wrong(name, wrong[name][0]), _courtesy(hint, exercise, name, cases)]
    if exercise is MODEL and len(names) > 1:
        remarks.append(f"Wrong, in the order of the backward pass: {', '.join(names)}.")
    if names:
        return tuple(filter(None, remarks))
    for case in cases:
        for name in exercise.results:
            if name in case.got and case.got[name].dtype != case.want[name].dtype:
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
    seen: Callable[[Arguments], Answer], right: list[str], failures: list[Case]
) -> str | None:
    """Names the first wrong gradient of the model, those that it does not return included.

    Such a one is right if any array that the learner's lines compute has its numbers; without
    beta, the path through the KL carries none.
    """
    failures = [case for case in failures if case.given["beta"]]
    if not failures:
        return None
    x, reconstruction = (failures[0].given[name] for name in ("x", "reconstruction"))
    alike = [
        case
        for case in failures
        if case.given["x"].dtype == x.dtype and case.given["reconstruction"] == reconstruction
    ]
    present: set[str] = set()
    missing: set[str] = set()
    for case in alike[: len(SHAPES)]:
        arrays = seen(case.given).value
        for name, want in gradients_on_the_way(case.given).items():
            if want.any():
                found = any(array.shape == want.shape and close(array, want) for array in arrays)
                (present if found else missing).add(name)
    known = {source for name in right for source in CHAIN[name].sources}
    if known & missing or not present - missing:
        return None  # what must be there is not seen: computed image by image, or without NumPy
    return first_wrong([*right, *(present - missing)], reconstruction)


def _how_wrong(name: str, case: Case) -> list[str]:
    got, want = case.got[name], case.want[name]
    if got.shape != want.shape:
        return [f"{name} has the shape {got.shape}, and should have {want.shape}.", f"({case})"]
    comparison = case.comparisons[name]
    if isinstance(comparison, Estimate):
        return [comparison.how_wrong(), f"({case})"]
    distance = np.nan_to_num(np.abs(got - want), nan=np.inf)
    worst = np.unravel_index(np.argmax(distance), distance.shape)
    found, expected = _told_apart(float(got[worst]), float(want[worst]))
    error = 100 * comparison.error
    percent = np.format_float_positional(error, precision=3, fractional=False, trim="-")
    percent = percent if 1e-3 < error < 1e6 else f"{error:.1g}"
    by = f"off by {percent} %: " if np.isfinite(error) else ""
    return [
        f"{name} is {by}{found} at {list(map(int, worst))}, where autograd finds {expected}.",
        f"({case})",
    ]


def _told_apart(*numbers: float) -> list[str]:
    """Numbers with so many digits that they differ."""
    for digits in range(4, 18):
        texts = [f"{number:.{digits}g}" for number in numbers]
        if len(set(texts)) == len(texts):
            break
    return texts


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
