"""How much memory small hostile files take, and the largest pictures that may be asked for.

python tests/reliability/memory.py
"""

import os
import shlex
import sys
import tempfile

import numpy as np
from PIL import Image

SMALL = "--hidden 2 2 --z-dim 1 --epochs 1 --quiet --out"
LARGEST = 7071  # pixels on a side: just under 50 million in all


def make_files() -> None:
    for mode in ("1", "L", "RGBA"):
        os.mkdir(mode)
        picture = Image.new(mode, (LARGEST, LARGEST))
        for name in ("a", "b"):
            picture.save(f"{mode}/{name}.png")
    for name, megabytes in (("refused", 389), ("largest", 128)):
        images = np.zeros(((megabytes << 20) // 128 - 10, 8, 8), np.float16)
        np.savez_compressed(f"{name}.npz", images=images)


def peak(command: str) -> tuple[int, int]:
    """The exit status of ``numpyvae`` with these arguments, and its most memory in MB."""
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "numpyvae", *shlex.split(command)],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, used = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), round(used.ru_maxrss * 1024 / 1e6)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_files()
        print("exit  most MB  what", flush=True)

        def show(what: str, command: str) -> None:
            status, megabytes = peak(command)
            print(f"{status:4d} {megabytes:8d}  {what}", flush=True)

        show("digits, the same network", f"train {SMALL} run")
        for mode in ("1", "L", "RGBA"):
            kilobytes = os.path.getsize(f"{mode}/a.png") // 1000
            what = f"two pictures of {kilobytes} kB, {LARGEST} x {LARGEST}, mode {mode}"
            show(what, f"train --dataset {mode} --image-size 8 8 {SMALL} run-{mode}")
        for name in ("refused", "largest"):
            kilobytes = os.path.getsize(f"{name}.npz") // 1000
            show(f"{name}.npz of {kilobytes} kB", f"train --dataset {name}.npz {SMALL} run-{name}")
        with np.load("run/checkpoint.npz") as checkpoint:
            arrays = dict(checkpoint)
        arrays["parameters"] = np.zeros(46_000_000, np.float32)
        np.savez_compressed("bomb.npz", **arrays)
        kilobytes = os.path.getsize("bomb.npz") // 1000
        show(f"a compressed checkpoint of {kilobytes} kB", "sample bomb.npz --out a.png")
        show("sample --n 10000", "sample run --n 10000 --out a.png")
        show("reconstruct --n 10000", "reconstruct run --n 10000 --out a.png")
        show("reconstruct --n 100", "reconstruct run --n 100 --out a.png")


if __name__ == "__main__":
    main()
