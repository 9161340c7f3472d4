"""The table of docs/convolution.md."""

import convolution
import numpy as np
from generated import DOCS, parts

from numpyvae import Dataset
from reference_torch.proof.convolution_errors import CONVOLUTION_ERRORS


def test_the_page_has_a_row_for_every_mistake():
    table = parts((DOCS / "convolution.md").read_text(), "measured")["mistakes"].splitlines()[2:]
    rows = [line.strip("| ").split(" | ") for line in table]
    assert [row[0] for row in rows] == ["none", *(error.name for error in CONVOLUTION_ERRORS)]
    assert all(row[3] for row in rows[1:])


def test_a_mistake_is_trained_with_every_seed_and_checked(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (52, 90), np.uint8)
    tiny = Dataset("tiny", pixels[:40], None, pixels[40:], None, (9, 10))
    monkeypatch.setattr("mistakes.digits", lambda: tiny)
    monkeypatch.setattr(
        convolution, "SETTINGS", convolution.SETTINGS | {"dataset": "tiny", "epochs": 1}
    )
    monkeypatch.setattr(convolution, "CHECKED", 4)
    monkeypatch.setattr(convolution, "CONVOLUTION_ERRORS", CONVOLUTION_ERRORS[-1:])
    right, wrong = (row.strip("| ").split(" | ") for row in convolution.mistakes().splitlines()[2:])
    assert right[0] == "none"
    assert right[1] == right[2]
    assert wrong[3] == "gradients, differences"
