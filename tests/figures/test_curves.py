"""Curves show the numbers."""

import numpy as np
import pytest
from PIL import Image

from numpyvae.figures.curves import loss_curves, sweep


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
def draw(drawn, tmp_path):
    """Draws the curves of a history, and returns the figure's four panels."""

    def draw(rows):
        loss_curves(rows, tmp_path / "loss.png")
        with Image.open(tmp_path / "loss.png") as picture:
            assert picture.size == (900, 640)
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


RNG = np.random.default_rng(0)


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
