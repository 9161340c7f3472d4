"""The runs behind the experiments: one for every setting and seed, each trained once.

All experiments on a data set share a folder, and a run that two of them need is trained once.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from ..data.dataset import Dataset
from ..data.files import reading, write_text
from ..errors import InputError, LossNotFiniteError
from ..training.checkpoint import CHECKPOINT, load_checkpoint
from ..training.config import Config, whole_number
from ..training.folder import begin_run, resume_run
from ..training.kernels import blas_threads
from ..training.loop import train
from ..training.progress import Bars, print_line
from ..training.run import Run
from .jobs import MakeWorkers, Part, read_files, write_files

SEED_FOLDER = "seed-{}"
THREADS = "threads.json"  # the numbers of BLAS threads that runs were trained with


def train_all(
    settings: Mapping[str, Config],
    seeds: Sequence[int],
    data: Dataset,
    folder: Path,
    progress: bool = False,
    workers: MakeWorkers | None = None,
) -> None:
    """Trains every setting with every seed, into ``folder``/SETTING/seed-SEED.

    Runs are paired: a seed gives the same initial weights, order of the images and noise under
    every setting, as far as the sizes of the networks allow. All settings come before the next
    seed. Finished runs are left as they are, begun ones finished, others refused before anything is
    trained. ``workers`` train several runs at once; without them this process trains one after the
    other.

    Raises:
        InputError: a run in ``folder`` has other settings or other data; there are no such workers.
        OSError: the workers went away; called again, it goes on.
        LossNotFiniteError, KeyboardInterrupt: as ``train`` does; called again, it goes on.
    """

    def finished(run_folder: Path, blas: int) -> None:
        write_text(folder / THREADS, json.dumps(sorted({*threads(folder), blas})))
        if progress:
            loss = load_checkpoint(run_folder).history[-1]["val_loss"]
            print_line(f"{run_folder}: validation loss {loss:.3f}")

    threads(folder)  # which refuses another's file, now rather than after a training
    todo = dict(_unfinished(settings, seeds, data, folder))
    if workers is None:
        _train_alone(todo, data, finished)
    else:
        _train_together(todo, data, workers, progress, finished)


def _unfinished(
    settings: Mapping[str, Config], seeds: Sequence[int], data: Dataset, folder: Path
) -> Iterator[tuple[Path, Config]]:
    for seed in seeds:
        for name, config in settings.items():
            config, run_folder = replace(config, seed=seed), run_path(folder, name, seed)
            if (run_folder / CHECKPOINT).exists():
                with _named(run_folder):
                    run = load_checkpoint(run_folder)
                    run.go_on_with(config, ["epochs"] * (config.lr_schedule == "constant"))
                    run.check_same_images(data)
                if len(run.history) == config.epochs:
                    continue
            yield run_folder, config


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """What is wrong with a run is said of its folder."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{folder}: {error}") from error


def _train_alone(
    todo: Mapping[Path, Config], data: Dataset, finished: Callable[[Path, int], None]
) -> None:
    """One run after the other; ``finished`` is told the folder of each, and how many threads."""
    for folder, config in todo.items():
        with _named(folder):
            train(config, data, folder, resume=(folder / CHECKPOINT).exists())
        finished(folder, blas_threads())


def _train_together(
    todo: Mapping[Path, Config],
    data: Dataset,
    make_workers: MakeWorkers,
    progress: bool,
    finished: Callable[[Path, int], None],
) -> None:
    """The same, as many runs at once as there are workers."""
    if not todo:
        return
    running: dict[Future[Part], Path] = {}
    with make_workers(data) as workers, ExitStack() as locks, Bars(todo, progress) as bars:

        def go_on(folder: Path) -> None:
            files = None if workers.same_disk else read_files(folder)
            running[workers.submit(todo[folder], folder, files)] = folder

        for folder in todo:
            if not workers.same_disk:  # else a job begins it, and locks it
                with _named(folder):
                    locks.enter_context(_kept(folder, todo[folder], data))
            go_on(folder)
        while running:
            for future in wait(running, timeout=1, return_when=FIRST_COMPLETED).done:
                folder = running.pop(future)
                with _named(folder):
                    part = future.result()
                write_files(folder, part.files)
                if part.failure:
                    raise LossNotFiniteError(part.failure)
                if part.finished:
                    finished(folder, part.threads)
                else:
                    go_on(folder)
            bars.show(running.values())
            workers.check()


def _kept(folder: Path, config: Config, data: Dataset) -> AbstractContextManager[Run]:
    """The run in ``folder``, begun where it was not, and locked."""
    if (folder / CHECKPOINT).exists():
        return resume_run(folder, config, data)
    return begin_run(Run.start(config, data.image_shape), folder)


def run_path(folder: Path, name: str, seed: int) -> Path:
    return folder / name / SEED_FOLDER.format(seed)


def threads(folder: Path) -> list[int]:
    """The numbers of BLAS threads that the runs in ``folder`` were trained with.

    Raises:
        InputError: the file that says them is damaged, or another's.
    """
    if not (folder / THREADS).exists():
        return []
    with reading(folder / THREADS) as file:
        known = json.load(file)
        if not isinstance(known, list):
            raise ValueError("it is no list of numbers of threads")
        return [whole_number("a number of threads", number) for number in known]
