"""``python -m reference_torch train``."""

import pytest
import torch

from reference_torch.__main__ import main
from reference_torch.twin import train as command

pytestmark = pytest.mark.usefixtures("unrendered")


def test_train_takes_the_flags_of_numpyvae_train(call, own_folder):
    line = "train --device cpu --dataset own.npz --epochs 2 --hidden 6 5 --z-dim 2 --out run"
    assert call(main, line)[0] == 0
    assert (own_folder / "run/evolution.png").exists()
    assert len((own_folder / "run/history.csv").read_text().splitlines()) == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_missing_device_is_one_line_and_status_2(own_folder, assert_mistake):
    assert_mistake(main, "train --device cuda", "there is no CUDA device here: use --device cpu")


def test_subnormal_numbers_are_0_while_it_trains(own_folder, call, monkeypatch):
    seen = []

    def half_of_the_smallest():
        return (torch.full((1,), torch.finfo(torch.float32).tiny) / 2).item()

    monkeypatch.setattr(command.train, "run", lambda **_: seen.append(half_of_the_smallest()))
    call(main, "train --device cpu")
    assert seen == [0]
    assert half_of_the_smallest() > 0
