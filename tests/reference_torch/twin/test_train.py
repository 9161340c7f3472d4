"""``python -m reference_torch train``."""

import pytest
import torch

from reference_torch.__main__ import main

pytestmark = pytest.mark.usefixtures("unrendered")


def test_train_takes_the_flags_of_numpyvae_train(call, own_folder):
    line = "train --device cpu --dataset own.npz --epochs 2 --hidden 6 5 --z-dim 2 --out run"
    assert call(main, line)[0] == 0
    assert (own_folder / "run/evolution.png").exists()
    assert len((own_folder / "run/history.csv").read_text().splitlines()) == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_missing_device_is_one_line_and_status_2(own_folder, assert_mistake):
    assert_mistake(main, "train --device cuda", "there is no CUDA device here: use --device cpu")
