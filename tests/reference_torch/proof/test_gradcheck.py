"""The table of gradients, and its verdict."""

import re

import pytest

from numpyvae import functional as F
from reference_torch.__main__ import main

SMALL = "gradcheck --x-dim 6 --hidden 5 4 --z-dim 2 --batch-size 3"


@pytest.mark.parametrize(
    "options", ["", "--reconstruction bce --beta 0.5", "--dtype float32", "--importance-samples 3"]
)
def test_right_gradients_have_status_0(call, options):
    status, out, _ = call(main, f"{SMALL} {options}")
    assert status == 0
    assert len(re.findall(r" right$", out, re.MULTILINE)) == 3 + 4 + 14
    assert out.endswith("All losses and gradients are right.\n")


def test_a_wrong_gradient_is_named_and_has_status_1(call, monkeypatch):
    right = F.squared_error_backward
    monkeypatch.setattr(F, "squared_error_backward", lambda y, x, **_: 2 * right(y, x))
    status, out, _ = call(main, SMALL)
    assert status == 1
    assert re.search(r"^decoder3\.weight .* WRONG$", out, re.MULTILINE)
    assert out.splitlines()[-1].startswith("WRONG: x, mean, log_var, z, encoder1.weight")


def test_a_trained_run_is_checked_with_its_own_sizes(call, own_folder):
    call(main, "train --dataset own.npz --epochs 1 --hidden 6 5 --z-dim 2 --device cpu --out run")
    status, out, _ = call(main, "gradcheck run")
    assert status == 0
    assert out.startswith("30-6-5-2 and back, weights of run, float64\n")


def test_a_run_with_importance_samples_is_checked_with_its_own(call, own_folder):
    line = "train --dataset own.npz --epochs 1 --hidden 6 5 --z-dim 2 --device cpu --out run"
    call(main, f"{line} --importance-samples 3")
    status, out, _ = call(main, "gradcheck run")
    assert (status, "3 samples of each, importance bound" in out) == (0, True)
