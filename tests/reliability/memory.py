"""How much memory the smallest files and the largest numbers make a command hold, on Linux.

    python tests/reliability/memory.py

Prints, for each, the size of the file, the status of the command, and the most memory that its
process held beyond what it holds to load the digits.
"""

import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from numpyvae.data.pictures import MOST_PIXELS
from reference_torch.speed.peak import PEAK

SIDE = int(MOST_PIXELS**0.5)
TRAIN = ("train", "--hidden", "16", "8", "--z-dim", "2", "--epochs", "1")


def pictures(mode: str, side: int, **save: int) -> Callable[[Path], Path]:
    """Writes a folder with two pictures of one colour."""

    def write(folder: Path) -> Path:
        picture = Image.new("L", (side, side), 128).convert(mode)
        folder.mkdir()
        for name in ("a.png", "b.png"):
            picture.save(folder / name, **save)
        return folder / "a.png"

    return write


def halves(path: Path) -> Path:
    """Writes as many images of float16 as a small .npz file may unfold to."""
    images = np.zeros((85_000, 28, 28), np.float16)
    images[:, 14, 14] = 0.5
    np.savez_compressed(path, images=images)
    return path


def packed_checkpoint(path: Path) -> Path:
    """Writes a checkpoint whose arrays are large and compressed."""
    with zipfile.ZipFile("usual/checkpoint.npz") as source, zipfile.ZipFile(path, "w", 8) as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("weight.npy"):
                stream = io.BytesIO()
                np.save(stream, np.zeros((2000, 8000), np.float32))
                content = stream.getvalue()
            target.writestr(name, content)
    return path


CASES: dict[str, tuple[Callable[[Path], Path] | None, tuple[str, ...]]] = {
    "a grey picture": (pictures("L", SIDE), ()),
    "a picture in colour": (pictures("RGB", SIDE), ()),
    "a transparent picture": (pictures("RGBA", SIDE), ()),
    "a transparent picture with a palette": (pictures("P", SIDE, transparency=0), ()),
    "a picture beyond the limit": (pictures("RGBA", SIDE + 1), ()),
    "images of float16": (halves, ()),
    "a compressed checkpoint": (packed_checkpoint, ("sample",)),
    "sample --n 10000": (None, ("sample", "usual", "--n", "10000")),
    "reconstruct --n 100": (None, ("reconstruct", "usual", "--n", "100")),
    "reconstruct --n 101": (None, ("reconstruct", "usual", "--n", "101")),
}


def held(*command: str) -> tuple[int, float]:
    """The status of a command, and the most memory that it held, in MiB."""
    program = [sys.executable, "-m", "reference_torch.speed.peak", "numpyvae", *command]
    done = subprocess.run(program, capture_output=True, text=True)
    return done.returncode, float(done.stderr.rpartition(PEAK)[2])


def main() -> None:
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _, usual = held(*TRAIN, "--out", "usual")
        print(f"{usual:.0f} MiB for the digits", "| | kB | status | MiB more |", sep="\n\n")
        print("|---|---|---|---|")
        for number, (name, (write, command)) in enumerate(CASES.items()):
            path = Path(f"{number}.npz")
            size = f"{write(path).stat().st_size / 1000:.0f}" if write else ""
            if write and command:
                command = (*command, str(path))
            elif write:
                scaled = ["--image-size", "28", "28"] if path.is_dir() else []
                command = (*TRAIN, "--dataset", str(path), *scaled, "--out", f"run{number}")
            status, peak = held(*command)
            print(f"| {name} | {size} | {status} | {max(0.0, peak - usual):.0f} |", flush=True)


if __name__ == "__main__":
    main()
