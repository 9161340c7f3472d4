"""Draws pictures in colour to try a training with: a sun above hills, by day and in the evening.

python docs/landscapes.py FOLDER    400 pictures of 64 x 64 pixels, in FOLDER/day and /evening
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, FINER, COUNT = 64, 4, 400  # pixels; drawn so many times finer, and how many pictures
ABOVE, HORIZON = ((70, 130, 230), (40, 30, 90)), ((190, 225, 250), (250, 140, 60))  # day, evening
SUN, HILLS = ((255, 245, 180), (255, 80, 40)), ((70, 150, 60), (50, 40, 60))
TIMES = ("day", "evening")


def draw(rng: np.random.Generator) -> tuple[str, Image.Image]:
    """What time it is, and the picture. All that is drawn is on a scale from 0 to 1."""
    late, height = rng.random(), rng.uniform(0.05, 0.25)
    x_sun, turn = rng.uniform(0.15, 0.85), rng.uniform(0, 2 * np.pi)

    def colour(day_and_evening: tuple[tuple[int, ...], ...]) -> np.ndarray:
        day, evening = np.array(day_and_evening)
        return day + late * (evening - day)

    y, x = (np.indices((SIDE * FINER,) * 2)[..., None] + 0.5) / (SIDE * FINER)
    picture = colour(ABOVE) + y * (colour(HORIZON) - colour(ABOVE))
    y_sun = 0.15 + 0.4 * late
    picture = np.where((x - x_sun) ** 2 + (y - y_sun) ** 2 < 0.1**2, colour(SUN), picture)
    hills = 0.75 - height * np.sin(2 * np.pi * x + turn)
    picture = np.where(y > hills, colour(HILLS) * (1.3 - 0.6 * y), picture)
    whole = picture.reshape(SIDE, FINER, SIDE, FINER, 3).mean(axis=(1, 3))
    return TIMES[int(late > 0.5)], Image.fromarray(np.rint(whole).astype(np.uint8))


def main(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        time, picture = draw(rng)
        (folder / time).mkdir(parents=True, exist_ok=True)
        picture.save(folder / time / f"{i:03}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
