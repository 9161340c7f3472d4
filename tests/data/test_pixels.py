"""What arrays of images may be, and what is said about the rest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae import InputError
from numpyvae.data.pixels import as_rows

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (20, 4, 6), np.uint8)
ZEROS = np.zeros((5, 4))
DIGITS = RNG.integers(0, 17, (5, 8, 8))  # as scikit-learn's


@pytest.mark.parametrize(
    ("shape", "image_shape"),
    [
        *(((20, 4, 6), (4, 6)), ((20, 1, 4, 6), (4, 6)), ((20, 4, 6, 1), (4, 6))),
        *(((20, 9), (3, 3)), ((20, 1), (1, 1)), ((2, 1, 1, 5), (1, 5))),
    ],
)
@pytest.mark.parametrize("dtype", ["u1", "i8", "?", "<f2", "<f4", "<f8", ">f4"])
def test_shapes_and_types_of_one_meaning_become_rows_of_pixels(shape, image_shape, dtype):
    white = 255 if dtype in ("u1", "i8") else 1
    images = (RNG.integers(0, 2, shape) * white).astype(dtype)
    for array in (images, np.asfortranarray(images)):
        rows, found = as_rows(array)
        assert found == image_shape
        expected = images.reshape(len(images), -1) * (255.0 if dtype == "?" else 1)
        np.testing.assert_array_equal(rows, expected)
        assert rows.dtype == (np.uint8 if dtype in ("u1", "i8", "?") else np.float32)
        assert rows.flags.c_contiguous


def test_floats_that_are_bytes_become_bytes():
    rows, _ = as_rows(BYTES.astype(float))
    assert rows.dtype == np.uint8
    np.testing.assert_array_equal(rows, BYTES.reshape(20, 24))


@pytest.mark.parametrize("kind", ["u1", "i8", "f4", "?"])
def test_images_of_one_meaning_are_taken(kind):
    """Those whose shapes or values are not far from what is refused."""
    for shape in ((10000, 784), (49, 64), (7, 7, 500), (27, 28, 112), (12, 28, 300), (9, 7, 3)):
        images = np.zeros(shape, kind)
        images.flat[0] = {"u1": 64, "i8": 255}.get(kind, 1)
        assert len(as_rows(images)[0]) == shape[0]
    for shape in ((28, 1, 28, 500), (28, 28, 500, 1)):
        assert as_rows(np.full(shape, {"u1": 200, "i8": 200}.get(kind, 1), kind))[1] == (28, 500)


def test_what_is_white_is_seen_in_all_images_together():
    bright, dark = BYTES.astype(float), np.zeros((3, 4, 6))
    dark[0, 0, 0] = 1
    for kind in ("u1", "i8", "f4"):
        rows, _ = as_rows(dark.astype(kind), bright.astype(kind))
        assert (rows.dtype, rows.max()) == (np.uint8, 1)
    assert as_rows(dark, BYTES)[0].dtype == np.float32
    with pytest.raises(InputError, match="up to 16"):
        as_rows(DIGITS, DIGITS[:2])


@pytest.mark.parametrize("dtype", ["u1", "i8", "?", "<f4", "<f8"])
@given(st.integers(1, 5), st.integers(5, 12), st.integers(5, 12), st.booleans())
def test_rows_hold_red_green_and_blue_of_each_pixel(dtype, count, height, width, first):
    white = 255 if dtype in ("u1", "i8") else 1
    rgb = (np.arange(count * height * width * 3) % 7 % 2 * white).astype(dtype)
    rgb = rgb.reshape(count, height, width, 3)
    rows, image_shape = as_rows(np.moveaxis(rgb, -1, 1) if first else rgb, None, colour=True)
    assert image_shape == (height, width, 3)
    assert rows.flags.c_contiguous
    expected = rgb * (255 if dtype == "?" else 1)
    for i, y, x in ((0, 0, 0), (-1, -1, -1), (0, 3, 4), (-1, 4, 2)):
        np.testing.assert_array_equal(rows[i].reshape(height, width, 3)[y, x], expected[i, y, x])
    np.testing.assert_array_equal(rows, expected.reshape(count, -1))


def test_grey_images_stay_grey_beside_colour():
    for shape in ((20, 9, 8), (20, 1, 9, 8), (20, 9, 8, 1)):
        assert as_rows(np.full(shape, 200, np.uint8), None, colour=True)[1] == (9, 8)
    assert as_rows(np.full((20, 81), 200, np.uint8), None, colour=True)[1] == (9, 9)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((48, 64, 3), "may be one picture of 3 channels: give several"),
        ((3, 48, 64), r"one picture of 3 channels: .* 3 images of 48 x 64, give images\[:, None\]"),
        ((4, 48, 64), "may be one picture of 4 channels"),
        ((5, 9, 9, 4), r"have four channels: give images\[..., :3\]$"),
        ((5, 4, 9, 9), r"have four channels: give images\[:, :3\]$"),
        ((5, 3, 9, 3), "may have their channels first or last: .* more than 4 pixels a side"),
        ((5, 1, 9, 3), r"may have their channels first or last: give grey images as \(N, H, W\)"),
        ((5, 3, 9, 1), "may have their channels first or last"),
        ((32, 32, 3, 3), r"np.moveaxis\(images, -1, 0\), if the last axis counts them"),
        ((32, 32, 3, 500), r"np.moveaxis\(images, -1, 0\), if the last axis counts them"),
        ((5, 9, 9, 2), "neither grey nor colour"),
        ((50, 3072), r"reshape it to \(N, H, W\), or with channels to \(N, H, W, 3\)"),
    ],
)
def test_colour_that_may_be_something_else_is_refused(shape, said):
    with pytest.raises(InputError, match=said):
        as_rows(np.full(shape, 200, np.uint8), None, colour=True)


def test_nothing_is_copied_that_need_not_be():
    assert np.shares_memory(as_rows(BYTES)[0], BYTES)
    rgb = RNG.integers(0, 256, (5, 8, 9, 3), np.uint8)
    assert np.shares_memory(as_rows(rgb, None, colour=True)[0], rgb)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.full((5, 4), np.nan), "no NaN"),
        (np.where(np.arange(20).reshape(5, 4) == 11, np.nan, 0.5), "no NaN"),
        (np.array([[0.5], [-np.inf]], np.float16), "no infinity"),
        (ZEROS - 0.5, r"from -0.5 to -0.5: scale them to \[0, 1\]: \(images \+ 1\) / 2"),
        (ZEROS + 1.5, "to 1.5: .* dividing by 255"),
        (ZEROS + 300.5, r"scale them to \[0, 1\]$"),
        (BYTES * 0.9, "dividing by 255"),
        (BYTES.astype(int) - 1, "from -1 to .*: give 0 to 255"),
        (BYTES.astype(int) * 257, "to 65535: give 0 to 255"),
        (np.ones((5, 4), int), r"if 1 is white, give images.astype\(bool\)"),
        (np.ones((5, 4), np.uint8), r"if 1 is white, give images.astype\(bool\)"),
        (ZEROS.astype(complex), "complex128"),
        (np.array([["a"], ["b"]]), "<U1"),
        (np.float32(0.5), r"shape \(\)"),
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((28, 28)), "one picture, or 28 rows"),
        (np.zeros((16, 16)), r"reshape it to \(N, H, W\)"),
        (np.zeros((20, 10)), r"reshape it to \(N, H, W\)"),
        (np.zeros((4, 2, 2, 3)), r"images.mean\(axis=-1\)"),
        (np.zeros((4, 3, 2, 2)), r"images.mean\(axis=1\)"),
        (np.zeros((0, 4)), r"shape \(0, 4\)"),
        # what may mean two things
        (np.zeros((784, 10000), np.uint8), "784 rows of pixels, or 10000 columns: .* images.T"),
        (np.zeros((784, 60000), np.uint8), "or 60000 columns"),
        (np.zeros((64, 81)), "or 81 columns"),
        (np.zeros((28, 28, 500)), r"500 images of 28 x 28, .*moveaxis\(images, -1, 0\)\[:, None\]"),
        (np.zeros((28, 28, 28)), r"or 28 of 28 x 28: .*, or images\[:, None\]"),
        (np.zeros((112, 92, 400)), "400 images of 112 x 92"),
        (np.zeros((28, 20, 1965)), "1965 images of 28 x 20"),
        (np.zeros((48, 64, 3)), r"one picture of 3 channels: .* give images\[:, None\]"),
        (np.zeros((48, 64, 1)), "one picture of 1 channels"),
        (np.zeros((5, 9, 9, 2)), r"one of two channels, such as images\[..., 0\]"),
        (np.zeros((5, 2, 9, 9)), r"one of two channels, such as images\[:, 0\]"),
        (np.zeros((5, 6, 9, 8)), r"images.reshape\(-1, 9, 8\), if the first two axes count them"),
        (np.zeros((32, 32, 3, 500)), r"np.moveaxis\(images, -1, 0\), if the last axis"),
        (np.zeros((5, 3, 9, 3)), r"neither grey nor colour"),
        (np.zeros((5, 9, 9, 4)), r"images\[..., :3\].mean\(axis=-1\)"),
        (np.zeros((5, 4, 9, 9)), r"images\[:, :3\].mean\(axis=1\)"),
        # another white than 255
        *((DIGITS.astype(kind), "up to 16, .* images / 16, or images / 255") for kind in "Bbilfd"),
        (np.minimum(DIGITS * 4, 63), "up to 63, .* images / 63"),
        (DIGITS / 1.5, r"from 0 to 10.6667: scale them to \[0, 1\], .* by 255 or 10.6667"),
        (
            BYTES.astype(int) * 16,
            r"to 4080: give 0 to 255, or divide by what is white, images / 4080",
        ),
        # no arrays
        ([[1, 2], [3]], "cannot become a NumPy array .*: give lists of one length"),
        ([[1, 2], "a"], "cannot become a NumPy array"),
        (np.array([[None]]), "type object"),
        (np.ma.masked_equal(BYTES, BYTES[0, 0, 0]), r"masked: .*images.filled\(0\)"),
        (np.zeros((4, 0, 3)), r"shape \(4, 0, 3\)"),
    ],
)
def test_other_arrays_are_refused_with_a_remedy(images, said):
    with pytest.raises(InputError, match=said) as error:
        as_rows(images)
    assert "\n" not in str(error.value)
