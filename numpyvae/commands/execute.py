"""A command from its first line to its last: whatever ends it early is one line and a status."""

import io
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..errors import InputError, LossNotFiniteError, ProcessLostError, one_line
from .arguments import Parser


def execute(prog: str, parser: Callable[[str], Parser], arguments: Sequence[str] | None) -> int:
    """Calls ``run`` of the command that ``parser(prog)`` finds; returns the exit status.

    0 is well done, 1 a training that broke down, 2 a user's mistake, 130 Ctrl-C, 141 an output
    that nobody reads any more. Without ``arguments`` those of the process are taken, and with them
    its streams, signals and warnings; a caller from Python keeps its own.
    """
    alone, status, message = arguments is None, 0, ""
    try:
        if alone:
            _begin_process()
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
    except MemoryError:
        status, message = 2, "not enough memory for models or images this large"
    except KeyboardInterrupt as stop:
        status, message = 130, str(stop) or "interrupted"
    if alone:
        _end_process()
    if message:
        with suppress(OSError):
            print(f"{prog}: {one_line(message)}", file=sys.stderr)
    return status


def _begin_process() -> None:
    """Gives closed streams a place to write to, all streams a way to write any text."""
    with suppress(OSError):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass  # else the next file, a checkpoint perhaps, would be taken for standard error
        os.close(descriptor)
        sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
    sys.unraisablehook = _meet_later


def _meet_later(unraised: "sys.UnraisableHookArgs") -> None:
    """Ctrl-C can come while Python frees memory, where it would be lost: it is sent again."""
    if issubclass(unraised.exc_type, KeyboardInterrupt):
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(unraised)


def _end_process() -> None:
    """Nothing is left to interrupt, and what nobody reads is not complained about at the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
