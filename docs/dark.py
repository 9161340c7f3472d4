"""A picture for dark pages: dark where it was white, its hues kept, the images in it left alone."""

import numpy as np
from PIL import Image

from numpyvae.functional import Array

PAGE = 19  # the grey of furo's dark page
BRIGHTEST = 215  # what black becomes
SMALLEST_IMAGE = 20  # pixels


def darkened(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture.convert("RGB")).astype(np.int16)
    lightest, darkest = pixels.max(2, keepdims=True), pixels.min(2, keepdims=True)
    turned = pixels + 255 - lightest - darkest  # the hue stays, light and dark change places
    dark = np.rint(PAGE + turned * ((BRIGHTEST - PAGE) / 255)).astype(np.uint8)
    keep_images(pixels, dark)
    return Image.fromarray(dark)


def keep_images(pixels: Array, dark: Array) -> None:
    """Copies the images in a picture (H, W, 3) into its dark twin as they are.

    White rows and columns cut the picture into rectangles, and these again into smaller ones. A
    rectangle without any is an image if it is mostly dark; a panel with curves is mostly white.
    """
    ink = pixels.min(2) < 255
    for rows in stretches(ink.any(1)):
        for columns in stretches(ink[rows].any(0)):
            part = pixels[rows, columns]
            if part.shape != pixels.shape:
                keep_images(part, dark[rows, columns])
            elif min(part.shape[:2]) >= SMALLEST_IMAGE and part.mean() < 128:
                dark[rows, columns] = part


def stretches(ink: Array) -> list[slice]:
    """Where a row of booleans is True without a gap."""
    edges = np.flatnonzero(np.diff(np.pad(ink, 1).astype(np.int8)))
    return [slice(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
