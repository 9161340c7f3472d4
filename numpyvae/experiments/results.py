"""What an experiment found, as it is kept: experiment.json and results.csv."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isnan, nan
from pathlib import Path

from ..data.files import reading, write_text
from ..errors import InputError
from ..evaluation.measurement import MEASURES, OF_SETS, SAMPLED, Row
from ..training.config import Config
from .catalogue import EXPERIMENTS, Experiment
from .claims import Finding, judge
from .runs import THREADS

MEASURED = (*MEASURES, *(OF_SETS + name for name in SAMPLED))
SETTINGS_FILE, RESULTS_FILE, REPORT = "experiment.json", "results.csv", "report.md"


@dataclass(frozen=True)
class Results:
    """``measured`` holds a row per seed for every setting, ``references`` for known samples.

    ``config`` is that of the VAE, with the first seed; ``threads`` are the numbers of BLAS threads
    that the runs were trained with.
    """

    experiment: Experiment
    config: Config
    seeds: list[int]
    threads: list[int]
    measured: dict[str, list[Row]]
    references: dict[str, list[Row]]

    def findings(self) -> list[Finding]:
        """What came of each of the experiment's claims."""
        return judge(self.experiment.claims(self.config, list(self.measured)), self.measured)


def files_of(experiment: Experiment) -> tuple[str, ...]:
    """The names of all files in its folder."""
    return SETTINGS_FILE, RESULTS_FILE, REPORT, *experiment.pictures


def is_of_experiment(path: Path) -> bool:
    """Whether an experiment keeps this file: nobody else writes it."""
    known = {name for experiment in EXPERIMENTS.values() for name in files_of(experiment)}
    name = path.name.lower()
    if name == THREADS:
        return path.exists()
    return name in known and (path.parent / SETTINGS_FILE).exists()


def write_results(results: Results, folder: Path) -> None:
    settings = {
        "experiment": results.experiment.name,
        "config": asdict(results.config),
        "seeds": results.seeds,
        "threads": results.threads,
        "settings": list(results.measured),
    }
    write_text(folder / SETTINGS_FILE, json.dumps(settings, indent=2) + "\n")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["setting", "seed", *MEASURED])
    for name, rows in (results.measured | results.references).items():
        for seed, row in zip(results.seeds, rows, strict=True):
            cells = ["" if isnan(x := row.get(column, nan)) else repr(x) for column in MEASURED]
            writer.writerow([name, seed, *cells])
    write_text(folder / RESULTS_FILE, text.getvalue())


def read_results(folder: Path) -> Results:
    """What ``write_results`` wrote.

    Raises:
        InputError: a file is missing or damaged.
    """
    try:
        with reading(folder / SETTINGS_FILE) as file:
            settings = json.load(file)
        rows: dict[str, list[Row]] = {}
        with reading(folder / RESULTS_FILE) as file:
            text = file.read().decode()
        for cells in csv.DictReader(io.StringIO(text, newline="")):
            row = {name: float(cells[name] or nan) for name in MEASURED}
            rows.setdefault(cells["setting"], []).append(row)
        names: Sequence[str] = settings["settings"]
        return Results(
            EXPERIMENTS[settings["experiment"]],
            Config.from_json(settings["config"]),
            settings["seeds"],
            settings["threads"],
            {name: rows.pop(name) for name in names},
            rows,
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder} holds no results of an experiment: {error}") from error
