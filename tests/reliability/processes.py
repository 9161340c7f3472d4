"""``numpyvae`` in a process of its own, disturbed at a chosen call of the operating system.

A forked process has everything imported, and writes of Matplotlib's figures the numbers that they
show, so it takes no longer than what is tried. A fresh one starts and draws as a user's does. All
files are written by numpyvae/data/files.py, so its calls are those that matter.
"""

import fcntl
import io
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, NamedTuple

from numpyvae.commands.main import main
from numpyvae.data import files
from numpyvae.figures.style import Picture
from numpyvae.training import loop

CALLS = {os: ("open", "mkdir", "replace", "unlink", "fsync", "close"), fcntl: ("flock",)}
FRESH = """
import runpy, time
time.perf_counter = lambda: 0.0
runpy.run_module("numpyvae", run_name="__main__")
"""
LONGEST = 600  # seconds, after which a process that hangs is ended
Hook = Callable[[str], object]  # is told the name of a call before it is made


class Ended(NamedTuple):
    """How a process ended: its status, or minus the signal that killed it, and what it printed."""

    status: int
    out: str
    err: str


class Process:
    """``numpyvae`` begun in ``folder`` with these arguments; its epochs take 0 seconds, it says.

    ``draws`` has figures drawn in a forked process, too.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        hook: Hook | None = None,
        fresh: bool = False,
        draws: bool = False,
    ) -> None:
        self.printed = [folder / f"{name}-{id(self)}" for name in ("out", "err")]
        begun, self.begins = os.pipe()  # which begins by closing its end
        self.pid = os.fork()
        if not self.pid:
            self._be(folder, arguments, hook, fresh, draws)
        os.close(self.begins)
        os.read(begun, 1)
        os.close(begun)

    def _be(
        self, folder: Path, arguments: tuple[str, ...], hook: Hook | None, fresh: bool, draws: bool
    ) -> None:
        status = 99
        try:
            os.chdir(folder)
            for number, path in enumerate(self.printed, 1):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
            signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
            signal.alarm(LONGEST)
            if fresh:
                os.execv(sys.executable, [sys.executable, "-c", FRESH, *arguments])
            sys.stdout, sys.stderr = (open(n, "w", 1, closefd=False) for n in (1, 2))  # noqa: SIM115
            sys.argv = ["numpyvae", *arguments]
            loop.time = SimpleNamespace(perf_counter=lambda: 0.0)  # type: ignore[attr-defined]
            if not draws:
                Picture.savefig = write_numbers  # type: ignore[method-assign]
            os.close(self.begins)
            if hook:
                intercept(hook)
            status = main()
        except SystemExit as stop:
            status = stop.code  # type: ignore[assignment]
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def runs(self) -> bool:
        """Whether it has not ended."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def ended(self) -> Ended:
        """Waits for the end."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        printed = [path.read_text() if path.exists() else "" for path in self.printed]
        for path in self.printed:
            path.unlink(missing_ok=True)
        return Ended(status, *printed)


def write_numbers(figure: Picture, stream: IO[bytes], **_: object) -> None:
    """Writes the curves and images in a figure instead of its picture."""
    curves = [line.get_xydata() for axes in figure.axes for line in axes.lines]
    pickle.dump((curves, [image.get_array() for image in figure.images]), stream)


def intercept(hook: Hook) -> None:
    """From now on, this process calls ``hook`` before each of its calls that touch files."""

    def intercepted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(*args: Any, **kwargs: Any) -> Any:
            hook(name)
            return call(*args, **kwargs)

        return hooked

    for module, names in CALLS.items():
        for name in names:
            setattr(module, name, intercepted(name, getattr(module, name)))

    class File(io.FileIO):
        def write(self, data: Any) -> int:
            hook("write")
            return super().write(data)

    def hooked_open(path: Path, mode: str, **opener: Any) -> Any:
        if mode != "xb":
            return open(path, mode, **opener)
        hook("open")
        return io.BufferedWriter(File(path, mode))

    files.open = hooked_open  # type: ignore[attr-defined]


def at(number: int, action: Callable[[], object], again: bool = False) -> Hook:
    """A hook that acts at the call of this number, from 0, and with ``again`` at all later ones."""
    numbers = count()

    def hook(_: str) -> None:
        here = next(numbers)
        if here == number or (again and here > number):
            action()

    return hook
