"""``numpyvae`` in a process of its own, disturbed at a chosen call of the operating system.

The process is forked from one that has everything imported, so a trial takes no longer than what is
tried. All files are written by numpyvae/data/files.py, so its calls are those that matter.
"""

import fcntl
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from numpyvae.commands.main import main
from numpyvae.data import files
from numpyvae.training import loop

CALLS = {os: ("open", "mkdir", "replace", "unlink", "fsync", "close"), fcntl: ("flock",)}
Hook = Callable[[str], object]  # is told the name of a call before it is made


class Ended(NamedTuple):
    """How a process ended: its status, or minus the signal that killed it, and what it printed."""

    status: int
    out: str
    err: str


class Process:
    """``numpyvae`` begun in ``folder`` with these arguments; its epochs take 0 seconds, it says."""

    def __init__(self, folder: Path, *arguments: str, hook: Hook | None = None) -> None:
        self.printed = [folder / f"{name}-{id(self)}" for name in ("out", "err")]
        self.pid = os.fork()
        if not self.pid:
            self._be(folder, arguments, hook)

    def _be(self, folder: Path, arguments: tuple[str, ...], hook: Hook | None) -> None:
        status = 99
        try:
            os.chdir(folder)
            for number, path in enumerate(self.printed, 1):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
            sys.stdout, sys.stderr = (open(n, "w", 1, closefd=False) for n in (1, 2))  # noqa: SIM115
            sys.argv = ["numpyvae", *arguments]
            signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
            loop.time = SimpleNamespace(perf_counter=lambda: 0.0)  # type: ignore[attr-defined]
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
