"""speed/peak.py: a command, and the memory that it held."""

import subprocess
import sys
from pathlib import Path

import pytest

from reference_torch.speed.peak import PEAK


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak")
def test_a_command_runs_as_ever_and_its_peak_comes_last():
    command = [sys.executable, "-m", "reference_torch.speed.peak", "numpyvae", "sample", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True)
    message, peak = done.stderr.splitlines()
    assert (done.returncode, message.split(":")[0]) == (2, "numpyvae sample")
    assert float(peak.removeprefix(PEAK)) > 10
