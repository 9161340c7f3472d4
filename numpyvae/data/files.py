"""Files, opened without trust and written whole, and the lock on a folder that is written to."""

import os
import platform
import re
import signal
import stat
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

from ..errors import InputError

StrPath = str | os.PathLike[str]
DAMAGE = (  # what Python's readers raise about the content of a file, beside OSError
    *(ValueError, EOFError, OverflowError, RuntimeError, struct.error),  # RecursionError, too
    *(zlib.error, zipfile.BadZipFile),
)
LOCK = ".lock"  # in a folder that is written to
HOLDER = r"process \d+ on .*, since [\d :-]+"  # is what stands in it
TEMPORARY = ".numpyvae-{}.tmp"
_held: dict[str, IO[bytes]] = {}  # the locks of this process, by their real folders


def user_path(path: StrPath) -> Path:
    """``path`` with the user's folder for ``~``, which a shell puts there only after a space."""
    return Path(os.path.expanduser(path))


@contextmanager
def reading(path: StrPath) -> Iterator[IO[bytes]]:
    """A binary stream from ``path``; whatever goes wrong in the block is an InputError naming it.

    It is called damage, unless it is an InputError in the block already. Only regular files are
    read: a pipe would let us wait, a device might never end.
    """
    try:
        # Not a new Path, which takes as long as reading a small file
        with open(os.path.expanduser(path), "rb", opener=_without_waiting) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise ValueError("it is not a regular file")
            yield stream
    except InputError as error:
        raise InputError(f"cannot read {path}: {error}") from error
    except DAMAGE as error:
        raise InputError(f"cannot read {path}, damaged or of another kind: {error}") from error
    except MemoryError as error:
        raise InputError(f"cannot read {path}: it does not fit in memory") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


@contextmanager
def replacing(path: StrPath) -> Iterator[IO[bytes]]:
    """A binary stream to a new file that takes the place of ``path`` when the block ends.

    A kill at any moment leaves the old file or the new one. What is written lies in the same
    folder until then, under a name of its own; ``make_folder`` removes what killed writers left.

    Raises:
        InputError: the file cannot be written, ``path`` is a link, a folder, a pipe, a device, or
            its folder was ``locked`` and is no longer.
    """
    path = user_path(path)
    try:
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise OSError("only a regular file is replaced, and this is none")
        temporary = path.parent / TEMPORARY.format(os.urandom(8).hex())
        try:
            with _new_file(temporary) as stream:  # locked until it has its name
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
                _check_lock(path)
                os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def write_text(path: StrPath, text: str) -> None:
    """Writes ``text`` to ``path`` in UTF-8, with the promises and errors of ``replacing``.

    The name of a file, wherever it is quoted, is written in the bytes that it has.
    """
    with replacing(path) as stream:
        stream.write(text.encode(errors="surrogateescape"))


def make_folder(path: StrPath) -> Path:
    """Makes the folder ``path`` and its parents where missing, and clears it of leftovers.

    Raises:
        InputError: it cannot be made, or cannot be written to.
    """
    path = user_path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path}: {error.strerror or error}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise InputError(f"cannot write into the folder {path}: permission denied")
    for leftover in path.glob(TEMPORARY.format(16 * "[0-9a-f]")):
        with suppress(OSError), open(leftover, "r+b", opener=_without_following) as stream:
            if _lock(stream):  # so whoever wrote it is dead
                leftover.unlink()
    return path


def check_free(folder: StrPath, names: Iterable[str], marker: str) -> None:
    """Raises InputError where a folder that we have not begun, as ``marker`` would say, has files
    with the names of ours: they are somebody else's.
    """
    if not (Path(folder) / marker).exists():
        for name in names:
            if os.path.lexists(Path(folder) / name):
                raise InputError(
                    f"{folder} holds a file {name} of somebody else, which would be replaced: "
                    "give another folder"
                )


def make_subfolder(folder: StrPath, name: str) -> Path:
    """``make_folder`` for a folder inside our own, which must not be a link to another place."""
    path = Path(folder) / name
    if path.is_symlink():
        raise InputError(f"cannot write into {path}: it is a link")
    return make_folder(path)


@contextmanager
def locked(folder: StrPath) -> Iterator[None]:
    """Keeps ``folder`` for this process until the block ends.

    The operating system holds the lock, and gives it back when the process dies in any way. Who
    removes its file takes it away: from then on ``replacing`` refuses to write into the folder.

    Raises:
        InputError: another process holds it; the message says which. Or the file is another's.
    """
    path, real = Path(folder) / LOCK, os.path.realpath(folder)
    try:
        stream = _take(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    _held[real] = stream
    try:
        yield
    finally:
        with stream, suppress(OSError):
            _check_lock(path)
            path.unlink()
        _held.pop(real, None)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Lets Ctrl-C wait until the block has ended."""
    if threading.current_thread() is not threading.main_thread():  # Ctrl-C comes to that alone
        yield
        return
    pressed = False

    def remember(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0), 0o666)


def _without_following(path: str, flags: int) -> int:
    return _without_waiting(path, flags | getattr(os, "O_NOFOLLOW", 0))


def _new_file(path: Path) -> IO[bytes]:
    """A file that was not there before, locked until its stream is closed."""
    while True:
        stream = open(path, "xb")  # noqa: SIM115  # the caller closes it
        if _lock(stream, wait=True) is not False:
            return stream
        stream.close()  # another process took it for a leftover before it was locked


def _check_lock(path: Path) -> None:
    """Raises OSError where a folder of ``path`` was locked, and its lock is no longer ours."""
    real = Path(os.path.realpath(path.parent))
    for folder in (real, *real.parents):
        if stream := _held.get(str(folder)):
            ours = False
            with suppress(FileNotFoundError):
                ours = os.path.samestat(os.fstat(stream.fileno()), os.lstat(folder / LOCK))
            if not ours:
                raise OSError(f"somebody removed {folder.name}/{LOCK}, so others may write here")


def _take(path: Path) -> IO[bytes]:
    """The file ``path``, locked, with who we are in it."""
    patience = 100
    while True:
        stream = open(path, "a+b", opener=_without_following)  # noqa: SIM115  # stays open
        if _lock(stream) is not False:
            break
        with stream:
            stream.seek(0)
            holder = stream.read(200).decode(errors="replace")
            if os.fstat(stream.fileno()).st_nlink and (holder or not patience):
                raise InputError(f"{path.parent} is in use by {holder or 'another process'}")
        patience -= 1  # its holder has just ended, or has not yet said who it is
        time.sleep(0.01)
    stream.seek(0)
    dead = stream.read(1000).decode(errors="replace")
    if os.fstat(stream.fileno()).st_nlink != 1 or not re.fullmatch(f"({HOLDER})?", dead):
        stream.close()
        raise OSError("it is no lock of numpyvae's: give another folder, or remove it")
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    stream.truncate(0)
    stream.write(f"process {os.getpid()} on {platform.node()}, since {now}".encode())
    stream.flush()
    return stream


def _lock(stream: IO[bytes], wait: bool = False) -> bool | None:
    """Takes the lock on an open file: False where another process has it or has removed the file.

    None where there are no such locks: on Windows, and on some network drives.
    """
    try:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return os.fstat(stream.fileno()).st_nlink > 0


def _sync_folder(folder: Path) -> None:
    """Makes a file's new name survive a power cut; Windows has no such call."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
