"""The runs behind the experiments: one for every setting and seed, each trained once.

All experiments on a data set share a folder, and a run that two of them need is trained once.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..data.dataset import Dataset
from ..data.files import reading, write_text
from ..errors import InputError
from ..training.checkpoint import CHECKPOINT, load_checkpoint
from ..training.config import Config
from ..training.loop import blas_threads, train

SEED_FOLDER = "seed-{}"
THREADS = "threads.json"  # the numbers of BLAS threads that runs were trained with


def train_all(
    settings: Mapping[str, Config],
    seeds: Sequence[int],
    data: Dataset,
    folder: Path,
    progress: bool = False,
) -> None:
    """Trains every setting with every seed, into ``folder``/SETTING/seed-SEED.

    Runs are paired: a seed gives the same initial weights, order of the images and noise under
    every setting, as far as the sizes of the networks allow. All settings come before the next
    seed. Finished runs are left as they are, begun ones finished.

    Raises:
        InputError: a run in ``folder`` has other settings.
        LossNotFiniteError, KeyboardInterrupt: as ``train`` does; called again, it goes on.
    """
    for seed in seeds:
        for name, config in settings.items():
            config, run_folder = replace(config, seed=seed), run_path(folder, name, seed)
            begun = (run_folder / CHECKPOINT).exists()
            if begun:
                run = load_checkpoint(run_folder)
                same = run.config == config and run.image_shape == data.image_shape
                if same and len(run.history) == config.epochs:
                    continue
            try:
                run = train(config, data, run_folder, resume=begun)
            except InputError as error:
                raise InputError(f"{run_folder}: {error}") from error
            write_text(folder / THREADS, json.dumps(sorted({*threads(folder), blas_threads()})))
            if progress:
                print(
                    f"{run_folder}: validation loss {run.history[-1]['val_loss']:.3f}", flush=True
                )


def run_path(folder: Path, name: str, seed: int) -> Path:
    return folder / name / SEED_FOLDER.format(seed)


def threads(folder: Path) -> list[int]:
    """The numbers of BLAS threads that the runs in ``folder`` were trained with."""
    if not (folder / THREADS).exists():
        return []
    with reading(folder / THREADS) as file:
        return list(json.load(file))
