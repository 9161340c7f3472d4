"""``python -m reference_torch train``."""

import numpy as np
import pytest
import torch

from numpyvae import load_checkpoint
from numpyvae.commands.main import main as numpyvae
from numpyvae.errors import InputWarning
from numpyvae.training.kernels import numpy_kernels
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


@pytest.mark.parametrize("before", [False, True])
def test_what_was_set_about_subnormal_numbers_is_set_again(call, monkeypatch, before):
    monkeypatch.setattr(command.train, "run", lambda **_: None)
    torch.set_flush_denormal(before)
    try:
        call(main, "train --device cpu")
        assert (torch.full((1,), torch.finfo(torch.float32).tiny) / 2).item() == (
            0 if before else torch.finfo(torch.float32).tiny / 2
        )
    finally:
        torch.set_flush_denormal(False)


def test_a_run_says_who_trained_it_and_that_another_goes_on(call, own_folder):
    line = "train --dataset own.npz --hidden 6 5 --z-dim 2 --out run --epochs 1"
    assert call(main, f"{line} --device cpu")[0] == 0
    [torch_says] = load_checkpoint("run").trained_with
    assert torch_says.startswith(f"PyTorch {torch.__version__} (")
    with pytest.warns(InputWarning, match="trained with PyTorch .* and goes on with NumPy .*: not"):
        assert call(numpyvae, "train --out run --resume --epochs 2")[0] == 0
    assert load_checkpoint("run").trained_with == [torch_says, numpy_kernels()]


def test_it_goes_on_with_the_runs_own_images_alone(call, own_folder, assert_mistake):
    line = "train --device cpu --dataset own.npz --hidden 6 5 --z-dim 2 --out run --epochs 1"
    assert call(main, line)[0] == 0
    (own_folder / "B").mkdir()
    with np.load("own.npz") as arrays:
        np.savez("B/own.npz", images=255 - arrays["images"], labels=arrays["labels"])
    assert_mistake(
        main,
        "train --device cpu --out run --resume --epochs 2 --data-dir B",
        "the run was trained on 54 + 6 images of 6 x 5 pixels, checksum",
    )
