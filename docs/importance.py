"""Trains and measures what importance.md shows, and writes its tables.

    python docs/importance.py digits      the embedded digits: about a quarter of an hour
    python docs/importance.py mnist       MNIST: about an hour on one core, and evaluation
    python docs/importance.py mistakes    what the mistakes do: some minutes

Every row is a command of ``numpyvae``, printed as it is called. Runs and evaluations are kept in
runs/importance, and what is finished there is not done again.
"""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
from generated import DOCS, put
from mistakes import DATA

from numpyvae import Config, load_checkpoint
from numpyvae.commands.main import main as numpyvae
from numpyvae.data.dataset import as_floats
from numpyvae.training.run import Run
from numpyvae.training.steps import numpy_trainer
from reference_torch.proof.deliberate_errors import DeliberateError
from reference_torch.proof.gradcheck import gradcheck
from reference_torch.proof.importance_errors import IMPORTANCE_ERRORS

RUNS = Path("runs/importance")
ROWS = (("elbo", 1), ("elbo", 5), ("elbo", 50), ("importance", 5), ("importance", 50))
SEEDS = {1: (0, 1, 2), 5: (0, 1, 2), 50: (0,)}  # by importance samples: 50 cost ten times as much
SETTINGS = {
    "digits": "--epochs 60",
    "mnist": "--epochs 10 --batch-size 100 --lr-schedule cosine",
}
MISTAKES: dict[str, Any] = {
    "epochs": 25,
    "hidden": (200, 200),
    "reconstruction": "bce",
    "binarize": True,
    "importance_samples": 5,
}
EVALUATED = 5000  # importance samples, as in the paper
IMAGES = 1000  # the first test images, if there are so many
CHECKED = 16  # test images for which gradients are compared


def main(what: str) -> None:
    text = mistakes() if what == "mistakes" else table(what)
    put(DOCS / "importance.md", "measured", {what: text})


# The paper's table


def table(dataset: str) -> str:
    rows = ["| | K | NLL | active units | ELBO |", "|---|---|---|---|---|"]
    for bound, samples in ROWS:
        found = [measured(dataset, bound, samples, seed) for seed in SEEDS[samples]]
        name = "VAE" if bound == "elbo" else "IWAE"
        cells = [name, str(samples)]
        for number, form in (("nll", ".2f"), ("active_units", ".0f"), ("elbo", ".2f")):
            cells.append(spread([result[number] for result in found], form))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def spread(values: list[float], form: str) -> str:
    """The mean of several seeds and their standard deviation; of one seed, the number."""
    mean = f"{np.mean(values):{form}}"
    return f"{mean} ± {np.std(values, ddof=1):{form}}" if len(values) > 1 else mean


def measured(dataset: str, bound: str, samples: int, seed: int) -> dict[str, Any]:
    """What ``evaluate`` finds, after as much training as is missing."""
    run = RUNS / f"{dataset}-{bound}-{samples}-{seed}"
    if not (run / "checkpoint.npz").exists():
        call(
            f"train --dataset {dataset} --reconstruction bce --binarize --hidden 200 200 "
            f"{SETTINGS[dataset]} --importance-samples {samples} --bound {bound} --seed {seed} "
            f"--out {run}"
        )
    elif len((kept := load_checkpoint(run)).history) < kept.config.epochs:
        call(f"train --out {run} --resume")
    if not (run / "evaluation.json").exists():
        call(
            f"evaluate {run} --importance-samples {EVALUATED} --n {IMAGES} "
            f"--json {run}/evaluation.json"
        )
    found: dict[str, Any] = json.loads((run / "evaluation.json").read_text())
    return found


def call(line: str) -> None:
    print(f"$ numpyvae {line}", flush=True)
    if status := numpyvae(shlex.split(line)):
        raise SystemExit(status)


# The mistakes


def mistakes() -> str:
    right = [trained(None, seed)[1] for seed in (0, 1, 2)]
    rows = [
        "| mistake | bound shown | true bound | seen in |",
        "|---|---|---|---|",
        f"| none; three seeds | | {', '.join(f'{bound:.2f}' for bound in right)} | |",
    ]
    for error in IMPORTANCE_ERRORS:
        shown, true, run = trained(error)
        rows.append(f"| {error.name} | {shown:.2f} | {true:.2f} | {seen_in(error, run)} |")
        print(rows[-1], flush=True)
    return "\n".join(rows)


def trained(error: DeliberateError | None, seed: int = 0) -> tuple[float, float, Run]:
    """The last validation loss as the program shows it, as right code measures it, and the run."""
    run = Run.start(Config(**MISTAKES, seed=seed), DATA.image_shape)
    trainer = numpy_trainer(run, DATA)

    def learn() -> float:
        for _ in range(run.config.epochs):
            trainer.train_epoch(lambda _: None)
        return trainer.validate()["loss"]

    if error is None:
        return learn(), trainer.validate()["loss"], run
    with error.applied():
        shown = learn()
    return shown, trainer.validate()["loss"], run


def seen_in(error: DeliberateError, run: Run) -> str:
    """Which checks notice, on the network that the mistake has trained, in float64."""
    vae, rng = run.vae.astype(np.float64), np.random.default_rng(1)
    x = as_floats(DATA.test_images[:CHECKED], np.float64)
    eps = rng.standard_normal((CHECKED * MISTAKES["importance_samples"], vae.z_dim))
    with error.applied():
        rows = gradcheck(vae, x, eps, 1.0, rng)
    wrong = [row for row in rows if not row.comparison.agrees]
    checks = {
        "losses": any(not row.comparison.numpy.shape for row in wrong),
        "gradients": any(row.comparison.numpy.shape for row in wrong),
        "differences": any(row.differences and not row.differences.agrees for row in rows),
    }
    return ", ".join(check for check, noticed in checks.items() if noticed)


if __name__ == "__main__":
    main(*sys.argv[1:])
