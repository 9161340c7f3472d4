"""Programs that stay alive and measure whenever it is their turn.

On a machine that others share, the same step takes 20 ms for a minute and then 34: the host gives
more or less of a core to it. Who measures one program after the other measures that. So all are
started first, and take many short turns; in a turn of each, all have about the same machine.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from json import dumps, loads
from tempfile import TemporaryFile
from typing import Any

from numpyvae import InputError


@contextmanager
def alive(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[Callable[..., Any]]:
    """A program that calls ``answer``, in a process of its own: a function that asks it.

    ``command`` is without the path of Python. The function returns what the program answers, and
    raises InputError, with the last line that it wrote, where it fails. It is killed at the end.
    """
    with (
        TemporaryFile() as errors,  # a pipe could be full
        subprocess.Popen(
            [sys.executable, *command],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        to, by = process.stdin, process.stdout

        def ask(*asked: object) -> Any:
            with suppress(BrokenPipeError):  # it has ended already
                to.write(dumps(asked).encode() + b"\n")
            if answered := by.readline():
                return loads(answered)
            process.wait()
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
            reason = (lines or ["no reason given"])[-1]
            raise InputError(f"{' '.join(command[:3])} failed: {reason}")

        try:
            yield ask
        finally:
            process.kill()


def answer(turn: Callable[..., object]) -> None:
    """Answers all that this process is asked, until nobody is there to ask."""
    for line in sys.stdin:
        print(dumps(turn(*loads(line))), flush=True)
