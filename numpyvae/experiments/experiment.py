"""The article's claims, redone: every experiment trains, measures, draws, and says what held.

All experiments on a data set share a folder. It holds their runs, in ``runs``, and a folder for
each experiment with its pictures, ``results.csv`` with all numbers, ``experiment.json`` with the
settings, and ``report.md``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..data.files import StrPath, make_folder, write_text
from ..errors import InputError
from ..evaluation.classifier import label_features
from ..evaluation.latent import reconstruct
from ..evaluation.likelihood import USED, check_at_least
from ..evaluation.samples import NEIGHBOURS, held_out, median_distance
from ..functional import Array
from ..training.chance import Stream
from ..training.checkpoint import CHECKPOINT, load_checkpoint
from ..training.config import Config
from ..training.folder import sample_latents, samples_path
from ..training.run import Run
from .claims import AUTOENCODER, VAE
from .jobs import MakeWorkers
from .measurement import Row, edges, measure, random_codes, references
from .report import report
from .results import SETTINGS_FILE, Results, write_results
from .runs import run_path, threads, train_all
from .statistics import check_scipy

BETAS = (0.1, 0.3, 1.0, 3.0, 10.0)
LATENT_DIMS = (2, 20, 50, 100)
SHOWN = 10  # images in a row
RECONSTRUCTIONS = "Test images and their reconstructions, each from a sample of q(z|x)"
SAMPLES = "New images, decoded from samples of the prior N(0, I)"


@dataclass(frozen=True)
class Drawn:
    """What pictures are made of, by setting: the first seed's run, and of every seed its history
    and the KL divergence of its units."""

    runs: dict[str, Run]
    histories: dict[str, list[list[dict[str, float]]]]
    unit_kls: dict[str, list[Array]]


def generation(
    config: Config,
    data: Dataset,
    out: StrPath,
    seeds: int | None = None,
    progress: bool = False,
    workers: MakeWorkers | None = None,
) -> Results:
    """Reconstruction against generation: one network as a plain autoencoder and as a VAE.

    The autoencoder's samples are decoded from Gaussians fitted to each dimension of the test
    images' codes, the VAE's from the prior.

    Args:
        config: the VAE's settings; the autoencoder has ``noise=False`` and ``beta=0`` instead.
            Its seed is the first.
        data: the images.
        out: the folder of all experiments on these images. Runs in it are used or finished, not
            repeated.
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
    settings = {AUTOENCODER: replace(config, noise=False, beta=0.0), VAE: config}
    folders = {AUTOENCODER: "autoencoder", VAE: "vae"}
    return _experiment(
        "generation",
        config,
        settings,
        folders,
        data,
        out,
        seeds,
        progress,
        workers,
        _draw_generation,
    )


def beta(
    config: Config,
    data: Dataset,
    out: StrPath,
    values: Sequence[float] = BETAS,
    seeds: int | None = None,
    progress: bool = False,
    workers: MakeWorkers | None = None,
) -> Results:
    """The trade-off of quality and diversity: VAEs with different weights of the KL divergence.

    Arguments and errors are those of ``generation``; ``values`` takes the place of
    ``config.beta``.
    """
    values = [float(value) for value in values]
    return _sweep("beta", "beta", config, data, out, values, seeds, progress, workers)


def latent_dim(
    config: Config,
    data: Dataset,
    out: StrPath,
    values: Sequence[int] = LATENT_DIMS,
    seeds: int | None = None,
    progress: bool = False,
    workers: MakeWorkers | None = None,
) -> Results:
    """VAEs with latent spaces of different sizes.

    Arguments and errors are those of ``generation``; ``values`` takes the place of
    ``config.z_dim``.
    """
    return _sweep("latent-dim", "z_dim", config, data, out, values, seeds, progress, workers)


def _sweep(
    experiment: str,
    setting: str,
    config: Config,
    data: Dataset,
    out: StrPath,
    values: Sequence[float],
    seeds: int | None,
    progress: bool,
    workers: MakeWorkers | None,
) -> Results:
    if len(values) == 0 or len(set(values)) < len(values):
        raise InputError(f"give at least one value of {setting}, each once, not {list(values)}")

    def changed(value: Any) -> Config:
        return replace(config, **{setting: value})

    base = changed(getattr(Config(), setting))
    settings = {_name(value): changed(value) for value in sorted(values)}
    folders = {
        name: "vae" if of == base else f"{setting.replace('_', '-')}-{name}"
        for name, of in settings.items()
    }
    return _experiment(
        experiment, base, settings, folders, data, out, seeds, progress, workers, _draw_sweep
    )


def _name(value: float) -> str:
    return np.format_float_positional(value, trim="-") if type(value) is float else str(value)


def _experiment(
    experiment: str,
    config: Config,
    settings: Mapping[str, Config],
    folders: Mapping[str, str],
    data: Dataset,
    out: StrPath,
    seeds: int | None,
    progress: bool,
    workers: MakeWorkers | None,
    draw: Callable[[Results, Drawn, Dataset, Path], None],
) -> Results:
    """Trains what is not trained yet, measures all of it, draws, and writes the report."""
    seeds = seeds if seeds is not None else 5 if config.dataset == "digits" else 3
    _check(config, data, Path(out), seeds)
    runs, folder = Path(out) / "runs", make_folder(Path(out) / experiment)
    each = range(config.seed, config.seed + seeds)
    train_all(
        {folders[name]: of for name, of in settings.items()}, each, data, runs, progress, workers
    )

    features = label_features(data)
    measured: dict[str, list[Row]] = {name: [] for name in settings}
    drawn = Drawn({}, {name: [] for name in settings}, {name: [] for name in settings})
    known: dict[str, list[Row]] = {}
    for seed in each:
        for name in settings:
            path = run_path(runs, folders[name], seed)
            run = load_checkpoint(path)
            row, unit_kl = measure(run, data, features, path)
            measured[name].append(row)
            drawn.runs.setdefault(name, run)
            drawn.histories[name].append(run.history)
            drawn.unit_kls[name].append(unit_kl)
        for name, row in references(data, seed, features).items():
            known.setdefault(name, []).append(row)
        if progress:
            print(f"seed {seed} is measured", flush=True)
    results = Results(experiment, config, list(each), threads(runs), measured, known)
    draw(results, drawn, data, folder)
    write_results(results, folder)
    write_text(folder / "report.md", report(results))
    return results


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


def _draw_generation(results: Results, drawn: Drawn, data: Dataset, folder: Path) -> None:
    from ..figures.experiments import compare, training
    from ..figures.images import evolution, image_panels, image_rows

    autoencoder, vae = drawn.runs[AUTOENCODER], drawn.runs[VAE]
    test = as_floats(data.test_images[:64])
    rng = Stream.EXPERIMENT_PICTURES.generator(results.config.seed)
    panels = [
        ("Test images", test),
        (
            "Autoencoder: codes from fitted Gaussians",
            autoencoder.vae.decode(random_codes(autoencoder, data)(len(test), rng)),
        ),
        ("VAE: codes from the prior N(0, I)", vae.vae.sample(len(test), rng)),
    ]
    eight = [(title, images, 8) for title, images in panels]
    image_panels(eight, data.image_shape, folder / "samples.png")
    rows = [
        ("original", test[:SHOWN]),
        ("autoencoder", reconstruct(autoencoder.vae, test[:SHOWN])),
        ("VAE", _reconstructed(vae, test[:SHOWN])),
        ("VAE, at the\nmean of q", reconstruct(vae.vae, test[:SHOWN])),
    ]
    image_rows([(RECONSTRUCTIONS, rows)], data.image_shape, folder / "reconstructions.png")
    compare(results.measured, folder / "measures.png")
    training(drawn.histories[VAE], folder / "training.png")
    run_folder = run_path(folder.parent / "runs", "vae", results.config.seed)
    grids = {epoch: samples_path(run_folder, epoch) for epoch in range(1, vae.config.epochs + 1)}
    evolution(grids, data.image_shape, folder / "evolution.png")


def _draw_sweep(results: Results, drawn: Drawn, data: Dataset, folder: Path) -> None:
    from ..figures.experiments import monitors, sweep, unit_kls
    from ..figures.images import image_rows

    setting = "beta" if results.experiment == "beta" else "z_dim"
    sweep(
        setting, results.measured, results.references["training images"], folder / "trade-off.png"
    )
    unit_kls(setting, drawn.unit_kls, USED, folder / "units.png")
    monitors(setting, drawn.histories, folder / "monitors.png")
    test = as_floats(data.test_images[:SHOWN])
    labels = {name: f"{setting} {name}" for name in drawn.runs}
    rows = [("original", test)]
    rows += [(labels[name], _reconstructed(run, test)) for name, run in drawn.runs.items()]
    image_rows([(RECONSTRUCTIONS, rows)], data.image_shape, folder / "reconstructions.png")
    rows = [
        (labels[name], run.vae.decode(sample_latents(run.config, SHOWN)))
        for name, run in drawn.runs.items()
    ]
    image_rows([(SAMPLES, rows)], data.image_shape, folder / "samples.png")


def _reconstructed(run: Run, images: Array) -> Array:
    return reconstruct(run.vae, images, Stream.RECONSTRUCTIONS.generator(run.config.seed))
