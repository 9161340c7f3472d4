"""The file of exercises asks for what is graded."""

import inspect
import re

import pytest
from exercises import by_hand

from reference_torch.grading.exercises import EXERCISES, IMPORTANCE_OPERATIONS, OPERATIONS
from reference_torch.grading.worker import source


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


def test_the_file_has_the_graded_functions_in_their_order():
    names = [exercise.name for exercise in EXERCISES]
    defined = [name for name, _ in inspect.getmembers(by_hand, inspect.isfunction)]
    assert sorted(defined) == sorted(names)
    lines = [inspect.getsourcelines(getattr(by_hand, name))[1] for name in names]
    assert lines == sorted(lines)
