"""The picture of growth."""

from PIL import Image

from reference_torch.speed.contenders import FUSED, NUMPY
from reference_torch.speed.figures import growth


def test_every_size_that_grows_has_its_panel(tmp_path):
    times = {"1": {NUMPY: [1.0], FUSED: [2.0]}, "2": {NUMPY: [1.5], FUSED: [2.5]}}
    growth({"batch size": times, "width": times}, tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size == (680, 340)
