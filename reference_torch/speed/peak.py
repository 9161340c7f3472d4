"""Runs a command in this process, and says at its end how much memory it held.

    python -m reference_torch.speed.peak MODULE ARGUMENTS...

does what ``python -m MODULE ARGUMENTS...`` does. The last line on standard error is the peak, in
MiB, where Linux is there to tell it.
"""

import runpy
import sys
from pathlib import Path

PEAK = "peak MiB: "


def main() -> None:
    del sys.argv[0]
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    finally:
        status = Path("/proc/self/status")
        for line in status.read_text().splitlines() if status.exists() else []:
            if line.startswith("VmHWM"):
                print(f"{PEAK}{int(line.split()[1]) / 1024:.1f}", file=sys.stderr)


if __name__ == "__main__":
    main()
