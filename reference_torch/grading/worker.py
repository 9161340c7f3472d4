"""The process in which a learner's file runs: what it breaks or ends, the grader survives.

It knows nothing of PyTorch. It loads the file, calls a function with arguments that it is sent, and
sends back plain arrays, or what keeps them from being compared.
"""

import copy
import linecache
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from io import TextIOWrapper
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

from numpyvae import convolution, importance
from numpyvae import functional as F
from numpyvae.data.files import reading
from numpyvae.errors import InputError, one_line
from numpyvae.functional import Array

from .watched import watched

EXERCISES_FILE = "docs/exercises/by_hand.py"
STEPS = (1, 2, 3, 4, 20, 200)  # of Adam; p is compared after each of these
Arguments = dict[str, Any]
Results = dict[str, Array]
Call = Callable[[Callable[..., Any], Arguments, Sequence[str]], Results]


class Mistake(Exception):
    """Something is wrong that needs no comparison of numbers; the message says what."""


class OutOfTime(BaseException):
    """A function takes longer than it may; what it catches itself are only Exceptions."""


def source(name: str) -> Callable[..., Any]:
    """The package's own operation of this name."""
    homes = [module for module in (F, importance, convolution) if hasattr(module, name)]
    function: Callable[..., Any] = getattr(homes[0], name)
    return function


def out_of_time(seconds: float) -> str:
    return f"It has not returned after {seconds:g} s."


class Task(NamedTuple):
    """A function of the file, what is wanted of it, and the operations that it is lent.

    ``call`` calls it with arguments; it is given the names of the results.
    """

    name: str
    results: tuple[str, ...]
    call: Call
    lent: tuple[str, ...] = ()


class Answer(NamedTuple):
    """What came of a request.

    Without ``failure``, ``value`` is what was asked for; ``remark`` says what is wrong with
    results beside their numbers. An empty failure: it is not yet written.
    """

    value: Any = None
    remark: str | None = None
    failure: tuple[str, ...] | None = None


# How a function is called


def call(function: Callable[..., Any], given: Arguments, names: Sequence[str]) -> Results:
    return named_results(names, function(**given))


def call_for_names(function: Callable[..., Any], given: Arguments, names: Sequence[str]) -> Results:
    """The results of a function that returns them by name."""
    returned = function(**given)
    if isinstance(returned, Mapping):
        missing = [name for name in names if returned.get(name) is None]
        if missing:
            raise Mistake(f"These are missing in what it returns: {', '.join(missing)}.")
        returned = [returned[name] for name in names]
    elif returned is not None:
        raise Mistake(f"It returns a {type(returned).__name__}: return a dict, by name.")
    return named_results(names, returned)


def take_steps(step: Callable[..., Any], given: Arguments, _names: Sequence[str]) -> Results:
    """Steps the learner's Adam, which works in place; p after each of ``STEPS``."""
    p = given["p"].copy()
    settings = {name: given[name] for name in ("lr", "betas", "eps", "weight_decay")}
    m, v = np.zeros_like(p), np.zeros_like(p)
    path = {}
    for t, g in enumerate(given["g"], 1):
        step(p, g, m, v, t, **settings)
        if t in STEPS:
            path[f"p after step {t}"] = p.copy()
    tiny = np.max(np.abs(given["g"][0])) < 1e-3
    for name, array, before in (("p", p, given["p"]), ("m", m, 0 * m), ("v", v, 0 * v)):
        if np.array_equal(array, before) and not tiny:
            raise Mistake(
                f"It leaves {name} as it was. `{name} = ...` gives the name to a new array, "
                f"which is lost when the function ends; `{name} -= ...`, `{name} *= ...` and "
                f"`{name}[...] = ...` write into the array that was given."
            )
    return path


# The process


def serve(connection: Connection, path: Path, seconds: float) -> None:
    """Loads the file, then answers one request after the other, each in so many seconds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C comes to the grader, which ends us
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    np.seterr(all="ignore")  # the numbers are judged, not how they came about
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        file = LearnersFile(path)
        connection.send(Answer())
        with suppress(EOFError):
            while request := connection.recv():
                method, *arguments = request
                connection.send(_answer(getattr(file, method), arguments, path, seconds))
                for stream in (sys.stdout, sys.stderr):
                    with suppress(Exception):
                        stream.flush()
    except InputError as error:
        connection.send(Answer(remark=str(error)))


def _answer(
    method: Callable[..., Answer], arguments: Sequence[Any], path: Path, seconds: float
) -> Answer:
    try:
        with _TimeLimit(seconds):
            return method(*arguments)
    except NotImplementedError:
        return Answer(failure=())
    except Mistake as mistake:
        return Answer(failure=(one_line(mistake),))
    except BaseException as error:
        return Answer(failure=describe(error, str(path)))


class _TimeLimit:
    """Raises OutOfTime in a block that lasts too long. Where there is no such signal, or the block
    does not let it in, the grader ends the process a little later."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self._end)
            signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *_: object) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _end(self, *_: object) -> None:
        raise OutOfTime(out_of_time(self.seconds))


class LearnersFile:
    """A learner's file, and what its functions were given and have returned so far."""

    def __init__(self, path: Path) -> None:
        self.module = load(path)
        self.kept: dict[str, list[tuple[str, Any, Any]]] = {}

    def has(self, names: Sequence[str]) -> Answer:
        """Those of the names that the file defines."""
        return Answer([name for name in names if callable(getattr(self.module, name, None))])

    def results(self, task: Task, given: Arguments) -> Answer:
        """What a function returns, by name; with a remark where that is no new array."""
        lent = copy.deepcopy(given)
        with self._lent(task):
            results = task.call(getattr(self.module, task.name), lent, task.results)
        for name, value in given.items():
            if not same(value, lent[name]):
                raise Mistake(
                    f"It writes into its argument {name}, which others still need: make a new "
                    "array."
                )
        remark = None
        for name, result in results.items():
            for argument, value in lent.items():
                if any(np.may_share_memory(result, array) for array in arrays(value)):
                    remark = (
                        f"{name} is its argument {argument} itself, or a part of it, and should be "
                        "a new array: who changes one would change the other."
                    )
        copies = {name: np.array(result) for name, result in results.items()}
        kept = self.kept.setdefault(task.name, [])
        kept += [(name, result, copies[name]) for name, result in results.items()]
        kept += [(name, value, given[name]) for name, value in lent.items()]
        return Answer(copies, remark)

    def unchanged(self, task: Task) -> Answer:
        """Whether earlier results and arguments are still what they were when a call ended."""
        for name, array, before in self.kept.pop(task.name, []):
            if not same(before, array):
                raise Mistake(
                    f"A later call changes {name} of an earlier one, which others still need: "
                    "make a new array in every call, and keep none."
                )
        return Answer()

    def seen(self, task: Task, given: Arguments) -> Answer:
        """All arrays that a call computes, by NumPy, from what it is given."""
        seen: list[Array] = []
        with self._lent(task):
            getattr(self.module, task.name)(**watched(copy.deepcopy(given), seen))
        return Answer(list({(array.shape, array.tobytes()): array for array in seen}.values()))

    def _lent(self, task: Task) -> AbstractContextManager[object]:
        """While this lasts, the file has right operations in the place of its own."""
        return patch.dict(vars(self.module), {name: source(name) for name in task.lent})


def load(path: Path) -> ModuleType:
    """Runs a learner's file, as Python does: modules beside it are found.

    Raises:
        InputError: there is no such file, or it cannot be run.
    """
    if not path.exists():
        raise InputError(f"there is no {path}: copy {EXERCISES_FILE} to begin")
    with reading(path) as stream:
        source = stream.read()
    linecache.checkcache(str(path))  # another file may have been graded under this name
    module = ModuleType("__graded__")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look there
    sys.path.insert(0, str(path.parent.absolute()))
    sys.argv = [str(path)]
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))
    except BaseException as error:
        text = " ".join(describe(error, str(path)))
        raise InputError(f"{path} cannot be run. {text}") from None
    return module


def describe(error: BaseException, path: str) -> tuple[str, ...]:
    """An error of the learner's code, with the line of the file where it arose."""
    if isinstance(error, SyntaxError) and error.filename == path:
        line = one_line(error.text or "").strip()
        return (f"Line {error.lineno} is no valid Python: {one_line(error.msg)}", line)
    try:
        kind = "" if isinstance(error, OutOfTime) else type(error).__name__
        what = one_line(": ".join(filter(None, [kind, str(error)])))
    except BaseException:  # its own __str__ fails
        what = f"{one_line(type(error).__name__)}, whose text cannot be made"
    lines = [
        number
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == path
    ]
    if not lines and isinstance(error, OutOfTime):
        return (what,)
    if not lines:
        return (f"{what}. Is its signature still that of {EXERCISES_FILE}?",)
    text = one_line(linecache.getline(path, lines[-1]).strip())
    return (f"Line {lines[-1]}: {text}", what)


def named_results(names: Sequence[str], returned: Any) -> Results:
    """What a function returned, by name: plain arrays of real numbers.

    Raises:
        Mistake: it is something else.
    """
    if returned is None:
        raise Mistake("It returns None: is there a return at its end?")
    if isinstance(returned, tuple | list) and len(returned) == len(names):
        values = list(returned)
    elif len(names) == 1 and not isinstance(returned, tuple):
        values = [returned]
    else:
        kind = type(returned).__name__
        raise Mistake(f"It returns a {kind}, and should return {' and '.join(names)}.")
    for name, value in zip(names, values, strict=True):
        if type(value) is not np.ndarray:
            kind = type(value).__name__
            raise Mistake(f"{name} is a {kind}, and should be a plain NumPy array (np.ndarray).")
        if value.dtype.kind not in "biuf":
            raise Mistake(
                f"{name} is an array of {value.dtype}, and should be one of real numbers."
            )
    return dict(zip(names, values, strict=True))


def arrays(value: Any) -> list[Array]:
    """All arrays in a value."""
    parts = value.values() if isinstance(value, dict) else value
    return list(parts) if isinstance(value, dict | list) else [np.asarray(value)]


def same(a: Any, b: Any) -> bool:
    """Whether two values are equal in every digit, all arrays in them included."""
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return all(map(same, a, b))
    return np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) else bool(a == b)
