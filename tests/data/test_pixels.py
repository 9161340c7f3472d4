"""What arrays of images may be, and what is said about the rest."""

import numpy as np
import pytest

from numpyvae import InputError
from numpyvae.data.pixels import as_rows

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (20, 4, 6), np.uint8)
ZEROS = np.zeros((5, 4))


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


def test_nothing_is_copied_that_need_not_be():
    assert np.shares_memory(as_rows(BYTES)[0], BYTES)


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
        (np.zeros((4, 0, 3)), r"shape \(4, 0, 3\)"),
    ],
)
def test_other_arrays_are_refused_with_a_remedy(images, said):
    with pytest.raises(InputError, match=said) as error:
        as_rows(images)
    assert "\n" not in str(error.value)
