"""``numpyvae experiment``."""

from pathlib import Path

import numpy as np

from numpyvae import Config, load_checkpoint


def test_the_command_of_a_report_makes_it(numpyvae):
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
