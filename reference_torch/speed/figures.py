"""The picture of how a step's time grows."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from numpyvae.data.files import StrPath
from numpyvae.figures.style import BLUE, DPI, ORANGE, finish, in_our_style, save

from .contenders import FUSED, NUMPY
from .tables import lower


@in_our_style
def growth(
    series: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], path: StrPath
) -> None:
    """Draws how long a step takes, by contender, against each size that grows.

    ``series`` maps the name of a size to milliseconds, by its value and by contender: one number
    per turn, of which the lower quartile is drawn.
    """
    figure = Figure(figsize=(3.4 * len(series), 3.4), dpi=DPI, layout="constrained")
    (panels,) = figure.subplots(1, len(series), squeeze=False)
    for axes, (name, by_size) in zip(panels, series.items(), strict=True):
        sizes = [int(size) for size in by_size]
        for contender, color in ((NUMPY, BLUE), (FUSED, ORANGE)):
            times = [lower(by_size[str(size)][contender]) for size in sizes]
            axes.loglog(sizes, times, marker="o", markersize=3.5, color=color, label=contender)
        finish(axes, f"Step against {name}", name, "ms per step")
        axes.set_xticks(sizes[::2], [str(size) for size in sizes[::2]])
        axes.minorticks_off()
    save(figure, path)
