"""Everything about a trained run in one table."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from textwrap import wrap

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..errors import InputError
from ..functional import Array
from ..reconstruction import RECONSTRUCTIONS
from ..training.chance import Stream
from ..training.config import Config
from ..training.run import Run
from .classifier import label_features
from .likelihood import (
    ACTIVE,
    USED,
    active_units,
    check_at_least,
    elbo,
    encode,
    importance_sampled_log_likelihood,
    log_normalizer,
    used_units,
)
from .samples import Samples, measure_samples, training_images

COLUMNS = 79  # of a table on a terminal
EXPLAINED = ("Measures of samples", "Monitors of health", "Likelihoods")  # in docs/experiments.md
BINARIZATION_SEED = 0  # the binary test images are one fixed data set


@dataclass(frozen=True)
class Evaluation:
    """What ``evaluate`` finds; likelihoods are means over the images, in nats per image.

    ``nll_error`` is the standard error that the choice of images gives ``nll``. ``samples`` are
    the model's, ``between_sets`` says how much one set of them differs from another, and
    ``training_images`` are these in the place of samples.
    """

    config: Config
    dataset: str
    images: int
    importance_samples: int
    seed: int
    elbo: float
    reconstruction: float
    kl: float
    log_normalizer: float
    nll: float
    nll_error: float
    used_units: int
    active_units: int
    mean_of_means: float
    mean_of_log_vars: float
    samples: Samples
    between_sets: Samples
    training_images: Samples


def evaluate(
    run: Run,
    data: Dataset,
    importance_samples: int = 500,
    images: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> Evaluation:
    """Everything this file can say about a trained run.

    Args:
        run: as ``train`` or ``load_checkpoint`` returns it.
        data: its data set.
        importance_samples: latent vectors per image behind the negative log-likelihood.
        images: the first so many test images are used, or all where there are fewer. Where the
            run binarizes, they are binarized once and always in the same way.
        seed: of the noise, the samples, and the held-out images these are compared with.
        progress: show a bar on standard error, if that is a terminal.

    The samples are what ``sample`` draws, decoded images without pixel noise, compared with test
    images as they are, grey.

    Raises:
        InputError: a number is out of range, the data do not fit the run, or the model is broken.
    """
    from tqdm import tqdm

    check_at_least(2, "images", images)
    check_at_least(0, "seed", seed)
    run.check_fit(data)
    vae = run.vae
    grey = as_floats(data.test_images[:images], vae.dtype)
    check_at_least(2, f"the number of test images in {data.name}", len(grey))
    shown = binarize(grey) if run.config.binarize else grey
    no_bar = None if progress else True  # None: on anything but a terminal
    for_elbo, for_nll = Stream.LIKELIHOOD.generator(seed).spawn(2)

    # Overflow is seen in the results, which are checked, and underflow is harmless.
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        features = label_features(data)
        samples, between_sets = measure_samples(vae.sample, data, seed, features)
        real, _ = measure_samples(training_images(data), data, seed, features)
        mean, log_var = encode(vae, shown)
        bound = elbo(vae, shown, for_elbo)
        with tqdm(total=importance_samples, unit="sample", leave=False, disable=no_bar) as bar:
            nll = -importance_sampled_log_likelihood(
                vae, shown, importance_samples, for_nll, on_samples=bar.update
            )
        evaluation = Evaluation(
            config=run.config,
            dataset=data.name,
            images=len(grey),
            importance_samples=importance_samples,
            seed=seed,
            elbo=bound.elbo,
            reconstruction=bound.reconstruction,
            kl=bound.kl,
            log_normalizer=log_normalizer(vae),
            nll=float(nll.mean()),
            nll_error=float(nll.std(ddof=1)) / math.sqrt(len(nll)),
            used_units=int(used_units(mean, log_var).sum()),
            active_units=active_units(mean),
            mean_of_means=float(mean.mean(dtype=np.float64)),
            mean_of_log_vars=float(log_var.mean(dtype=np.float64)),
            samples=samples,
            between_sets=between_sets,
            training_images=real,
        )
    for name, value in {**asdict(evaluation), **samples._asdict()}.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"the model is broken: on {data.name} its {name} is {value}")
    return evaluation


def table(result: Evaluation) -> str:
    """The evaluation as aligned lines of text, with units and what to make of the numbers."""
    config = result.config
    loss = RECONSTRUCTIONS[config.reconstruction]
    binarized = f", binarized once (seed {BINARIZATION_SEED})" if config.binarize else ""
    nats = "nats per image"
    rows = [
        ("ELBO", f"{result.elbo:.2f}", nats),
        (f"  - {loss.title}", f"{result.reconstruction:.2f}", nats),
        ("  - KL divergence", f"{result.kl:.2f}", nats),
        (f"  - {loss.normalizer}", f"{result.log_normalizer:.2f}", nats)
        if loss.log_normalizer
        else None,
        (
            "negative log-likelihood",
            f"{result.nll:.2f}",
            f"{nats}, at most, from {result.importance_samples} importance samples",
        ),
        ("  standard error", f"{result.nll_error:.2f}", "from the choice of images"),
        ("units in use", f"{result.used_units}", f"of {config.z_dim}: KL above {USED} nats"),
        ("active units", f"{result.active_units}", f"variance of the mean above {ACTIVE}"),
        ("mean of means", f"{result.mean_of_means:+.4f}", "healthy: near 0, as in the prior"),
        (
            "mean of log-variances",
            f"{result.mean_of_log_vars:+.4f}",
            "healthy: below 0; 0 means that no unit is used",
        ),
        *(
            (
                name,
                f"{getattr(result.samples, key):.4f}",
                f"± {getattr(result.between_sets, key):.4f}; training images: "
                f"{getattr(result.training_images, key):.4f}",
            )
            for name, key in (
                ("sample distance", "distance"),
                ("sample precision", "precision"),
                ("sample recall", "recall"),
                ("sample diversity", "diversity"),
            )
        ),
    ]
    lines = [f"{result.images} test images of {result.dataset}{binarized}", ""]
    for name, value, remark in filter(None, rows):
        first, *more = wrap(remark, COLUMNS - 36)
        lines += [f"{name:<24}{value:>10}  {first}", *(f"{'':36}{line}" for line in more)]
    notes = []
    if not loss.binary:
        notes.append(
            f"The {loss.title} stands for {loss.likelihood} around the decoded image; the "
            "likelihoods are densities, and do not compare with those of binary pixels."
        )
    elif not config.binarize:
        notes.append(
            "The pixels are grey, so the cross-entropy is no likelihood, only a score; train with "
            "--binarize for numbers to hold against the literature."
        )
    if not config.noise:
        notes.append(
            "Training without noise fits no widths of q(z|x): the bounds hold, but say little."
        )
    headings = ", ".join(f'"{heading}"' for heading in EXPLAINED)
    notes.append(f"What these numbers mean: {headings} in docs/experiments.md.")
    for note in notes:
        lines += ["", *wrap(note, COLUMNS)]
    return "\n".join(lines)


def as_json(result: Evaluation) -> str:
    """The evaluation as a JSON object, its configuration inside."""
    return json.dumps(
        asdict(result)
        | {
            name: getattr(result, name)._asdict()
            for name in ("samples", "between_sets", "training_images")
        },
        indent=2,
    )


def binarize(images: Array) -> Array:
    """The images with every pixel drawn once as 0 or 1, the pixel's value being its probability.

    Always the same draw, as for a data set of binary images.
    """
    rng = Stream.BINARY_TEST_IMAGES.generator(BINARIZATION_SEED)
    return np.less(rng.random(images.shape, np.float32), images).astype(images.dtype)
