"""A user's own images: files, and folders of pictures."""

import io
import subprocess
import sys
import zipfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tqdm import tqdm

from numpyvae import InputWarning
from numpyvae.data import own, pictures
from numpyvae.data.loading import load_dataset

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (20, 4, 6), np.uint8)


def test_an_array_in_a_file(tmp_path):
    np.save(tmp_path / "own.npy", IMAGES)
    dataset = load_dataset(tmp_path / "own.npy")
    assert (len(dataset.train_images), len(dataset.test_images)) == (18, 2)
    assert (dataset.image_shape, dataset.train_labels) == ((4, 6), None)


def test_where_a_relative_path_was_found_is_remembered(tmp_path, monkeypatch):
    np.save(tmp_path / "own.npy", IMAGES)
    monkeypatch.chdir(tmp_path.parent)
    dataset = load_dataset("own.npy", tmp_path.name)
    assert (dataset.name, dataset.data_dir) == ("own.npy", str(tmp_path))
    assert load_dataset(tmp_path / "own.npy").data_dir is None


@pytest.mark.parametrize("layout", own.LAYOUTS)
def test_arrays_in_a_file_with_our_names_or_those_of_keras(tmp_path, layout):
    arrays = [IMAGES, np.arange(20) % 3, IMAGES[:5, :, ::-1], np.arange(5)]
    np.savez(tmp_path / "own.npz", **dict(zip(layout, arrays, strict=True)))
    dataset = load_dataset(tmp_path / "own.npz")
    np.testing.assert_array_equal(dataset.train_images, IMAGES.reshape(20, 24))
    np.testing.assert_array_equal(dataset.train_labels, np.arange(20) % 3)
    np.testing.assert_array_equal(dataset.test_images, arrays[2].reshape(5, 24))
    np.testing.assert_array_equal(dataset.test_labels, np.arange(5))
    np.savez(tmp_path / "own.npz", **dict(zip(layout[:2], arrays, strict=False)))
    assert len(load_dataset(tmp_path / "own.npz").train_labels) == 18


def test_the_only_array_of_an_npz_file_may_have_any_name(refused, tmp_path):
    np.savez(tmp_path / "own.npz", faces=IMAGES)
    assert load_dataset(str(tmp_path / "own.npz")).image_shape == (4, 6)
    np.savez(tmp_path / "own.npz", a=np.zeros((5, 2, 2)), b=np.zeros(5))
    refused(
        "own.npz needs an array named images, x_train or train_images; it has a, b",
        tmp_path / "own.npz",
    )
    np.savez(tmp_path / "own.npz")
    refused("it has none", tmp_path / "own.npz")


def test_what_nobody_asked_for_in_an_npz_file_may_be_anything(tmp_path):
    pickled = np.array([{"made": "by hand"}], dtype=object)
    np.savez(tmp_path / "own.npz", images=IMAGES, about=pickled, huge=np.zeros(10, "M8[s]"))
    with zipfile.ZipFile(tmp_path / "own.npz", "a") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.warns(InputWarning, match="left out beside images: about, huge, readme.txt$"):
        assert load_dataset(tmp_path / "own.npz").image_shape == (4, 6)


def test_validation_images_are_left_out_aloud_or_are_for_testing(tmp_path):
    """The names of MedMNIST, whose labels are (N, 1)."""
    arrays = {"train_images": IMAGES, "val_images": IMAGES[:3], "test_images": IMAGES[:5]}
    arrays |= {
        name.replace("images", "labels"): np.arange(len(a))[:, None] for name, a in arrays.items()
    }
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.warns(InputWarning, match="left out beside train_images: val_images, val_labels$"):
        dataset = load_dataset(tmp_path / "own.npz")
    np.testing.assert_array_equal(dataset.train_images, IMAGES.reshape(20, 24))
    assert (len(dataset.test_images), dataset.test_labels.tolist()) == (5, [0, 1, 2, 3, 4])
    del arrays["test_images"], arrays["test_labels"]
    np.savez(tmp_path / "own.npz", **arrays)
    assert load_dataset(tmp_path / "own.npz").test_labels.tolist() == [0, 1, 2]


def test_labels_of_test_images_that_are_not_there(refused, tmp_path):
    np.savez(tmp_path / "own.npz", images=IMAGES, test_labels=np.arange(5))
    refused("own.npz: test labels without test images", tmp_path / "own.npz")


def test_what_is_wrong_names_the_file(refused, tmp_path):
    np.save(tmp_path / "own.npy", np.full((4, 3, 3), np.nan))
    assert "own.npy: pixels" in refused("no NaN", tmp_path / "own.npy")
    np.savez(tmp_path / "own.npz", images=IMAGES, labels=np.zeros(3, int))
    assert "own.npz: labels" in refused(r"\(3,\) for 20 images", tmp_path / "own.npz")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_large_file_stays_on_disk_and_as_it_is(tmp_path, monkeypatch, dtype):
    images = IMAGES if dtype == np.uint8 else (IMAGES / 255).astype(np.float32)
    np.save(tmp_path / "own.npy", images)
    read = load_dataset(tmp_path / "own.npy")
    monkeypatch.setattr(own, "LARGE", 100)
    mapped = load_dataset(tmp_path / "own.npy")
    assert isinstance(mapped.train_images, np.memmap)
    np.testing.assert_array_equal(mapped.train_images, read.train_images)
    np.testing.assert_array_equal(mapped.test_images, read.test_images)
    np.testing.assert_array_equal(np.load(tmp_path / "own.npy"), images)


def test_a_large_file_that_must_be_converted_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(own, "LARGE", 100)
    np.save(tmp_path / "own.npy", IMAGES.astype(np.int64))
    dataset = load_dataset(tmp_path / "own.npy")
    assert (type(dataset.train_images), dataset.train_images.dtype) == (np.ndarray, np.uint8)


# Folders of pictures


def draw(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def test_a_folder_of_pictures(tmp_path):
    for i, image in enumerate(IMAGES):
        draw(tmp_path / f"{i:02}.png", image)
    dataset = load_dataset(tmp_path)
    found = {image.tobytes() for image in (*dataset.train_images, *dataset.test_images)}
    assert found == {image.tobytes() for image in IMAGES}
    assert (dataset.image_shape, dataset.train_labels) == ((4, 6), None)


def test_a_folder_per_label_and_parts_for_training_and_testing(tmp_path):
    for part, labels in (("train", "abcab"), ("test", "cb")):
        for i, label in enumerate(labels):
            draw(tmp_path / part / label / f"{i}.png", IMAGES[i])
    dataset = load_dataset(tmp_path)
    assert dataset.train_labels.tolist() == [0, 0, 1, 1, 2]
    assert dataset.test_labels.tolist() == [1, 2]
    np.testing.assert_array_equal(dataset.test_images[0], IMAGES[1].ravel())
    whole = load_dataset(tmp_path / "train")
    assert sorted([*whole.train_labels, *whole.test_labels]) == [0, 0, 1, 1, 2]


def labels_of(folder):
    """What every picture in a data set is called: those of training, and those of tests."""
    data = load_dataset(folder)
    return [sorted(map(data.name_of, part)) for part in (data.train_labels, data.test_labels)]


def test_folders_called_by_whole_numbers_are_these_labels(tmp_path):
    for i, label in enumerate((0, 2, 10, 300, 2, 10)):
        draw(tmp_path / f"{label}" / f"{i}.png", IMAGES[i])
    data = load_dataset(tmp_path)
    both = {
        image.tobytes(): label
        for images, labels in (
            (data.train_images, data.train_labels),
            (data.test_images, data.test_labels),
        )
        for image, label in zip(images, labels, strict=True)
    }
    assert [both[image.tobytes()] for image in IMAGES[:6]] == [0, 2, 10, 300, 2, 10]
    assert data.label_names is None


def test_other_names_are_kept_and_sorted_as_people_count(tmp_path):
    for i, label in enumerate(("b", "a10", "a2", "A1")):
        draw(tmp_path / label / f"{i}.png", IMAGES[i])
    assert load_dataset(tmp_path).label_names == ("A1", "a2", "a10", "b")


def test_more_than_256_labels_are_labels(tmp_path):
    for i in range(300):
        draw(tmp_path / f"c{i}" / "1.png", IMAGES[i % 20])
    train, test = labels_of(tmp_path)
    assert sorted(train + test) == sorted(f"c{i}" for i in range(300))


@pytest.mark.parametrize(
    ("names", "left_out"),
    [
        ("train test", None),
        ("train val", None),
        ("Train Test", None),
        ("training testing", None),
        ("train validation", None),
        ("TRAIN valid", None),
        ("train test val", "left out beside train, test: val"),
        ("train test car", "left out beside train, test: car"),
    ],
)
def test_the_usual_names_of_parts_are_known(tmp_path, names, left_out):
    for part, labels in zip(names.split(), ("abcab", "cb", "a"), strict=False):
        for i, label in enumerate(labels):
            draw(tmp_path / part / label / f"{i}.png", IMAGES[i])
    with pytest.warns(InputWarning, match=left_out) if left_out else nullcontext():
        assert labels_of(tmp_path) == [list("aabbc"), list("bc")]


def test_training_images_alone_are_split(tmp_path):
    for i, label in enumerate("aab"):
        draw(tmp_path / "train" / label / f"{i}.png", IMAGES[i])
    train, test = labels_of(tmp_path)
    assert sorted(train + test) == list("aab")


def test_a_train_may_be_a_vehicle(tmp_path):
    for i, label in enumerate(("car", "train", "plane", "train")):
        draw(tmp_path / label / f"{i}.png", IMAGES[i])
    train, test = labels_of(tmp_path)
    assert sorted(train + test) == ["car", "plane", "train", "train"]


def test_two_folders_of_training_images_are_one_too_many(tmp_path, refused):
    for i, label in enumerate(("train", "Training", "test")):
        draw(tmp_path / label / f"{i}.png", IMAGES[i])
    refused("holds Training and train: leave one of them", tmp_path)


def test_test_images_need_no_labels(tmp_path):
    for i, place in enumerate(("train/a", "train/b", "test")):
        draw(tmp_path / place / f"{i}.png", IMAGES[i])
    data = load_dataset(tmp_path)
    assert (data.classes(), data.test_labels) == ({"a": 0, "b": 1}, None)


def test_linked_folders_are_folders_but_never_in_circles(tmp_path):
    for i, label in enumerate("ab"):
        draw(tmp_path / "elsewhere" / label / "deep" / f"{i}.png", IMAGES[i])
        (tmp_path / "elsewhere" / label / "up").symlink_to("..")
    draw(tmp_path / "images" / "c" / "2.png", IMAGES[2])
    for label in "ab":
        (tmp_path / "images" / label).symlink_to(tmp_path / "elsewhere" / label)
    (tmp_path / "images" / "c" / "circle").symlink_to("..")
    train, test = labels_of(tmp_path / "images")
    assert sorted(train + test) == list("abc")
    (tmp_path / "images" / "circle").symlink_to(".")
    with pytest.warns(InputWarning, match="no pictures: circle$"):
        labels_of(tmp_path / "images")


def test_what_is_hidden_or_no_picture_is_left_out_in_a_line(tmp_path):
    for i, label in enumerate(("a", "b", ".thumbnails", ".ipynb_checkpoints", "b/.trash")):
        draw(tmp_path / label / f"{i}.png", IMAGES[i])
    (tmp_path / ".DS_Store").write_text("neither hidden nor shown")
    with pytest.warns(InputWarning) as said:
        train, test = labels_of(tmp_path)
    assert sorted(train + test) == ["a", "b"]
    hidden = ".ipynb_checkpoints/3.png, .thumbnails/2.png, b/.trash/4.png"
    assert [str(each.message) for each in said] == [
        f"{tmp_path}: left out, hidden or no pictures: {hidden}"
    ]
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.warns(InputWarning, match=r"b/.trash/4.png, ... \(4 in all\)"):
        load_dataset(tmp_path)


def test_pictures_beside_the_folders_of_labels_take_them_away_in_a_line(tmp_path):
    for i, place in enumerate(("a", "b", ".")):
        draw(tmp_path / place / f"{i}.png", IMAGES[i])
    with pytest.warns(InputWarning, match="no labels, since some are in no folder .*: 2.png"):
        data = load_dataset(tmp_path)
    assert (data.train_labels, data.label_names) == (None, None)
    assert len(data.train_images) + len(data.test_images) == 3


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch):
    draw(tmp_path / "a" / "1.png", IMAGES[0])
    monkeypatch.setattr(Path, "iterdir", lambda _: (_ for _ in ()).throw(PermissionError("no")))
    with pytest.raises(PermissionError):
        load_dataset(tmp_path)


def test_names_in_a_file_are_labels(tmp_path):
    np.savez(tmp_path / "own.npz", images=IMAGES, labels=np.array(["dog", "cat"] * 10))
    assert load_dataset(tmp_path / "own.npz").label_names == ("cat", "dog")


def test_pages_share_the_label_of_their_file(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        first, *others = map(Image.fromarray, IMAGES)
        first.save(tmp_path / label / "1.tif", save_all=True, append_images=others)
        draw(tmp_path / label / "2.png", IMAGES[0])
    dataset = load_dataset(tmp_path)
    assert np.bincount([*dataset.train_labels, *dataset.test_labels]).tolist() == [21, 21]
    first, second = (np.sum(dataset.train_labels == label) for label in (0, 1))
    assert first + second == 38


def test_of_what_shape_pictures_are_is_no_question(tmp_path):
    """As arrays, 8 of 8 x 40 could be 40 of 8 x 8, and in a TIFF with colour there are channels."""
    images = RNG.integers(0, 256, (8, 8, 40), np.uint8)
    for i, image in enumerate(images):
        draw(tmp_path / f"{i}.png", image)
    assert load_dataset(tmp_path).image_shape == (8, 40)


@pytest.mark.parametrize("bits", [8, 16])
def test_dark_pictures_are_said_to_be_dark(tmp_path, bits):
    """A camera of 12 bits writes 16, of which no more than a sixteenth is used."""
    images = (IMAGES // 16).astype(np.uint8) if bits == 8 else IMAGES.astype(np.uint16) * 16
    for i, image in enumerate(images):
        draw(tmp_path / f"{i:02}.png", image)
    with pytest.warns(
        InputWarning, match=r"no pixel is brighter than 0.06\d* of white|than 0.059 of white"
    ):
        dataset = load_dataset(tmp_path)
    assert dataset.train_images.dtype == np.float32
    assert dataset.train_images.max() < 0.07


def test_many_pictures_have_a_bar(tmp_path, monkeypatch):
    for i, image in enumerate(IMAGES):
        draw(tmp_path / f"{i:02}.png", image)
    out = io.StringIO()
    monkeypatch.setattr(pictures, "tqdm", partial(tqdm, file=out, mininterval=0))
    load_dataset(tmp_path)
    assert not out.getvalue()
    out.isatty = lambda: True
    load_dataset(tmp_path)
    assert not out.getvalue()  # it takes no second
    monkeypatch.setattr(pictures, "DELAY", 0)
    load_dataset(tmp_path)
    assert "20/20" in out.getvalue()


def test_pictures_of_several_sizes_are_scaled_and_cropped_on_request(refused, tmp_path):
    wide = np.tile(np.repeat(np.uint8([10, 200, 10]), 8), (8, 1))  # bright in the middle
    draw(tmp_path / "a.png", wide)
    draw(tmp_path / "b.png", wide.T[4:-4])
    refused(r"differ in size \(a.png 8 x 24, b.png 16 x 8\): .*--image-size 28 28", tmp_path)
    dataset = load_dataset(tmp_path, image_size=(4, 4))
    both = np.concatenate([dataset.train_images, dataset.test_images])
    assert dataset.image_shape == (4, 4)
    assert both.min() > 180  # what is left of the wide one is the middle


def test_other_images_are_not_scaled(refused, tmp_path):
    np.save(tmp_path / "own.npy", IMAGES)
    refused("4 x 6 pixels, not 2 x 3", tmp_path / "own.npy", None, (2, 3))
    assert load_dataset(tmp_path / "own.npy", None, (4, 6)).image_shape == (4, 6)


def test_colour_becomes_grey_and_transparency_white(tmp_path):
    colour = np.zeros((2, 2, 4), np.uint8)
    colour[0] = [0, 255, 0, 255]
    draw(tmp_path / "a.png", colour)
    draw(tmp_path / "b.png", colour)
    with pytest.warns(InputWarning, match="2 of 2 pictures are read in grey, without the colour"):
        image = load_dataset(tmp_path).train_images[0]
    assert image.tolist() == [150, 150, 255, 255]  # 0.587 of green
    image = load_dataset(tmp_path, colour=True).train_images[0]
    assert image.reshape(2, 2, 3).tolist() == [2 * [[0, 255, 0]], 2 * [[255, 255, 255]]]


def test_a_folder_in_colour_has_labels_and_a_split_of_its_own(tmp_path):
    rgb = RNG.integers(0, 256, (12, 8, 9, 3), np.uint8)
    for i, picture in enumerate(rgb):
        part = tmp_path / ("test" if i % 3 == 2 else "train") / "ab"[i % 2]
        part.mkdir(parents=True, exist_ok=True)
        draw(part / f"{i:02}.png", picture)
    data = load_dataset(tmp_path, colour=True)
    assert (data.image_shape, data.label_names) == ((8, 9, 3), ("a", "b"))
    for images, labels, chosen in (
        (data.train_images, data.train_labels, [0, 4, 6, 10, 1, 3, 7, 9]),
        (data.test_images, data.test_labels, [2, 8, 5, 11]),
    ):
        np.testing.assert_array_equal(images, rgb[chosen].reshape(len(chosen), -1))
        assert labels.tolist() == [i % 2 for i in chosen]


def test_colour_is_said_of_some_pictures_and_not_kept_where_there_is_none(tmp_path):
    """A picture that is stored in three channels may be grey all the same."""
    grey, deep = (
        RNG.integers(0, most, (6, 5)).astype(kind) for most, kind in ((256, "u1"), (65536, "u2"))
    )
    draw(tmp_path / "a.png", grey)
    draw(tmp_path / "b.png", np.stack([grey] * 3, axis=2))
    np.testing.assert_array_equal(
        load_dataset(tmp_path, colour=True).train_images, grey.reshape(1, 30)
    )
    assert load_dataset(tmp_path, colour=True).image_shape == (6, 5)
    coloured = RNG.integers(0, 256, (6, 5, 3), np.uint8)
    draw(tmp_path / "c.png", coloured)
    draw(tmp_path / "d.png", grey)
    with pytest.warns(InputWarning, match="3 of 4 pictures are grey, .* all are read in colour"):
        data = load_dataset(tmp_path, colour=True)
    whole = np.concatenate([data.train_images, data.test_images])
    in_three = np.repeat(grey.ravel(), 3)
    assert sorted(whole.tolist()) == sorted([*3 * [in_three.tolist()], coloured.ravel().tolist()])
    draw(tmp_path / "e.png", deep)
    with pytest.warns(InputWarning, match="4 of 5 pictures are grey"):
        data = load_dataset(tmp_path, colour=True)
    whole = np.concatenate([data.train_images, data.test_images])
    expected = [*3 * [in_three / np.float32(255)], coloured.ravel() / np.float32(255)]
    expected += [np.repeat(deep.ravel() / np.float32(65535), 3)]
    np.testing.assert_array_equal(np.sort(whole, axis=0), np.sort(np.array(expected), axis=0))


@pytest.mark.parametrize("order", ["last", "first"])
def test_arrays_in_colour_stay_on_disk_or_are_turned(tmp_path, monkeypatch, order):
    rgb = RNG.integers(0, 256, (20, 8, 9, 3), np.uint8)
    np.save(tmp_path / "own.npy", rgb if order == "last" else np.moveaxis(rgb, -1, 1))
    monkeypatch.setattr(own, "LARGE", 100)
    data = load_dataset(tmp_path / "own.npy", colour=True)
    assert data.image_shape == (8, 9, 3)
    assert (type(data.train_images) is np.memmap) == (order == "last")
    whole = np.concatenate([data.train_images, data.test_images]).tolist()
    assert sorted(whole) == sorted(rgb.reshape(20, -1).tolist())


def test_colour_in_the_layout_of_medmnist(refused, tmp_path):
    rgb = RNG.integers(0, 256, (20, 28, 28, 3), np.uint8)
    labels = (np.arange(20) % 3)[:, None].astype(np.uint8)
    arrays = {"train_images": rgb, "train_labels": labels}
    np.savez(tmp_path / "own.npz", **arrays, test_images=rgb[:5], test_labels=labels[:5])
    data = load_dataset(tmp_path / "own.npz", colour=True)
    np.testing.assert_array_equal(data.train_images, rgb.reshape(20, -1))
    np.testing.assert_array_equal(data.test_images, rgb[:5].reshape(5, -1))
    assert data.test_labels.tolist() == [0, 1, 2, 0, 1]
    refused(
        r"have colour, which colour=True and train --network conv keep; .*images.mean\(axis=-1\)",
        tmp_path / "own.npz",
    )
    np.savez(tmp_path / "own.npz", **arrays, test_images=rgb[..., 0], test_labels=labels)
    refused(
        "own.npz: images of 28 x 28 pixels in colour, but test images of 28 x 28 pixels",
        *(tmp_path / "own.npz", None, None, True),
    )
    np.save(tmp_path / "own.npy", rgb)
    refused("28 x 28 pixels, not 8 x 8", tmp_path / "own.npy", None, (8, 8), True)


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of memory")
def test_a_transparent_picture_takes_little_memory(tmp_path):
    for folder, side in (("small", 8), ("large", 2000)):
        (tmp_path / folder).mkdir()
        for name in ("a.png", "b.png"):
            Image.new("RGBA", (side, side)).save(tmp_path / folder / name)
    code = """
import re
from pathlib import Path
from numpyvae import load_dataset
def held():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
load_dataset("small")
before = held()
load_dataset("large", image_size=(8, 8))
print(held() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) * 1024 < 12 * 2000 * 2000


def test_what_is_no_picture_is_named(refused, tmp_path, monkeypatch):
    refused("holds no pictures", tmp_path)
    draw(tmp_path / "a.png", IMAGES[0])
    refused("at least two", tmp_path)
    draw(tmp_path / "b.tif", IMAGES[1].astype(np.int32))
    assert "b.tif" in refused("sign or 32 bits", tmp_path)
    (tmp_path / "b.tif").unlink()
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:-30])
    assert "b.png" in refused("cannot read", tmp_path)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 20)
    assert "a.png" in refused("more than 20 pixels", tmp_path)
