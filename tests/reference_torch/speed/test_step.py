"""speed/step.py: one contender, measured in its process."""

import json
import threading

from reference_torch.speed import step
from reference_torch.speed.contenders import NUMPY, PARTS


def test_each_size_has_its_times(capsys):
    step.main(NUMPY, json.dumps([{"batch": 2, "hidden": [4, 3], "z_dim": 2}] * 2), "0")
    for times in json.loads(capsys.readouterr().out):
        assert times.keys() == {NUMPY, *PARTS}
        assert all(milliseconds > 0 for milliseconds in times.values())


def test_adam_has_the_threads_that_it_has_in_training(monkeypatch):
    seen = []
    monkeypatch.setattr(step, "blas_threads", lambda: 3)
    before = threading.active_count()

    def spy(call, _):
        call()
        seen.append(threading.active_count())
        return 0.0

    monkeypatch.setattr(step, "milliseconds", spy)
    step.measure(NUMPY, step.Sizes(2), 0)  # the article's network: Adam has several blocks
    assert max(seen) > before
    assert threading.active_count() == before
