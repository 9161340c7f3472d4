"""Curves: of a run over its epochs, of an experiment over a setting."""

from collections.abc import Mapping, Sequence
from math import hypot
from typing import Any

import numpy as np
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
    Picture,
    finish,
    finish_panel,
    in_our_style,
    save,
)

TRAIN = {"color": BLUE, "linestyle": "--", "label": "training"}
VALIDATION = {"color": ORANGE, "linestyle": "-", "label": "validation"}


@in_our_style
def loss_curves(history: Sequence[Mapping[str, float]], path: StrPath | None = None) -> Figure:
    """Draws the loss, its two terms and the article's health monitors, epoch by epoch.

    ``history`` has one mapping per epoch, with the columns of a run's history.csv as its keys.
    """
    columns = {name: np.array([row[name] for row in history]) for name in history[0]}
    epochs = columns["epoch"]
    figure = Picture(figsize=(9, 6.4), dpi=DPI, layout="constrained")
    (loss, reconstruction), (kl, monitors) = figure.subplots(2, 2)

    for axes, name, title, unit in (
        (loss, "loss", "Loss", "per image"),
        (reconstruction, "reconstruction", "Reconstruction", "per image"),
        (kl, "kl", "KL divergence", "nats per image"),
    ):
        train, validation = columns[f"train_{name}"], columns[f"val_{name}"]
        _curve(axes, epochs, train, TRAIN)
        _curve(axes, epochs, validation, VALIDATION)
        _cut_high_start(axes, np.maximum(train, validation), np.minimum(train, validation))
        finish(axes, title, "epoch", unit)

    means, log_vars = columns["mean_of_means"], columns["mean_of_log_vars"]
    monitors.axhline(0, color=GREY, linewidth=1, label="the prior, N(0, I)")
    _curve(monitors, epochs, means, {"color": GREEN, "linestyle": "-", "label": "means"})
    _curve(monitors, epochs, log_vars, {"color": BLUE, "linestyle": "-.", "label": "log-variances"})
    finish(monitors, "Latent means and log-variances", "epoch", "mean over images and units")
    return save(figure, path)


@in_our_style
def sweep(
    name: str,
    values: Sequence[float],
    measured: Mapping[str, Sequence[float]],
    floor: tuple[float, float],
    path: StrPath | None = None,
) -> Figure:
    """Draws what a setting does: what was measured at each of its values.

    ``measured`` holds, for each value, ``squared_error``, ``kl``, ``active_units``,
    ``sample_distance`` and its ``deviation``, ``sharpness`` and ``diversity``; ``floor`` is the
    sample distance of real images and its deviation. The values stand at equal distances, in
    their order.
    """
    figure = Picture(figsize=(9, 6.8), dpi=DPI, layout="constrained")
    (trade_off, distance), (relative, units) = figure.subplots(2, 2)
    places, line = np.arange(len(values)), {"markersize": 5, "linewidth": 1.6}
    kl, error = measured["kl"], measured["squared_error"]
    trade_off.plot(kl, error, color=BLUE, marker="o", **line)
    labels: list[Any] = []
    width, height = np.ptp(kl) or 1, np.ptp(error) or 1
    for x, y, value in zip(kl, error, values, strict=True):
        if labels and hypot((x - labels[-1][0]) / width, (y - labels[-1][1]) / height) < 0.06:
            labels[-1][2] += f", {value:g}"  # too near for a label of its own
        else:
            labels.append([x, y, f"{value:g}"])
    for x, y, label in labels:
        trade_off.annotate(label, (x, y), (6, 5), textcoords="offset points", fontsize=FONT_SIZE)
    trade_off.margins(0.1)
    finish_panel(
        trade_off, f"What the code costs and buys, by {name}", "KL divergence, nats per image",
        "squared error per image",
    )  # fmt: skip

    mean, deviation = floor
    distance.axhline(mean, color=GREY, label="training images: the floor")
    distance.axhspan(mean - deviation, mean + deviation, color=GREY, alpha=0.3, linewidth=0)
    distance.errorbar(
        places, measured["sample_distance"], measured["deviation"], color=ORANGE, marker="o",
        capsize=3, label="samples", **line,
    )  # fmt: skip
    relative.axhline(1, color=GREY, label="test images")
    relative.plot(
        places, measured["sharpness"], color=BLUE, marker="o", label="sharpness of reconstructions",
        **line,
    )  # fmt: skip
    relative.plot(
        places, measured["diversity"], color=ORANGE, marker="s", linestyle="--",
        label="diversity of samples", **line,
    )  # fmt: skip
    units.plot(places, measured["active_units"], color=GREEN, marker="o", **line)
    units.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    for axes, title, ylabel in (
        (distance, "Distance of samples to test images", "squared MMD"),
        (relative, "Sharpness and diversity", "relative to the test images"),
        (units, "Active latent units", "units"),
    ):
        axes.set_xticks(places, [f"{value:g}" for value in values])
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        finish_panel(axes, title, name, ylabel)
    for axes in (distance, relative):
        axes.legend(fontsize=FONT_SIZE, frameon=False)
    return save(figure, path)


def _curve(axes: Axes, x: Array, y: Array, style: Mapping[str, Any]) -> None:
    marker = "o" if len(x) <= 20 else None  # a single epoch has no line
    axes.plot(x, y, marker=marker, markersize=3.5, linewidth=1.6, **style)
    axes.set_xlim(x[0] - 0.5, x[-1] + 0.5)


def _cut_high_start(axes: Axes, high: Array, low: Array) -> None:
    """Lets the curves begin above the panel where the start would take most of its height.

    ``high`` and ``low`` are the upper and the lower curve. A note says how high they begin.
    """
    if len(high) < 5:
        return
    start = max(1, len(high) // 50)
    bottom, top, peak = low.min(), high[start:].max(), high[:start].max()
    if peak - top > top - bottom > 0:
        margin = 0.05 * (top - bottom)
        axes.set_ylim(bottom - margin, top + margin)
        axes.set_title(f"↑ begins at {peak:,.1f}", fontsize=FONT_SIZE, loc="right")
