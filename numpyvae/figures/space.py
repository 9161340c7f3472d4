"""Where images lie in latent spaces."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from ..data.files import StrPath
from ..functional import Array
from .style import BLUE, DPI, FONT_SIZE, Picture, finish_panel, in_our_style, save

# Ten classes: Paul Tol's "muted" colours, their pale grey made darker
CLASS_COLOURS = (
    *("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE"),
    *("#882255", "#44AA99", "#999933", "#AA4499", "#777777"),
)


@in_our_style
def latent_space(
    panels: Sequence[tuple[str, Array, Array | None]],
    path: StrPath | None = None,
    axis_labels: tuple[str, str] = ("$z_1$", "$z_2$"),
) -> Figure:
    """Draws where images lie in latent spaces, side by side, with the circles of the prior N(0, I).

    Each panel is (title, points (N, 2), labels (N,) or None). With labels, points are coloured by
    class, and every class is named at the median of its points, or beside it where two would
    cover each other.
    """
    figure = Picture(figsize=(5.6 * len(panels) + 1.2, 5.4), dpi=DPI, layout="constrained")
    handles: dict[str, Line2D] = {}
    for axes, (title, points, labels) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        size = 14 if len(points) <= 1000 else 3
        classes = np.unique(labels) if labels is not None else np.empty(0, np.uint8)
        colours = np.full(len(points), BLUE)
        for i, label in enumerate(classes):
            colours[labels == label] = CLASS_COLOURS[i % len(CLASS_COLOURS)]
        axes.scatter(*points.T, size, colours, alpha=0.8, linewidths=0)
        medians = [np.median(points[labels == label], axis=0) for label in classes]
        places = _apart(medians, 0.06 * max(6, np.ptp(points, axis=0).max()))
        for i, (label, (x, y)) in enumerate(zip(classes, places, strict=True)):
            colour = CLASS_COLOURS[i % len(CLASS_COLOURS)]
            handles[str(label)] = Line2D([], [], color=colour, marker="o", linestyle="")
            outline = [withStroke(linewidth=3, foreground="white")]
            axes.text(
                x, y, str(label), color=colour, fontsize=15, fontweight="bold", ha="center",
                va="center", path_effects=outline,
            )  # fmt: skip
        for radius in (1, 2, 3):
            axes.add_patch(Circle((0, 0), radius, fill=False, color="black", linewidth=1))
        axes.set_aspect("equal", adjustable="datalim")
        finish_panel(axes, title, *axis_labels)
    handles["prior: 1, 2, 3\nstandard\ndeviations"] = Line2D([], [], color="black", linewidth=1)
    if len(handles) <= 20:
        figure.legend(
            list(handles.values()), list(handles), loc="outside right center",
            fontsize=FONT_SIZE, frameon=False,
        )  # fmt: skip
    return save(figure, path)


def _apart(places: Sequence[Array], distance: float) -> Array:
    """The places (K, 2), those that are nearer to each other than ``distance`` pushed apart."""
    moved = np.array(places, np.float64).reshape(-1, 2)
    moved += 1e-6 * distance * np.arange(len(moved))[:, None]  # none on top of another
    for _ in range(100):
        between = moved[:, None] - moved
        lengths = np.linalg.norm(between, axis=2) + np.eye(len(moved)) * 2 * distance
        missing = np.maximum(0, distance - lengths)
        if not missing.any():
            break
        moved += 0.5 * np.sum(between * (missing / lengths)[:, :, None], axis=1)
    return moved
