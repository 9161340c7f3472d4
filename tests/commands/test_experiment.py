"""``numpyvae experiment``."""

import sys
from pathlib import Path

import numpy as np
import pytest

from numpyvae import Config, load_checkpoint
from numpyvae.commands import experiment


def test_the_command_of_a_report_makes_it(numpyvae, unrendered):
    line = "experiment beta --dataset own.npz --epochs 1 --seed 3 --seeds 2"
    np.savez("own.npz", images=np.random.default_rng(0).integers(0, 255, (90, 5, 4), np.uint8))
    status, out, _ = numpyvae(f"{line} --values 2 0.25")
    folder = Path("runs/experiments-own")
    assert status == 0
    assert f"{folder}/beta/report.md" in out
    assert f"    numpyvae {line} --values 0.25 2\n" in (folder / "beta/report.md").read_text()
    for seed in (3, 4):
        expected = Config(dataset="own.npz", epochs=1, seed=seed, beta=2.0)
        assert load_checkpoint(folder / f"runs/beta-2/seed-{seed}").config == expected


def test_unfit_numbers_of_seeds_are_mistakes(mistake):
    mistake("experiment generation --dataset own.npz --seeds 0", "seeds must be at least 1, got 0")
    mistake("experiment generation --dataset own.npz --seeds x", "invalid int value")


def test_unfit_workers_are_mistakes(mistake, monkeypatch):
    line = "experiment generation --dataset own.npz"
    mistake(f"{line} --jobs 0", "jobs must be from 1 to 500, got 0")
    mistake(f"{line} --jobs 2 --cluster tcp://127.0.0.1:8786", "not allowed with argument --jobs")
    for address in ("''", "ada", "tcp://127.0.0.1", "http://ada:8786"):
        mistake(f"{line} --cluster {address}", "no address of a Dask scheduler")
    monkeypatch.setitem(sys.modules, "distributed.comm.addressing", None)
    mistake(f"{line} --cluster tcp://127.0.0.1:8786", "pip install 'numpyvae[cluster]'")


def test_threads_are_limited_when_all_that_multiplies_is_loaded(numpyvae, monkeypatch):
    called = []
    monkeypatch.setattr(experiment, "check_scipy", lambda: called.append("SciPy"))
    monkeypatch.setattr(experiment, "limited", lambda n: called.append(n) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        numpyvae("experiment beta --dataset own.npz --threads 3")
    assert called == ["SciPy", 3]
