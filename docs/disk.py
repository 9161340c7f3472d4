"""Training on images that memory cannot hold: in turns with images in memory, and with PyTorch.

``scaling.py`` measures it and writes the table. Each contender has a process of its own with little
memory, and a file of its own, for what one has read would be there for the other.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median

import numpy as np
from generated import threads

from numpyvae import VAE, Adam, Config, load_dataset
from numpyvae.data.dataset import as_floats
from numpyvae.experiments.report import table
from numpyvae.functional import Array
from numpyvae.training.steps import NumpyStepper, visits
from reference_torch.speed.tables import lower
from reference_torch.speed.turns import alive, answer

MEMORY, FILE = "images in memory", "images in a file"
LOADER = "images in a file, PyTorch's DataLoader with two workers"
IMAGES, PIXELS = 3_000_000, 784
IN_MEMORY = 200_000  # images: all would not fit, and their number makes no difference to a step
ALLOWED = 700 << 20  # bytes of memory, files that the system keeps in it counted
ROUNDS = 15  # turns of each contender
BEFORE = 1.0  # seconds of a turn that do not count: what was asked for in advance is used up
CGROUPS = {  # where Linux limits memory, in its older way and its newer
    Path("/sys/fs/cgroup/memory"): "memory.limit_in_bytes",
    Path("/sys/fs/cgroup"): "memory.max",
}


# In a process of its own


def take_turns(contender: str, path: str, group: str) -> None:
    """Answers the milliseconds per training step, their mean, given seconds to measure it."""
    if group:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))
    vae = VAE()
    stepper = NumpyStepper(vae, Adam(vae.parameters, weight_decay=0.01))
    batches = minibatches_of(contender, path)

    def steps(seconds: float) -> float:
        number, start = 0, time.perf_counter()
        while (taken := time.perf_counter() - start) < seconds or not number:
            stepper.train(*next(batches), 1.0)
            number += 1
        return 1e3 * taken / number

    def turn(seconds: float, before: float) -> float:
        steps(before)
        return steps(seconds)

    with stepper.in_threads():
        answer(turn)


def minibatches_of(contender: str, path: str) -> Iterator[tuple[Array, Array]]:
    """Minibatches of 64 and their noise, epoch after epoch, in random order."""
    rng = np.random.default_rng()
    if contender == LOADER:
        yield from loaded(path, rng)
    if contender == MEMORY:
        images = rng.integers(0, 256, (IN_MEMORY, PIXELS), np.uint8)
    else:
        images = load_dataset(path).train_images
    while True:
        yield from visits(images, Config("mnist"), rng, shuffled=True)


def loaded(path: str, rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    """The same from PyTorch's DataLoader over the mapped file."""
    from torch.utils.data import DataLoader, Dataset

    class Rows(Dataset[Array]):
        images = np.load(path, mmap_mode="r").reshape(-1, PIXELS)

        def __len__(self) -> int:
            return len(self.images)

        def __getitem__(self, row: int) -> Array:
            return np.array(self.images[row])

    while True:
        for x in DataLoader(Rows(), Config("mnist").batch_size, shuffle=True, num_workers=2):
            yield (
                as_floats(x.numpy()),
                rng.standard_normal((len(x), Config("mnist").z_dim), np.float32),
            )


# Around them


def disk(short: bool) -> str:
    """The table of all three, and in words how it was measured and what was found."""
    count, rounds, seconds = (100_000, 2, 0.1) if short else (IMAGES, ROUNDS, 2.0)
    variables = {**os.environ, **threads(os.cpu_count() or 1)}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        turns, limits = {}, []
        for number, name in enumerate((MEMORY, FILE, LOADER)):
            path = Path(folder, f"{number}.npy")
            if name != MEMORY:
                real_file(path, count)
            if group := control_group(ALLOWED):
                stack.callback(remove, group)
            limits.append(group)
            command = [__file__, name, str(path), str(group or "")]
            turns[name] = stack.enter_context(alive(command, variables))
        times: dict[str, list[float]] = {name: [] for name in turns}
        for _ in range(rounds):
            for name, turn in turns.items():
                times[name].append(turn(seconds, BEFORE if seconds > BEFORE else 0))
    allowed = "memory not limited, which this machine does not allow"
    if all(limits):
        allowed = f"{ALLOWED >> 20} MiB of memory allowed to each"
    rows = []
    for name, found in times.items():
        ratios = np.divide(found, times[MEMORY])
        low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
        text = f"{lower(found):.1f} ({median(found):.1f}; {min(found):.1f} to {max(found):.1f})"
        rows.append([name, text, f"{middle:.2f} ({low:.2f} to {high:.2f})"])
    slower = np.median(np.divide(times[LOADER], times[FILE]))
    said = (
        f"{count * PIXELS / 1e9:.1f} GB in a real file, {dropped()}; {allowed}; {rounds} turns of "
        f"each. A step with PyTorch's DataLoader takes {slower:.1f} times as long as one with ours."
    )
    return table([f"{count:,} images", "ms per step", "times memory"], rows) + f"\n\n{said}"


def real_file(path: Path, count: int) -> None:
    """Random images, which take their room on the disk, and are not kept in memory."""
    shape = (count, 28, 28)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    rng = np.random.default_rng(0)
    for start in range(0, count, 10_000):
        part = images[start : start + 10_000]
        part[...] = rng.integers(0, 256, part.shape, np.uint8)
    images.flush()
    if hasattr(os, "posix_fadvise"):
        with open(path, "rb") as file:
            del images, part
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def dropped() -> str:
    known = hasattr(os, "posix_fadvise")
    return "none of it in memory at first" if known else "which this system may keep in memory"


def control_group(allowed: int) -> Path | None:
    """Whose processes have so many bytes of memory; None where none can be made."""
    for place, limit in CGROUPS.items():
        group = place / f"numpyvae-{os.urandom(4).hex()}"
        try:
            group.mkdir()
        except OSError:
            continue
        with suppress(OSError):
            (group / limit).write_text(str(allowed))
            return group
        remove(group)
    return None


def remove(group: Path) -> None:
    """Removes a control group as soon as the last process in it has ended."""
    for _ in range(300):
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.1)


if __name__ == "__main__":
    take_turns(*sys.argv[1:])
