"""speed/turns.py: programs that are alive, and answer when they are asked."""

import os
import time

import pytest

from numpyvae import InputError
from reference_torch.speed.turns import alive

COUNTS = """
import os, sys
from reference_torch.speed.turns import answer
turns = []
answer(lambda *asked: turns.append(0) or [os.getpid(), len(turns), *asked])
"""


def test_a_program_answers_again_and_again_and_ends_with_the_block():
    with alive(["-c", COUNTS]) as ask, alive(["-c", COUNTS]) as other:
        assert other("b")[1:] == [1, "b"]
        process, *found = ask(1, [2.5, None])
        assert found == [1, 1, [2.5, None]]
        assert ask() == [process, 2]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_program_has_its_variables():
    name = "import os; from reference_torch.speed.turns import answer; answer(os.environ.get)"
    with alive(["-c", name], {**os.environ, "MINE": "x"}) as ask:
        assert ask("MINE") == "x"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("print('x' * 10**6, file=__import__('sys').stderr); 1 / 0", "ZeroDivisionError: division"),
        ("raise SystemExit", "no reason given"),
    ],
)
def test_a_program_that_ends_is_named_with_what_it_said_last(program, said):
    with alive(["-c", program]) as ask:
        for _ in range(2):  # the second time nobody listens
            with pytest.raises(InputError, match=f"^-c .* failed: {said}"):
                ask("a question")


def test_who_asks_may_end_first():
    began = time.perf_counter()
    with pytest.raises(KeyError), alive(["-c", "import time; time.sleep(60)"]):
        raise KeyError
    assert time.perf_counter() - began < 30
