"""Kills, Ctrl-C, failing system calls and second writers, thrown at ``numpyvae train``.

    python tests/reliability/campaign.py --kills 1000 --interrupts 1000 --faults 1000 \
        --writers 100 --unlocks 100 --record campaign.txt

Each number is one of trials; those that the record has already count. Half of the signals come
before a call of the operating system that touches files, the others at any time. After each trial
the run is gone on with, and must end with every file as a run leaves it that nothing disturbs, byte
for byte, and with no file more. One trial in twenty is a process as a user's, the others are forked
from this one and do not draw (processes.py).
"""

import argparse
import errno
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path

import numpy as np
import tqdm  # noqa: F401  # like all that is imported late, here for the forks
from processes import Ended, Hook, Process, at

from numpyvae import Config, load_checkpoint, load_dataset, train

TRAIN = (
    *("train", "--dataset", "own.npz", "--hidden", "6", "5", "--z-dim", "2"),
    *("--batch-size", "16", "--epochs", "3", "--out", "run"),
)
DEADLY = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)
ERRORS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
ONE_LINE = r"numpyvae( \w+)?: .*\n"
KINDS = ("kill", "interrupt", "fault", "writers", "unlock")


class Campaign:
    """Trials in ``folder``, each of which returns what it was."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run = folder, folder / "run"
        images = np.random.default_rng(0).integers(0, 256, (60, 6, 5), np.uint8)
        np.savez(folder / "own.npz", images=images)
        data = load_dataset(folder / "own.npz")
        config = Config(dataset=data.name, epochs=1, hidden=(6, 5), z_dim=2)
        train(config, data, self.run)
        self.calls: list[str] = []
        self.seconds, self.whole = {}, {}  # of an undisturbed run: fresh, or forked
        with tempfile.TemporaryFile() as log:
            for self.fresh in (True, False):
                start = time.perf_counter()
                ended = self.begin(
                    lambda name: os.write(log.fileno(), f"{name}\n".encode())
                ).ended()
                assert (ended.status, ended.err) == (0, ""), ended
                self.seconds[self.fresh] = time.perf_counter() - start
                self.whole[self.fresh] = self.files()
            log.seek(0)
            self.calls = log.read().decode().split()

    def trial(self, kind: str, number: int) -> str:
        """One trial: what it was, or which promise was broken."""
        self.rng = np.random.default_rng([KINDS.index(kind), number])
        self.fresh = bool(self.rng.integers(20) == 0)
        try:
            return getattr(self, kind)() + ", fresh" * self.fresh
        except Exception as error:
            return f"BROKEN {type(error).__name__}: {error}"

    def kill(self) -> str:
        """A signal that ends the process without a word, or stops it for a while."""
        number = [*DEADLY, signal.SIGSTOP][self.rng.integers(len(DEADLY) + 1)]
        if number == signal.SIGSTOP:
            process = self.begin()
            self.send(process, number)
            self.send(process, signal.SIGCONT)
            ended, when = process.ended(), "for a while"
        else:
            ended, when = self.hit(number)
        assert ended.status in (0, -number), ended
        assert ended.err == "", ended
        self.must_go_on(ended)
        return f"{number.name} {when}"

    def interrupt(self) -> str:
        """Ctrl-C, pressed up to three times."""
        times = int(self.rng.integers(1, 4))
        ended, when = self.hit(signal.SIGINT, times)
        if self.fresh and ended.status and not self.run.exists():
            when = "while Python starts"
        elif ended.status == 0:
            assert ended.err == "", ended
        else:
            assert ended.status == 130, ended
            assert re.fullmatch(r"numpyvae( train)?: interrupted.*\n", ended.err), ended
            assert "go on with" not in ended.err or self.begun(), ended
            assert times > 1 or not list(self.run.rglob("*.tmp")), ended
        self.must_go_on(ended)
        return f"SIGINT {when}"

    def fault(self) -> str:
        """A call that fails, or all from then on, as on a disk that is full or falls away."""
        self.fresh = False
        number = int(self.rng.integers(len(self.calls)))
        code, again = ERRORS[self.rng.integers(len(ERRORS))], bool(self.rng.integers(2))

        def fail() -> None:
            raise OSError(code, os.strerror(code))

        ended = self.begin(at(number, fail, again)).ended()
        assert ended.status in (0, 2), ended
        assert re.fullmatch(ONE_LINE if ended.status else "", ended.err), ended
        self.must_go_on(ended)
        return f"{errno.errorcode[code]} in {self.calls[number]}{' and after' * again}"

    def writers(self) -> str:
        """Two trainings on one folder, while others read from it and draw into it."""
        resumed = bool(self.rng.integers(2))
        if resumed:
            self.hit(signal.SIGKILL, place=len(self.calls) // 2)
        else:
            self.clear()
        processes = [self.process(*TRAIN, *["--resume"] * resumed) for _ in range(2)]
        while any(process.runs() for process in processes):
            if self.begun():
                load_checkpoint(self.run)
                drawn = Process(self.folder, "sample", "run", "--n", "4").ended()
                assert drawn == (0, "run/sample.png\n", ""), drawn
        first, second = sorted(process.ended() for process in processes)
        assert first.status == 0, (first, second)
        refused = r"numpyvae train: run (is in use by process \d+ on |holds a run already).*\n"
        assert re.fullmatch(refused if second.status else "", second.err), second
        (self.run / "sample.png").unlink(missing_ok=True)
        self.must_be_whole(second)
        return f"{'resumed' if resumed else 'fresh'}, the second {'refused' * bool(second.status)}"

    def unlock(self) -> str:
        """Somebody removes the lock of a training, and a second one begins to write there."""
        self.fresh = False
        place = int(self.rng.integers(len(self.calls)))
        numbers, lost = count(), False

        def hook(name: str) -> None:
            nonlocal lost
            if next(numbers) == place:
                lock = self.run / ".lock"
                lost = lock.exists() and f"process {os.getpid()} " in lock.read_text()
                lock.unlink(missing_ok=True)
            elif lost and name == "replace":
                os._exit(98)  # it writes on

        first = self.begin(hook)
        second = Process(self.folder, *TRAIN, "--resume")  # which may find no run yet
        ended = [first.ended(), second.ended()]
        for one in ended:
            assert one.status in (0, 2), ended
            assert re.fullmatch(ONE_LINE if one.status else "", one.err), ended
        self.must_go_on(ended[0])
        return f"before {self.calls[place]}, {'the first refused' * bool(ended[0].status)}"

    def hit(
        self, number: signal.Signals, times: int = 1, place: int | None = None
    ) -> tuple[Ended, str]:
        """How a training ends that gets a signal at a call, and when: at ``place``, or anywhere."""
        if place is None and (self.fresh or self.rng.integers(2)):
            process = self.begin()
            for _ in range(times):
                self.send(process, number)
            return process.ended(), "at any time"
        self.fresh = False
        place = int(self.rng.integers(len(self.calls))) if place is None else place
        process = self.begin(at(place, lambda: os.kill(os.getpid(), number)))
        return process.ended(), f"before {self.calls[place]}"

    def must_go_on(self, ended: Ended) -> None:
        """Nothing that was announced is lost, and the run can be finished."""
        epochs = len(load_checkpoint(self.run).history) if self.begun() else 0
        assert len(re.findall(r"^ +\d/3 ", ended.out, re.MULTILINE)) <= epochs, (ended, epochs)
        again = self.process(*TRAIN, *["--resume"] * self.begun()).ended()
        assert (again.status, again.err) == (0, ""), (ended, again)
        self.must_be_whole(ended)

    def must_be_whole(self, ended: Ended) -> None:
        different = {name for name, _ in self.files().items() ^ self.whole[self.fresh].items()}
        assert not different, (ended, different)

    def begin(self, hook: Hook | None = None) -> Process:
        self.clear()
        return self.process(*TRAIN, hook=hook)

    def process(self, *arguments: str, hook: Hook | None = None) -> Process:
        return Process(self.folder, *arguments, hook=hook, fresh=self.fresh)

    def send(self, process: Process, number: signal.Signals) -> None:
        time.sleep(self.rng.uniform(0, self.seconds[self.fresh]))
        if process.runs():
            os.kill(process.pid, number)

    def clear(self) -> None:
        shutil.rmtree(self.run, ignore_errors=True)

    def begun(self) -> bool:
        return (self.run / "checkpoint.npz").exists()

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for kind in KINDS:
        parser.add_argument(f"--{kind.rstrip('s')}s", type=int, default=0, metavar="N", dest=kind)
    parser.add_argument("--record", type=Path, default=os.devnull, help="a line for each trial")
    given = vars(parser.parse_args())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    broken = 0
    with tempfile.TemporaryDirectory() as folder, given["record"].open("a+") as record:
        campaign = Campaign(Path(folder))
        calls, seconds = len(campaign.calls), campaign.seconds
        print(
            f"an undisturbed run: {calls} calls, {seconds[False]:.2f} s, {seconds[True]:.2f} fresh"
        )
        record.seek(0)
        done = [line.rstrip("\n").split(" ", 2) for line in record]
        for kind in KINDS:
            seen = Counter(what for name, _, what in done if name == kind)
            tried = {int(number) for name, number, _ in done if name == kind}
            for number in sorted({*range(given[kind])} - tried):
                what = campaign.trial(kind, number)
                record.write(f"{kind} {number} {what}\n")
                record.flush()
                seen[what] += 1
            bad = sum(n for what, n in seen.items() if what.startswith("BROKEN"))
            broken += bad
            if seen:
                listed = "".join(f"\n    {n:5d} {what}" for what, n in sorted(seen.items()))
                kept = f"{bad} broke a promise" if bad else "every promise kept"
                print(f"{seen.total()} x {kind}: {kept}{listed}", flush=True)
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main())
