"""The pictures of an experiment, by what it found."""

from dataclasses import dataclass
from pathlib import Path

from ..data.dataset import Dataset, as_floats
from ..evaluation.latent import reconstruct
from ..evaluation.likelihood import USED
from ..evaluation.measurement import Row, random_codes
from ..functional import Array
from ..training.chance import Stream
from ..training.pictures import sample_latents, samples_path
from ..training.run import Run
from .claims import VAE
from .runs import run_path

SHOWN = 10  # images in a row
RECONSTRUCTIONS = "Test images and their reconstructions, each from a sample of q(z|x)"
SAMPLES = "New images, decoded from samples of the prior N(0, I)"


@dataclass(frozen=True)
class Found:
    """What an experiment found: by setting, and of every seed, what was measured, the history and
    the KL divergence of each unit; the first seed's run; and what was measured of known samples."""

    measured: dict[str, list[Row]]
    histories: dict[str, list[list[dict[str, float]]]]
    unit_kls: dict[str, list[Array]]
    runs: dict[str, Run]
    references: dict[str, list[Row]]


def draw_generation(found: Found, data: Dataset, folder: Path) -> None:
    from ..figures.experiments import compare, training
    from ..figures.images import evolution, image_panels, image_rows

    vae = found.runs[VAE]
    autoencoders = {name: run for name, run in found.runs.items() if name != VAE}
    test = as_floats(data.test_images[:100])
    rng = Stream.EXPERIMENT_PICTURES.generator(vae.config.seed)
    panels = [("Test images", test)]
    panels += [
        (
            f"{name.capitalize()}:\ncodes from fitted Gaussians",
            run.vae.decode(random_codes(run, data)(len(test), rng)),
        )
        for name, run in autoencoders.items()
    ]
    panels.append(("VAE:\ncodes from the prior N(0, I)", vae.vae.sample(len(test), rng)))
    tens = [(title, images, 10) for title, images in panels]
    image_panels(tens, data.image_shape, folder / "samples.png")
    rows = [("original", test[:SHOWN])]
    rows += [
        (name.replace(" ", "\n"), reconstruct(run.vae, test[:SHOWN]))
        for name, run in autoencoders.items()
    ]
    rows += [
        ("VAE", _reconstructed(vae, test[:SHOWN])),
        ("VAE, at the\nmean of q", reconstruct(vae.vae, test[:SHOWN])),
    ]
    image_rows([(RECONSTRUCTIONS, rows)], data.image_shape, folder / "reconstructions.png")
    compare(found.measured, folder / "measures.png")
    training(found.histories[VAE], folder / "training.png")
    run_folder = run_path(folder.parent / "runs", "vae", vae.config.seed)
    grids = {epoch: samples_path(run_folder, epoch) for epoch in range(1, vae.config.epochs + 1)}
    evolution(grids, data.image_shape, folder / "evolution.png")


def draw_sweep(setting: str, found: Found, data: Dataset, folder: Path) -> None:
    from ..figures.experiments import monitors, sweep, unit_kls
    from ..figures.images import image_rows

    real = found.references["training images"]
    sweep(setting, found.measured, real, folder / "trade-off.png")
    unit_kls(setting, found.unit_kls, USED, folder / "units.png")
    monitors(setting, found.histories, folder / "monitors.png")
    test = as_floats(data.test_images[:SHOWN])
    runs = {f"{setting} {name}": run for name, run in found.runs.items()}
    rows = [("original", test)]
    rows += [(label, _reconstructed(run, test)) for label, run in runs.items()]
    image_rows([(RECONSTRUCTIONS, rows)], data.image_shape, folder / "reconstructions.png")
    rows = [
        (label, run.vae.decode(sample_latents(run.config, SHOWN))) for label, run in runs.items()
    ]
    image_rows([(SAMPLES, rows)], data.image_shape, folder / "samples.png")


def _reconstructed(run: Run, images: Array) -> Array:
    return reconstruct(run.vae, images, Stream.RECONSTRUCTIONS.generator(run.config.seed))
