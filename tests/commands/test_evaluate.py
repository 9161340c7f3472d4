"""``numpyvae evaluate``."""

from pathlib import Path

import numpy as np
import pytest

from numpyvae import (
    load_checkpoint,
    load_dataset,
)
from numpyvae.commands import evaluate as command
from numpyvae.evaluation.evaluate import as_json, evaluate, table

pytestmark = pytest.mark.usefixtures("unrendered")


def test_it_prints_the_table_and_writes_json(numpyvae, train):
    train("--epochs 1 --out run")
    line = "evaluate run --importance-samples 3 --n 5 --seed 5 --json new/result.json"
    status, out, err = numpyvae(line)
    expected = evaluate(load_checkpoint("run"), load_dataset("own.npz"), 3, 5, seed=5)
    assert (status, out, err) == (0, table(expected) + "\n", "")
    assert Path("new/result.json").read_text() == as_json(expected) + "\n"


def test_it_takes_other_images(numpyvae, train):
    train("--epochs 1 --out run")
    np.save("other.npy", np.random.default_rng(0).random((40, 6, 5), np.float32))
    _, out, _ = numpyvae("evaluate run --dataset other.npy --importance-samples 1")
    assert out.startswith("4 test images of other.npy\n")


def test_threads_are_limited(numpyvae, train, monkeypatch):
    train("--epochs 1 --out run")
    limits, limited = [], command.limited
    monkeypatch.setattr(command, "limited", lambda n: limits.append(n) or limited(n))
    numpyvae("evaluate run --importance-samples 1 --threads 1")
    assert limits == [1]
