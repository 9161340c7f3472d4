"""A data set's arrays, and pixels as floats, batch by batch."""

import mmap
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae import Dataset
from numpyvae.data import dataset
from numpyvae.data.dataset import as_floats, minibatches
from numpyvae.data.npz import map_npy
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
    batches = minibatches(images, 500, np.float32, np.random.default_rng(0))
    first = next(batches)
    with traced() as peak:
        shares = [np.shares_memory(first, batch) for batch in batches]
    assert shares == [True] * 3
    assert peak() < 500 * 784 / 2  # half of even a batch of uint8


class Asked(mmap.mmap):
    """A mapped file that remembers its advice, and which pages it was asked to read."""

    def madvise(self, advice, start=0, length=None):
        if advice != mmap.MADV_WILLNEED:
            self.advice = [*getattr(self, "advice", []), advice]
            return
        assert start % mmap.PAGESIZE == 0
        first, last = start // mmap.PAGESIZE, (start + length - 1) // mmap.PAGESIZE
        self.pages = getattr(self, "pages", set()) | set(range(first, last + 1))


@pytest.fixture
def mapped(tmp_path):
    """500 images of 784 pixels in a file, as map_npy has them, and the mapping."""
    images = np.random.default_rng(0).integers(0, 256, (500, 784), np.uint8)
    np.save(tmp_path / "images.npy", images)
    with open(tmp_path / "images.npy", "r+b") as file:
        mapping = Asked(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return np.ndarray(images.shape, np.uint8, mapping, 128), mapping


@pytest.mark.skipif(not hasattr(mmap, "MADV_RANDOM"), reason="this system takes no advice")
def test_images_in_a_file_are_asked_for_before_their_turn_and_are_the_same(mapped, monkeypatch):
    monkeypatch.setattr(dataset, "AHEAD", 3)
    images, mapping = mapped
    in_memory = minibatches(images.copy(), 7, np.float32, np.random.default_rng(1))
    order = np.random.default_rng(1).permutation(500)
    # a view's view, which is no np.memmap
    for turn, x in enumerate(minibatches(images[:, :], 7, np.float32, np.random.default_rng(1)), 1):
        np.testing.assert_array_equal(x, next(in_memory))
        assert mapping.advice == [mmap.MADV_RANDOM]
        first = 128 + 784 * order[: 7 * (turn + 3)]  # up to three minibatches ahead, and no more
        pages = {int(page) // mmap.PAGESIZE for page in (*first, *(first + 783))}
        assert mapping.pages == pages
    assert mapping.advice == [mmap.MADV_RANDOM, mmap.MADV_NORMAL]


@pytest.mark.skipif(not hasattr(mmap, "MADV_RANDOM"), reason="this system takes no advice")
def test_large_images_are_asked_for_in_small_numbers(mapped, monkeypatch):
    monkeypatch.setattr(dataset, "MOST_AHEAD", 10 * (784 + mmap.PAGESIZE))
    images, mapping = mapped
    next(minibatches(images, 7, np.float32, np.random.default_rng(1)))
    assert 10 < len(mapping.pages) < 2 * 17


def test_images_in_order_are_left_to_the_system(mapped):
    images, mapping = mapped
    assert len(list(minibatches(images, 7, np.float32))) == 72
    assert not vars(mapping)


def test_a_data_set_says_what_it_is(tiny):
    assert repr(tiny) == (
        "<Dataset tiny: 40 training and 12 test images of 5 x 4 pixels, uint8, without labels>"
    )


@pytest.mark.parametrize("bad", [255.0, -0.1, np.nan, np.inf])
def test_floats_outside_0_and_1_are_no_pixels(bad):
    images = np.full((30, 4), 0.5, np.float32)
    images[20, 3] = bad
    with pytest.raises(InputError, match="pixels from"):
        as_floats(images)
    with pytest.raises(InputError, match="pixels from"):
        list(minibatches(images, 7, np.float32))
    with pytest.raises(InputError, match="pixels from"):
        Dataset("x", images, None, images, None, (2, 2))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_shape": (5, 4, 1)}, r"in colour, whole numbers, and not \(5, 4, 1\)"),
        ({"image_shape": (5, 4, 3)}, r"train_images must be .* \(N, 60\), got \(40, 20\)"),
        ({"image_shape": (5, 5)}, r"train_images must be .* \(N, 25\), got \(40, 20\)"),
        ({"test_images": np.zeros((3, 5, 4), np.uint8)}, r"test_images .* got \(3, 5, 4\)"),
        ({"test_images": np.zeros((0, 20), np.uint8)}, "at least one image"),
        ({"test_images": [[0] * 20]}, "test_images must be an array"),
        ({"train_images": np.zeros((3, 20), int)}, "train_images must be uint8 or floats"),
        ({"train_labels": np.zeros(39, np.uint8)}, r"train_labels must be \(40,\)"),
        ({"test_labels": np.zeros((12, 1), np.uint8)}, r"test_labels must be \(12,\)"),
        ({"test_labels": np.arange(12), "label_names": ("a", "b")}, "up to 11, beyond 2 names"),
    ],
)
def test_arrays_that_contradict_each_other_are_refused(tiny, change, said):
    with pytest.raises(InputError, match=said):
        replace(tiny, **change)


@pytest.mark.parametrize(("n", "held_out"), [(2, 1), (9, 1), (19, 1), (20, 2), (105, 10)])
def test_a_random_tenth_is_held_out_with_its_labels(n, held_out):
    images = np.arange(n, dtype=np.uint8).reshape(n, 1, 1)
    images[-1] = 200
    before = images.copy()
    data = Dataset.from_arrays(images, labels=np.arange(n) % 7)
    assert (len(data.train_images), len(data.test_images)) == (n - held_out, held_out)
    for part, labels in (
        (data.train_images, data.train_labels),
        (data.test_images, data.test_labels),
    ):
        places = np.where(part[:, 0] == 200, n - 1, part[:, 0])
        np.testing.assert_array_equal(labels, places % 7)
    both = [*data.train_images[:, 0], *data.test_images[:, 0]]
    assert sorted(both) == sorted(before[:, 0, 0])
    np.testing.assert_array_equal(images, before)
    again = Dataset.from_arrays(images)
    np.testing.assert_array_equal(again.test_images, data.test_images)


def test_images_sorted_by_class_are_held_out_from_every_class(monkeypatch):
    images = np.repeat(np.arange(10, dtype=np.uint8) * 20, 100).reshape(1000, 1, 1)
    data = Dataset.from_arrays(images, np.repeat(np.arange(10), 100))
    assert np.bincount(data.test_labels, minlength=10).min() >= 3
    monkeypatch.setattr(dataset, "MOST_HELD_OUT", 30)
    assert len(Dataset.from_arrays(images).test_images) == 30


def test_test_images_can_be_given():
    images = np.full((6, 2, 3), 199, np.uint8)
    data = Dataset.from_arrays(images, None, images[:2], [1, 2], name="greys")
    assert (data.name, len(data.train_images), data.test_labels.tolist()) == ("greys", 6, [1, 2])
    assert np.shares_memory(data.train_images, images)
    with pytest.raises(InputError, match="images of 2 x 3 pixels, but test images of 3 x 2"):
        Dataset.from_arrays(images, test_images=images.reshape(6, 3, 2))
    with pytest.raises(InputError, match="at least two"):
        Dataset.from_arrays(images[:1])
    with pytest.raises(InputError, match="test labels without test images"):
        Dataset.from_arrays(images, test_labels=[1, 2])


def test_labels_that_are_names_are_kept():
    images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1) + 100
    names = ["b", "a10", "a2", "b", "b", "b", "b", "b", "b", "b"]
    data = Dataset.from_arrays(images, names)
    assert data.label_names == ("a2", "a10", "b")
    for part in ("train", "test"):
        rows = zip(getattr(data, f"{part}_images"), getattr(data, f"{part}_labels"), strict=True)
        assert all(data.name_of(label) == names[row[0] - 100] for row, label in rows)
    apart = Dataset.from_arrays(images[:2], names[:2], images[2:], names[2:])
    assert apart.classes() == {"a10": 1, "b": 2}
    assert [apart.name_of(label) for label in apart.test_labels] == names[2:]


def test_labels_without_names_are_called_by_their_numbers(tiny):
    labelled = replace(tiny, train_labels=np.arange(40) % 3 + 300)
    assert labelled.classes() == {"300": 300, "301": 301, "302": 302}
    assert tiny.classes() == {}


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("swap", [False, True])
def test_white_is_the_same_for_training_and_testing(dtype, swap):
    """A dark image alone does not tell what is white; all images do."""
    bright, dark = np.full((5, 2, 3), 200, dtype), np.full((4, 2, 3), 1, dtype)
    images, test_images = (dark, bright) if swap else (bright, dark)
    data = Dataset.from_arrays(images, test_images=test_images)
    assert (data.train_images.dtype, data.test_images.dtype) == (np.uint8, np.uint8)
    assert (data.train_images.max(), data.test_images.max()) == (images.max(), test_images.max())


class Other:
    """Another package's array, in the memory of one of NumPy's."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(100, 9), (100, 3, 3), (100, 1, 3, 3)])
@pytest.mark.parametrize("wrap", [np.asarray, memoryview, Other])
def test_what_is_given_is_never_written_to(wrap, shape, dtype):
    images = np.random.default_rng(0).random(shape)
    images = (images * 255).astype(dtype) if dtype == np.uint8 else images.astype(dtype)
    labels = np.arange(100, dtype=np.uint8)
    before = images.copy()
    data = Dataset.from_arrays(wrap(images), wrap(labels))
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(labels, np.arange(100))
    rows = before.reshape(100, 9)
    np.testing.assert_array_equal(data.train_images, rows[data.train_labels])
    np.testing.assert_array_equal(data.test_images, rows[data.test_labels])
    images.flags.writeable = False
    for copy in (True, False):
        again = Dataset.from_arrays(wrap(images), wrap(labels), copy=copy)
        np.testing.assert_array_equal(again.test_images, data.test_images)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("kind", ["uint8", "float32", "int64"])
def test_tensors_are_never_written_to(kind):
    torch = pytest.importorskip("torch")
    images = torch.arange(100).reshape(100, 1, 1).expand(100, 3, 3) + 100
    images = (images / 255).float() if kind == "float32" else images.to(getattr(torch, kind))
    images = images.contiguous()
    labels = torch.arange(100, dtype=torch.uint8)
    before = images.clone()
    data = Dataset.from_arrays(images, labels)
    assert torch.equal(images, before)
    rows = before.reshape(100, 9).numpy()
    np.testing.assert_array_equal(data.train_images, rows[data.train_labels])


def test_tensors_that_are_no_arrays_are_refused_in_one_line():
    torch = pytest.importorskip("torch")
    images = torch.rand(10, 3, 3)
    strange = [
        images.bfloat16(),
        images.clone().requires_grad_(),
        images.to("meta"),
        images.to_sparse(),
        torch.complex(images, images),
        [images, images[:, :2]],
    ]
    for tensor in strange:
        with pytest.raises(InputError, match="images") as error:
            Dataset.from_arrays(tensor)
        assert "\n" not in str(error.value)
    Dataset.from_arrays(list(images))


def test_in_place_is_in_place():
    images = np.random.default_rng(0).integers(0, 256, (100, 9), np.uint8)
    data = Dataset.from_arrays(images, copy=False)
    assert np.shares_memory(data.train_images, images)


# Which images they are


def test_images_are_known_by_number_size_pixels_and_order(tiny):
    same = replace(tiny, name="other", test_images=tiny.test_images.copy(), data_dir="/elsewhere")
    assert same.identity() == tiny.identity()
    assert tiny.identity().startswith("40 + 12 images of 5 x 4 pixels, checksum ")
    pixel = tiny.test_images.copy()
    pixel[11, 19] ^= 1
    others = [
        {"test_images": pixel},
        {"test_images": tiny.test_images[:-1]},
        {"train_images": tiny.train_images[::-1]},
        {"image_shape": (4, 5)},
    ]
    assert len({replace(tiny, **other).identity() for other in others} | {tiny.identity()}) == 5


def test_colours_are_among_what_images_are_known_by():
    rgb = np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3), np.uint8)
    data = Dataset.from_arrays(rgb, colour=True)
    assert data.image_shape == (6, 5, 3)
    assert data.describe() == "11 training and 1 test images of 6 x 5 pixels in colour"
    assert data.identity().startswith("11 + 1 images of 6 x 5 pixels in colour, checksum ")
    others = [rgb[..., ::-1], rgb.transpose(0, 2, 1, 3), rgb.copy()]
    others[2][0, 0, 0, 2] ^= 1
    found = {Dataset.from_arrays(other, colour=True).identity() for other in others}
    assert len(found | {data.identity()}) == 4
    with pytest.raises(InputError, match="6 x 5 pixels in colour, but test images of 6 x 5 pixels"):
        Dataset.from_arrays(rgb, test_images=rgb[..., 0], colour=True)


def test_of_a_large_file_only_some_images_are_summed(tiny, tmp_path, monkeypatch):
    np.save(tmp_path / "i.npy", tiny.train_images)
    mapped = replace(tiny, train_images=map_npy(tmp_path / "i.npy"))
    assert mapped.identity() == tiny.identity()
    monkeypatch.setattr(dataset, "MOST_SUMMED", 240)
    monkeypatch.setattr(dataset, "SUMMED", 10)
    assert mapped.identity() == tiny.identity()
    seen, unseen = tiny.train_images.copy(), tiny.train_images.copy()
    seen[36, 0] ^= 1
    unseen[37, 0] ^= 1
    assert replace(tiny, train_images=seen).identity() != tiny.identity()
    assert replace(tiny, train_images=unseen).identity() == tiny.identity()
