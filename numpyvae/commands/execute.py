"""A command from its first line to its last: whatever ends it early is one line and a status.

What Python has not loaded by itself is imported in ``execute``, where Ctrl-C is met already.
"""

from __future__ import annotations

import io
import os
import sys

from ..errors import InputError, InputWarning, LossNotFiniteError, ProcessLostError, one_line

TYPE_CHECKING = False  # typing has it, too, but takes its time to load
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from .parser import Parser


def execute(prog: str, parser: Callable[[str], Parser], arguments: Sequence[str] | None) -> int:
    """Calls ``run`` of the command that ``parser(prog)`` finds; returns the exit status.

    0 is well done, 1 a training that broke down, 2 a user's mistake, 130 Ctrl-C, 141 an output
    that nobody reads any more. Without ``arguments`` those of the process are taken, and with them
    its streams, signals and warnings; a caller from Python keeps its own.
    """
    alone, status, message = arguments is None, 0, ""
    try:
        if alone:
            _begin_process(prog)
        given = vars(parser(prog).parse_args(arguments))
        run, prog = given.pop("run"), given.pop("prog")
        status = run(**given) or 0
        sys.stdout.flush()
    except BrokenPipeError:  # `numpyvae train | head`: no message is wanted
        status = 141
    except (LossNotFiniteError, ProcessLostError) as stop:
        status, message = 1, str(stop)
    except (InputError, OSError) as error:
        status, message = 2, str(error)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            message = f"cannot write the output: {error.strerror}"  # what has no name is a stream
    except MemoryError:
        status, message = 2, "not enough memory for models or images this large"
    except KeyboardInterrupt as stop:
        status, message = 130, str(stop) or "interrupted"
    if alone:
        _end_process()
    if message:
        try:  # noqa: SIM105  # contextlib may not be loaded
            print(f"{prog}: {one_line(message)}", file=sys.stderr)
        except OSError:
            pass
    return status


def _begin_process(prog: str) -> None:
    """Meets Ctrl-C; gives closed streams a place to write to, all streams a way to write any text.

    What is said about input is a line; nobody is told of other warnings.
    """
    import signal
    import threading  # noqa: F401  # _send_again needs it, in the middle of other imports

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, _meet)
        sys.unraisablehook = _meet_unraised
    try:
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass  # else the next file, a checkpoint perhaps, would be taken for standard error
        os.close(descriptor)
        sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    except OSError:
        pass
    import logging
    import warnings

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", InputWarning)
        logging.disable(logging.ERROR)

    usual = warnings.formatwarning

    def as_line(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        if issubclass(category, InputWarning):
            return f"{prog}: {message}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = as_line


def _meet(_number: int, frame: FrameType | None) -> None:
    """Ctrl-C interrupts what goes on, but not an import that the command has begun.

    Modules take it for a failure of theirs, or even abort the process.
    """
    while frame and frame.f_code is not execute.__code__:
        if "importlib" in frame.f_code.co_filename:
            return _send_again()
        frame = frame.f_back
    sys.unraisablehook = _meet_half_made
    raise KeyboardInterrupt


def _meet_unraised(unraised: sys.UnraisableHookArgs) -> None:
    """Ctrl-C can come while Python frees memory, where it would be lost."""
    if not issubclass(unraised.exc_type, KeyboardInterrupt):
        return sys.__unraisablehook__(unraised)
    while True:
        try:
            return _send_again()
        except KeyboardInterrupt:
            pass  # pressed once more, or the machine so busy that the timer was faster


def _meet_half_made(unraised: sys.UnraisableHookArgs) -> None:
    """What Ctrl-C interrupted while it was made may lack what its ``__del__`` needs."""
    if issubclass(unraised.exc_type, KeyboardInterrupt):
        _meet_unraised(unraised)


def _send_again() -> None:
    """Lets Ctrl-C come again a little later."""
    import signal
    import threading

    threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()


def _end_process() -> None:
    """Nothing is left to interrupt, and what nobody reads is not complained about at the end."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
