"""Pictures of both sides."""

import pytest
from PIL import Image

from reference_torch.proof.figures import side_by_side


@pytest.fixture
def curves(tmp_path, monkeypatch):
    """curves(ours, theirs): what is drawn, by its name, and the axes of the difference."""

    def curves(ours, theirs):
        drawn = []
        monkeypatch.setattr(
            "reference_torch.proof.figures.save", lambda figure, _: drawn.append(figure)
        )
        side_by_side(ours, theirs, "title", tmp_path / "picture.png")
        lines = [line for axes in drawn[0].axes for line in axes.get_lines()]
        return {line.get_label(): list(line.get_ydata()) for line in lines}, drawn[0].axes[1]

    return curves


@pytest.mark.parametrize(("theirs", "difference"), [([3.0, 2.0], [0, 0]), ([3.0, 2.5], [0, 0.5])])
def test_equal_losses_are_drawn_at_0_though_the_axis_is_logarithmic(curves, theirs, difference):
    drawn, axes = curves([3.0, 2.0], theirs)
    bottom, top = axes.get_ylim()
    assert drawn["difference"] == difference
    assert bottom < 0 < max(difference) + 1e-16 < top


def test_side_by_side_is_a_picture(tmp_path):
    side_by_side([3.0, 2.0, 1.5], [3.0, 2.1, 1.4], "title", tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size == (800, 600)


def test_each_side_has_its_own_curve(curves):
    drawn, _ = curves([3.0, 2.0], [3.5, 1.0])
    assert drawn == {"NumPy": [3.0, 2.0], "PyTorch": [3.5, 1.0], "difference": [0.5, 1.0]}
