"""speed/step.py: one contender, measured in its process."""

import io
import json
import threading

import pytest

from numpyvae.training import steps
from reference_torch.speed import contenders, step
from reference_torch.speed.contenders import NUMPY, PARTS

TINY = {"batch": 2, "hidden": [4, 3], "z_dim": 2}


@pytest.fixture
def asked(monkeypatch, capsys):
    """What the contender answers, given sizes and the turns that it is asked for."""

    def call(sizes, *turns):
        lines = "".join(json.dumps(turn) + "\n" for turn in turns)
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        step.main(NUMPY, json.dumps(sizes))
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call


def test_each_turn_is_answered_with_its_times(asked):
    answers = asked([TINY, TINY], [0, 0], [0, 0], [1, 0])
    assert len(answers) == 3
    for times in answers:
        assert times.keys() == {NUMPY, *PARTS}
        assert all(milliseconds > 0 for milliseconds in times.values())


def test_a_size_is_made_and_warmed_up_once_and_the_last_one_makes_room(asked, monkeypatch):
    made, leasts = [], []
    ready = step.ready
    monkeypatch.setattr(step, "ready", lambda *given: made.append(given[1]) or ready(*given))
    monkeypatch.setattr(step, "milliseconds", lambda *given: leasts.append(given[1:]) or 1.0)
    asked([TINY, {**TINY, "batch": 5}], [0, 0.5], [0, 0.25], [1, 0.5], [1, 0.5])
    assert [len(sizes.x) for sizes in made] == [2, 5]
    first, later = [(0.5, step.LEAST)] * 4, [(0.5, step.LEAST_OF_TURN)] * 4
    assert leasts == [*first, *[(0.25, step.LEAST_OF_TURN)] * 4, *first, *later]


def test_adam_has_the_threads_that_it_has_in_training(asked, monkeypatch):
    seen = []
    for module in (contenders, steps):
        monkeypatch.setattr(module, "blas_threads", lambda: 3)
    before = threading.active_count()

    def spy(call, *_):
        call()
        seen.append(threading.active_count())
        return 0.0

    monkeypatch.setattr(step, "milliseconds", spy)
    asked([{"batch": 2}, {"batch": 3}], [0, 0], [1, 0])  # Adam has several slices
    assert before < max(seen) <= before + 2 * 3  # two Adams and the stepper have two more each
    assert threading.active_count() == before
