"""The article's claims, redone: every experiment trains, measures, draws, and says what held.

An experiment's folder holds its runs, one folder each as ``train`` leaves them, its pictures,
``results.csv`` with all numbers, ``report.md``, and ``experiment.json`` with the settings.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset, as_floats
from ..data.files import StrPath, make_folder, reading, write_text
from ..errors import InputError
from ..evaluation.latent import reconstruct
from ..evaluation.samples import Samples, held_out, measure_real, median_distance
from ..training.chance import Stream
from ..training.checkpoint import CHECKPOINT, load_checkpoint
from ..training.config import Config
from ..training.folder import sample_latents
from ..training.loop import train
from ..training.run import Run
from .findings import beta_findings, generation_findings, latent_dim_findings
from .measurement import Measurement, edges, fitted_sampler, measure, row
from .report import keep

BETAS = (0.1, 0.3, 1.0, 3.0, 10.0)
LATENT_DIMS = (2, 20, 50, 100)
SHOWN = 10  # images in a row
RECONSTRUCTIONS = "Test images and their reconstructions"
SAMPLES = "New images, decoded from samples of the prior N(0, I)"


def generation(
    config: Config, data: Dataset, out: StrPath, progress: bool = False
) -> dict[str, Measurement]:
    """Reconstruction against generation: one network as a plain autoencoder and as a VAE.

    The autoencoder's samples are decoded from Gaussians fitted to each dimension of the test
    images' codes, the VAE's from the prior.

    Args:
        config: the VAE's settings; the autoencoder has ``noise=False`` and ``beta=0`` instead.
        data: the images.
        out: the experiment's folder. Runs in it are used or finished, not repeated.
        progress: show the training.

    Returns:
        The measurements of ``"autoencoder"`` and ``"VAE"``.

    Raises:
        InputError: ``out`` holds an experiment with other settings, or the test images are too
            few or too much alike to compare samples with.
        LossNotFiniteError, KeyboardInterrupt: as ``train`` does; called again, it goes on.
    """
    from ..figures.images import image_panels, image_rows

    folder = _open("generation", config, data, out)
    autoencoder = _run(
        replace(config, noise=False, beta=0.0), data, folder / "autoencoder", progress
    )
    vae = _run(config, data, folder / "vae", progress)
    fitted = fitted_sampler(autoencoder, data)
    real = measure_real(data, config.seed)
    results = {
        "autoencoder": measure(autoencoder, data, fitted),
        "VAE": measure(vae, data, vae.vae.sample),
    }

    test = as_floats(data.test_images[:64])
    rng = Stream.EXPERIMENT_PICTURES.generator(config.seed)
    panels = [
        ("Test images", test, 8),
        ("Autoencoder: codes from fitted Gaussians", fitted(len(test), rng), 8),
        ("VAE: codes from the prior N(0, I)", vae.vae.sample(len(test), rng), 8),
    ]
    image_panels(panels, data.image_shape, folder / "samples.png")
    rows = [
        ("original", test[:SHOWN]),
        ("autoencoder", reconstruct(autoencoder.vae, test[:SHOWN])),
        ("VAE", reconstruct(vae.vae, test[:SHOWN])),
    ]
    image_rows([(RECONSTRUCTIONS, rows)], data.image_shape, folder / "reconstructions.png")

    findings = generation_findings(results, real)
    pictures = ("samples.png", "reconstructions.png")
    keep("generation", "model", config, results, real, findings, pictures, folder)
    return results


def beta(
    config: Config,
    data: Dataset,
    out: StrPath,
    values: Sequence[float] = BETAS,
    progress: bool = False,
) -> dict[float, Measurement]:
    """The trade-off of quality and diversity: VAEs with different weights of the KL divergence.

    Arguments and errors are those of ``generation``; ``values`` takes the place of
    ``config.beta``. Returns the measurements by value, the smallest first.
    """
    return _sweep("beta", "beta", config, data, out, values, beta_findings, progress)


def latent_dim(
    config: Config,
    data: Dataset,
    out: StrPath,
    values: Sequence[int] = LATENT_DIMS,
    progress: bool = False,
) -> dict[float, Measurement]:
    """VAEs with latent spaces of different sizes.

    Arguments and errors are those of ``generation``; ``values`` takes the place of
    ``config.z_dim``. Returns the measurements by value, the smallest first.
    """
    return _sweep("latent-dim", "z_dim", config, data, out, values, latent_dim_findings, progress)


def _sweep(
    experiment: str,
    setting: str,
    config: Config,
    data: Dataset,
    out: StrPath,
    values: Sequence[float],
    findings: Callable[[Mapping[float, Measurement], Samples], list[str]],
    progress: bool,
) -> dict[float, Measurement]:
    from ..figures.curves import sweep
    from ..figures.images import image_rows

    if len(values) == 0 or len(set(values)) < len(values):
        raise InputError(f"give at least one value of {setting}, each once, not {list(values)}")

    def changed(value: Any) -> Config:
        return replace(config, **{setting: value})

    configs = {value: changed(value) for value in sorted(values)}
    base = changed(getattr(Config(), setting))
    folder = _open(experiment, base, data, out)
    runs = {
        value: _run(
            configs[value], data, folder / f"{setting.replace('_', '-')}-{value:g}", progress
        )
        for value in configs
    }
    real = measure_real(data, config.seed)
    results = {value: measure(run, data, run.vae.sample) for value, run in runs.items()}

    rows_of = [row(measurement) for measurement in results.values()]
    measured = {name: [one[name] for one in rows_of] for name in rows_of[0]}
    floor = (real.distance, real.deviation)
    sweep(setting, list(results), measured, floor, folder / "trade-off.png")
    test = as_floats(data.test_images[:SHOWN])
    labels = {value: f"{setting} {value:g}" for value in runs}
    rows = [(labels[value], reconstruct(run.vae, test)) for value, run in runs.items()]
    image_rows(
        [(RECONSTRUCTIONS, [("original", test), *rows])],
        data.image_shape,
        folder / "reconstructions.png",
    )
    rows = [
        (labels[value], run.vae.decode(sample_latents(run.config, SHOWN)))
        for value, run in runs.items()
    ]
    image_rows([(SAMPLES, rows)], data.image_shape, folder / "samples.png")

    pictures = ("trade-off.png", "reconstructions.png", "samples.png")
    keep(experiment, setting, base, results, real, findings(results, real), pictures, folder)
    return results


def _open(experiment: str, config: Config, data: Dataset, out: StrPath) -> Path:
    """The folder of an experiment, after everything is checked that could stop it later."""
    if not config.noise:
        raise InputError("experiments are about VAEs: noise must be true")
    median_distance(held_out(data, config.seed))
    if edges(as_floats(data.test_images), data.image_shape) == 0:
        raise InputError(f"the test images of {data.name} have no edges that could be blurred")
    folder = Path(out)
    if (folder / CHECKPOINT).exists():
        raise InputError(f"{folder} holds a run of numpyvae train: give another folder")
    settings = json.loads(json.dumps({"experiment": experiment, **asdict(config)}))
    path = folder / "experiment.json"
    if path.exists():
        with reading(path) as stream:
            old = json.load(stream)
        if not isinstance(old, dict):
            raise InputError(f"{path} is damaged: it does not hold settings by name")
        changed = [
            f"{k} {old.get(k)}, not {settings[k]}" for k in settings if old.get(k) != settings[k]
        ]
        if changed:
            raise InputError(f"the experiment in {folder} has {'; '.join(changed)}")
    make_folder(folder)
    write_text(path, json.dumps(settings, indent=2) + "\n")
    return folder


def _run(config: Config, data: Dataset, folder: Path, progress: bool) -> Run:
    """The run in ``folder``: as it is if it is finished, else trained to its end."""
    begun = (folder / CHECKPOINT).exists()
    if begun:
        run = load_checkpoint(folder)
        finished = len(run.history) == config.epochs and run.image_shape == data.image_shape
        if run.config == config and finished:
            return run
    if progress:
        print(f"{folder}:")
    return train(config, data, folder, resume=begun, progress=progress)
