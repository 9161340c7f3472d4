"""Measures and draws the page of mistakes, from reference_torch/deliberate_errors.py.

    python docs/mistakes.py --text
    python docs/mistakes.py

The first copies the errors' lines and explanations into mistakes.md. The second does so, too, after
it has trained the same network with each deliberate error and three seeds (a quarter of an hour),
drawn the pictures and filled in what it measured (see generated.py).
"""

import difflib
import io
import sys
import textwrap
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from functools import cache
from itertools import islice
from math import inf, isfinite
from typing import Any, NamedTuple

import numpy as np
from generated import DOCS, deviating, fill
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from numpyvae import (
    VAE,
    Adam,
    Config,
    FlatArrays,
    LossNotFiniteError,
    Run,
    as_floats,
    load_dataset,
    reconstruct,
)
from numpyvae.data.dataset import Dataset
from numpyvae.experiments.report import table
from numpyvae.figures import style
from numpyvae.functional import Array
from numpyvae.reconstruction import RECONSTRUCTIONS, Reconstruction
from numpyvae.training.kernels import blas_threads
from numpyvae.training.pictures import sample_latents
from numpyvae.training.steps import numpy_trainer, visits
from reference_torch.proof.deliberate_errors import ERRORS, DeliberateError
from reference_torch.proof.gradcheck import gradcheck
from reference_torch.proof.parity import adam_parity

PICTURES = DOCS / "pictures"
EPOCHS = 25
SEEDS = (0, 1, 2)  # the pictures show the first
# Square layers, so that a transposition fits; a beta that is not 1, so that it can be forgotten
SETTINGS: dict[str, Any] = {"hidden": (256, 256), "z_dim": 20, "beta": 0.5}
CHECKED = 64  # test images for which gradients are compared
ADAM_STEPS = 20
EXHIBITS = {
    "noise drawn anew in the backward pass": "mistake-noise.png",
    "exp(log_var) as the standard deviation": "mistake-variance.png",
    "mean instead of sum in the squared error": "mistake-mean.png",
    "the KL's path into mean forgotten": "mistake-kl.png",
}


@cache
def digits() -> Dataset:
    return load_dataset("digits")


class Training(NamedTuple):
    """Validation losses per image: as the program shows them, and as right code measures them."""

    run: Run
    shown: list[float]
    true: list[float]


class Check(NamedTuple):
    """What finds an error: the worst arrays of each comparison, or None where all agree."""

    loss: tuple[str, float] | None
    gradient: tuple[str, float] | None  # with autograd
    differences: tuple[str, float] | None  # with finite differences
    adam: tuple[str, float] | None

    @property
    def seen_in(self) -> str:
        names = ("losses", "gradients", "differences", "parameters")
        return ", ".join(name for name, part in zip(names, self, strict=True) if part)


def main() -> None:
    if sys.argv[1:] != ["--text"]:
        measure()
    fill("mistake", text_of)


def measure() -> None:
    trainings = {
        error.name: [train(config(error.reconstruction, seed), error) for seed in SEEDS]
        for error in ERRORS
    }
    checks = {error.name: check(error) for error in ERRORS}
    first = {name: of_seeds[0] for name, of_seeds in trainings.items()}
    draw_all(first)
    for error in ERRORS:
        if error.name in EXHIBITS:
            draw_exhibit(error, first[error.name])
    parts = {
        "settings": settings(),
        "summary": summary(trainings, checks),
        "table": all_measured(trainings, checks),
    }
    for name, picture in EXHIBITS.items():
        parts[picture] = exhibit(named(name), first[name], checks[name])
    fill("generated", parts.__getitem__)


def text_of(what: str) -> str:
    """All errors, or the lines of one."""
    return "\n".join(map(lines, ERRORS)) if what == "all" else difference(named(what))


def named(name: str) -> DeliberateError:
    return next(error for error in ERRORS if error.name == name)


# Training


def train(config: Config, error: DeliberateError | None = None) -> Training:
    """A training with an error, or by the right code; infinite losses from where it broke down."""
    applied = nullcontext if error is None else error.applied
    with applied():
        run = Run.start(config, digits().image_shape)
    np.random.seed(config.seed)  # noqa: NPY002  # for the error that draws its own noise
    trainer = numpy_trainer(run, digits())
    shown, true = [], []
    with suppress(LossNotFiniteError), np.errstate(over="ignore", invalid="ignore"):
        for _ in range(config.epochs):
            with applied():
                trainer.train_epoch(lambda _: None)
                shown.append(trainer.validate()["loss"])
            true.append(trainer.validate()["loss"])
    for losses in (shown, true):
        losses += [inf] * (config.epochs - len(losses))
    name = error.name if error else f"right, {config.reconstruction}"
    print(f"{name}, seed {config.seed}: {shown[-1]:.2f}, {true[-1]:.2f}", flush=True)
    return Training(run, shown, true)


@cache
def right(reconstruction: Reconstruction, seed: int = 0) -> Training:
    return train(config(reconstruction, seed))


def config(reconstruction: Reconstruction, seed: int = 0) -> Config:
    return Config(**SETTINGS, epochs=EPOCHS, reconstruction=reconstruction, seed=seed)


def knows_nothing(reconstruction: Reconstruction) -> float:
    """The loss of a model that draws the average training image always, at a KL of 0."""
    mean = as_floats(digits().train_images, np.float64).mean(0).clip(1e-6, 1 - 1e-6)
    x = as_floats(digits().test_images, np.float64)
    loss = RECONSTRUCTIONS[reconstruction]
    y = np.log(mean / (1 - mean)) if loss.takes_logits else mean
    return float(loss.value(np.broadcast_to(y, x.shape), x).mean())


# Checking, in float64


def check(error: DeliberateError) -> Check:
    """What finds an error, on the network that the right code trained."""
    if error.in_adam:
        return Check(None, None, None, check_adam(error))
    return check_model(error, right(error.reconstruction).run, CHECKED)


def check_model(error: DeliberateError, run: Run, images: int) -> Check:
    """What finds an error of the model, with so many test images."""
    vae, rng = run.vae.astype(np.float64), np.random.default_rng(1)
    x = as_floats(digits().test_images[:images], np.float64)
    eps = rng.standard_normal((images * run.config.importance_samples, vae.z_dim))
    with error.applied():
        rows = gradcheck(vae, x, eps, run.config.beta, rng)
    wrong = [row.comparison for row in rows if not row.comparison.agrees]
    losses = [(c.name, c.error) for c in wrong if not c.numpy.shape]
    grads = [(c.name, c.error) for c in wrong if c.numpy.shape]
    differences = [
        (row.comparison.name, row.differences.error)
        for row in rows
        if row.differences and not row.differences.agrees
    ]
    return Check(worst(losses), worst(grads), worst(differences), None)


def check_adam(error: DeliberateError) -> tuple[str, float] | None:
    """The parameters after some steps along gradients of real minibatches."""
    run = right("mse").run
    vae = run.vae.astype(np.float64)

    def gradients() -> Iterator[FlatArrays]:
        rng = np.random.default_rng(1)
        for x, eps in islice(
            visits(digits().train_images, run.config, rng, shuffled=True), ADAM_STEPS
        ):
            vae.forward(x.astype(np.float64), eps.astype(np.float64), run.config.beta)
            yield vae.backward()

    moved = run.vae.astype(np.float64)
    adam = Adam(moved.parameters, lr=run.config.lr, weight_decay=run.config.weight_decay)
    with error.applied():
        comparisons = adam_parity(adam, gradients())
    return worst([(c.name, c.error) for c in comparisons if not c.agrees])


def worst(errors: list[tuple[str, float]]) -> tuple[str, float] | None:
    return max(errors, key=lambda error: error[1], default=None)


# The page


def settings() -> str:
    right_losses = {
        kind: deviating([right(kind, seed).true[-1] for seed in SEEDS]) for kind in ("mse", "bce")
    }
    return (
        f"All runs: the embedded digits, 784-256-256-{SETTINGS['z_dim']} and back, beta "
        f"{SETTINGS['beta']:g}, otherwise the defaults, {EPOCHS} epochs, with the {len(SEEDS)} "
        f"seeds {', '.join(map(str, SEEDS))} and {blas_threads()} BLAS thread; numbers are mean ± "
        "standard deviation over the seeds. The right code ends at a validation loss of "
        f"{right_losses['mse']} per image. A model that has learned nothing but the average image "
        f"has {knows_nothing('mse'):.2f}. With the cross-entropy, which one of the mistakes needs, "
        f"the right code ends at {right_losses['bce']}, and the average image has "
        f"{knows_nothing('bce'):.2f}."
    )


def summary(trainings: dict[str, list[Training]], checks: dict[str, Check]) -> str:
    """How many mistakes train well, which do not, and which check would miss what."""
    shares = {error.name: learned(error, trainings[error.name]) for error in ERRORS}
    well = [sum(shares[error.name][i] >= 0.9 for error in ERRORS) for i in range(len(SEEDS))]
    worst_seed = max(right("mse", seed).true[-1] for seed in SEEDS)
    hidden = [
        sum(
            error.reconstruction == "mse" and trainings[error.name][i].true[-1] <= worst_seed
            for error in ERRORS
        )
        for i in range(len(SEEDS))
    ]
    useless = [error for error in ERRORS if max(shares[error.name]) < 0]
    sometimes = [error for error in ERRORS if min(shares[error.name]) < 0 and error not in useless]
    also = f"; {numbered(sometimes)} with some seeds and not with others" if sometimes else ""
    fitting = [error for error in ERRORS if error.consistent]
    in_adam = [error for error in ERRORS if error.in_adam]
    in_losses = [error for error in ERRORS if checks[error.name].loss]
    in_either = [e for e in ERRORS if checks[e.name].loss or checks[e.name].gradient]
    return (
        f"- **Of {len(ERRORS)} mistakes, {between(well)} learn at least 90 % of what the right "
        f"code learns with the same seed,** {listed(well)} with the {len(SEEDS)} seeds. "
        f"{listed(hidden).capitalize()} end no higher than the worst right run: there another seed "
        "makes more of a difference than the mistake. No one would find these by looking at a "
        "loss curve.\n"
        f"- **Not all mistakes train.** {len(useless)} end worse than the average image with every "
        f"seed: {numbered(useless)}{also}.\n"
        "- **Finite differences alone are not enough.** They are content with "
        f"{len(fitting) + len(in_adam)}: {len(fitting)} have a gradient that fits the wrong loss, "
        f"{numbered(fitting)}, and {len(in_adam)} are in Adam, which comes after the gradient.\n"
        f"- **Comparing losses alone is not enough, either.** It finds {len(in_losses)} and "
        f"misses {len(ERRORS) - len(in_losses)}. Losses and gradients together, against a second "
        f"implementation, find {len(in_either)}; the {len(in_adam)} in Adam show only in the "
        "parameters, after some steps."
    )


def between(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low} to {high}" if low < high else f"{low}"


def listed(counts: list[int]) -> str:
    *most, last = map(str, counts)
    return f"{', '.join(most)} and {last}"


def numbered(errors: list[DeliberateError]) -> str:
    return ", ".join(f"{error.name} ({ERRORS.index(error) + 1})" for error in errors)


def learned(error: DeliberateError, trainings: list[Training]) -> list[float]:
    """How much of what the right code learns beyond the average image is learned, by seed."""
    nothing = knows_nothing(error.reconstruction)
    return [
        (nothing - training.true[-1]) / (nothing - right(error.reconstruction, seed).true[-1])
        for seed, training in zip(SEEDS, trainings, strict=True)
    ]


def ended(losses: list[float]) -> str:
    """Mean ± standard deviation, or with how many seeds a training broke down."""
    broken = sum(not isfinite(loss) for loss in losses)
    seeds = f"with {broken} of {len(losses)} seeds"
    return f"breaks down {seeds}" if broken else deviating(losses)


def all_measured(trainings: dict[str, list[Training]], checks: dict[str, Check]) -> str:
    rows = []
    for number, error in enumerate(ERRORS, 1):
        of_seeds, found = trainings[error.name], checks[error.name]
        against_torch = [part for part in (found.loss, found.gradient, found.adam) if part]
        percent = [100 * share for share in learned(error, of_seeds)]
        rows.append(
            [
                str(number),
                error.name,
                ended([training.shown[-1] for training in of_seeds]),
                ended([training.true[-1] for training in of_seeds]),
                f"{deviating(percent, '.0f')}\N{NO-BREAK SPACE}%" if isfinite(sum(percent)) else "",
                by(worst(against_torch)),
                found.seen_in,
            ]
        )
    head = ["", "mistake", "loss shown", "true loss", "learned", "worst error", "seen in"]
    return table(head, rows)


def by(found: tuple[str, float] | None) -> str:
    """The worst array and its error, by norm, relative to the reference."""
    if found is None:
        return "agree"
    name, error = found
    percent = 100 * error
    digits = f"{percent:.0f}" if percent >= 10 else f"{percent:.2g}"
    return f"`{name}` {digits}\N{NO-BREAK SPACE}%"


def lines(error: DeliberateError) -> str:
    """An error's explanation, and its wrong lines beside the right ones."""
    number = ERRORS.index(error) + 1
    public = " Published, or a known pitfall." if error.public else ""
    return f"**{number}. {error.name}.** {error.explanation}{public}\n\n{difference(error)}\n"


def difference(error: DeliberateError) -> str:
    text = ["```diff"]
    for function, (right_source, wrong_source) in error.sources().items():
        text.append(f"  # {function.__qualname__}")
        changed = difflib.ndiff(wrong_source.splitlines(), right_source.splitlines())
        lines = [line for line in changed if line[0] in "-+"]
        indent = min(len(line[2:]) - len(line[2:].lstrip()) for line in lines if line[2:].strip())
        text += [line[:2] + line[2 + indent :] for line in lines if line[2:].strip()]
    return "\n".join([*text, "```"])


def exhibit(error: DeliberateError, training: Training, found: Check) -> str:
    shown, true = training.shown[-1], training.true[-1]
    best = right(error.reconstruction).true[-1]
    loss = f"It ends at a loss of {shown:.2f}; the right code at {best:.2f}."
    if abs(shown - true) > 0.005:
        loss += f" Measured by the right code, it is {true:.2f}."
    return (
        f"![Validation loss and images, right and with this mistake](pictures/"
        f"{EXHIBITS[error.name]})\n\n"
        f"{loss} The checks: losses {by(found.loss)}; gradients against autograd "
        f"{by(found.gradient)}; gradients against finite differences {by(found.differences)}."
    )


# Pictures

RIGHT: dict[str, Any] = {"color": style.GREY, "linewidth": 2.5}
SHOWN: dict[str, Any] = {"color": style.ORANGE, "linewidth": 1.2}
TRUE: dict[str, Any] = {"color": style.BLUE, "linewidth": 1.2, "linestyle": ":"}


def draw_all(trainings: dict[str, Training]) -> None:
    columns = 3
    rows = -(-len(ERRORS) // columns)
    figure = Figure(figsize=(7.4, 1.6 * rows), dpi=style.DPI, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    handles: list[Line2D] = []
    for number, (axes, error) in enumerate(zip(panels, ERRORS, strict=False), 1):
        lines = draw_curves(axes, error, trainings[error.name])
        handles = max(handles, lines, key=len)
        title = textwrap.fill(f"{number}. {error.name}", 36)
        axes.set_title(title, fontsize=style.FONT_SIZE - 1, loc="left", pad=3)
        axes.set_xticks([])
    for axes in panels[len(ERRORS) :]:
        axes.axis("off")
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=style.FONT_SIZE)
    save(figure, "mistakes.png")


def draw_curves(axes: Axes, error: DeliberateError, training: Training) -> list[Line2D]:
    """Losses over the epochs; returns the lines, for a legend."""
    epochs = np.arange(1, EPOCHS + 1)
    best, shown, true = right(error.reconstruction).true, training.shown, training.true
    other_scale = max(shown) < min(best) / 10
    mine = axes.twinx() if other_scale else axes
    (right_line,) = axes.plot(epochs, best, **RIGHT, label="right")
    (line,) = mine.plot(epochs, shown, **SHOWN, label="with the mistake, as shown")
    lines = [right_line, line]
    if not np.allclose(shown, true):
        lines += axes.plot(epochs, true, **TRUE, label="with the mistake, measured by right code")
    # The first epoch, far above the others, may lie outside, and so may a loss that explodes
    curves = [best, true] if other_scale else [best, true, shown]
    low, high = min(map(min, curves)), max(max(curve[1:]) for curve in curves)
    high = min(high, 20 * best[1])
    margin = 0.08 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    if other_scale:
        mine.set_ylim(0, 1.05 * max(shown))
        mine.tick_params("y", colors=style.ORANGE, labelsize=style.FONT_SIZE - 2)
        mine.spines["top"].set_visible(False)
    axes.tick_params(labelsize=style.FONT_SIZE - 2)
    axes.spines[["top", "right"]].set_visible(False)
    return lines


def draw_exhibit(error: DeliberateError, training: Training) -> None:
    """Loss curves beside reconstructions and samples, of the right code and of the wrong."""
    figure = Figure(figsize=(9, 3.6), dpi=style.DPI, layout="constrained")
    left, right_side = figure.subfigures(1, 2, squeeze=False, width_ratios=[3, 4])[0]
    axes = left.subplots()
    lines = draw_curves(axes, error, training)
    left.legend(handles=lines, loc="outside lower center", fontsize=style.FONT_SIZE - 1)
    axes.set_xlabel("epoch", fontsize=style.FONT_SIZE)
    axes.set_title("Validation loss per image", fontsize=style.FONT_SIZE, loc="left")

    images = digits().test_images[:8]
    with error.applied():
        wrong_rows = rows_of(training.run.vae, training.run.config, images)
    right_run = right(error.reconstruction).run
    right_rows = rows_of(right_run.vae, right_run.config, images)
    rows = {
        "test images": as_floats(images),
        "right: reconstructed": right_rows[0],
        "mistake: reconstructed": wrong_rows[0],
        "right: samples": right_rows[1],
        "mistake: samples": wrong_rows[1],
    }
    for axes, (title, pixels) in zip(right_side.subplots(5, 1), rows.items(), strict=True):
        strip = pixels.reshape(-1, *digits().image_shape).transpose(1, 0, 2)
        axes.imshow(strip.reshape(digits().image_shape[0], -1), cmap="gray", vmin=0, vmax=1)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_ylabel(
            title, fontsize=style.FONT_SIZE - 1, rotation=0, ha="right", va="center", labelpad=4
        )
    save(figure, EXHIBITS[error.name])


def rows_of(vae: VAE, config: Config, images: Array) -> tuple[Array, Array]:
    """Images decoded from samples of their q(z|x), and new ones from the prior."""
    rng = np.random.default_rng(config.seed)
    reconstructed = reconstruct(vae, as_floats(images), rng)
    return reconstructed, vae.decode(sample_latents(config, len(images)))


def save(figure: Figure, name: str) -> None:
    """As a PNG with a palette: a third of the bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    picture = Image.open(stream).convert("RGB").quantize(96, Image.Quantize.MAXCOVERAGE)
    picture.save(PICTURES / name, optimize=True)


if __name__ == "__main__":
    main()
