"""Code is copied from the source into the pages."""

import pytest
import sync


def test_a_function_a_method_and_a_paragraph_can_be_copied():
    assert sync.code("docs/sync.py", "block").startswith(
        "def block(wanted: str) -> str:\n    place, _, text"
    )
    assert sync.code("numpyvae/flat.py", "FlatArrays.__len__").endswith("return len(self._views)")
    shown = sync.paragraph("numpyvae/optim.py", "def move")
    assert shown.startswith("def move(part: slice)")
    for name in ("nowhere", "Adam.nowhere"):
        with pytest.raises(ValueError, match="nowhere"):
            sync.code("numpyvae/optim.py", name)
    for text, found in (("no such text", "0 paragraphs"), ("return", "[2-9] paragraphs")):
        with pytest.raises(ValueError, match=f"{found} of numpyvae/optim.py contain"):
            sync.paragraph("numpyvae/optim.py", text)
