"""The table of gradients, and its verdict."""

import re

import numpy as np
import pytest

from numpyvae import VAE, ConvolutionalAutoencoder, FullyConnected
from numpyvae.reconstruction import RECONSTRUCTIONS
from reference_torch.__main__ import main
from reference_torch.proof import gradcheck as gradcheck_module
from reference_torch.proof.gradcheck import Checked, Differences, gradcheck, table
from reference_torch.proof.parity import Comparison

SMALL = "gradcheck --image-size 2 3 --hidden 5 4 --z-dim 2 --batch-size 3"


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--reconstruction bce --beta 0.5",
        "--dtype float32",
        "--importance-samples 3",
        "--importance-samples 3 --bound dreg",
    ],
)
def test_right_gradients_have_status_0(call, options):
    status, out, _ = call(main, f"{SMALL} {options}")
    assert status == 0
    assert len(re.findall(r" right$", out, re.MULTILINE)) == 3 + 4 + 14
    assert out.endswith("All losses and gradients are right.\n")


@pytest.mark.parametrize("options", ["", "--dtype float32 --reconstruction bce"])
@pytest.mark.parametrize(
    ("network", "sizes", "named", "parameters"),
    [
        ("conv", "--image-size 9 10 --z-dim 2", "conv 9x10x1-3-4-2", 14),
        ("conv-autoencoder", "--image-size 16 28 --z-dim 8", "conv-autoencoder 16x28x1-3-4-8", 10),
    ],
)
def test_right_gradients_of_convolutions_have_status_0(
    call, network, sizes, named, parameters, options
):
    status, out, _ = call(main, f"gradcheck --network {network} {sizes} --hidden 3 4 {options}")
    assert status == 0
    assert out.startswith(f"{named} and back, random weights")
    assert len(re.findall(r" right$", out, re.MULTILINE)) == 3 + 4 + parameters


def test_a_step_of_the_differences_changes_no_pools_pixel():
    """The two largest pixels of a patch are 1e-7 apart; a step of 1e-6 would take either."""
    vae = VAE(ConvolutionalAutoencoder((16, 16), (1, 1), np.float64))
    vae.parameters.flat[...] = 0.1  # all units are on
    vae.parameters["encoder1.weight"][...] = 0
    vae.parameters["encoder1.weight"][0, 0, 1, 1] = vae.parameters["encoder1.bias"][...] = 1
    x = 0.1 * np.random.default_rng(0).random((1, 256))
    x[0, 0], x[0, 3] = 0.9, 0.9 + 1e-7  # side by side in h1
    rows = gradcheck(vae, x, np.zeros((1, 1)), 0.0, np.random.default_rng(1))
    assert all(row.agrees for row in rows)


def test_a_wrong_gradient_is_named_and_has_status_1(call, monkeypatch):
    right = RECONSTRUCTIONS["mse"]
    wrong = right._replace(backward=lambda y, x, out: right.backward(y, 2 * x, out=out))
    monkeypatch.setitem(RECONSTRUCTIONS, "mse", wrong)
    status, out, _ = call(main, SMALL)
    assert status == 1
    assert re.search(r"^decoder3\.weight .* WRONG$", out, re.MULTILINE)
    assert out.splitlines()[-1].startswith("WRONG: x, mean, log_var, z, encoder1.weight")


def test_a_trained_run_is_checked_with_its_own_sizes(call, own_folder, unrendered):
    call(main, "train --dataset own.npz --epochs 1 --hidden 6 5 --z-dim 2 --device cpu --out run")
    status, out, _ = call(main, "gradcheck run")
    assert status == 0
    assert out.startswith("30-6-5-2 and back, weights of run, float64\n")


def test_a_run_with_importance_samples_is_checked_with_its_own(call, own_folder, unrendered):
    line = "train --dataset own.npz --epochs 1 --hidden 6 5 --z-dim 2 --device cpu --out run"
    call(main, f"{line} --importance-samples 3")
    status, out, _ = call(main, "gradcheck run")
    assert (status, "3 samples of each, importance bound" in out) == (0, True)


def test_each_side_alone_can_say_wrong():
    comparison = Comparison("x", np.ones(2), np.ones(2))
    wrong = Comparison("x", np.ones(2), np.zeros(2))
    assert Checked(comparison, Differences(0.0, True)).agrees
    assert Checked(comparison, None).agrees
    for row in (
        Checked(comparison, Differences(0.5, False)),
        Checked(wrong, Differences(0.0, True)),
        Checked(wrong, None),
    ):
        assert not row.agrees
        assert table([row]).endswith("WRONG\n")


@pytest.mark.parametrize("side", ["model_parity", "_slope"])
def test_one_failing_side_is_enough_for_status_1(call, monkeypatch, side):
    right = getattr(gradcheck_module, side)

    def wrong(*arguments):
        if side == "_slope":
            slope, rounding = right(*arguments)
            return 1.01 * slope, rounding
        return [c._replace(reference=c.reference * 1.01) for c in right(*arguments)]

    monkeypatch.setattr(gradcheck_module, side, wrong)
    status, out, _ = call(main, SMALL)
    assert status == 1
    assert re.search(r"^decoder3\.weight .* WRONG$", out, re.MULTILINE)


def test_a_gradient_of_0_is_right_where_the_loss_does_not_move_and_only_there(monkeypatch):
    """With beta 0 and eps 0 nothing depends on log_var."""
    vae = VAE(FullyConnected(6, 5, 4, 2, np.float64))
    rng = np.random.default_rng(0)
    x, eps = rng.random((3, 6)), np.zeros((3, 2))
    rows = {row.comparison.name: row for row in gradcheck(vae, x, eps, 0.0, rng)}
    assert rows["log_var.weight"].differences == Differences(0.0, True)
    zero = [Comparison("decoder3.bias", np.zeros(6), np.zeros(6))]
    monkeypatch.setattr(gradcheck_module, "model_parity", lambda *_: zero)
    (row,) = gradcheck(vae, x, eps, 0.0, rng)
    assert row.differences == Differences(np.inf, False)
