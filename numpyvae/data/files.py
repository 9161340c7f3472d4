"""Writing files whole: a kill at any moment leaves the old file or the new one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import InputError

StrPath = str | os.PathLike[str]


@contextmanager
def replacing(path: StrPath) -> Iterator[IO[bytes]]:
    """A binary stream to a new file that takes the place of ``path`` when the block ends.

    The file is first written beside ``path``, as ``path`` + ``.tmp``. A killed run leaves that
    behind, and the next one overwrites it.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(path.name + ".tmp")
    try:
        try:
            with open(temporary, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def write_text(path: StrPath, text: str) -> None:
    """Writes ``text`` to ``path`` in UTF-8, with the promises and errors of ``replacing``."""
    with replacing(path) as stream:
        stream.write(text.encode())


def make_folder(path: StrPath) -> Path:
    """Makes the folder ``path`` and its parents where they are missing.

    Raises:
        InputError: it cannot be made, or cannot be written to.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path}: {error.strerror or error}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise InputError(f"cannot write into the folder {path}: permission denied")
    return path


def _sync_folder(folder: Path) -> None:
    """Makes a file's new name survive a power cut; Windows has no such call."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
