"""`import numpyvae` is light, and its public names are there."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import numpyvae
import reference_torch


def test_importing_loads_only_what_it_needs():
    code = "import sys, numpyvae; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert {"numpy", "numpyvae"} <= loaded
    assert not loaded & {"torch", "matplotlib", "PIL", "tqdm", "pooch", "requests"}


@pytest.mark.parametrize("package", [numpyvae, reference_torch], ids=lambda p: p.__name__)
def test_the_api_page_lists_exactly_the_public_names(package):
    page = (Path(__file__).parent.parent / "docs/api.md").read_text()
    listed = re.findall(rf"^\.\. auto\w+:: {package.__name__}\.([\w.]+)$", page, re.MULTILINE)
    assert sorted(listed) == sorted(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_what_numpyvae_imports_by_name_is_public():
    imported = {
        name
        for name, value in vars(numpyvae).items()
        if not isinstance(value, ModuleType) and not name.startswith("_")
    }
    assert imported <= set(numpyvae.__all__)


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
