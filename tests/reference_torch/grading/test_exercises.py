"""The file of exercises asks for what is graded."""

import inspect
import re

import pytest
from exercises import by_hand

from numpyvae import functional as F
from reference_torch.grading.exercises import EXERCISES, OPERATIONS


@pytest.mark.parametrize("name", [exercise.name for exercise in OPERATIONS])
def test_an_exercise_is_its_source_without_out_and_formula(name):
    exercise, source = getattr(by_hand, name), getattr(F, name)
    signature = inspect.signature(source, eval_str=True)
    parameters = [p for p in signature.parameters.values() if p.name != "out"]
    assert inspect.signature(exercise, eval_str=True) == signature.replace(parameters=parameters)

    def asked(function):
        first, *_ = function.__doc__.split("\n\n")
        return re.findall(r"dL/d\w+", first), set(re.findall(r"\(B\d+\)", first))

    results, equations = asked(source)
    assert asked(exercise)[0] == results
    assert equations <= asked(exercise)[1]


def test_the_file_has_the_graded_functions_in_their_order():
    names = [exercise.name for exercise in EXERCISES]
    defined = [name for name, _ in inspect.getmembers(by_hand, inspect.isfunction)]
    assert sorted(defined) == sorted(names)
    lines = [inspect.getsourcelines(getattr(by_hand, name))[1] for name in names]
    assert lines == sorted(lines)
