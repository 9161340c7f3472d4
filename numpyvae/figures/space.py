"""Where images lie in latent spaces."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from ..data.files import StrPath
from ..errors import one_line
from ..functional import Array
from .style import BLUE, DPI, FONT_SIZE, Picture, finish_panel, in_our_style, save

# Ten classes: Paul Tol's "muted" colours, their pale grey made darker
CLASS_COLOURS = (
    *("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE"),
    *("#882255", "#44AA99", "#999933", "#AA4499", "#777777"),
)


LONGEST_NAME = 24  # characters of a class
PANEL = 330  # points: the side of a panel, about


@in_our_style
def latent_space(
    panels: Sequence[tuple[str, Array, Array | None]],
    path: StrPath | None = None,
    axis_labels: tuple[str, str] = ("$z_1$", "$z_2$"),
    name_of: Callable[[int], str] = str,
) -> Figure:
    """Draws where images lie in latent spaces, side by side, with the circles of the prior N(0, I).

    Each panel is (title, points (N, 2), labels (N,) or None). With labels, points are coloured by
    class, and every class is named at the median of its points. Where two names would cover each
    other, one stands aside, and a line leads from it to its median; without room, it is left out.
    """
    figure = Picture(figsize=(5.6 * len(panels) + 1.2, 5.4), dpi=DPI, layout="constrained")
    handles: dict[str, Line2D] = {}
    for axes, (title, points, labels) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        size = 14 if len(points) <= 1000 else 3
        classes = [] if labels is None else np.unique(labels).tolist()
        colours = np.full(len(points), BLUE)
        for i, label in enumerate(classes):
            colours[labels == label] = CLASS_COLOURS[i % len(CLASS_COLOURS)]
            line = Line2D([], [], color=colours[labels == label][0], marker="o", linestyle="")
            handles[_shortened(name_of(label))] = line
        axes.scatter(*points.T, size, colours, alpha=0.8, linewidths=0)
        for radius in (1, 2, 3):
            axes.add_patch(Circle((0, 0), radius, fill=False, color="black", linewidth=1))
        limits = np.array([axes.get_xlim(), axes.get_ylim()])
        middle, half = limits.mean(axis=1), np.ptp(limits, axis=1).max() / 2
        axes.set(xlim=middle[0] + [-half, half], ylim=middle[1] + [-half, half])
        axes.set_aspect("equal", adjustable="datalim")
        finish_panel(axes, title, *axis_labels)
        medians = [np.median(points[labels == label], axis=0) for label in classes]
        names = [_shortened(name_of(label)) for label in classes]
        _write_names(axes, names, medians, middle, half)
    _draw_legend(figure, handles)
    return save(figure, path)


def _draw_legend(figure: Figure, handles: dict[str, Line2D]) -> None:
    """A legend of the classes, unless they are too many, and of the circles."""
    names = list(handles) if len(handles) < 20 else []
    lines = [*map(handles.__getitem__, names), Line2D([], [], color="black", linewidth=1)]
    names += ["prior: 1, 2, 3\nstandard\ndeviations"]
    legend = figure.legend(
        lines, [" "] * len(names), loc="outside right center", fontsize=FONT_SIZE, frameon=False
    )
    for text, name in zip(legend.get_texts(), names, strict=True):  # a name may begin with _
        text.set(text=name, parse_math=False)


def _write_names(
    axes: Axes, names: Sequence[str], medians: Sequence[Array], middle: Array, half: float
) -> None:
    """Writes the names of classes where they lie, in a panel that reaches ``half`` each way."""
    font = 15 if max(map(len, names), default=0) <= 2 else 10
    letter = 2 * half * font / PANEL  # as high as a letter
    boxes = [np.array([0.7 * len(name) + 0.3, 1.2]) * letter for name in names]
    places = _places(medians, boxes, middle, half)
    for i, (name, median, place) in enumerate(zip(names, medians, places, strict=True)):
        if place is None:
            continue
        colour, (x, y) = CLASS_COLOURS[i % len(CLASS_COLOURS)], place
        if np.any(place != median):
            axes.plot([median[0], x], [median[1], y], color=colour, linewidth=1)
        outline = [withStroke(linewidth=3, foreground="white")]
        axes.text(
            x, y, name, color=colour, fontsize=font, fontweight="bold", ha="center", va="center",
            path_effects=outline, parse_math=False,
        )  # fmt: skip


def _places(
    medians: Sequence[Array], boxes: Sequence[Array], middle: Array, half: float
) -> list[Array | None]:
    """Where boxes, (width, height) each, go so that none covers another: near to their medians.

    None where no place within three boxes is free, and within ``half`` of the middle.
    """
    angles = np.arange(12) * np.pi / 6
    ring = np.column_stack([np.cos(angles), np.sin(angles)])
    steps = np.concatenate([np.zeros((1, 2)), ring, 2 * ring, 3 * ring])
    found: list[Array | None] = []
    taken: list[tuple[Array, Array]] = []
    for median, box in zip(medians, boxes, strict=True):
        free = (
            place
            for place in median + steps * box
            if np.all(np.abs(place - middle) <= half - box / 2)
            and all(np.any(np.abs(place - at) >= (box + size) / 2) for at, size in taken)
        )
        found.append(next(free, None))
        if found[-1] is not None:
            taken.append((found[-1], box))
    return found


def _shortened(name: str) -> str:
    name = one_line(name)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."
