"""figures.py: pictures exact to the pixel, curves that show the numbers, files written whole."""

import contextlib
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from numpyvae import figures
from numpyvae.errors import InputError
from numpyvae.figures.curves import loss_curves, sweep
from numpyvae.figures.images import (
    evolution,
    image_grid,
    image_panels,
    image_rows,
    read_image_grid,
    reconstructions,
)
from numpyvae.figures.space import latent_space

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
    return RNG.integers(0, 256, (n, image_shape[0] * image_shape[1]), np.uint8)


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
    st.booleans(),
)
@settings(max_examples=60)
def test_a_grid_is_read_back_exactly(tmp_path_factory, n, columns, image_shape, floats):
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


def test_a_picture_that_cannot_be_written_is_an_input_error(tmp_path):
    for draw in (
        lambda path: image_grid(random_images(2), (28, 28), path),
        lambda path: loss_curves(history(3), path),
        lambda path: reconstructions(*[random_images(2)] * 3, (28, 28), path),
    ):
        with pytest.raises(InputError, match=r"cannot write .*missing"):
            draw(tmp_path / "missing" / "picture.png")


def test_a_failure_half_way_leaves_the_old_picture(tmp_path, monkeypatch):
    def fail(_self, stream, **_kwargs):
        stream.write(b"half a picture")
        raise KeyboardInterrupt

    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        image_grid(random_images(2), (28, 28), path)
    monkeypatch.setattr(figures.Figure, "savefig", fail)
    with pytest.raises(KeyboardInterrupt):
        loss_curves(history(3), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@given(st.data())
@settings(max_examples=150)
def test_a_damaged_grid_is_an_input_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "grid.png"
    image_grid(np.arange(64 * 4, dtype=np.uint8).reshape(64, 4), (2, 2), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(InputError):  # a change may do no harm, or raise that and no other
        read_image_grid(path, (2, 2))


def test_other_files_are_no_grid(tmp_path):
    path = tmp_path / "grid.png"
    with pytest.raises(InputError, match=r"cannot read .*grid.png"):
        read_image_grid(path, (28, 28))
    for shape in ((1, 1), (85, 86), (86, 85), (86, 86, 3)):
        Image.fromarray(np.zeros(shape, np.uint8)).save(path)
        with pytest.raises(InputError, match=r"grid.png is not a grid of images of 28 x 28"):
            read_image_grid(path, (28, 28))
    image_grid(random_images(1), (28, 28), path)
    good = path.read_bytes()
    length = good.index(b"IDAT") - 4
    no_chunk = good[:length] + struct.pack(">I", 10) + good[length + 4 :]
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    absurd = good[:12] + header + struct.pack(">I", zlib.crc32(header)) + good[33:]
    for content in (b"", good[:-40], no_chunk, absurd):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"cannot read .*grid.png"):
            read_image_grid(path, (28, 28))


# Rows of images


def grids(folder, epochs):
    """One grid of 64 images per epoch, and the images themselves."""
    images = {epoch: random_images(64) for epoch in epochs}
    paths = {epoch: folder / f"epoch-{epoch:04d}.png" for epoch in epochs}
    for epoch in epochs:
        image_grid(images[epoch], (28, 28), paths[epoch])
    return images, paths


def labels_and_rows(monkeypatch):
    """Catches what is drawn: a list of (title, [(label, images), ...])."""
    drawn = []
    real = figures.image_rows
    monkeypatch.setattr(
        figures,
        "image_rows",
        lambda blocks, *rest: (drawn.extend(blocks), real(blocks, *rest)),
    )
    return drawn


def assert_shows(path, x, y, images):
    """The picture at `path` shows this row of images with its upper left corner at (x, y)."""
    expected = strip(images, (28, 28))
    found = gray(path)[y : y + expected.shape[0], x : x + expected.shape[1]]
    np.testing.assert_array_equal(found, expected)


def test_reconstructions_are_exact_to_the_pixel_below_the_originals(tmp_path):
    path = tmp_path / "picture.png"
    originals, reconstructed, samples = (random_images(10) for _ in range(3))
    reconstructions(originals, reconstructed / 255, samples, (28, 28), path)
    assert_shows(path, 110, 40, originals)
    assert_shows(path, 110, 40 + 86, reconstructed)
    assert_shows(path, 110, 40 + 2 * 86 + 40, samples)
    assert gray(path)[:40].min() < 100  # there is a title,
    assert gray(path)[40:126, :100].min() < 100  # and a label


def test_fewer_originals_than_samples_will_do(tmp_path):
    path = tmp_path / "picture.png"
    originals, samples = random_images(1), random_images(10)
    reconstructions(originals, originals, samples, (28, 28), path)
    assert_shows(path, 110, 126, originals)
    assert_shows(path, 110, 252, samples)


def test_evolution_shows_the_first_images_of_each_epoch(tmp_path):
    images, paths = grids(tmp_path, [1, 2, 7])
    evolution(paths, (28, 28), tmp_path / "evolution.png")
    for i, epoch in enumerate([1, 2, 7]):
        assert_shows(tmp_path / "evolution.png", 110, 40 + 86 * i, images[epoch][:8])
    assert len(gray(tmp_path / "evolution.png")) == 40 + 3 * 86 + 12


def test_evolution_leaves_out_missing_epochs_and_labels_the_others(tmp_path, monkeypatch):
    drawn = labels_and_rows(monkeypatch)
    images, paths = grids(tmp_path, [12, 3, 5])
    evolution({**paths, 4: tmp_path / "none.png"}, (28, 28), tmp_path / "evolution.png")
    ((_, rows),) = drawn
    assert [label for label, _ in rows] == ["epoch 3", "epoch 5", "epoch 12"]
    np.testing.assert_array_equal(rows[2][1], images[12][:8])


def test_evolution_needs_a_grid_and_a_whole_one(tmp_path):
    with pytest.raises(InputError, match="no sample grid"):
        evolution({1: tmp_path / "none.png"}, (28, 28), tmp_path / "evolution.png")
    (tmp_path / "bad.png").write_bytes(b"bad")
    with pytest.raises(InputError, match=r"bad\.png"):
        evolution({1: tmp_path / "bad.png"}, (28, 28), tmp_path / "evolution.png")
    assert not (tmp_path / "evolution.png").exists()


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=600, unique=True).map(sorted))
def test_at_most_ten_epochs_are_chosen_the_first_and_the_last_among_them(epochs):
    chosen = figures._spread(epochs, 10)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(epochs)
    assert (chosen[0], chosen[-1]) == (epochs[0], epochs[-1])
    assert len(chosen) == len(epochs) if len(epochs) <= 10 else 6 <= len(chosen) <= 10


def test_more_of_the_early_epochs_are_chosen():
    steps = np.diff(figures._spread(range(1, 501), 10))
    assert np.all(np.diff(steps) >= 0)
    assert steps[0] == 1


# Curves


def history(n, first=1.0):
    """n epochs; the losses of the first are multiplied by `first`."""
    rows = []
    for epoch in range(1, n + 1):
        row = {"epoch": epoch, "seconds": 1.0}
        for i, split in enumerate(("train", "val")):
            row[f"{split}_reconstruction"] = 20 + 10 / epoch + i
            row[f"{split}_kl"] = 6 - 2 / epoch + i / 10
            row[f"{split}_loss"] = row[f"{split}_reconstruction"] + row[f"{split}_kl"]
        row |= {"mean_of_means": 0.01 / epoch, "mean_of_log_vars": -0.2 + 0.1 / epoch}
        rows.append(row)
    for name in ("train_loss", "train_reconstruction"):
        rows[0][name] *= first
    return rows


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Draws the curves of a history, and returns the figure's four panels."""
    drawn = []
    real = figures._save
    monkeypatch.setattr(
        figures, "_save", lambda figure, path: (drawn.append(figure), real(figure, path))
    )

    def draw(rows):
        loss_curves(rows, tmp_path / "loss.png")
        assert pixels(tmp_path / "loss.png").shape == (640, 900, 4)
        return drawn.pop().axes

    return draw


@pytest.mark.parametrize("n", [1, 2, 5, 60, 500])
def test_curves_show_the_history(draw, n):
    rows = history(n)
    *losses, monitors = draw(rows)
    for axes, name in zip(losses, ("loss", "reconstruction", "kl"), strict=True):
        training, validation = axes.get_lines()
        for line, split, label in ((training, "train", "training"), (validation, "val", "val")):
            np.testing.assert_array_equal(line.get_xdata(), range(1, n + 1))
            np.testing.assert_array_equal(
                line.get_ydata(), [row[f"{split}_{name}"] for row in rows]
            )
            assert line.get_label().startswith(label)
        assert training.get_color() != validation.get_color()
        assert training.get_linestyle() != validation.get_linestyle()
    zero, means, log_vars = monitors.get_lines()
    assert list(zero.get_ydata()) == [0, 0]
    np.testing.assert_array_equal(means.get_ydata(), [row["mean_of_means"] for row in rows])
    np.testing.assert_array_equal(log_vars.get_ydata(), [row["mean_of_log_vars"] for row in rows])
    assert len({line.get_color() for line in monitors.get_lines()}) == 3

    for axes in (*losses, monitors):
        assert axes.get_title(loc="left")
        assert axes.get_xlabel() == "epoch"
        assert axes.get_ylabel().endswith(("per image", "over images and units"))
        assert len(axes.get_legend().get_texts()) == len(axes.get_lines())
        low, high = axes.get_xlim()
        assert low < 1 <= n < high
        ticks = [t for t in axes.get_xticks() if low <= t <= high]
        assert ticks
        assert all(t == round(t) for t in ticks)


def test_a_single_epoch_is_a_visible_point(draw):
    for axes in draw(history(1)):
        for line in axes.get_lines():
            assert line.get_marker() == "o" or len(set(line.get_ydata())) == 1
    training, _ = draw(history(1))[0].get_lines()
    assert training.get_marker() == "o"


@pytest.mark.parametrize("n", [5, 60, 500])
@pytest.mark.parametrize("first", [20, 1e6])
def test_a_high_start_does_not_flatten_the_rest(draw, n, first):
    rows = history(n, first)
    for axes, name in zip(draw(rows)[:2], ("loss", "reconstruction"), strict=True):
        rest = [row[f"{s}_{name}"] for row in rows[max(1, n // 50) :] for s in ("train", "val")]
        low, high = axes.get_ylim()
        assert low < min(rest) < max(rest) < high
        assert max(rest) - min(rest) > 0.8 * (high - low)
        assert axes.get_title(loc="right") == f"↑ begins at {rows[0][f'train_{name}']:,.1f}"


def test_without_a_high_start_everything_is_within_the_panel(draw):
    steady = history(60)
    for row in steady:
        row |= {name: 90 - row["epoch"] for name in row if name.endswith(("loss", "tion"))}
    for rows in (steady, history(4, 1e6)):
        for axes in draw(rows)[:3]:
            values = np.concatenate([line.get_ydata() for line in axes.get_lines()])
            low, high = axes.get_ylim()
            assert low <= values.min() <= values.max() <= high
            assert axes.get_title(loc="right") == ""


def test_a_history_that_never_changes_can_be_drawn(draw):
    draw([{**history(1)[0], "epoch": epoch} for epoch in range(1, 9)])


def test_drawing_does_without_pyplot_and_its_global_state(tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from numpyvae import figures\n"
        f"images = np.zeros((2, 4)); path = {str(tmp_path / 'picture.png')!r}\n"
        "figures.reconstructions(images, images, images, (2, 2), path)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Experiments


def test_column_labels_leave_the_rows_as_they_are(tmp_path):
    images = random_images(4)
    for labels, height in (((), 12), (("a", "b", "c", "d"), 30)):
        image_rows([("Title", [("row", images)])], (28, 28), tmp_path / "rows.png", labels)
        assert_shows(tmp_path / "rows.png", 110, 40, images)
        below = gray(tmp_path / "rows.png")[40 + 86 :]
        assert len(below) == height
        assert (below.min() < 100) == bool(labels)
    _, *marks = np.split(below.min(axis=0)[110 : 110 + 4 * 85], [85, 170, 255])
    assert all(mark[30:55].min() < 100 and mark[:20].min() > 200 for mark in marks)


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


@pytest.fixture
def drawn(monkeypatch):
    """Catches the figures that are saved."""
    figures_saved = []
    real = figures._save
    monkeypatch.setattr(
        figures, "_save", lambda figure, path: (figures_saved.append(figure), real(figure, path))
    )
    return figures_saved


def test_a_latent_space_shows_points_classes_and_the_prior(drawn, tmp_path):
    points = RNG.standard_normal((60, 2)) * [9, 1]
    labels = np.arange(60) % 12
    latent_space([("A", points, labels), ("B", points[:9], None)], tmp_path / "l.png", ("u", "v"))
    for axes, title, shown in zip(drawn[0].axes, "AB", (points, points[:9]), strict=True):
        assert (axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()) == (
            title,
            "u",
            "v",
        )
        np.testing.assert_array_equal(axes.collections[0].get_offsets(), shown)
        assert [circle.radius for circle in axes.patches] == [1, 2, 3]
        assert all(circle.center == (0, 0) for circle in axes.patches)
        assert axes.get_aspect() == 1
    first, second = drawn[0].axes
    colours = first.collections[0].get_facecolors()[:, :3]
    for i in range(10):
        assert np.all(colours[labels == i] == colours[i])
    assert len(np.unique(colours[:10], axis=0)) == 10
    for text, label in zip(first.texts, range(12), strict=True):
        assert text.get_text() == str(label)
        np.testing.assert_array_equal(
            text.get_position(), np.median(points[labels == label], axis=0)
        )
    assert len(second.texts) == 0
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()][:12] == [str(i) for i in range(12)]
    assert "standard" in legend.get_texts()[12].get_text()


def measured(n):
    names = ("squared_error", "kl", "active_units", "sample_distance", "deviation")
    columns = {name: RNG.random(n) + 1 for name in (*names, "sharpness", "diversity")}
    columns["kl"] = np.arange(n) * 2.0
    return columns


@pytest.mark.parametrize("n", [1, 4])
def test_a_sweep_shows_what_was_measured(drawn, tmp_path, n):
    columns, values = measured(n), [0.1, 1, 10, 1000][:n]
    sweep("beta", values, columns, (0.4, 0.05), tmp_path / "sweep.png")
    trade_off, distance, relative, units = drawn[0].axes
    (line,) = trade_off.get_lines()
    np.testing.assert_array_equal(line.get_xdata(), columns["kl"])
    np.testing.assert_array_equal(line.get_ydata(), columns["squared_error"])
    assert [text.get_text() for text in trade_off.texts] == [f"{value:g}" for value in values]
    for text, x in zip(trade_off.texts, columns["kl"], strict=True):
        assert text.xy[0] == x

    floor, samples, *_ = distance.get_lines()
    assert list(floor.get_ydata()) == [0.4, 0.4]
    np.testing.assert_array_equal(samples.get_ydata(), columns["sample_distance"])
    bars = [segment for lines in distance.collections for segment in lines.get_segments()]
    heights = [bar[1, 1] - bar[0, 1] for bar in bars]
    np.testing.assert_allclose(heights, 2 * columns["deviation"])
    (band,) = distance.patches
    np.testing.assert_allclose((band.get_y(), band.get_height()), (0.35, 0.1))

    one, sharpness, diversity = relative.get_lines()
    assert list(one.get_ydata()) == [1, 1]
    np.testing.assert_array_equal(sharpness.get_ydata(), columns["sharpness"])
    np.testing.assert_array_equal(diversity.get_ydata(), columns["diversity"])
    np.testing.assert_array_equal(units.get_lines()[0].get_ydata(), columns["active_units"])
    for axes in (distance, relative, units):
        assert [tick.get_text() for tick in axes.get_xticklabels()] == [f"{v:g}" for v in values]
        assert axes.get_xlabel() == "beta"
        assert axes.get_ylabel()
    assert len(distance.get_legend().get_texts()) == 2
    assert len(relative.get_legend().get_texts()) == 3


def test_points_of_a_sweep_that_lie_together_share_a_label(drawn, tmp_path):
    columns = measured(4)
    columns |= {"kl": np.array([9, 5, 0.1, 0]), "squared_error": np.array([3, 9, 30, 30.5])}
    sweep("beta", [0.1, 1, 3, 10], columns, (0.4, 0.05), tmp_path / "sweep.png")
    assert [text.get_text() for text in drawn[0].axes[0].texts] == ["0.1", "1", "3, 10"]
