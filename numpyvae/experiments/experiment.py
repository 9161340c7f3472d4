"""The article's claims, redone: every experiment trains, measures, draws, and says what held.

All experiments on a data set share a folder. It holds their runs, in ``runs``, and a folder for
each experiment with its pictures, ``results.csv`` with all numbers, ``experiment.json`` with the
settings, and ``report.md``.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..convolutional import ConvolutionalAutoencoder
from ..data.dataset import Dataset, as_floats
from ..data.files import StrPath, check_free, make_folder, user_path, write_text
from ..errors import InputError, say
from ..evaluation.classifier import label_features
from ..evaluation.likelihood import check_at_least
from ..evaluation.measurement import edges, measure, references
from ..evaluation.samples import NEIGHBOURS, held_out, median_distance
from ..training.checkpoint import CHECKPOINT, load_checkpoint
from ..training.config import Config
from ..training.progress import print_line
from .catalogue import Experiment
from .claims import AUTOENCODER, CONVOLUTIONAL, VAE
from .drawing import Found
from .jobs import MakeWorkers
from .report import report
from .results import REPORT, SETTINGS_FILE, Results, files_of, write_results
from .runs import run_path, threads, train_all
from .statistics import check_scipy


def redo(
    experiment: Experiment,
    config: Config,
    data: Dataset,
    out: StrPath,
    values: Sequence[float] | None = None,
    seeds: int | None = None,
    progress: bool = False,
    workers: MakeWorkers | None = None,
) -> Results:
    """Trains what is not trained yet, measures all of it, draws, and writes the report.

    An autoencoder is a VAE with ``noise=False`` and ``beta=0``; beside it stands the article's
    convolutional one, where it takes images of this size, and otherwise a line says so. Their
    samples are decoded from Gaussians fitted to each dimension of the test images' codes, a VAE's
    from the prior.

    Args:
        experiment: which.
        config: the VAE's settings. Its seed is the first.
        data: the images.
        out: the folder of all experiments on these images. Runs in it are used or finished, not
            repeated.
        values: of the experiment's setting; by default the experiment's own.
        seeds: trainings of each setting; by default 5 on ``"digits"``, 3 elsewhere.
        progress: print a line for each run.
        workers: who trains, many runs at once: ``processes(2)``, ``dask_cluster("tcp://...")``;
            None trains here, one after the other.

    Raises:
        InputError: ``out`` holds runs with other settings, or is no folder of experiments; the
            images are too few or too much alike to compare samples with; SciPy is missing; there
            are no such workers.
        OSError: the workers were lost; called again, it goes on.
        LossNotFiniteError, KeyboardInterrupt: as ``train`` does; called again, it goes on.
    """
    if experiment.setting:  # the values take its place
        config = _changed(
            config, experiment.setting, getattr(Config(config.dataset), experiment.setting)
        )
    seeds = seeds if seeds is not None else 5 if config.dataset == "digits" else 3
    out = user_path(out)
    _check(config, data, out, seeds)
    settings = _settings(experiment, config, experiment.values if values is None else values, data)
    runs, folder = out / "runs", make_folder(out / experiment.name)
    each = range(config.seed, config.seed + seeds)
    prefix = f"{experiment.setting.replace('_', '-')}-" if experiment.setting else ""
    folders = {
        name: "vae" if of == config else prefix + name.replace(" ", "-")
        for name, of in settings.items()
    }
    models = {folders[name]: of for name, of in settings.items()}
    check_free(folder, files_of(experiment), SETTINGS_FILE)
    train_all(models, each, data, runs, progress, workers)

    features = label_features(data)
    found = Found(
        measured={name: [] for name in settings},
        histories={name: [] for name in settings},
        unit_kls={name: [] for name in settings},
        runs={},
        references={},
    )
    for seed in each:
        for name in settings:
            path = run_path(runs, folders[name], seed)
            run = load_checkpoint(path)
            row, unit_kl = measure(run, data, features, path)
            found.measured[name].append(row)
            found.histories[name].append(run.history)
            found.unit_kls[name].append(unit_kl)
            found.runs.setdefault(name, run)
        for name, row in references(data, seed, features).items():
            found.references.setdefault(name, []).append(row)
        if progress:
            print_line(f"seed {seed} is measured")
    results = Results(
        experiment, config, list(each), threads(runs), found.measured, found.references
    )
    write_results(results, folder)  # which make the folder ours: they come first
    experiment.draw(found, data, folder)
    write_text(folder / REPORT, report(results))
    return results


def _settings(
    experiment: Experiment, config: Config, values: Sequence[float], data: Dataset
) -> dict[str, Config]:
    """The settings of all models that are compared, by their names in reports."""
    name = experiment.setting
    if not name and values:
        raise InputError(f"the experiment {experiment.name} has no setting that takes values")
    if not name:
        autoencoder = replace(config, noise=False, beta=0.0)
        return {AUTOENCODER: autoencoder, **_convolutional(autoencoder, data), VAE: config}
    if len(values) == 0 or len(set(values)) < len(values):
        raise InputError(f"give at least one value of {name}, each once, not {list(values)}")
    models = [_changed(config, name, value) for value in sorted(values)]
    return {_shown(getattr(model, name)): model for model in models}


def _convolutional(autoencoder: Config, data: Dataset) -> dict[str, Config]:
    """The article's autoencoder, by its name, if it takes such images."""
    channels = ConvolutionalAutoencoder.defaults["hidden"]
    try:
        z_dim = ConvolutionalAutoencoder.code_size(data.image_shape, channels)
    except InputError as error:
        say(f"the experiment goes without the {CONVOLUTIONAL}: {error}")
        return {}
    convolutional: dict[str, Any] = {"network": "conv-autoencoder", "hidden": channels}
    return {CONVOLUTIONAL: replace(autoencoder, **convolutional, z_dim=z_dim)}


def _changed(config: Config, name: str, value: Any) -> Config:
    return replace(config, **{name: value})


def _shown(value: float) -> str:
    return np.format_float_positional(value, trim="-") if type(value) is float else str(value)


def _check(config: Config, data: Dataset, out: Path, seeds: int) -> None:
    """Everything that could stop an experiment later."""
    check_scipy()
    check_at_least(1, "seeds", seeds)
    if not config.noise:
        raise InputError("experiments are about VAEs: noise must be true")
    for images, kind, least in (
        (data.train_images, "training", NEIGHBOURS + 1),
        (data.test_images, "test", 2 * (NEIGHBOURS + 1)),  # halves of them are compared
    ):
        check_at_least(least, f"the number of {kind} images in {data.name}", len(images))
    median_distance(held_out(data, config.seed))
    if edges(as_floats(data.test_images), data.image_shape) == 0:
        raise InputError(f"the test images of {data.name} have no edges that could be blurred")
    if (out / CHECKPOINT).exists():
        raise InputError(f"{out} holds a run of numpyvae train: give another folder")
    if (out / SETTINGS_FILE).exists():
        raise InputError(f"{out} holds one experiment, of one seed: give another folder")
