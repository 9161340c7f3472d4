"""The grader's side of the process in which a learner's file runs."""

import multiprocessing
import signal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from numpyvae.errors import InputError

from .worker import Answer, out_of_time, serve

CALL = 10.0  # seconds that a call may take
LOAD = 60.0  # and running the file, with all that it imports
GRACE = 2.0  # more for a call that does not end by itself, after which its process is ended


class Process:
    """A process of its own for a learner's file; where it has ended, a new one takes its place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # A fork of a small process begins at once; "fork" would copy this one and its threads.
        methods = multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context(
            "forkserver" if "forkserver" in methods else "spawn"
        )
        self._context.set_forkserver_preload(["__main__", serve.__module__])
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def ask(self, method: str, *arguments: Any) -> Answer:
        """The answer of a method of ``LearnersFile``.

        Raises:
            InputError: the file could be run before, and now cannot.
        """
        if not self._process.is_alive():
            self._end()
            self._begin()
        return self._answer(CALL + GRACE, (method, *arguments))

    def _begin(self) -> None:
        self._connection, other = self._context.Pipe()
        self._process = self._context.Process(target=serve, args=(other, self.path, CALL))
        self._process.start()
        other.close()
        answer = self._answer(LOAD)
        if answer.failure:
            self._end()
            raise InputError(f"{self.path} cannot be run. {answer.failure[0]}")
        if answer.remark:
            raise InputError(answer.remark)

    def _answer(self, seconds: float, request: tuple[Any, ...] = ()) -> Answer:
        """What the process says, or how it came to its end."""
        try:
            if request:
                self._connection.send(request)
            if self._connection.poll(seconds):
                return self._connection.recv()
        except (EOFError, OSError):  # nobody is there any more
            self._process.join(GRACE)
            return Answer(failure=(f"It ends the whole program{_how(self._process.exitcode)}.",))
        self._end()
        return Answer(failure=(out_of_time(seconds),))

    def _end(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join()


def _how(status: int | None) -> str:
    if status is None:
        return ""
    return f" ({signal.Signals(-status).name})" if status < 0 else f" (status {status})"
