"""`import numpyvae` is light, and its public names are there."""

import subprocess
import sys

import pytest

import numpyvae
import reference_torch


def test_importing_loads_only_what_it_needs():
    code = "import sys, numpyvae; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert {"numpy", "numpyvae"} <= loaded
    assert not loaded & {"torch", "matplotlib", "PIL", "tqdm", "pooch", "requests"}


def test_all_public_names_exist():
    assert {"VAE", "Adam", "Loss", "load_dataset"} <= set(numpyvae.__all__)
    for name in numpyvae.__all__:
        assert getattr(numpyvae, name) is not None


@pytest.mark.parametrize("missing", ["torch", "threadpoolctl"])
def test_without_pytorch_the_command_says_what_is_missing(missing):
    code = (
        f"import sys, runpy; sys.modules[{missing!r}] = None\n"
        "runpy.run_module('reference_torch', run_name='__main__')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr == f"reference_torch needs {missing}: pip install {missing}\n"


def test_the_twin_is_where_one_looks_for_it():
    assert reference_torch.TorchVAE.__module__ == "reference_torch.twin.model"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        reference_torch.nothing  # noqa: B018
