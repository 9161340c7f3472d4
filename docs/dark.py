"""A picture for dark pages: dark where it was white, its hues kept, images in it left alone."""

import numpy as np
from PIL import Image
from scipy import ndimage

from numpyvae.functional import Array

PAGE = 19  # the grey of furo's dark page
BRIGHTEST = 215  # what black becomes
SMALLEST_TILE = 20  # pixels


def darkened(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture.convert("RGB")).astype(np.int16)
    lightest, darkest = pixels.max(2, keepdims=True), pixels.min(2, keepdims=True)
    turned = pixels + 255 - lightest - darkest  # the hue stays, light and dark change places
    dark = np.rint(PAGE + turned * ((BRIGHTEST - PAGE) / 255))
    return Image.fromarray(np.where(tiles(pixels)[..., None], pixels, dark).astype(np.uint8))


def tiles(pixels: Array) -> Array:
    """Where the pixels (H, W, 3) belong to images: rectangles that are not white, and mostly dark.

    Curves and letters fill their rectangles badly; panels with grid lines are mostly white.
    """
    found = np.zeros(pixels.shape[:2], bool)
    regions, _ = ndimage.label(ndimage.binary_fill_holes(pixels.min(2) < 255))
    for number, place in enumerate(ndimage.find_objects(regions), 1):
        inside = regions[place] == number
        if min(inside.shape) >= SMALLEST_TILE and inside.mean() > 0.95:
            found[place] |= pixels[place].mean() < 128
    return found
