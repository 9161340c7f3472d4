"""Pixels as floats, batch by batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae.data.dataset import as_floats, minibatches
from numpyvae.errors import InputError


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_become_floats(dtype):
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 128)
    expected = np.arange(256).reshape(2, 128).astype(dtype) / dtype(255)
    floats = as_floats(pixels, dtype)
    assert floats.dtype == dtype
    np.testing.assert_array_equal(floats, expected)
    out = np.empty((2, 128), dtype)
    assert as_floats(pixels, out=out) is out
    np.testing.assert_array_equal(out, expected)
    for own_dtype in (np.float32, np.float64):
        same = as_floats(expected.astype(own_dtype), dtype)
        assert same.dtype == dtype
        np.testing.assert_allclose(same, expected, rtol=1e-7)
    with pytest.raises(InputError, match="not int64"):
        as_floats(np.arange(3))


@given(n=st.integers(1, 40), batch_size=st.integers(1, 50), seed=st.none() | st.integers(0, 9))
def test_minibatches_cover_every_image_once(n, batch_size, seed):
    images = np.arange(n, dtype=np.uint8)[:, None].repeat(3, axis=1)
    rng = None if seed is None else np.random.default_rng(seed)
    batches = [batch.copy() for batch in minibatches(images, batch_size, np.float64, rng)]
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    order = range(n) if seed is None else np.random.default_rng(seed).permutation(n)
    np.testing.assert_array_equal(np.concatenate(batches), images[order] / 255)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_minibatches_take_no_memory_but_one_buffer(traced, dtype):
    images = np.ones((2000, 784), dtype)
    batches = minibatches(images, 100, np.float32, np.random.default_rng(0))
    first = next(batches)
    with traced() as peak:
        shares = [np.shares_memory(first, batch) for batch in batches]
    assert shares == [True] * 19
    assert peak() < 100 * 784 / 2  # half of even a batch of uint8


def test_a_data_set_says_what_it_is(tiny):
    assert repr(tiny) == (
        "<Dataset tiny: 40 training and 12 test images of 5 x 4 pixels, uint8, without labels>"
    )
