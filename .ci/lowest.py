"""Prints pip constraints that pin every dependency of pyproject.toml to the lowest version allowed.

Not PyTorch's, whose old versions exist only with CUDA's gigabytes.
"""

import re
import tomllib
from itertools import chain
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"].values()
for requirement in chain(project["dependencies"], *extras):
    name, lowest = re.match(r"([\w-]+)(?:\[[\w,]+\])?>=([\w.]+)", requirement + ">=0").groups()
    if name not in ("numpyvae", "torch"):
        print(f"{name}=={lowest}")
