"""Makes everything in the pages that is drawn or printed by the program.

    python docs/make_pictures.py              all of it
    python docs/make_pictures.py drawings     the graph and the error of finite differences
    python docs/make_pictures.py outputs      what commands print, and their pictures
    python docs/make_pictures.py latent       docs/experiments/*.png: looking around latent spaces
    python docs/make_pictures.py colour       landscapes, original and decoded

"outputs" trains on the embedded digits, three times, "latent" on MNIST, three times (from
NUMPYVAE_DATA, or downloaded), and "colour" on landscapes: some minutes each. The parts of a page
that are outputs (see generated.py) become what the command behind their colon prints.
"""

import contextlib
import io
import re
import shlex
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import landscapes
import matplotlib
import numpy as np
from generated import DOCS, fill
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from numpyvae import VAE, FullyConnected, Loss
from numpyvae.commands.main import main as numpyvae
from numpyvae.figures.style import BLUE, ORANGE
from numpyvae.functional import Array
from reference_torch.__main__ import main as reference_torch

PICTURES = DOCS / "pictures"
DARK_GREY = "#777777"
RUN_PICTURES = (  # of the commands in the pages, in the folder where they ran
    "runs/digits-1/evolution.png",
    "runs/digits-1/reconstructions.png",
    "runs/digits-1/loss.png",
    "compare-float64.png",
    "compare-float32.png",
)
LATENT_COMMANDS = (
    "numpyvae train --dataset mnist --out vae",
    "numpyvae train --dataset mnist --out autoencoder --autoencoder",
    "numpyvae train --dataset mnist --out two-units --z-dim 2",
    "numpyvae latent vae autoencoder --out latent.png",
    "numpyvae latent two-units --out plane.png",  # and plane-manifold.png
    "numpyvae interpolate vae --out interpolate.png",
    "numpyvae traverse vae --out traverse.png",
)


def main(wanted: list[str]) -> None:
    made = {"drawings": drawings, "outputs": outputs, "latent": latent, "colour": colour}
    for name in wanted or made:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            made[name]()


def drawings() -> None:
    matplotlib.rcParams["svg.hashsalt"] = "numpyvae"  # the same picture is the same file
    graph(PICTURES / "graph.svg")
    finite_differences(PICTURES / "finite-differences.svg")


def outputs() -> None:
    fill("output", lambda command: f"```text\n{output(command)}\n```")
    for picture in RUN_PICTURES:
        keep(picture, PICTURES)


def latent() -> None:
    for command in LATENT_COMMANDS:
        output(command)
    for picture in sorted(Path().glob("*.png")):
        keep(picture, DOCS / "experiments")


def colour() -> None:
    landscapes.main(Path("landscapes"))
    output("numpyvae train --dataset landscapes --network conv --out run")
    Path("run/reconstructions.png").rename("landscapes.png")
    keep("landscapes.png", PICTURES)


def keep(picture: str | Path, folder: Path) -> None:
    Image.open(picture).save(folder / Path(picture).name, optimize=True)


# What commands print


@cache
def output(command: str) -> str:
    """What one of our commands prints, without the middle of a long list of epochs."""
    program: Callable[[list[str]], int] = numpyvae
    arguments = shlex.split(command.removeprefix("python -m "))
    if arguments.pop(0) == "reference_torch":
        program = reference_torch
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = program(arguments)
    if status:
        raise SystemExit(f"{command} failed with status {status}")
    lines = printed.getvalue().rstrip().splitlines()
    epochs = [line for line in lines if re.match(r" +\d+/\d+ ", line)]
    left_out = epochs[3:-2]
    if left_out:
        lines[lines.index(left_out[0])] = "    ..."
        lines = [line for line in lines if line not in left_out]
    return "\n".join(lines)


# The graph

BOXES = {  # name: (x, y, what it is)
    "x": (3.2, 0.0, "image, 784"),
    "h1": (3.2, 1.5, "512"),
    "h2": (3.2, 3.0, "256"),
    "mean": (1.75, 4.5, "50"),
    "log_var": (4.65, 4.5, "50"),
    "z": (1.75, 7.0, "50"),
    "KL": (4.65, 7.0, "per image"),
    "h3": (1.75, 8.5, "256"),
    "h4": (1.75, 10.0, "512"),
    "logits": (1.75, 11.5, "784"),
    "y": (1.75, 13.0, "784"),
    "error": (1.75, 14.5, "per image"),
    "loss": (1.75, 16.0, "one number"),
}
WIDTH, HEIGHT = 1.2, 0.62
EDGES = [  # from, to, the operation, its equations going back; where along the edge each is written
    ("x", "h1", "encoder1, ReLU", "(B6), (B18)", 0.5, 0.5),
    ("h1", "h2", "encoder2, ReLU", "(B6), (B4)", 0.5, 0.5),
    ("h2", "mean", "mean", "(B4)", 0.5, 0.8),
    ("h2", "log_var", "log_var", "(B4)", 0.8, 0.5),
    ("mean", "z", "", "(B11)", 0.5, 0.5),
    ("log_var", "KL", "", "(B14)", 0.5, 0.5),
    ("mean", "KL", "", "(B13)", 0.5, 0.25),
    ("log_var", "z", "", "(B12)", 0.5, 0.25),
    ("z", "h3", "decoder1,\nReLU", "(B6), (B4)", 0.5, 0.5),
    ("h3", "h4", "decoder2,\nReLU", "(B6), (B4)", 0.5, 0.5),
    ("h4", "logits", "decoder3", "(B4)", 0.5, 0.5),
    ("logits", "y", "sigmoid", "(B8)", 0.5, 0.5),
    ("y", "error", "", "(B9)", 0.5, 0.5),
    ("error", "loss", "sum", "1", 0.5, 0.5),
]
APART = 0.11  # half the distance between an arrow and the one back


def graph(path: Path) -> None:
    """The network: the forward pass down, the gradients up, each with its equation."""
    figure = Figure(figsize=(4.9, 8.7))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-0.4, 6.2)
    axes.set_ylim(17.5, -0.5)
    axes.axis("off")
    for name, (x, y, size) in BOXES.items():
        box(axes, name, x, y, size)
    for start, end, forward, backward, where_forward, where_backward in EDGES:
        (x0, y0, _), (x1, y1, _) = BOXES[start], BOXES[end]
        y0, y1 = y0 + HEIGHT / 2, y1 - HEIGHT / 2
        arrow(axes, [(x0 - APART, y0), (x1 - APART, y1)], BLUE)
        arrow(axes, [(x1 + APART, y1), (x0 + APART, y0)], ORANGE)
        gap = 0.12 + APART + 0.1 * (abs(x1 - x0) > 1)
        for text, where, side, colour in (
            (forward, where_forward, -gap, BLUE),
            (backward, where_backward, gap, ORANGE),
        ):
            x, y = x0 + where * (x1 - x0) + side, y0 + where * (y1 - y0)
            crossing = text in ("(B12)", "(B13)")  # written on their arrows
            x -= crossing * (gap - APART)
            ha = "center" if crossing else "left" if side > 0 else "right"
            label(axes, x, y, text, colour, ha)

    # x is also what the reconstruction is compared with.
    left, outer = BOXES["x"][0] - WIDTH / 2, -0.05
    top, (error, bottom, _) = BOXES["x"][1], BOXES["error"]
    for apart, colour in ((-APART, BLUE), (APART, ORANGE)):
        corner, low = outer + apart, (error - WIDTH / 2, bottom - apart)
        points = [(left, top + apart), (corner, top + apart), (corner, low[1]), low]
        arrow(axes, points if colour == BLUE else points[::-1], colour)
    label(axes, outer + APART + 0.1, 2.3, "(B18)", ORANGE)

    # The noise comes from outside, and no gradient goes there.
    x, (z, y, _) = 0.55, BOXES["z"]
    axes.text(x, y - 0.95, "eps", ha="center", va="center", fontsize=10, family="monospace")
    arrow(axes, [(x, y - 0.7), (x, y), (z - WIDTH / 2, y)], BLUE)

    # The cross-entropy takes the logits, so its arrows pass the sigmoid by.
    side, outer = error + WIDTH / 2, error + WIDTH / 2 + 0.45
    top = BOXES["logits"][1]
    for apart, colour in ((-APART, BLUE), (APART, ORANGE)):
        points = [(side, top - apart), (outer + apart, top - apart)]
        points += [(outer + apart, bottom + apart), (side, bottom + apart)]
        arrow(axes, points if colour == BLUE else points[::-1], colour, "--")
    label(axes, outer + APART + 0.12, BOXES["y"][1], "instead, if bce:\n(B10)", ORANGE)

    (x, y, _), (loss, bottom, _) = BOXES["KL"], BOXES["loss"]
    down, up = x - APART, x + APART
    y, right = y + HEIGHT / 2, loss + WIDTH / 2
    arrow(axes, [(down, y), (down, bottom - APART), (right, bottom - APART)], BLUE)
    arrow(axes, [(right, bottom + APART), (up, bottom + APART), (up, y)], ORANGE)
    label(axes, down - 0.12, 11.5, "times β,\nsum", BLUE, ha="right")
    label(axes, up + 0.12, 11.5, "β", ORANGE)

    for name, text, side in (
        ("h2", "sum: (B17)", 1),
        ("mean", "sum:\n(B15)", -1),
        ("log_var", "sum:\n(B16)", 1),
    ):
        x, y, _ = BOXES[name]
        at = x + side * (WIDTH / 2 + 0.1)
        label(axes, at, y, text, ORANGE, ha="left" if side > 0 else "right", weight="bold")
    label(axes, 2.8, 16.85, "forward pass", BLUE, ha="right")
    label(axes, 3.1, 16.85, "gradients", ORANGE)
    note = "the weight and bias of every layer: (B2), (B3)"
    label(axes, 2.95, 17.25, note, ORANGE, ha="center")
    save(figure, path)


def box(axes: Axes, name: str, x: float, y: float, size: str) -> None:
    corner = (x - WIDTH / 2 + 0.1, y - HEIGHT / 2 + 0.1)
    shape = FancyBboxPatch(
        corner, WIDTH - 0.2, HEIGHT - 0.2, "round,pad=0.1", fc="white", ec="black", lw=1.1, zorder=3
    )
    axes.add_patch(shape)
    style: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 4}
    axes.text(x, y - 0.1, name, fontsize=10, family="monospace", **style)
    axes.text(x, y + 0.19, size, fontsize=6.5, color=DARK_GREY, **style)


def arrow(axes: Axes, points: list[tuple[float, float]], colour: str, line: str = "-") -> None:
    """Through all the points, with its head at the last."""
    xs, ys = zip(*points, strict=True)
    axes.plot(xs[:-1], ys[:-1], color=colour, linewidth=1.3, linestyle=line, zorder=1)
    style: dict[str, Any] = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
    style |= {"color": colour, "linewidth": 1.3, "linestyle": line}
    axes.annotate("", points[-1], points[-2], arrowprops=style, zorder=1)


def label(
    axes: Axes, x: float, y: float, text: str, colour: str, ha: str = "left", weight: str = "normal"
) -> None:
    style: dict[str, Any] = {"ha": ha, "va": "center", "weight": weight, "zorder": 5}
    background = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    axes.text(x, y, text, color=colour, fontsize=8, bbox=background, **style)


# The error of finite differences


def finite_differences(path: Path) -> None:
    """How far central differences are from the gradient, for many steps, in both dtypes."""
    figure = Figure(figsize=(4.9, 3.4), layout="constrained")
    axes = figure.subplots()
    steps = np.logspace(-13, -0.5, 76)
    for dtype, colour in ((np.float32, ORANGE), (np.float64, BLUE)):
        errors = [difference_error(dtype, step) for step in steps]
        axes.loglog(steps, errors, color=colour, label=np.dtype(dtype).name, linewidth=1.6)
    axes.set_xlabel("step h")
    axes.set_ylabel("error relative to the gradient")
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(1e-11, 1e3)
    axes.legend(frameon=False)
    save(figure, path)


def difference_error(dtype: type, step: float) -> float:
    """For one direction in the space of the decoder's last bias, where there is no kink."""
    vae = VAE(FullyConnected(64, 32, 16, 4, dtype))
    rng = np.random.default_rng(0)
    x: Array = rng.random((8, 64)).astype(dtype)
    eps: Array = rng.standard_normal((8, 4)).astype(dtype)
    direction = rng.standard_normal(64)
    direction = (direction / np.linalg.norm(direction)).astype(dtype)
    bias = vae.parameters["decoder3.bias"]
    start = bias.copy()

    def moved(t: float) -> Loss:
        bias[...] = start + dtype(t) * direction
        return vae.forward(x, eps)

    moved(0)
    slope = float(np.vdot(vae.backward()["decoder3.bias"], direction))
    difference = (moved(step).total - moved(-step).total) / (2 * step)
    return abs(difference - slope) / abs(slope)


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    main(sys.argv[1:])
