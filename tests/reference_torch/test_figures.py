"""Pictures of both sides."""

from PIL import Image

from reference_torch.figures import growth, side_by_side
from reference_torch.speed.contenders import FUSED, NUMPY


def test_equal_losses_can_be_drawn_though_the_axis_is_logarithmic(tmp_path):
    for theirs in ([3.0, 2.0, 1.5], [3.0, 2.1, 1.4]):
        side_by_side([3.0, 2.0, 1.5], theirs, "title", tmp_path / "picture.png")
        with Image.open(tmp_path / "picture.png") as picture:
            assert picture.size == (800, 600)


def test_every_size_that_grows_has_its_panel(tmp_path):
    times = {"1": {NUMPY: [1.0], FUSED: [2.0]}, "2": {NUMPY: [1.5], FUSED: [2.5]}}
    growth({"batch size": times, "width": times}, tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size == (680, 340)


def test_each_side_has_its_own_curve(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("reference_torch.figures.save", lambda figure, _: drawn.append(figure))
    side_by_side([3.0, 2.0], [3.5, 1.0], "title", tmp_path / "picture.png")
    curves = {
        line.get_label(): list(line.get_ydata())
        for axes in drawn[0].axes
        for line in axes.get_lines()
    }
    assert curves == {"NumPy": [3.0, 2.0], "PyTorch": [3.5, 1.0], "difference": [0.5, 1.0]}
