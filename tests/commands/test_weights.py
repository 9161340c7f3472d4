"""``numpyvae export`` and ``import``."""

from pathlib import Path

import numpy as np
import pytest

from numpyvae import load_checkpoint
from reference_torch import __main__ as reference_torch

pytestmark = pytest.mark.usefixtures("unrendered")


def test_weights_go_out_and_come_back_and_train_on(numpyvae, train):
    train("--epochs 1 --out run")
    assert numpyvae("export run --to new/w.safetensors") == (0, "new/w.safetensors\n", "")
    assert numpyvae("import new/w.safetensors --out again") == (0, "again\n", "")
    before, after = load_checkpoint("run"), load_checkpoint("again")
    np.testing.assert_array_equal(after.vae.parameters.flat, before.vae.parameters.flat)
    assert numpyvae("sample again --n 4")[0] == 0
    assert numpyvae("train --out again --resume")[0] == 0
    status, _, error = numpyvae("import new/w.safetensors --out run")
    assert (status, "holds a run already" in error) == (2, True)


@pytest.mark.parametrize("flags", ["--dataset own.npz --image-size 6 5 --reconstruction bce"])
def test_pytorchs_own_files_are_the_references_business(numpyvae, train, call, flags):
    train("--epochs 1 --out run")
    status, _, error = numpyvae("export run --to w.pt")
    assert (status, "python -m reference_torch export" in error) == (2, True)
    assert call(reference_torch.main, "export run --to w.pt")[0] == 0
    assert call(reference_torch.main, f"import w.pt --out again {flags}")[:2] == (0, "again\n")
    before, after = load_checkpoint("run"), load_checkpoint("again")
    np.testing.assert_array_equal(after.vae.parameters.flat, before.vae.parameters.flat)
    assert (after.config.reconstruction, after.image_shape) == ("bce", (6, 5))


def test_weights_are_not_imported_over_the_files_of_others(numpyvae, train, mistake):
    train("--epochs 1 --out run")
    numpyvae("export run --to w.safetensors")
    Path("mine").mkdir()
    Path("mine/config.json").write_text("precious")
    mistake("import w.safetensors --out mine", "mine holds a file config.json of somebody else")


def test_other_peoples_names_are_mapped_by_a_file(numpyvae, train, mistake, call):
    train("--epochs 1 --out run")
    numpyvae("export run --to w.safetensors")
    call(reference_torch.main, "export run --to w.pt")
    layers = ("encoder1", "encoder2", "mean", "log_var", "decoder1", "decoder2", "decoder3")
    Path("names.txt").write_text("\n".join(f"{layer} {layer}" for layer in layers))
    assert numpyvae("import w.safetensors --names names.txt --out a")[:2] == (0, "a\n")
    line = "import w.pt --image-size 6 5 --names names.txt --out b"
    assert call(reference_torch.main, line)[:2] == (0, "b\n")
    Path("names.txt").write_text("encoder1 encoder1\nencoder1 encoder2\n")
    mistake("import w.safetensors --names names.txt --out c", "maps encoder1.weight, as a line")
    assert not Path("c").exists()
