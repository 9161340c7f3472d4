"""Measures epochs of one trainer in this process: ``python -m reference_torch.speed.epoch``.

Prints a JSON object: seconds of an epoch (the better of two, after a first), peak memory in MiB.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from numpyvae import Config, Dataset, Run, load_dataset, train
from numpyvae.training.steps import Trainer, numpy_trainer


def main(trainer: str, dataset: str, data_dir: str) -> None:
    """``trainer`` is ``"numpy"`` or a device of PyTorch; ``data_dir`` may be empty."""
    make_trainer: Callable[[Run, Dataset], Trainer] = numpy_trainer
    if trainer != "numpy":
        from ..twin.training import trainer_on

        make_trainer = trainer_on(trainer)
    data = load_dataset(dataset, data_dir or None)
    run = train(Config(dataset=dataset, epochs=3), data, make_trainer=make_trainer)
    seconds = min(row["seconds"] for row in run.history[1:])
    print(json.dumps({"seconds": seconds, "peak MiB": peak_memory()}))


def peak_memory() -> float | None:
    """The most memory that this process has held, in MiB; None where Linux is not there to say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peaks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return peaks[0] if peaks else None


if __name__ == "__main__":
    main(*sys.argv[1:])
