"""Draws pictures in colour to try a training with.

    python docs/shapes.py FOLDER    400 pictures of 64 x 64 pixels, a folder for each kind of shape

A disc, a square or a triangle of any colour stands somewhere before a gradient of two others.
"""

import sys
from colorsys import hsv_to_rgb
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE, FINER, COUNT = 64, 4, 400  # pixels; drawn so many times finer, and how many pictures
CORNERS = {"disc": 60, "square": 4, "triangle": 3}


def draw(corners: int, rng: np.random.Generator) -> Image.Image:
    hues = rng.random() + np.array([0, rng.uniform(0.1, 0.3), rng.uniform(0.4, 0.6)])
    top, bottom, colour = (
        np.array(hsv_to_rgb(hue % 1, *rng.uniform((0.5, 0.6), (0.9, 1.0)))) * 255 for hue in hues
    )
    down = np.linspace(0, 1, SIDE * FINER)[:, None, None]
    gradient = (top + (bottom - top) * down).repeat(SIDE * FINER, axis=1)
    picture = Image.fromarray(np.rint(gradient).astype(np.uint8))
    radius, turn = rng.uniform(10, 20), rng.uniform(0, 2 * np.pi)
    angles = turn + np.arange(corners) * 2 * np.pi / corners
    x, y = rng.uniform(radius, SIDE - radius, 2)
    points = [(x + radius * np.cos(a), y + radius * np.sin(a)) for a in angles]
    outline = [(FINER * px, FINER * py) for px, py in points]
    ImageDraw.Draw(picture).polygon(outline, tuple(np.rint(colour).astype(int).tolist()))
    return picture.resize((SIDE, SIDE), Image.Resampling.BOX)


def main(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        shape, corners = list(CORNERS.items())[i % len(CORNERS)]
        (folder / shape).mkdir(parents=True, exist_ok=True)
        draw(corners, rng).save(folder / shape / f"{i:03}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
