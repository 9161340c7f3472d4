"""The picture of NumPy and PyTorch side by side."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from numpyvae.data.files import StrPath
from numpyvae.figures.style import BLUE, DPI, GREEN, ORANGE, finish, in_our_style, save


@in_our_style
def side_by_side(ours: Sequence[float], theirs: Sequence[float], title: str, path: StrPath) -> None:
    """Draws the losses per image of NumPy's and PyTorch's steps, and below these the difference."""
    figure = Figure(figsize=(8, 6), dpi=DPI, layout="constrained")
    losses, differences = figure.subplots(2, 1, sharex=True)
    steps = np.arange(1, len(ours) + 1)
    losses.plot(steps, theirs, color=ORANGE, linewidth=3, alpha=0.5, label="PyTorch")
    losses.plot(steps, ours, color=BLUE, linewidth=0.8, label="NumPy")
    losses.set_yscale("log")
    losses.yaxis.set_major_formatter("{x:g}")
    losses.yaxis.set_minor_formatter("{x:g}")
    difference = np.abs(np.subtract(ours, theirs))
    unit = np.spacing(np.min(ours))  # losses that are not equal differ by as much or more
    differences.plot(steps, difference, color=GREEN, linewidth=0.8, label="difference")
    differences.set_yscale("symlog", linthresh=unit)  # has a place for 0
    differences.set_ylim(difference.min() / 2 - unit / 4, 2 * max(unit, difference.max()))
    finish(losses, f"Loss side by side: {title}", "", "per image")
    finish(differences, "|NumPy - PyTorch|", "training step", "per image")
    save(figure, path)
