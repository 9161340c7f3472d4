"""`import numpyvae` is light, and its public names are there."""

import subprocess
import sys

import numpyvae


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
