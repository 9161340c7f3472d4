"""What the tests of the grader share."""

import inspect

import pytest
from exercises import by_hand

from reference_torch.grading.grade import grade


@pytest.fixture
def graded(tmp_path):
    """graded(text) -> {function: (state, remarks)}, what the grader says of a file."""

    def graded(text: str) -> dict[str, tuple[str, tuple[str, ...]]]:
        file = tmp_path / "mine.py"
        file.write_text(text)
        return {v.name: (v.state, v.remarks) for v in grade(file)}

    return graded


@pytest.fixture
def written():
    """written(name, body): a file with one function of the exercises, and that body."""

    def written(name: str, body: str) -> str:
        parameters = ", ".join(inspect.signature(getattr(by_hand, name)).parameters)
        body = "\n".join(f"    {line}" for line in body.splitlines())
        head = "import numpy as np\nfrom numpyvae.functional import Array\n"
        return f"{head}def {name}({parameters}):\n{body}\n"

    return written
