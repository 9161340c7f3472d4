"""Reading ``.npy`` and ``.npz`` files that may be damaged or hostile; writing ``.npz`` files whole.

Nothing is unpickled, and no file makes us ask for much more memory than its own size.
"""

import io
import math
import mmap
import os
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import InputError
from .files import StrPath, reading, replacing, uninterrupted

CHUNK = 1 << 20
MOST_HEADER = 1 << 16  # bytes of a .npy header
DEFLATE_LIMIT = 1032  # deflate spends at least 2 bits on 258 bytes, so it shrinks no data further
USUAL_LIMIT, UNUSUAL = 100, 128 << 20  # so many bytes must not be shrunk by more than this


def read_npy(path: StrPath) -> NDArray[Any]:
    """Reads the array in a ``.npy`` file.

    Only numbers, booleans and text are read. Raises InputError, naming the file, where it is
    missing, damaged, of another kind, or larger or smaller than its header announces.
    """
    with reading(path) as stream:
        return _read_array(stream, os.fstat(stream.fileno()).st_size)


def map_npy(path: StrPath) -> NDArray[Any]:
    """The array in a ``.npy`` file, read from disk only where it is looked at.

    What is written into it stays in memory, the file as it is. Errors are those of ``read_npy``.
    """
    with reading(path) as stream:
        shape, order, dtype = _describe_array(stream, os.fstat(stream.fileno()).st_size)
        return np.memmap(stream, dtype, "c", stream.tell(), shape, order)


@contextmanager
def scattered(array: NDArray[Any]) -> Iterator[Callable[[NDArray[np.intp]], None]]:
    """Where ``array`` is a file that is mapped, the block reads only what is looked at.

    Otherwise the system reads what lies around it, too, as much as some megabytes: from thousands
    of places, that is the whole file. The block is given a function to ask for rows, by number,
    that it will look at soon: the system reads them meanwhile, and nobody waits for them.
    """
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if not isinstance(owner, mmap.mmap) or not hasattr(mmap, "MADV_RANDOM"):  # as on Windows
        yield lambda _: None
        return
    start = array.ctypes.data - np.frombuffer(owner, np.uint8).ctypes.data

    def ask(rows: NDArray[np.intp]) -> None:
        first = start + rows * array.strides[0]
        pages = first // mmap.PAGESIZE * mmap.PAGESIZE
        lengths = first + array[:1].nbytes - pages
        with suppress(OSError):  # without the advice the rows are read when they are looked at
            for page, length in zip(pages.tolist(), lengths.tolist(), strict=True):
                owner.madvise(mmap.MADV_WILLNEED, page, length)

    owner.madvise(mmap.MADV_RANDOM)
    try:
        yield ask
    finally:
        owner.madvise(mmap.MADV_NORMAL)


def npz_names(path: StrPath) -> list[str]:
    """The names of the arrays in a ``.npz`` file, and of whatever else it holds."""
    with reading(path) as file, zipfile.ZipFile(file) as archive:
        return [member.removesuffix(".npy") for member in archive.namelist()]


def read_npz(
    path: StrPath, names: Collection[str] | None = None, compressed: bool = True
) -> dict[str, NDArray[Any]]:
    """Reads the arrays of these ``names``, or all, in a ``.npz`` file, by name.

    Errors are those of ``read_npy``; what is not asked for may be anything. Files of ``write_npz``
    are not ``compressed``, so their arrays cannot be larger than they are.
    """
    arrays = {}
    with reading(path) as file, zipfile.ZipFile(file) as archive:
        named = [(member.filename.removesuffix(".npy"), member) for member in archive.infolist()]
        asked = [(name, member) for name, member in named if names is None or name in names]
        size = os.fstat(file.fileno()).st_size
        most = min(DEFLATE_LIMIT * size, max(USUAL_LIMIT * size, UNUSUAL)) if compressed else size
        if sum(member.file_size for _, member in asked) > most:
            raise InputError(
                "it announces more data than a file of its size should hold, more than "
                f"{most // size} times its size: save it uncompressed, with np.savez"
            )
        for name, member in asked:
            # np.savez writes no other kind; lzma's own header could demand gigabytes
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{member.filename!r} in it is compressed in an unusual way")
            if not member.filename.endswith(".npy"):
                raise ValueError(f"{member.filename!r} in it is not an array")
            with archive.open(member) as stream:
                arrays[name] = _read_array(stream, member.file_size)
    return arrays


def write_npy(path: StrPath, array: NDArray[Any]) -> None:
    """Writes an array as a ``.npy`` file, with the promises of ``replacing``."""
    with replacing(path) as stream:
        npy.write_array(stream, array, allow_pickle=False)


def write_npz(path: StrPath, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes ``arrays`` as an uncompressed ``.npz`` file, with the promises of ``replacing``.

    The bytes depend on ``arrays`` only.
    """
    with uninterrupted(), replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                npy.write_array(member, np.asarray(array), allow_pickle=False)


def fill(buffer: NDArray[np.uint8], read: Callable[[int], bytes]) -> None:
    """Fills ``buffer``, (n,) uint8, in small steps, so that no second copy of it ever exists.

    ``read`` is the method of a stream; raises EOFError where that ends too early.
    """
    filled = 0
    while filled < len(buffer):
        chunk = read(min(CHUNK, len(buffer) - filled))
        if not chunk:
            raise EOFError(f"it ends after {filled} of {len(buffer)} bytes of data")
        buffer[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
        filled += len(chunk)


def _read_array(stream: IO[bytes], size: int) -> NDArray[Any]:
    """Reads an array from ``stream``, which holds a ``.npy`` file of ``size`` bytes."""
    shape, order, dtype = _describe_array(stream, size)
    buffer = np.empty(size - stream.tell(), np.uint8)
    fill(buffer, stream.read)
    return buffer.view(dtype).reshape(shape, order=order)


def _describe_array(
    stream: IO[bytes], size: int
) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype[Any]]:
    """Shape, order and type, after which the stream stands at the data, which have that size."""
    shape, fortran_order, dtype = _read_header(stream)
    shape = tuple(map(int, shape))  # a header may say True for 1
    if dtype.kind not in "biufcSU" or dtype.itemsize == 0:
        raise ValueError(f"its values are of type {dtype}, not numbers or text")
    data_size = size - stream.tell()
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != data_size:
        raise ValueError(f"it holds {data_size} bytes of data, not {shape} values of {dtype}")
    return shape, "F" if fortran_order else "C", dtype


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the order is Fortran's, and type; the versions differ in little."""
    version = npy.read_magic(stream)
    first = version == (1, 0)
    start = stream.read(2 if first else 4)
    length = int.from_bytes(start, "little")
    if version[0] > 3 or length > MOST_HEADER:
        raise ValueError(f"its .npy header, of version {version[0]}, has {length} bytes")
    header = io.BytesIO(start + stream.read(length))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python or numpy warn of here is damage
            read = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
            return read(header)
    except Exception as error:  # Python's parser runs on the header and may raise nearly anything
        raise ValueError("its .npy header makes no sense") from error
