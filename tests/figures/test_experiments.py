"""Pictures of experiments show the mean over the seeds, its spread, and every seed."""

import numpy as np
import pytest
from PIL import Image

from numpyvae.figures.experiments import compare, monitors, sweep, training, unit_kls

MEASURES = (
    *("squared_error", "kl", "used_units", "active_units", "sample_distance", "precision"),
    *("recall", "sharpness", "diversity", "mean_of_means", "mean_of_log_vars"),
    *("path_precision", "holes", "code_size", "same_label"),
)


def measured(settings, seeds=3):
    """{setting: a row per seed}; the KL divergence differs clearly between settings."""
    rng = np.random.default_rng(0)
    return {
        setting: [
            {name: 1 + rng.random() for name in MEASURES} | {"kl": 5.0 * place}
            for _ in range(seeds)
        ]
        for place, setting in enumerate(settings)
    }


def table(rows, name):
    return np.array([[row[name] for row in of] for of in rows.values()])


def history(n, seed):
    rng = np.random.default_rng(seed)
    columns = ("train_loss", "train_reconstruction", "train_kl")
    columns += ("mean_of_means", "mean_of_log_vars")
    return [{name: float(rng.random()) for name in columns} for _ in range(n)]


def assert_means_and_seeds(axes, values):
    """The first curve goes through the means, with bars; every seed is a point of its own."""
    bars, *points = axes.containers[0], *axes.get_lines()
    np.testing.assert_allclose(bars.lines[0].get_ydata(), values.mean(axis=1))
    segments = bars.lines[2][0].get_segments()
    heights = [segment[1, 1] - segment[0, 1] for segment in segments]
    np.testing.assert_allclose(heights, 2 * values.std(axis=1, ddof=1))
    drawn = [line.get_ydata() for line in points]
    for of_seed in values.T:
        assert any(np.array_equal(of_seed, y) for y in drawn)


def test_a_sweep_shows_means_spreads_and_seeds(drawn, tmp_path):
    rows = measured(["0.1", "1", "10", "1000"])
    known = [{"sample_distance": x, "precision": 0.9, "recall": 0.9} for x in (0.2, 0.3, 0.4)]
    known = [row | {"diversity": 1.0} for row in known]
    sweep("beta", rows, known, tmp_path / "sweep.png")
    trade_off, distance, precision, relative, units, monitor = drawn[0].axes
    mean, *seeds = trade_off.get_lines()
    np.testing.assert_allclose(mean.get_xdata(), table(rows, "kl").mean(axis=1))
    np.testing.assert_allclose(mean.get_ydata(), table(rows, "squared_error").mean(axis=1))
    for line, of_seed in zip(seeds, table(rows, "squared_error"), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), of_seed)
    assert [text.get_text() for text in trade_off.texts] == list(rows)
    for axes, name in (
        (distance, "sample_distance"),
        (precision, "precision"),
        (relative, "sharpness"),
        (units, "used_units"),
        (monitor, "mean_of_log_vars"),
    ):
        assert_means_and_seeds(axes, table(rows, name))
        assert [tick.get_text() for tick in axes.get_xticklabels()] == list(rows)
        assert axes.get_xlabel() == "beta"
        assert axes.get_ylabel()
    assert any(np.allclose(line.get_ydata(), 0.3) for line in distance.get_lines())


def test_points_of_a_sweep_that_lie_together_share_a_label(drawn, tmp_path):
    rows = measured(["0.1", "1", "3", "10"])
    for name, kl, error in zip(rows, (9, 5, 0.1, 0), (3, 9, 30, 30.5), strict=True):
        rows[name] = [row | {"kl": kl, "squared_error": error} for row in rows[name]]
    sweep("beta", rows, [{}], tmp_path / "sweep.png")
    assert [text.get_text() for text in drawn[0].axes[0].texts] == ["0.1", "1", "3, 10"]


@pytest.mark.parametrize("seeds", [1, 3])
def test_two_models_are_compared_seed_by_seed(drawn, tmp_path, seeds):
    rows = measured(["autoencoder", "VAE"], seeds)
    compare(rows, tmp_path / "measures.png")
    assert len(drawn[0].axes) == 8
    axes = drawn[0].axes[0]
    lines = [line.get_ydata() for line in axes.get_lines()]
    for pair in table(rows, "squared_error").T:
        assert any(np.array_equal(pair, y) for y in lines)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(rows)


def test_what_was_not_measured_says_so(drawn, tmp_path):
    """Without labels there is no same label, and of a collapsed VAE no code to measure."""
    rows = measured(["autoencoder", "VAE"])
    for row in (*rows["autoencoder"], *rows["VAE"]):
        del row["same_label"]
    for row in rows["VAE"]:
        del row["holes"]
    compare(rows, tmp_path / "measures.png")
    said = {axes.get_title(loc="left"): [text.get_text() for text in axes.texts]
            for axes in drawn[0].axes}  # fmt: skip
    assert said.pop("Same label nearby") == ["not measured"]
    assert set(map(tuple, said.values())) == {()}


def test_units_are_sorted(drawn, tmp_path):
    unit_kls("beta", {"1": [np.array([0.1, 3, 0.2])] * 2}, 0.05, tmp_path / "units.png")
    one, two, threshold = drawn[0].axes[0].get_lines()
    np.testing.assert_array_equal(one.get_ydata(), [3, 0.2, 0.1])
    np.testing.assert_array_equal(two.get_ydata(), [3, 0.2, 0.1])
    assert list(threshold.get_ydata()) == [0.05, 0.05]


def test_monitors_show_every_setting_over_the_epochs(drawn, tmp_path):
    runs = {"1": [history(4, seed) for seed in (0, 1)], "10": [history(4, 2), history(4, 3)]}
    monitors("beta", runs, tmp_path / "monitors.png")
    means, log_vars = drawn[0].axes
    for axes, column in ((means, "mean_of_means"), (log_vars, "mean_of_log_vars")):
        drawn_lines = [line.get_ydata() for line in axes.get_lines()]
        for of_setting in runs.values():
            curves = np.array([[row[column] for row in run] for run in of_setting])
            for expected in (*curves, curves.mean(axis=0)):
                assert any(np.array_equal(expected, y) for y in drawn_lines)


def test_a_training_shows_the_kls_share_of_the_loss(drawn, tmp_path):
    run = history(5, 0)
    training([run], tmp_path / "training.png")
    share, *_ = drawn[0].axes
    expected = [1 - row["train_reconstruction"] / row["train_loss"] for row in run]
    np.testing.assert_allclose(share.get_lines()[0].get_ydata(), expected)
    with Image.open(tmp_path / "training.png") as picture:
        assert picture.size == (900, 640)
