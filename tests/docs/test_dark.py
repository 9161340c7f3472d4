"""Pictures for dark pages."""

import numpy as np
from dark import BRIGHTEST, PAGE, darkened
from PIL import Image


def drawn():
    """A white picture with an image of a white stroke, a black line, and a panel with a grid."""
    pixels = np.full((100, 200, 3), 255, np.uint8)
    pixels[10:50, 10:50] = 0
    pixels[20:40, 28:32] = 255
    pixels[70, 5:190] = 0
    pixels[10:50:10, 100:141] = 235
    pixels[10:51, 100:141:10] = 235
    return pixels


def test_an_image_stays_as_it_is():
    pixels = drawn()
    dark = np.asarray(darkened(Image.fromarray(pixels)))
    assert np.array_equal(dark[10:50, 10:50], pixels[10:50, 10:50])


def test_paper_becomes_dark_and_ink_bright():
    dark = np.asarray(darkened(Image.fromarray(drawn())))
    assert np.all(dark[0, 0] == PAGE)
    assert np.all(dark[70, 100] == BRIGHTEST)


def test_a_panel_with_a_grid_is_no_image():
    dark = np.asarray(darkened(Image.fromarray(drawn())))
    assert np.all(dark[15, 105] == PAGE)


def test_colours_keep_their_hue():
    blue = np.full((1, 1, 3), (0, 114, 178), np.uint8)
    red, green, blue = np.asarray(darkened(Image.fromarray(blue)))[0, 0]
    assert red < green < blue
