"""What an experiment leaves behind: results.csv and report.md."""

import csv
import io
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan, nan
from pathlib import Path
from typing import Any

from ..data.files import write_text
from ..evaluation.samples import (
    MOST_HELD_OUT,
    SETS,
    Samples,
)
from ..training.config import Config
from .measurement import NAMES, Measurement, row


def keep(
    experiment: str,
    setting: str,
    config: Config,
    results: Mapping[Any, Measurement],
    real: Samples,
    findings: Sequence[str],
    pictures: Sequence[str],
    folder: Path,
) -> None:
    """Writes ``results.csv`` and ``report.md``."""
    floor = Measurement(nan, nan, nan, nan, real)  # type: ignore[arg-type]  # what has no meaning
    rows = {**results, "training images": floor}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([setting, *NAMES])
    for key, measurement in rows.items():
        writer.writerow([key, *("" if isnan(x) else x for x in row(measurement).values())])
    write_text(folder / "results.csv", text.getvalue())

    values = list(results) if setting != "model" else []
    table = [
        f"| {' | '.join([setting, *NAMES.values()])} |",
        f"|{'---|' * (1 + len(NAMES))}",
        *(
            f"| {' | '.join([str(key), *map(_cell, row(measurement).values())])} |"
            for key, measurement in rows.items()
        ),
    ]
    report = f"""# Experiment: {experiment} on {config.dataset}

Made by

    {_command(experiment, config, values)}

## What came of it

{chr(10).join(f"- {finding}" for finding in findings)}

{chr(10).join(table)}

{(chr(10) * 2).join(f"![{picture}]({picture})" for picture in pictures)}

## How it was measured

- Squared error, sharpness and KL are means over all test images, reconstructed from the mean of
  q(z|x), without noise. Sharpness is the sum of squared differences between neighbouring pixels,
  relative to the originals': 1 is as sharp, less is blurred.
- A latent unit is active where its posterior mean varies over the test images by more than 0.01.
- The sample distance is an unbiased estimate of the squared maximum mean discrepancy between
  samples and held-out test images (all, or {MOST_HELD_OUT} drawn at random), as many of each, with
  one kernel for all models. It is given as mean ± standard deviation over {SETS} sets of samples.
  The row of training images, measured in the same way, is its floor: what a perfect generator
  would reach. Differences of less than two standard deviations count as none.
- Diversity is the mean squared distance between two samples, relative to that between two
  held-out images. It does not ask whether samples look like anything; the sample distance does.
- Each model was trained once. Another seed moves all these numbers a little.
"""
    write_text(folder / "report.md", report)


def _cell(value: float) -> str:
    if isnan(value):
        return ""
    return f"{value:.4f}" if -1 < value < 1 and value != 0 else f"{value:.4g}"


def _command(experiment: str, config: Config, values: Sequence[float]) -> str:
    """The command, and settings that only a call from Python can change."""
    words = ["numpyvae", "experiment", experiment, "--dataset", config.dataset]
    words += ["--epochs", str(config.epochs), "--seed", str(config.seed)]
    words += ["--values", *(f"{value:g}" for value in values)] if values else []
    common = asdict(Config(config.dataset, config.epochs, seed=config.seed))
    changed = [f"{name}={x!r}" for name, x in asdict(config).items() if x != common[name]]
    return shlex.join(words) + (f"  # from Python, with {', '.join(changed)}" if changed else "")
