"""The short form of the campaign and of the fuzzer: docs/reliability.md has the long one."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "line",
    [
        "campaign.py --kills 1 --interrupts 1 --faults 1 --writers 1 --unlocks 1",
        "fuzz.py --files 100",
    ],
)
def test_every_promise_is_kept(line):
    script, *arguments = line.split()
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every promise kept" in done.stdout
