"""Pictures made of images are exact to the pixel."""

import contextlib
import struct
import zlib
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from numpyvae.errors import InputError
from numpyvae.figures import images as images_room
from numpyvae.figures.images import (
    check_grid,
    evolution,
    evolution_gif,
    image_grid,
    image_panels,
    image_rows,
    read_image_grid,
    reconstructions,
)

LEFT, TOP, ROW = 110, 40, 86  # pixels: labels, a title, a row of images with its lines


RNG = np.random.default_rng(0)


def pixels(path):
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture)


def gray(path):
    """A figure's pixels, which are all shades of grey."""
    rgb = pixels(path)[:, :, :3]
    assert np.all(rgb == rgb[:, :, :1])
    return rgb[:, :, 0]


def random_images(n, image_shape=(28, 28)):
    return RNG.integers(0, 256, (n, prod(image_shape)), np.uint8)


def strip(images, image_shape):
    """What a row of images looks like: magnified, a line of grey around each."""
    factor = max(1, 84 // max(image_shape))
    columns = []
    for image in images:
        big = np.kron(image.reshape(image_shape), np.ones((factor, factor))).astype(np.uint8)
        columns.append(np.pad(big, [(1, 1), (1, 0)], constant_values=96))
    return np.pad(np.hstack(columns), [(0, 0), (0, 1)], constant_values=96)


# Grids


@given(
    st.integers(1, 20),
    st.integers(1, 9),
    st.sampled_from([(1, 1), (2, 3), (28, 28), (8, 8), (1, 90), (30, 7), (100, 50)]),
    st.sampled_from([(), (3,)]),
    st.booleans(),
)
@settings(max_examples=80)
def test_a_grid_is_read_back_exactly(tmp_path_factory, n, columns, size, channels, floats):
    image_shape = size + channels
    path = tmp_path_factory.mktemp("grid") / "grid.png"
    images = random_images(n, image_shape)
    image_grid(images / np.float32(255) if floats else images, image_shape, path, columns)
    back = read_image_grid(path, image_shape)
    np.testing.assert_array_equal(back[:n], images)
    assert np.all(back[n:] == 96)  # the empty places
    assert len(back) - n < columns


def test_a_grid_is_rows_of_magnified_images_with_lines_between(tmp_path):
    images = random_images(5)
    image_grid(images, (28, 28), tmp_path / "grid.png", columns=2)
    grid = pixels(tmp_path / "grid.png")
    assert grid.shape == (3 * 85 + 1, 2 * 85 + 1)
    np.testing.assert_array_equal(grid[:86], strip(images[:2], (28, 28)))
    np.testing.assert_array_equal(grid[85:171], strip(images[2:4], (28, 28)))
    np.testing.assert_array_equal(grid[170:, :86], strip(images[4:], (28, 28)))
    assert np.all(grid[170:, 86:] == 96)


def test_colours_are_those_of_the_pixels(tmp_path):
    """One pixel of red, to its right one of green."""
    image = np.full((1, 2, 3), [255, 0, 0], np.uint8)
    image[0, 1] = [0, 255, 0]
    rows = image.reshape(1, -1)
    image_grid(rows, (1, 2, 3), tmp_path / "grid.png", columns=1)
    grid = pixels(tmp_path / "grid.png")
    assert grid.shape == (42 + 2, 2 * 42 + 2, 3)
    np.testing.assert_array_equal(grid[1:-1, 1:-1], image.repeat(42, 0).repeat(42, 1))
    assert np.all(grid[[0, -1]] == 96)
    assert np.all(grid[:, [0, -1]] == 96)
    image_rows([("t", [("row", rows)])], (1, 2, 3), tmp_path / "rows.png")
    np.testing.assert_array_equal(
        pixels(tmp_path / "rows.png")[TOP : TOP + 44, LEFT : LEFT + 86, :3], grid
    )
    image_panels([("t", rows, 1)], (1, 2, 3), tmp_path / "panels.png")
    shown = pixels(tmp_path / "panels.png")[50 + 1 : 50 + 29, 20 + 1 : 20 + 57, :3]
    np.testing.assert_array_equal(shown, image.repeat(28, 0).repeat(28, 1))


def test_large_images_are_shown_at_their_size(tmp_path):
    image_grid(random_images(1, (100, 50)), (100, 50), tmp_path / "grid.png")
    assert pixels(tmp_path / "grid.png").shape == (102, 52)


def test_floats_are_rounded_to_the_nearest_grey(tmp_path):
    values = np.array([[0.0, 1.0, 0.499 / 255, 0.501 / 255]])
    image_grid(values, (2, 2), tmp_path / "grid.png")
    np.testing.assert_array_equal(read_image_grid(tmp_path / "grid.png", (2, 2)), [[0, 255, 0, 1]])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 5)), r"shape \(N, 4\), not \(2, 5\)"),
        (np.zeros((2, 2, 2)), r"shape \(N, 4\), not \(2, 2, 2\)"),
        (np.zeros((0, 4)), r"shape \(N, 4\), not \(0, 4\)"),
        (np.full((1, 4), np.nan), r"in \[0, 1\], not nan"),
        (np.full((1, 4), 1.1), r"in \[0, 1\], not 1.1 to 1.1"),
        (np.full((1, 4), -0.1), r"in \[0, 1\], not -0.1"),
    ],
)
def test_unfit_images_are_refused_and_nothing_is_written(tmp_path, images, message):
    with pytest.raises(InputError, match=message):
        image_grid(images, (2, 2), tmp_path / "grid.png")
    assert list(tmp_path.iterdir()) == []


@given(st.data())
@settings(max_examples=150)
def test_a_damaged_grid_is_an_input_error(damaged, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "grid.png"
    image_grid(np.arange(64 * 4, dtype=np.uint8).reshape(64, 4), (2, 2), path)
    path.write_bytes(damaged(data, path.read_bytes()))
    with contextlib.suppress(InputError):  # a change may do no harm, or raise that and no other
        read_image_grid(path, (2, 2))


def test_other_files_are_no_grid(tmp_path):
    path = tmp_path / "grid.png"
    with pytest.raises(InputError, match=r"cannot read .*grid.png"):
        read_image_grid(path, (28, 28))
    for shape in ((1, 1), (85, 86), (86, 85), (86, 86, 3)):
        Image.fromarray(np.zeros(shape, np.uint8)).save(path)
        with pytest.raises(
            InputError, match=r"grid.png, .*: it is not a grid of images of 28 x 28"
        ):
            read_image_grid(path, (28, 28))
    image_grid(random_images(1), (28, 28), path)
    with pytest.raises(InputError, match="it is not a grid of images of 28 x 28 pixels in colour"):
        read_image_grid(path, (28, 28, 3))
    good = path.read_bytes()
    length = good.index(b"IDAT") - 4
    no_chunk = good[:length] + struct.pack(">I", 10) + good[length + 4 :]
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    absurd = good[:12] + header + struct.pack(">I", zlib.crc32(header)) + good[33:]
    for content in (b"", good[:-40], no_chunk, absurd):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"cannot read .*grid.png"):
            read_image_grid(path, (28, 28))


# Rows


def grids(folder, epochs):
    """One grid of 64 images per epoch, and the images themselves."""
    images = {epoch: random_images(64) for epoch in epochs}
    paths = {epoch: folder / f"epoch-{epoch:04d}.png" for epoch in epochs}
    for epoch in epochs:
        image_grid(images[epoch], (28, 28), paths[epoch])
    return images, paths


def assert_shows(path, x, y, images):
    """The picture at `path` shows this row of images with its upper left corner at (x, y)."""
    expected = strip(images, (28, 28))
    found = gray(path)[y : y + expected.shape[0], x : x + expected.shape[1]]
    np.testing.assert_array_equal(found, expected)


def test_reconstructions_are_exact_to_the_pixel_below_the_originals(tmp_path):
    path = tmp_path / "picture.png"
    originals, reconstructed, samples = (random_images(10) for _ in range(3))
    reconstructions(originals, reconstructed / 255, samples, (28, 28), path)
    assert_shows(path, LEFT, TOP, originals)
    assert_shows(path, LEFT, TOP + ROW, reconstructed)
    assert_shows(path, LEFT, TOP + 2 * ROW + TOP, samples)
    assert gray(path)[:TOP].min() < 100  # there is a title,
    assert gray(path)[TOP : TOP + ROW, :100].min() < 100  # and a label


def test_fewer_originals_than_samples_will_do(tmp_path):
    path = tmp_path / "picture.png"
    originals, samples = random_images(1), random_images(10)
    reconstructions(originals, originals, samples, (28, 28), path)
    assert_shows(path, LEFT, TOP + ROW, originals)
    assert_shows(path, LEFT, TOP + 2 * ROW + TOP, samples)


def test_evolution_shows_the_first_images_of_each_epoch(tmp_path):
    images, paths = grids(tmp_path, [1, 2, 7])
    evolution(paths, (28, 28), tmp_path / "evolution.png")
    for i, epoch in enumerate([1, 2, 7]):
        assert_shows(tmp_path / "evolution.png", LEFT, TOP + ROW * i, images[epoch][:8])
    assert len(gray(tmp_path / "evolution.png")) == TOP + 3 * ROW + 12


def test_evolution_leaves_out_missing_epochs_and_labels_the_others(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(images_room, "image_rows", lambda blocks, *_: drawn.extend(blocks))
    images, paths = grids(tmp_path, [12, 3, 5])
    evolution({**paths, 4: tmp_path / "none.png"}, (28, 28), tmp_path / "evolution.png")
    ((_, rows),) = drawn
    assert [label for label, _ in rows] == ["epoch 3", "epoch 5", "epoch 12"]
    np.testing.assert_array_equal(rows[2][1], images[12][:8])


def test_evolution_leaves_out_damaged_grids_and_without_any_draws_nothing(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(images_room, "image_rows", lambda blocks, *_: drawn.extend(blocks))
    (tmp_path / "bad.png").write_bytes(b"bad")
    missing = {1: tmp_path / "bad.png", 2: tmp_path / "none.png"}
    evolution(missing, (28, 28), tmp_path / "evolution.png")
    assert not drawn
    _, paths = grids(tmp_path, [3])
    evolution({**missing, **paths}, (28, 28), tmp_path / "evolution.png")
    assert [label for label, _ in drawn[0][1]] == ["epoch 3"]


def test_a_picture_too_large_is_refused_before_it_is_decoded(tmp_path, traced):
    """PNG files squeeze black pixels a thousandfold."""
    path = tmp_path / "grid.png"
    for size, mode in (((1 + 85 * 130, 1 + 85 * 130), "L"), ((1 + 85 * 9, 1 + 85 * 9), "RGB")):
        Image.new(mode, size).save(path)
        with traced() as peak, pytest.raises(InputError, match=r"grid\.png"):
            read_image_grid(path, (28, 28))
        assert peak() < 1 << 20


@pytest.mark.parametrize(
    ("n", "image_shape", "fits"),
    [
        (5_000, (28, 28), True),
        (10_000, (28, 28), False),
        (64, (1100, 1100), True),
        (64, (1700, 1700), False),
        (1, (1, 64_999), True),
        (1, (1, 65_000), False),
    ],
)
def test_pictures_have_a_largest_size(n, image_shape, fits):
    if fits:
        check_grid(n, image_shape)
    else:
        with pytest.raises(InputError, match="80,000,000 in all and 65,000 on a side"):
            check_grid(n, image_shape)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=600, unique=True).map(sorted))
def test_at_most_ten_epochs_are_chosen_the_first_and_the_last_among_them(epochs):
    chosen = images_room._spread(epochs, 10)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(epochs)
    assert (chosen[0], chosen[-1]) == (epochs[0], epochs[-1])
    assert len(chosen) == len(epochs) if len(epochs) <= 10 else 6 <= len(chosen) <= 10


def test_more_of_the_early_epochs_are_chosen():
    steps = np.diff(images_room._spread(range(1, 501), 10))
    assert np.all(np.diff(steps) >= 0)
    assert steps[0] == 1


def test_epochs_are_shown_in_which_something_happens():
    """Fifty alike, fifty on the way, a hundred that only tremble."""
    way = dict(enumerate(np.clip((np.arange(200) - 50) / 50, 0, 1), 1))
    trembling = {epoch: gone + 1e-3 * (epoch % 3) for epoch, gone in way.items()}
    shown = images_room._by_change(trembling, 10)
    assert (shown[0], shown[-1], len(shown)) == (1, 200, 10)
    assert max(np.diff([way[epoch] for epoch in shown])) < 0.15
    assert images_room._by_change(dict.fromkeys(range(1, 11), 0.0), 10) == list(range(1, 11))
    assert images_room._by_change(dict.fromkeys(range(1, 31), 0.0), 10) == [1, 30]


def test_column_labels_leave_the_rows_as_they_are(tmp_path):
    images = random_images(4)
    for labels, height in (((), 12), (("a", "b", "c", "d"), 30)):
        image_rows([("Title", [("row", images)])], (28, 28), tmp_path / "rows.png", labels)
        assert_shows(tmp_path / "rows.png", LEFT, TOP, images)
        below = gray(tmp_path / "rows.png")[TOP + ROW :]
        assert len(below) == height
        assert (below.min() < 100) == bool(labels)
    _, *marks = np.split(below.min(axis=0)[LEFT : LEFT + 4 * 85], [85, 170, 255])
    assert all(mark[30:55].min() < 100 and mark[:20].min() > 200 for mark in marks)


# Panels


def test_panels_are_exact_to_the_pixel_side_by_side(tmp_path):
    path = tmp_path / "panels.png"
    one, many = random_images(3), random_images(5)
    image_panels([("One", one, 1), ("Many", many, 2)], (28, 28), path)
    found = gray(path)
    assert len(found) == 50 + 3 * 57 + 1 + 16
    for x, images, columns in ((20, one, 1), (20 + 58 + 20, many, 2)):
        image_grid(images, (28, 28), tmp_path / "grid.png", columns)
        cells = np.full((3 * columns, 28, 28), 96, np.uint8)
        cells[: len(images)] = images.reshape(-1, 28, 28)
        for i, cell in enumerate(cells):
            corner_y, corner_x = 51 + 57 * (i // columns), x + 1 + 57 * (i % columns)
            shown = found[corner_y : corner_y + 56, corner_x : corner_x + 56]
            np.testing.assert_array_equal(shown, cell.repeat(2, 0).repeat(2, 1))
    assert found[:50, 20:60].min() < 100
    assert found[-16:].min() == 255
    image_panels([("One", one, 1), ("Many", many, 2)], (28, 28), path, "right", "up")
    found = gray(path)
    assert found[-34:, 40 : 40 + 58].min() < 100
    assert found[50:-34, :38].min() < 100


def test_a_long_title_gets_the_room_it_needs(tmp_path):
    path = tmp_path / "panels.png"
    image_panels([("A title of many words", random_images(1), 1)] * 2, (28, 28), path)
    rows = gray(path)[:50]
    empty = np.flatnonzero(rows.min(axis=0) > 250)
    assert np.isin(np.arange(20 + 8 * 21, 20 + 8 * 21 + 20), empty).all()  # between the titles


def test_the_film_has_a_frame_for_every_epoch_and_a_number_on_it(tmp_path):
    paths = {epoch: tmp_path / f"{epoch}.png" for epoch in (1, 2, 7)}
    for shade, path in zip((0, 100, 255), paths.values(), strict=True):
        image_grid(np.full((64, 4), shade, np.uint8), (2, 2), path)
    evolution_gif({**paths, 8: tmp_path / "missing.png"}, (2, 2), tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        frames = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(film)]
        assert film.info["loop"] == 0
    assert len(frames) == 3
    assert [frame[30, 30] for frame in frames] == [0, 102, 255]  # of 16 greys
    assert frames[0].shape == (16 + 4 * 57 + 1, 8 * 57 + 1)
    assert frames[0][:16].max() > 200  # the number
    for i, path in enumerate(paths.values()):
        colour = np.zeros((64, 2, 2, 3), np.uint8)
        colour[..., i] = 255
        image_grid(colour.reshape(64, 12), (2, 2, 3), path)
    evolution_gif(paths, (2, 2, 3), tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]
    assert [frame[30, 30].tolist() for frame in frames] == (255 * np.eye(3)).tolist()
    evolution_gif({}, (2, 2), tmp_path / "none.gif")
    assert not (tmp_path / "none.gif").exists()


def test_ticks_stand_at_the_columns_and_the_rows_from_below():
    figure = image_panels([("t", np.zeros((4, 4)), 2)], (2, 2), None, "$x$", "$y$", ["a", "b"])
    places = {}
    for text in figure.texts:
        places.setdefault(text.get_text(), []).append(text.get_position())
    (below_a, left_a), (below_b, left_b) = places["a"], places["b"]
    assert below_a[0] < below_b[0]
    assert below_a[1] == below_b[1] < left_a[1] < left_b[1]
    assert left_a[0] == left_b[0] < below_a[0]
