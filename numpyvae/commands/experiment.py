"""``numpyvae experiment``: a command below it for each experiment."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..experiments.catalogue import EXPERIMENTS
from ..experiments.experiment import redo
from ..experiments.jobs import dask_cluster, processes
from ..experiments.statistics import check_scipy
from ..training.config import Config
from .arguments import (
    add_data_arguments,
    add_image_size_argument,
    add_quiet_argument,
    add_settings,
    add_threads_argument,
    limited,
    load_new_data,
)

DESCRIPTION = """\
Train what a claim of the article is about, several times with different seeds, and leave pictures,
results.csv and report.md. Runs in the folder are used or finished, not repeated.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    experiments = parser.add_subparsers(title="experiments", metavar="EXPERIMENT", required=True)
    for name, experiment in EXPERIMENTS.items():
        description = f"Train, measure and report: {experiment.help}."
        command = experiments.add_parser(name, help=experiment.help, description=description)
        if experiment.values:
            command.add_argument(
                "--values",
                type=type(experiment.values[0]),
                nargs="+",
                metavar="X",
                help="default " + " ".join(f"{value:g}" for value in experiment.values),
            )
        add_data_arguments(command)
        add_image_size_argument(command)
        add_settings(command, "epochs", "seed")
        command.add_argument(
            "--seeds",
            type=int,
            metavar="N",
            help="trainings of every setting, --seed being the first (default 3; digits 5)",
        )
        command.add_argument(
            "--out",
            type=Path,
            metavar="DIR",
            help="folder of all experiments on the data set (default: runs/experiments-NAME)",
        )
        where = command.add_mutually_exclusive_group()
        where.add_argument(
            "--jobs",
            type=int,
            metavar="N",
            help="train so many models at once, each in a process of its own (default: one after "
            "the other, in this one)",
        )
        where.add_argument(
            "--cluster",
            metavar="ADDRESS",
            help="train on the workers of a Dask scheduler, such as tcp://HOST:8786",
        )
        add_threads_argument(
            command, "all cores; with --jobs each model's share of them, with --cluster 1"
        )
        add_quiet_argument(command, "the path of the report")
        command.set_defaults(name=name, prog=command.prog)


def run(
    name: str,
    dataset: str | None,
    data_dir: str | None,
    image_size: Sequence[int] | None,
    seeds: int | None,
    out: Path | None,
    jobs: int | None,
    cluster: str | None,
    threads: int | None,
    quiet: bool,
    values: list[float] | None = None,
    **settings: Any,
) -> None:
    if dataset is not None:
        settings["dataset"] = dataset
    config = Config(**settings)
    check_scipy()  # which brings a BLAS of its own, for --threads to limit
    workers = None
    if jobs is not None:
        workers = processes(jobs, threads)
    if cluster is not None:
        workers = dask_cluster(cluster, threads)
    data = load_new_data(config, data_dir, image_size)
    out = out or Path("runs") / f"experiments-{Path(config.dataset).stem}"
    try:
        with limited(threads):
            redo(EXPERIMENTS[name], config, data, out, values, seeds, not quiet, workers)
    except KeyboardInterrupt as stop:
        message = str(stop) or "interrupted"
        raise KeyboardInterrupt(f"{message}; the same command goes on from there") from None
    report = out / name / "report.md"
    print(report if quiet else f"The report is {report}.")
