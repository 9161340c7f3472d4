"""Many trainings at once: jobs for an executor, in processes of this machine or on a cluster.

A job trains one run. On this machine it keeps it in the run's folder, as ``train`` does. Elsewhere
it need not see our disk: it is sent what is in the folder, trains for a while, and sends back what
is new, and another job goes on from there.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from math import inf
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from .. import __version__
from ..data.dataset import Dataset
from ..data.files import make_folder, make_subfolder, reading, replacing, uninterrupted
from ..errors import InputError, LossNotFiniteError, say
from ..training.checkpoint import CHECKPOINT
from ..training.config import Config
from ..training.kernels import blas_threads
from ..training.loop import train
from ..training.run import Run
from ..training.steps import NumpyStepper, OnStep, StepwiseTrainer

Answer = TypeVar("Answer")
Files = dict[str, bytes]  # of a run folder, by their paths in it
VERSIONS = f"numpyvae {__version__} with NumPy {np.__version__}"
MOST_JOBS = 500
WHILE = 30.0  # seconds after which a job on a cluster ends with its epoch: no more can be lost
PATIENCE = 20.0  # seconds that a cluster may be without its scheduler, or without any worker
LONG_PATIENCE = 60.0  # seconds that a worker may be silent: others of its machine may keep it busy
QUIET = 5.0  # seconds after which it is said that an answer is waited for
_ALONE = threading.Lock()


class Part(NamedTuple):
    """What a job comes back with. ``failure`` says how a training broke down."""

    finished: bool
    failure: str
    threads: int  # of BLAS
    files: Files  # that are new, where the disk is another


class Workers(NamedTuple):
    """Those who do jobs. ``submit`` is given config, folder and files of ``train_part``.

    ``check`` raises an error where there is nobody left to wait for.
    """

    submit: Callable[[Config, Path, Files | None], Future[Part]]
    same_disk: bool
    check: Callable[[], object]


MakeWorkers = Callable[[Dataset], AbstractContextManager[Workers]]


def processes(number: int, threads: int | None = None) -> MakeWorkers:
    """So many processes of this machine, with so many BLAS threads each: by default, their share.

    They end with the trainings, and with this process, however that ends.

    Raises:
        InputError: the number is none that a machine could have.
        ChildProcessError: in the course of the trainings, one of the processes died.
    """
    if not 1 <= number <= MOST_JOBS:
        raise InputError(f"jobs must be from 1 to {MOST_JOBS}, got {number}")
    return partial(_processes, number, threads)


@contextmanager
def _processes(number: int, threads: int | None, data: Dataset) -> Iterator[Workers]:
    job = partial(train_part, data, threads or max(1, blas_threads() // number), inf, VERSIONS)
    others, ours = set(active_children()), set[BaseProcess]()
    # "fork" would copy a process that has threads, and a lock that one of them holds, for ever.
    executor = ProcessPoolExecutor(number, get_context("spawn"), _begin_child)

    def submit(config: Config, folder: Path, files: Files | None) -> Future[Part]:
        with _deaf_to_ctrl_c():  # and so is a process that begins here
            future = executor.submit(job, config, folder, files)
        ours.update(set(active_children()) - others)  # later, one that died is no longer there
        return future

    def check() -> None:
        """The executor itself does not notice the end of a process that it began as its last."""
        if not all(child.is_alive() for child in ours):
            raise BrokenProcessPool

    try:
        yield Workers(submit, True, check)
    except BrokenProcessPool:
        raise ChildProcessError(
            "one of the processes that train has died, perhaps for lack of memory; the same "
            "command goes on from there"
        ) from None
    finally:
        for child in set(active_children()) - others:
            child.terminate()
        executor.shutdown(cancel_futures=True)


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_child() -> None:
    """Ctrl-C on a terminal comes to all processes on it: the parent ends this one."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def dask_cluster(address: str, threads: int | None = None) -> MakeWorkers:
    """The workers of the Dask scheduler at ``address``, with so many BLAS threads: by default, 1.

    A job whose worker dies is given to another one. Whoever reaches a scheduler can run programs on
    all machines that it knows, this one too: it belongs into a network that is trusted.

    Raises:
        InputError: Dask is missing; no scheduler answers; a worker is not like this machine.
        ConnectionError: in the course of the trainings, the scheduler or all workers went away.
    """
    try:
        from distributed.comm.addressing import get_address_host_port

        get_address_host_port(address, strict=True)
    except ImportError as error:
        raise InputError("a cluster needs Dask: pip install 'numpyvae[cluster]'") from error
    except ValueError as error:
        raise InputError(f"no address of a Dask scheduler: {address!r}: {error}") from error
    return partial(_dask_cluster, address, threads)


@contextmanager
def _dask_cluster(address: str, threads: int | None, data: Dataset) -> Iterator[Workers]:
    from distributed import Client, KilledWorker

    connect = partial(Client, address, timeout=PATIENCE, set_as_default=False)
    try:
        client = _answer(connect, f"the scheduler at {address}")
    except OSError as error:
        raise InputError(f"no Dask scheduler answers at {address}: {error}") from error
    executor = client.get_executor(pure=False)
    # As the result of a task the images go from worker to worker, and are not lost with one.
    images = client.submit(lambda data: data, data, pure=False)
    job = partial(executor.submit, train_part, images, threads or 1, WHILE, VERSIONS)
    told = set()

    def check() -> None:
        ages = _answer(partial(client.run_on_scheduler, _silence()), "the scheduler")
        _answer(partial(client.wait_for_workers, 1, timeout=PATIENCE), "a worker")
        for worker, seconds in ages.items():
            if seconds > LONG_PATIENCE:
                raise TimeoutError(f"the worker {worker} is silent")
            if seconds > QUIET and worker not in told:
                told.add(worker)
                say(f"the worker {worker} has been silent for {seconds:.0f} s")

    try:
        yield Workers(job, False, check)
    except ImportError as error:
        raise InputError(f"a worker of {address} cannot train: {error}") from error
    except (CancelledError, KilledWorker, OSError) as error:
        raise ConnectionError(
            f"the cluster at {address} failed ({str(error) or 'its scheduler is gone'}); the same "
            "command goes on from there"
        ) from error
    finally:
        client.close(timeout=1)


def _answer(call: Callable[[], Answer], who: str) -> Answer:
    """What ``call`` returns; while that takes long, a line, and after ``PATIENCE`` an end.

    Raises:
        TimeoutError: there was no answer.
    """
    answer = Future[Answer]()

    def ask() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    if not wait([answer], QUIET).done:
        say(f"{who} has not answered for {QUIET:.0f} s")
        if not wait([answer], max(0, PATIENCE - QUIET)).done:
            raise TimeoutError(f"{who} does not answer")
    return answer.result()


def _silence() -> Callable[..., dict[str, float]]:
    """What a scheduler runs, which may lack numpyvae: the seconds for which those of its workers
    that have something of anybody's were silent.
    """

    def silence(dask_scheduler: Any) -> dict[str, float]:
        import time

        workers = dask_scheduler.workers.items()
        busy = {address: it for address, it in workers if it.processing or it.has_what}
        return {address: time.time() - it.last_seen for address, it in busy.items()}

    return silence


def train_part(
    data: Dataset,
    threads: int,
    seconds: float,
    versions: str,
    config: Config,
    folder: Path,
    files: Files | None = None,
) -> Part:
    """A job: trains the run in ``folder``, begun or not, to its end or for so many seconds.

    Where ``folder`` is on another machine, ``files`` are those in it.

    Raises:
        InputError: as ``train`` does; or the caller has another of the ``versions``.
    """
    if versions != VERSIONS:
        raise InputError(f"this machine has {versions}, a worker {VERSIONS}")
    failure = ""
    # A worker with several threads takes jobs one by one: the number of BLAS threads and the style
    # of pictures belong to the process.
    with _ALONE, threadpool_limits(threads), _place(folder, files) as place:
        shift = partial(_Shift, time.monotonic() + seconds)
        finished = False
        try:
            train(config, data, place, (place / CHECKPOINT).exists(), make_trainer=shift)
            finished = True
        except _ShiftIsOver:
            pass
        except LossNotFiniteError as stop:
            failure = str(stop).replace(str(place), str(folder))
        new: Files = {}
        if files is not None:
            there = read_files(place).items()
            new = {path: content for path, content in there if files.get(path) != content}
        return Part(finished, failure, blas_threads(), new)


class _ShiftIsOver(Exception):
    """Raised between two epochs, the last of which is kept."""


class _Shift(StepwiseTrainer):
    """Trains in NumPy until a moment, but one epoch at least."""

    def __init__(self, end: float, run: Run, data: Dataset) -> None:
        super().__init__(run, data, NumpyStepper(run.vae, run.adam))
        self.end, self.epochs_before = end, len(run.history)

    def train_epoch(self, on_step: OnStep) -> dict[str, float]:
        if time.monotonic() > self.end and len(self.run.history) > self.epochs_before:
            raise _ShiftIsOver
        return super().train_epoch(on_step)


@contextmanager
def _place(folder: Path, files: Files | None) -> Iterator[Path]:
    """Where a job trains: ``folder``, or a passing one with the same files."""
    if files is None:
        yield folder
        return
    with TemporaryDirectory() as name:
        write_files(Path(name), files)
        yield Path(name)


def read_files(folder: Path) -> Files:
    """What is in a run folder."""
    files = {}
    for path in [*folder.glob("[!.]*"), *folder.glob("samples/[!.]*")]:
        if path.is_file():
            with reading(path) as stream:
                files[path.relative_to(folder).as_posix()] = stream.read()
    return files


def write_files(folder: Path, files: Files) -> None:
    """Writes files into a run folder; a kill leaves the run as it was before, or as it is now."""
    make_subfolder(make_folder(folder), "samples")
    with uninterrupted():
        for path in sorted(files, key=CHECKPOINT.__eq__):  # the last: it says what was done
            with replacing(folder / path) as stream:
                stream.write(files[path])
