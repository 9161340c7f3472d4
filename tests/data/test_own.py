"""A user's own images."""

import numpy as np
import pytest

from numpyvae.data.loading import load_dataset

RNG = np.random.default_rng(0)


def own(tmp_path, images, **more):
    """Load `images` from a .npy file, or with `more` arrays from a .npz file."""
    path = tmp_path / ("own.npz" if more else "own.npy")
    if more:
        np.savez(path, images=images, **more)
    else:
        np.save(path, images)
    return load_dataset(path)


@pytest.mark.parametrize(
    ("shape", "image_shape"),
    [((20, 4, 6), (4, 6)), ((20, 9), (3, 3)), ((20, 10), (1, 10)), ((20, 1), (1, 1))],
)
@pytest.mark.parametrize("dtype", ["u1", "<f2", "<f4", "<f8", ">f4"])
def test_own_images_of_every_kind(tmp_path, shape, image_shape, dtype):
    images = RNG.integers(0, 2, shape).astype(dtype)
    for array in (images, np.asfortranarray(images)):
        dataset = own(tmp_path, array)
        assert dataset.image_shape == image_shape
        assert dataset.train_labels is None
        assert dataset.test_labels is None
        assert dataset.train_images.dtype == (np.uint8 if dtype == "u1" else np.float32)
        rows = np.concatenate([dataset.train_images, dataset.test_images])
        np.testing.assert_array_equal(rows, images.reshape(20, -1))
        assert len(dataset.test_images) == 2
        assert dataset.train_images.flags.c_contiguous


@pytest.mark.parametrize(("n", "held_out"), [(2, 1), (9, 1), (19, 1), (20, 2), (105, 10)])
def test_the_last_tenth_is_held_out(tmp_path, n, held_out):
    images = np.arange(n, dtype=np.uint8)[:, None]
    dataset = own(tmp_path, images, labels=np.arange(n) % 7)
    assert dataset.test_images[:, 0].tolist() == list(range(n - held_out, n))
    np.testing.assert_array_equal(dataset.train_labels, np.arange(n - held_out) % 7)
    np.testing.assert_array_equal(dataset.test_labels, np.arange(n - held_out, n) % 7)
    assert dataset.train_labels.dtype == np.uint8


def test_the_only_array_of_an_npz_file_may_have_any_name(refused, tmp_path):
    np.savez(tmp_path / "own.npz", faces=np.zeros((5, 2, 2), np.uint8))
    assert load_dataset(str(tmp_path / "own.npz")).image_shape == (2, 2)
    np.savez(tmp_path / "own.npz", a=np.zeros((5, 2, 2)), b=np.zeros(5))
    refused("own.npz needs an array named images; it has a, b", tmp_path / "own.npz")
    np.savez(tmp_path / "own.npz")
    refused("it has none", tmp_path / "own.npz")


ZEROS = np.zeros((4, 3))


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.full((4, 3), np.nan), "no NaN"),
        (np.where(np.arange(12).reshape(4, 3) == 11, np.nan, 0.5), "no NaN"),
        (np.full((4, 3), np.inf), "values from inf"),
        (ZEROS - 0.001, "from -0.001"),
        (ZEROS + 1.001, "to 1.001"),
        (np.array([[0.5], [-np.inf]], np.float16), "from -inf"),
        (ZEROS.astype(np.int64), "int64"),
        (ZEROS.astype(bool), "bool"),
        (ZEROS.astype(complex), "complex128"),
        (ZEROS.astype(np.longdouble), "give uint8, or floats"),
        (np.array([["a"], ["b"]]), "<U1"),
        (np.float32(0.5), r"shape \(\)"),
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((4, 2, 2, 3)), r"shape \(4, 2, 2, 3\)"),
        (np.zeros((1, 4)), r"shape \(1, 4\)"),
        (np.zeros((0, 4)), r"shape \(0, 4\)"),
        (np.zeros((4, 0)), r"shape \(4, 0\)"),
        (np.zeros((4, 0, 3)), r"shape \(4, 0, 3\)"),
    ],
)
def test_unfit_images_are_refused(refused, tmp_path, images, said):
    np.save(tmp_path / "own.npy", images)
    assert "own.npy" in refused(said, tmp_path / "own.npy")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros(3, int), r"int64 \(3,\)"),
        (np.zeros((4, 1), int), r"\(4, 1\)"),
        (np.zeros(4), "float64"),
        (np.array([0, 1, 2, 256]), "from 0 to 256"),
        (np.array([0, 1, 2, -1]), "from -1 to 2"),
    ],
)
def test_unfit_labels_are_refused(refused, tmp_path, labels, said):
    np.savez(tmp_path / "own.npz", images=ZEROS, labels=labels)
    assert "labels in" in refused(said, tmp_path / "own.npz")
