"""``python -m reference_torch compare``."""

import re

from reference_torch.__main__ import main


def test_compare_prints_both_and_draws(call, own_folder):
    line = "compare --dataset own.npz --epochs 2 --batch-size 32 --out new/c.png"
    status, out, _ = call(main, line)
    assert status == 0
    assert re.search(r"^ +2/2 +\d+\.\d+ +\d+\.\d+ +(0\.0e\+00|\d\.\de-1\d)$", out, re.MULTILINE)
    assert "ms per step, median" in out
    assert (own_folder / "new/c.png").read_bytes().startswith(b"\x89PNG")
