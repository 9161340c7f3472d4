"""`import numpyvae` is light, and its public names are there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import numpyvae
import reference_torch


def loaded_by(code: str) -> set[str]:
    """The packages and modules that ``code`` loads in a new process."""
    report = "import sys; before = set(sys.modules)\n{}\nprint(*(set(sys.modules) - before))"
    run = [sys.executable, "-c", report.format(code)]
    printed = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    return {name.partition(".")[0] for name in printed.split()}


@pytest.mark.parametrize("module", ["numpyvae", "numpyvae.commands.main"])
def test_importing_loads_nothing_else(module):
    """So that hardly any time passes before the command meets Ctrl-C."""
    assert loaded_by(f"import {module}") <= {"numpyvae", "__future__"}


def test_help_needs_no_numpy():
    help = "from numpyvae.commands.main import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert "numpy" not in loaded_by(help)


def test_the_public_names_load_only_what_they_need():
    loaded = loaded_by("from numpyvae import *")
    assert "numpy" in loaded
    assert not loaded & {"torch", "matplotlib", "PIL", "tqdm", "pooch", "requests"}


@pytest.mark.parametrize("package", [numpyvae, reference_torch], ids=lambda p: p.__name__)
def test_the_api_page_lists_exactly_the_public_names(package):
    page = (Path(__file__).parent.parent / "docs/api.md").read_text()
    listed = re.findall(rf"^\.\. auto\w+:: {package.__name__}\.([\w.]+)$", page, re.MULTILINE)
    assert sorted(listed) == sorted(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None


@pytest.mark.parametrize("package", [numpyvae, reference_torch], ids=lambda p: p.__name__)
def test_what_one_sees_is_public(package):
    shown = {name for name in dir(package) if not name.startswith("__")}
    assert shown == set(package.__all__)
    assert "__doc__" in dir(package)
    namespace = {}
    exec(f"from {package.__name__} import *", namespace)
    assert set(package.__all__) <= set(namespace)


@pytest.mark.parametrize("missing", ["torch", "threadpoolctl"])
def test_without_pytorch_the_command_says_what_is_missing(missing):
    code = (
        f"import sys, runpy; sys.modules[{missing!r}] = None; sys.argv = ['', 'bench']\n"
        "runpy.run_module('reference_torch', run_name='__main__')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr == f"reference_torch needs {missing}: pip install {missing}\n"


def test_names_are_where_one_looks_for_them():
    assert reference_torch.TorchVAE.__module__ == "reference_torch.twin.model"
    assert numpyvae.VAE.__module__ == "numpyvae.model"
    for package in (numpyvae, reference_torch):
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            package.nothing  # noqa: B018
