"""Trains and measures what importance.md shows, and writes its tables and one of noise.md.

    python docs/importance.py digits      the embedded digits: about a quarter of an hour
    python docs/importance.py mnist       MNIST: about an hour on one core, and evaluation
    python docs/importance.py mistakes    what the mistakes do: some minutes
    python docs/importance.py dreg        the table of noise.md: some minutes

Every row is a command of ``numpyvae``, printed as it is called. Runs and evaluations are kept in
runs/importance, and what is finished there is not done again.
"""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
from generated import DOCS, deviating, put
from mistakes import check_model, train

from numpyvae import Config, load_checkpoint
from numpyvae.commands.main import main as numpyvae
from numpyvae.experiments.report import table
from numpyvae.experiments.statistics import paired
from reference_torch.proof.importance_errors import IMPORTANCE_ERRORS

RUNS = Path("runs/importance")
ROWS = (("elbo", 1), ("elbo", 5), ("elbo", 50), ("importance", 5), ("importance", 50))
SEEDS = {1: (0, 1, 2), 5: (0, 1, 2), 50: (0,)}  # by importance samples: 50 cost ten times as much
SETTINGS = {
    "digits": "--dataset digits --hidden 200 200 --z-dim 50 --beta 1 --epochs 60",
    "mnist": "--dataset mnist --hidden 200 200 --epochs 10 --batch-size 100 --lr-schedule cosine",
    "dreg": "--dataset digits --hidden 100 100 --z-dim 50 --epochs 20",
}
PAIRED = (0, 1, 2)  # seeds of the table of noise.md
MISTAKES: dict[str, Any] = {
    "epochs": 25,
    "hidden": (200, 200),
    "z_dim": 50,
    "reconstruction": "bce",
    "binarize": True,
    "importance_samples": 5,
}
EVALUATED = {"digits": 5000, "mnist": 5000, "dreg": 1000}  # importance samples; 5000 in the paper
IMAGES = 1000  # the first test images, if there are so many
BOUND_ERRORS = [error for error in IMPORTANCE_ERRORS if error.bound == "importance"]
CHECKED = 16  # test images for which gradients are compared


def main(what: str) -> None:
    if what == "dreg":
        put(DOCS / "noise.md", "measured", {what: dreg()})
    else:
        text = mistakes() if what == "mistakes" else paper(what)
        put(DOCS / "importance.md", "measured", {what: text})


# The paper's table


def paper(name: str) -> str:
    rows = []
    for bound, samples in ROWS:
        found = [measured(name, bound, samples, seed) for seed in SEEDS[samples]]
        cells = ["VAE" if bound == "elbo" else "IWAE", str(samples)]
        for number, form in (("nll", ".2f"), ("active_units", ".0f"), ("elbo", ".2f")):
            cells.append(deviating([result[number] for result in found], form))
        rows.append(cells)
    return table(["", "K", "NLL", "active units", "ELBO"], rows)


def measured(name: str, bound: str, samples: int, seed: int) -> dict[str, Any]:
    """What ``evaluate`` finds, after as much training as is missing."""
    run = RUNS / f"{name}-{bound}-{samples}-{seed}"
    if not (run / "checkpoint.npz").exists():
        call(
            f"train {SETTINGS[name]} --reconstruction bce --binarize "
            f"--importance-samples {samples} --bound {bound} --seed {seed} --out {run}"
        )
    elif len((kept := load_checkpoint(run)).history) < kept.config.epochs:
        call(f"train --out {run} --resume")
    found = run / "evaluation.json"
    if not found.exists():
        call(f"evaluate {run} --importance-samples {EVALUATED[name]} --n {IMAGES} --json {found}")
    numbers: dict[str, Any] = json.loads(found.read_text())
    return numbers


def dreg() -> str:
    """The two gradients of one bound, from the same seeds."""
    rows = []
    for samples in (5, 50):
        nll = {
            bound: [measured("dreg", bound, samples, seed)["nll"] for seed in PAIRED]
            for bound in ("importance", "dreg")
        }
        ahead = np.subtract(nll["importance"], nll["dreg"]).tolist()
        rows.append(
            [
                str(samples),
                *(deviating(values) for values in nll.values()),
                ", ".join(f"{by:+.2f}" for by in ahead),
                verdict(ahead),
            ]
        )
    return table(["K", "NLL, IWAE", "NLL, DReG", "DReG ahead by, seed by seed", "verdict"], rows)


def verdict(ahead: list[float]) -> str:
    """Who is ahead, if the 95 % interval of the mean difference says so."""
    found = paired(ahead)
    return "DReG" if found.low > 0 else "IWAE" if found.high < 0 else "undecided"


def call(line: str) -> None:
    print(f"$ numpyvae {line}", flush=True)
    if status := numpyvae(shlex.split(line)):
        raise SystemExit(status)


# The mistakes


def mistakes() -> str:
    right = [train(Config(**MISTAKES, seed=seed)).true[-1] for seed in (0, 1, 2)]
    rows = [["none; three seeds", "", ", ".join(f"{bound:.2f}" for bound in right), ""]]
    for error in BOUND_ERRORS:
        run, shown, true = train(Config(**MISTAKES), error)
        found = check_model(error, run, CHECKED)  # on the network that the mistake has trained
        rows.append([error.name, f"{shown[-1]:.2f}", f"{true[-1]:.2f}", found.seen_in])
    return table(["mistake", "bound shown", "true bound", "seen in"], rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
