"""Curves show the numbers."""

import numpy as np
import pytest
from PIL import Image

from numpyvae.figures.curves import loss_curves


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


def test_a_single_epoch_is_a_visible_point():
    panels = loss_curves(history(1)).axes
    for axes in panels:
        for line in axes.get_lines():
            assert line.get_marker() == "o" or len(set(line.get_ydata())) == 1
    training, _ = panels[0].get_lines()
    assert training.get_marker() == "o"


@pytest.mark.parametrize("n", [5, 60, 500])
@pytest.mark.parametrize("first", [20, 1e6])
def test_a_high_start_does_not_flatten_the_rest(draw, n, first):
    rows = history(n, first)
    panels = draw(rows) if n == 5 else loss_curves(rows).axes
    for axes, name in zip(panels[:2], ("loss", "reconstruction"), strict=True):
        rest = [row[f"{s}_{name}"] for row in rows[max(1, n // 50) :] for s in ("train", "val")]
        low, high = axes.get_ylim()
        assert low < min(rest) < max(rest) < high
        assert max(rest) - min(rest) > 0.8 * (high - low)
        assert axes.get_title(loc="right") == f"↑ begins at {rows[0][f'train_{name}']:,.1f}"


def test_without_a_high_start_everything_is_within_the_panel():
    steady = history(60)
    for row in steady:
        row |= {name: 90 - row["epoch"] for name in row if name.endswith(("loss", "tion"))}
    for rows in (steady, history(4, 1e6)):
        for axes in loss_curves(rows).axes[:3]:
            values = np.concatenate([line.get_ydata() for line in axes.get_lines()])
            low, high = axes.get_ylim()
            assert low <= values.min() <= values.max() <= high
            assert axes.get_title(loc="right") == ""


def test_a_history_that_never_changes_can_be_drawn(draw):
    draw([{**history(1)[0], "epoch": epoch} for epoch in range(1, 9)])
