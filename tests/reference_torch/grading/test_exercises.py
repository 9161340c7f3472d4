"""The file of exercises asks for what is graded."""

import inspect
import re

import pytest
from exercises import by_hand

from reference_torch.grading.exercises import (
    CONVOLUTIONS,
    EXERCISES,
    IMPORTANCE_OPERATIONS,
    OPERATIONS,
)
from reference_torch.grading.worker import source

MEMORY = ("out", "scratch", "patches")


@pytest.mark.parametrize("name", [e.name for e in (*OPERATIONS, *IMPORTANCE_OPERATIONS)])
def test_an_exercise_is_its_source_without_out_and_formula(name):
    exercise, solution = getattr(by_hand, name), source(name)
    signature = inspect.signature(solution, eval_str=True)
    parameters = [p for p in signature.parameters.values() if p.name != "out"]
    assert inspect.signature(exercise, eval_str=True) == signature.replace(parameters=parameters)

    def asked(function):
        first, *_ = function.__doc__.split("\n\n")
        return re.findall(r"dL/d\w+", first), set(re.findall(r"\([BI]\d+\)", first))

    results, equations = asked(solution)
    assert asked(exercise)[0] == results
    assert equations <= asked(exercise)[1]


@pytest.mark.parametrize("name", [exercise.name for exercise in CONVOLUTIONS])
def test_an_exercise_of_convolutions_has_the_arguments_of_its_source(name):
    exercise, solution = getattr(by_hand, name), source(name)
    asked = inspect.signature(exercise).parameters
    assert list(asked) == [p for p in inspect.signature(solution).parameters if p not in MEMORY]
    equations = set(re.findall(r"\(C\d+\)", solution.__doc__)) - {"(C1)"}
    assert equations <= set(re.findall(r"\(C\d+\)", exercise.__doc__))


def test_the_file_has_the_graded_functions_in_their_order():
    names = [exercise.name for exercise in EXERCISES]
    defined = [name for name, _ in inspect.getmembers(by_hand, inspect.isfunction)]
    assert sorted(defined) == sorted(names)
    lines = [inspect.getsourcelines(getattr(by_hand, name))[1] for name in names]
    assert lines == sorted(lines)
