"""The style of all pictures, and how they are saved and shown."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..data.files import StrPath, replacing
from ..errors import InputError

# The style of all figures. The colours are Okabe and Ito's, chosen for colour-blind eyes too.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#999999"
_ALONE = RLock()
DPI = 100  # pixels per inch of a figure
FONT_SIZE, TITLE_SIZE = 9, 11
PICTURES = {  # kinds, and what keeps the date out of them
    ".png": None,
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


@contextmanager
def _our_style() -> Iterator[None]:
    """Matplotlib's defaults, not a matplotlibrc's.

    Settings belong to the process, so threads draw one after the other: else one would take
    another's for the caller's, and leave them behind.
    """
    defaults = matplotlib.rcParamsDefault.items()
    with _ALONE, matplotlib.rc_context({k: value for k, value in defaults if k != "backend"}):
        matplotlib.rcParams["svg.hashsalt"] = "numpyvae"  # the same picture has the same bytes
        yield


in_our_style = _our_style()  # a decorator


def finish(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    """Gives a panel of curves over epochs its title, axis labels, legend and ticks."""
    finish_panel(axes, title, xlabel, ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.legend(fontsize=FONT_SIZE, frameon=False)


def finish_panel(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    """Gives a panel its title and axis labels, in the style of all panels."""
    axes.set_title(title, fontsize=TITLE_SIZE, loc="left", parse_math=False)
    axes.set_xlabel(xlabel, fontsize=FONT_SIZE)
    axes.set_ylabel(ylabel, fontsize=FONT_SIZE)
    axes.tick_params(labelsize=FONT_SIZE)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


class Picture(Figure):
    """A figure that notebooks show as its file would be, to the pixel."""

    def _ipython_display_(self) -> None:
        from IPython.display import Image, display

        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=DPI)
        display(Image(stream.getvalue()))  # type: ignore[no-untyped-call]


def save(figure: Figure, path: StrPath | None) -> Figure:
    """Writes the figure to ``path``, where there is one, and returns it.

    As PNG, SVG or PDF, by its suffix, and as PNG without one.
    """
    if path is not None:
        kind = Path(path).suffix.lower() or ".png"
        if kind not in PICTURES:
            raise InputError(f"{path} must end in {', '.join(PICTURES)}: pictures are no others")
        with replacing(path) as stream:
            figure.savefig(stream, format=kind[1:], dpi=DPI, metadata=PICTURES[kind])
    return figure
