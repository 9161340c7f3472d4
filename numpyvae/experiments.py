"""The article's claims, redone: every experiment trains, measures, draws, and says what held.

An experiment's folder holds its runs, one folder each as ``train`` leaves them, its pictures,
``results.csv`` with all numbers, ``report.md``, and ``experiment.json`` with the settings.
"""

import csv
import io
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations
from math import hypot, isnan, nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .checkpoint import CHECKPOINT, Run, load_checkpoint
from .config import Config
from .data import Dataset, as_floats
from .errors import InputError
from .evaluation import (
    MOST_HELD_OUT,
    SETS,
    Sampler,
    Samples,
    active_units,
    encode,
    held_out,
    measure_real,
    measure_samples,
    median_distance,
)
from .files import StrPath, make_folder, write_text
from .functional import Array, kl_divergence, squared_error
from .latent import reconstruct
from .training import sample_latents, train

BETAS = (0.1, 0.3, 1.0, 3.0, 10.0)
LATENT_DIMS = (2, 20, 50, 100)
SHOWN = 10  # images in a row

RECONSTRUCTIONS = "Test images and their reconstructions"
SAMPLES = "New images, decoded from samples of the prior N(0, I)"
NAMES = {  # of the columns of results.csv, as they head a report's table
    "squared_error": "squared error",
    "sharpness": "sharpness",
    "kl": "KL, nats",
    "active_units": "active units",
    "sample_distance": "sample distance",
    "deviation": "± between sets",
    "diversity": "diversity",
}


class Measurement(NamedTuple):
    """What a model does with the test images, decoded from their posterior means, and its samples.

    ``squared_error``: per image. ``sharpness``: the squared differences between neighbouring
    pixels of the reconstructions, relative to those of the originals. ``kl``: nats per image; nan
    where training had no noise, and so no use for the variance. ``active_units``: latent units
    whose posterior mean varies with the image.
    """

    squared_error: float
    sharpness: float
    kl: float
    active_units: int
    samples: Samples


# Experiments


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
    from . import figures

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
    rng = np.random.default_rng([config.seed, 5])
    panels = [
        ("Test images", test, 8),
        ("Autoencoder: codes from fitted Gaussians", fitted(len(test), rng), 8),
        ("VAE: codes from the prior N(0, I)", vae.vae.sample(len(test), rng), 8),
    ]
    figures.image_panels(panels, data.image_shape, folder / "samples.png")
    rows = [
        ("original", test[:SHOWN]),
        ("autoencoder", reconstruct(autoencoder.vae, test[:SHOWN])),
        ("VAE", reconstruct(vae.vae, test[:SHOWN])),
    ]
    figures.image_rows([(RECONSTRUCTIONS, rows)], data.image_shape, folder / "reconstructions.png")

    findings = generation_findings(results, real)
    pictures = ("samples.png", "reconstructions.png")
    _keep("generation", "model", config, results, real, findings, pictures, folder)
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
    from . import figures

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

    columns = [_row(measurement) for measurement in results.values()]
    measured = {name: [row[name] for row in columns] for name in columns[0]}
    floor = (real.distance, real.deviation)
    figures.sweep(setting, list(results), measured, floor, folder / "trade-off.png")
    test = as_floats(data.test_images[:SHOWN])
    labels = {value: f"{setting} {value:g}" for value in runs}
    rows = [(labels[value], reconstruct(run.vae, test)) for value, run in runs.items()]
    figures.image_rows(
        [(RECONSTRUCTIONS, [("original", test), *rows])],
        data.image_shape,
        folder / "reconstructions.png",
    )
    rows = [
        (labels[value], run.vae.decode(sample_latents(run.config, SHOWN)))
        for value, run in runs.items()
    ]
    figures.image_rows([(SAMPLES, rows)], data.image_shape, folder / "samples.png")

    pictures = ("trade-off.png", "reconstructions.png", "samples.png")
    _keep(experiment, setting, base, results, real, findings(results, real), pictures, folder)
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
        try:
            old = dict(json.loads(path.read_bytes()))
        except (TypeError, ValueError) as error:
            raise InputError(f"{path} is damaged: {error}") from error
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


# Measurements


def measure(run: Run, data: Dataset, sample: Sampler) -> Measurement:
    """Measures a trained model on the test images, and what ``sample`` draws from it."""
    x = as_floats(data.test_images, run.vae.dtype)
    mean, log_var = encode(run.vae, x)
    y = run.vae.decode(mean)
    return Measurement(
        squared_error=float(squared_error(y, x).mean(dtype=np.float64)),
        sharpness=edges(y, data.image_shape) / edges(x, data.image_shape),
        kl=float(kl_divergence(mean, log_var).mean(dtype=np.float64)) if run.config.noise else nan,
        active_units=active_units(mean),
        samples=measure_samples(sample, data, run.config.seed),
    )


def edges(images: Array, image_shape: tuple[int, int]) -> float:
    """The squared differences between neighbouring pixels, across and down, summed over all."""
    pixels = images.reshape(-1, *image_shape)
    return float(sum(np.sum(np.diff(pixels, axis=axis) ** 2, dtype=np.float64) for axis in (1, 2)))


def fitted_sampler(run: Run, data: Dataset) -> Sampler:
    """Decodes codes from Gaussians with the mean and deviation of each dimension of test codes."""
    codes, _ = encode(run.vae, data.test_images)
    mean, deviation = codes.mean(axis=0), codes.std(axis=0)

    def sample(n: int, rng: np.random.Generator) -> Array:
        return run.vae.decode(mean + deviation * rng.standard_normal((n, len(mean)), codes.dtype))

    return sample


# Findings: what the numbers say of the article's claims


def generation_findings(results: Mapping[str, Measurement], real: Samples) -> list[str]:
    """Each claim about autoencoder and VAE, whether it held, and the numbers behind that."""
    autoencoder, vae = results["autoencoder"], results["VAE"]
    a, v = autoencoder.samples, vae.samples
    sure = abs(a.distance - v.distance) > _noise(a, v)
    return [
        _finding(
            "Held" if autoencoder.squared_error < vae.squared_error else "Did not hold",
            "The autoencoder reconstructs better.",
            f"Squared error per image: autoencoder {autoencoder.squared_error:.2f}, "
            f"VAE {vae.squared_error:.2f}.",
        ),
        _finding(
            "Undecided" if not sure else "Held" if a.distance > v.distance else "Did not hold",
            "The VAE generates better: its samples are closer to real images.",
            f"Sample distance: autoencoder {_distance(a)}, VAE {_distance(v)}.",
        ),
        _finding("Seen", "", _floor("The VAE's samples", v, real)),
    ]


def beta_findings(results: Mapping[float, Measurement], real: Samples) -> list[str]:
    """Each claim about beta, whether it held, and the numbers behind that."""
    findings = [
        _trend("More beta, blurrier reconstructions.", "sharpness", "falls", "beta", results),
        _trend("More beta, less accurate ones.", "squared_error", "rises", "beta", results),
        _trend("More beta, more diverse samples.", "diversity", "rises", "beta", results),
    ]
    best = min(results, key=lambda value: results[value].samples.distance)
    samples = {value: measurement.samples for value, measurement in results.items()}
    if len(results) > 2:
        ends = [samples[end] for end in (min(results), max(results))]
        if best in (min(results), max(results)):
            verdict = "Did not hold"
        elif all(s.distance - samples[best].distance > _noise(s, samples[best]) for s in ends):
            verdict = "Held"
        else:
            verdict = "Undecided"
        numbers = ", ".join(f"{_distance(s)} at {value:g}" for value, s in samples.items())
        claim = "Between too little and too much beta there is a best one for generation."
        findings.append(_finding(verdict, claim, f"Sample distance by beta: {numbers}."))
    collapsed = [f"{value:g}" for value, one in results.items() if one.active_units == 0]
    if collapsed:
        text = f"At beta {', '.join(collapsed)} no latent unit is active: the decoder ignores z."
        findings.append(_finding("Seen", "", text))
    findings.append(
        _finding(
            "Seen", "", _floor(f"The samples of beta {best:g}, the closest,", samples[best], real)
        )
    )
    return findings


def latent_dim_findings(results: Mapping[float, Measurement], real: Samples) -> list[str]:
    """Each claim about the number of latent units, whether it held, and the numbers behind that."""
    largest = max(results)
    best = min(results, key=lambda value: results[value].samples.distance)
    return [
        _trend(
            "More latent units are more expressive: they reconstruct better.",
            *("squared_error", "falls", "z_dim", results),
        ),
        _trend(
            "More latent units are harder to regularize: their samples are further from real ones.",
            *("sample_distance", "rises", "z_dim", results),
        ),
        _finding("Seen", "", f"Of {largest:g} units {results[largest].active_units} are active."),
        _finding(
            "Seen",
            "",
            _floor(f"The samples of z_dim {best:g}, the closest,", results[best].samples, real),
        ),
    ]


def trend(values: Sequence[float], deviations: Sequence[float]) -> str:
    """What a row of numbers does; differences within noise (twice their deviation) do not count.

    ``"rises"``, ``"falls"``: from the first to the last, and never the other way between any two.
    ``"mostly rises"``, ``"mostly falls"``: not so, but all others lie between the first and last.
    ``"goes both ways"``: neither. ``"has no clear trend"``: too little of it is more than noise.
    """

    def change(i: int, j: int) -> int:
        difference, noise = values[j] - values[i], 2 * hypot(deviations[i], deviations[j])
        return 0 if abs(difference) <= noise else 1 if difference > 0 else -1

    last = len(values) - 1
    whole = change(0, last)
    changes = {change(i, j) for i, j in combinations(range(len(values)), 2)} - {0}
    between = all(-whole not in (change(0, i), change(i, last)) for i in range(len(values)))
    if whole and between:
        return ("" if changes == {whole} else "mostly ") + ("rises" if whole > 0 else "falls")
    return "goes both ways" if len(changes) == 2 else "has no clear trend"


def _trend(
    claim: str, name: str, expected: str, setting: str, results: Mapping[float, Measurement]
) -> str:
    """The finding on a claim that a number rises or falls with a setting."""
    numbers = [_row(measurement)[name] for measurement in results.values()]
    samples = [measurement.samples for measurement in results.values()]
    if name == "sample_distance":
        found = trend(numbers, [one.deviation for one in samples])
        shown = [_distance(one) for one in samples]
    else:
        found = trend(numbers, [0.0] * len(numbers))
        shown = [f"{number:.4g}" for number in numbers]
    if found == expected:
        verdict = "Held"
    elif found.endswith(expected):
        verdict = "Held on the whole, not at every step"
    else:
        verdict = "Undecided" if found == "has no clear trend" else "Did not hold"
    listed = ", ".join(f"{x} at {value:g}" for x, value in zip(shown, results, strict=True))
    return _finding(verdict, claim, f"The {NAMES[name]} {found} with {setting}: {listed}.")


def _floor(what: str, samples: Samples, real: Samples) -> str:
    """How far samples stay from what a perfect generator would reach."""
    found = "cannot" if samples.distance - real.distance <= _noise(samples, real) else "can"
    return (
        f"{what} are at {_distance(samples)}, training images at {_distance(real)}: "
        f"this distance {found} tell them apart."
    )


def _finding(verdict: str, claim: str, numbers: str) -> str:
    return " ".join(part for part in (f"**{verdict}.**", claim, numbers) if part)


def _noise(a: Samples, b: Samples) -> float:
    """Sample distances that differ by less than this may be the same."""
    return 2 * hypot(a.deviation, b.deviation)


def _distance(samples: Samples) -> str:
    return f"{samples.distance:.4f} ± {samples.deviation:.4f}"


# What an experiment leaves behind


def _row(measurement: Measurement) -> dict[str, float]:
    values = (*measurement[:-1], *measurement.samples)
    return dict(zip(NAMES, values, strict=True))


def _keep(
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
        writer.writerow([key, *("" if isnan(x) else x for x in _row(measurement).values())])
    write_text(folder / "results.csv", text.getvalue())

    values = list(results) if setting != "model" else []
    table = [
        f"| {' | '.join([setting, *NAMES.values()])} |",
        f"|{'---|' * (1 + len(NAMES))}",
        *(
            f"| {' | '.join([str(key), *map(_cell, _row(measurement).values())])} |"
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
