"""Code is copied from the source into the pages."""

import pytest
import sync


def test_a_function_a_method_and_a_paragraph_can_be_copied():
    assert sync.code("docs/sync.py", "block").startswith(
        "def block(wanted: str) -> str:\n    function, _, text"
    )
    assert sync.code("numpyvae/flat.py", "FlatArrays.__len__").endswith("return len(self._views)")
    shown = sync.code("numpyvae/optim.py", "Adam.step", "def move")
    assert shown.startswith("def move(part: slice)")
    for arguments in (("nowhere",), ("Adam.nowhere",), ("Adam.step", "no such text")):
        with pytest.raises(ValueError, match=r"nowhere|no such text"):
            sync.code("numpyvae/optim.py", *arguments)
