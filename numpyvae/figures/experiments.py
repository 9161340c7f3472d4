"""Pictures of experiments: the mean over the seeds, and every seed as a faint point or line."""

from collections.abc import Callable, Mapping, Sequence
from math import nan
from operator import itemgetter
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..data.files import StrPath
from ..functional import Array
from .style import (
    BLUE,
    DPI,
    FONT_SIZE,
    GREEN,
    GREY,
    ORANGE,
    finish,
    finish_panel,
    in_our_style,
    save,
)

Rows = Sequence[Mapping[str, float]]  # one per seed
History = Sequence[Mapping[str, float]]  # one row per epoch
LINE: dict[str, Any] = {"linewidth": 1.6}
FAINT: dict[str, Any] = {"alpha": 0.35, "linewidth": 0.8}


@in_our_style
def sweep(setting: str, measured: Mapping[str, Rows], real: Rows, path: StrPath) -> None:
    """Draws what a setting does: what was measured at each of its values, seed by seed.

    ``measured`` maps the values, in their order, to a row of measures per seed; ``real`` has the
    rows of training images in the place of samples. Values stand at equal distances.
    """
    figure = Figure(figsize=(9, 9.6), dpi=DPI, layout="constrained")
    (trade_off, distance), (known, relative), (units, variances) = figure.subplots(3, 2)
    kl, error = (_table(measured, name) for name in ("kl", "squared_error"))
    trade_off.plot(kl.mean(1), error.mean(1), color=BLUE, **LINE)
    trade_off.plot(kl.T, error.T, "o", color=BLUE, markersize=4, alpha=0.35)
    _label_apart(trade_off, kl.mean(1), error.mean(1), list(measured))
    trade_off.margins(0.1)
    finish_panel(
        trade_off, f"What the code costs and buys, by {setting}", "KL divergence, nats per image",
        "squared error per image",
    )  # fmt: skip
    for axes, curves, title, ylabel in (
        (
            distance,
            [("sample_distance", ORANGE, "o", "samples")],
            "Distance of samples to test images",
            "squared MMD",
        ),
        (
            known,
            [("precision", BLUE, "o", "precision"), ("recall", ORANGE, "s", "recall")],
            "Precision and recall of samples",
            "share",
        ),
        (
            relative,
            [
                ("sharpness", BLUE, "o", "sharpness of reconstructions"),
                ("diversity", ORANGE, "s", "diversity of samples"),
            ],
            "Sharpness and diversity",
            "relative to the test images",
        ),
        (
            units,
            [
                ("used_units", GREEN, "o", "in use: KL above 0.05 nats"),
                ("active_units", GREY, "s", "active: variance above 0.01"),
            ],
            "Latent units",
            "units",
        ),
        (
            variances,
            [
                ("mean_of_log_vars", BLUE, "o", "log-variances"),
                ("mean_of_means", GREEN, "s", "means, size"),
            ],
            "Mean of means and of log-variances",
            "mean over images and units",
        ),
    ):  # fmt: skip
        for name, colour, marker, label in curves:
            _points(axes, _table(measured, name), colour, marker, label)
            if name in real[0]:
                level = np.mean([row[name] for row in real])
                axes.axhline(level, color=colour, linestyle=":", linewidth=1)
        axes.set_xticks(range(len(measured)), list(measured))
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        finish_panel(axes, title, setting, ylabel)
        axes.legend(fontsize=FONT_SIZE, frameon=False)
    units.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    figure.supxlabel("dotted: training images in the place of samples", fontsize=FONT_SIZE)
    save(figure, path)


@in_our_style
def compare(measured: Mapping[str, Rows], path: StrPath) -> None:
    """Draws models side by side: measures as panels, every seed as a line between them."""
    figure = Figure(figsize=(9, 5.6), dpi=DPI, layout="constrained")
    colours = (ORANGE, GREEN, BLUE) if len(measured) == 3 else (ORANGE, BLUE)
    panels = {
        "squared_error": ("Squared error", "per image"),
        "sample_distance": ("Sample distance", "squared MMD"),
        "precision": ("Precision of samples", "share"),
        "recall": ("Recall of samples", "share"),
        "path_precision": ("Precision half-way", "share"),
        "holes": ("Random codes, how far", "relative to images' codes"),
        "code_size": ("Size of codes", "per unit"),
        "same_label": ("Same label nearby", "share"),
    }
    for axes, (name, (title, ylabel)) in zip(
        figure.subplots(2, 4).flat, panels.items(), strict=True
    ):
        values = _table(measured, name)
        axes.plot(values, color=GREY, **FAINT)
        for place, (of_setting, colour) in enumerate(zip(values, colours, strict=True)):
            axes.plot([place] * len(of_setting), of_setting, "o", color=colour, alpha=0.5)
            axes.plot(place, of_setting.mean(), "_", color="black", markersize=18)
        names = [name.replace(" ", "\n") for name in measured]
        axes.set_xticks(range(len(measured)), names, rotation=30, ha="right")
        axes.set_xlim(-0.5, len(measured) - 0.5)
        known = values[np.isfinite(values)]
        axes.set_ylim(0, 1.08 * known.max(initial=0) or 1)
        if not known.size:  # such as the same label, of images without labels
            axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center")
        finish_panel(axes, title, "", ylabel)
    save(figure, path)


@in_our_style
def unit_kls(
    setting: str, found: Mapping[str, Sequence[Array]], threshold: float, path: StrPath
) -> None:
    """Draws the KL divergence of every latent unit, sorted, by setting and seed."""
    figure = Figure(figsize=(9, 4), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for (name, of_seeds), colour in zip(found.items(), _colours(len(found)), strict=True):
        for i, kl in enumerate(of_seeds):
            label = f"{setting} {name}" if i == 0 else None
            units = np.arange(1, len(kl) + 1)
            axes.semilogy(units, -np.sort(-kl), color=colour, alpha=0.6, label=label, **LINE)
    axes.axhline(threshold, color="black", linewidth=1, linestyle=":")
    axes.set_ylim(bottom=1e-5)
    finish(axes, "The units of each run, sorted by KL divergence", "unit", "nats per image")
    axes.set_title(f"dotted: {threshold:g} nats", fontsize=FONT_SIZE, loc="right")
    save(figure, path)


@in_our_style
def monitors(setting: str, histories: Mapping[str, Sequence[History]], path: StrPath) -> None:
    """Draws the article's monitors of health over the epochs, by setting and seed."""
    figure = Figure(figsize=(9, 3.6), dpi=DPI, layout="constrained")
    for axes, column, title in zip(
        figure.subplots(1, 2),
        ("mean_of_means", "mean_of_log_vars"),
        ("Mean of means", "Mean of log-variances"),
        strict=True,
    ):
        for (name, runs), colour in zip(histories.items(), _colours(len(histories)), strict=True):
            _over_epochs(axes, runs, itemgetter(column), colour, f"{setting} {name}")
        axes.axhline(0, color="black", linewidth=0.8, linestyle=":")
        finish(axes, title, "epoch", "mean over images and units")
    save(figure, path)


@in_our_style
def training(runs: Sequence[History], path: StrPath) -> None:
    """Draws how the terms of the loss and the monitors go during the training of a VAE."""
    figure = Figure(figsize=(9, 6.4), dpi=DPI, layout="constrained")
    (share, terms), (means, log_vars) = figure.subplots(2, 2)

    def kl_share(row: Mapping[str, float]) -> float:
        return 1 - row["train_reconstruction"] / row["train_loss"]

    _over_epochs(share, runs, kl_share, BLUE, "KL's share")
    share.set_ylim(0, 1)
    _over_epochs(terms, runs, itemgetter("train_reconstruction"), ORANGE, "reconstruction")
    _over_epochs(terms, runs, itemgetter("train_kl"), BLUE, "KL")
    terms.set_ylim(bottom=0)
    _over_epochs(means, runs, itemgetter("mean_of_means"), GREEN, "means")
    _over_epochs(log_vars, runs, itemgetter("mean_of_log_vars"), BLUE, "log-variances")
    for axes in (means, log_vars):
        axes.axhline(0, color=GREY, linewidth=1)
    finish(share, "The KL divergence's share of the loss", "epoch", "of the training loss")
    finish(terms, "The terms of the loss, training", "epoch", "per image")
    finish(means, "Mean of means", "epoch", "mean over images and units")
    finish(log_vars, "Mean of log-variances", "epoch", "mean over images and units")
    save(figure, path)


def _table(measured: Mapping[str, Rows], name: str) -> Array:
    """A measure as (settings, seeds)."""
    return np.array([[row.get(name, nan) for row in rows] for rows in measured.values()])


def _points(axes: Axes, values: Array, colour: str, marker: str, label: str) -> None:
    """Values (settings, seeds): the mean as a line with its standard deviation, seeds as points."""
    places = np.arange(len(values))
    deviation = values.std(1, ddof=1) if values.shape[1] > 1 else np.zeros(len(values))
    axes.errorbar(
        places, values.mean(1), deviation, color=colour, marker=marker, markersize=5, capsize=3,
        label=label, **LINE,
    )  # fmt: skip
    beside = places[:, None] + np.linspace(0.08, 0.2, values.shape[1])
    axes.plot(beside, values, marker, color=colour, markersize=3, alpha=0.35)


def _over_epochs(
    axes: Axes,
    runs: Sequence[History],
    of: Callable[[Mapping[str, float]], float],
    colour: Any,
    label: str,
) -> None:
    """One number per epoch: the mean over the runs, and faintly each of them."""
    curves = np.array([[of(row) for row in run] for run in runs])
    epochs = np.arange(1, curves.shape[1] + 1)
    axes.plot(epochs, curves.T, color=colour, **FAINT)
    axes.plot(epochs, curves.mean(0), color=colour, label=label, **LINE)


def _label_apart(axes: Axes, xs: Array, ys: Array, names: Sequence[str]) -> None:
    """Writes names beside points; one that is too near to the last shares its label."""
    labels: list[tuple[float, float, str]] = []
    size = np.array([np.ptp(xs) or 1, np.ptp(ys) or 1])
    for x, y, name in zip(xs, ys, names, strict=True):
        if labels and np.linalg.norm((np.array([x, y]) - labels[-1][:2]) / size) < 0.06:
            labels[-1] = (*labels[-1][:2], f"{labels[-1][2]}, {name}")
        else:
            labels.append((x, y, name))
    for x, y, text in labels:
        axes.annotate(text, (x, y), (6, 5), textcoords="offset points", fontsize=FONT_SIZE)


def _colours(n: int) -> list[tuple[float, ...]]:
    """So many colours in an order that can be seen."""
    return [colormaps["viridis"](x) for x in np.linspace(0, 0.9, n)]
