"""Curves of a run over its epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
