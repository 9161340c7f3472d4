"""Damaged and hostile files of every kind that is read: each is refused in one line, or is usable.

    python tests/reliability/fuzz.py --files 100000 --record fuzz.txt

So many files are made of whole ones, by Hypothesis: bytes changed, cut out and repeated, in the
file or, with right checksums around it, in one of its parts; numbers of a checkpoint's header
replaced by absurd ones. Reading one may take 64 MiB and 5 s of CPU time; so that a picture's size
on paper does, too, pictures may have 2 million pixels here, where users' may have 50. They are made
a thousand at a time, with the number of the thousand as the seed; those that the record has already
count.
"""

import argparse
import gzip
import io
import json
import os
import struct
import tempfile
import time
import tracemalloc
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from numpyvae import (
    Config,
    InputError,
    Run,
    load_checkpoint,
    load_dataset,
    load_weights,
    save_checkpoint,
    save_weights,
)
from numpyvae.data import pictures
from numpyvae.data.mnist import _read_idx
from numpyvae.data.pictures import read_pictures
from numpyvae.errors import LONGEST, InputWarning
from numpyvae.experiments.runs import threads
from numpyvae.figures.images import image_grid, read_image_grid
from numpyvae.training.pictures import draw_samples
from numpyvae.training.run import COLUMNS
from reference_torch.twin.weights import load_state_dict, save_state_dict

MOST_MEMORY, MOST_SECONDS = 64 << 20, 5
ABSURD = (
    *(-1, 0, 1, 2**31, 2**63, 2**64, 10**30, 10**400, 0.5, 1e308, -0.0, float("inf"), float("nan")),
    *(True, None, "", "x" * 5000, "\x1b[2J\n", "a\0b.npy", "/", "digits", [], {}, [[[]]]),
)


def checkpoint_is_usable(path: Path) -> None:
    """Loads it, and draws from it."""
    run = load_checkpoint(path)
    draw_samples(run, 4, path=path.with_name("samples.png"))


PICTURES = ("grey.png", "deep.png", "turned.jpg", "a.bmp", "a.gif", "a.webp", "a.tif", "packed.tif")


def weights_are_usable(load: Callable[[Path], Run], path: Path) -> None:
    """A run begins with them, and can be loaded again."""
    begun = path.with_name("begun.npz")
    save_checkpoint(begun, load(path))
    checkpoint_is_usable(begun)


def picture_is_read(path: Path) -> None:
    """In grey and in colour, one after the other."""
    for colour in (False, True):
        read_pictures([path], None, colour)


READERS: dict[str, Callable[[Path], object]] = {
    "checkpoint.npz": checkpoint_is_usable,
    "weights.safetensors": partial(weights_are_usable, load_weights),
    "weights.pt": partial(weights_are_usable, lambda path: load_state_dict(path, None, None)),
    "threads.json": lambda path: threads(path.parent),
    "own.npy": load_dataset,
    "version2.npy": load_dataset,
    "own.npz": load_dataset,
    "images-idx3": lambda path: _read_idx(path, (28, 28)),
    "images-idx3.gz": lambda path: _read_idx(path, (28, 28)),
    "grid.png": lambda path: read_image_grid(path, (3, 2)),
    "colour.png": lambda path: read_image_grid(path, (3, 2, 3)),
    **dict.fromkeys(PICTURES, picture_is_read),
}


def draw_picture(path: Path, rng: np.random.Generator) -> None:
    """A small picture with all that its kind may have: frames, 16 bits, an orientation."""
    deep = path.name in ("deep.png", "a.tif")
    pixels = rng.integers(0, 2**16, (3, 9, 7), np.uint16)
    frames = [Image.fromarray(page if deep else page.astype(np.uint8)) for page in pixels]
    if path.name in ("a.bmp", "turned.jpg"):
        frames = [Image.merge("RGB", frames)]
    exif = Image.Exif()
    exif[0x0112] = 6
    options: dict[str, object] = {"exif": exif} if path.name in ("grey.png", "turned.jpg") else {}
    if path.suffix in (".gif", ".webp", ".tif"):
        options = {"save_all": True, "append_images": frames[1:]}
    if path.name == "packed.tif":
        options["compression"] = "tiff_lzw"
    frames[0].save(path, **options)


def whole_files() -> dict[str, bytes]:
    """A small whole file of every kind, by name."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = Run.start(Config(z_dim=1, hidden=(2, 2)), (2, 2))
        run.history = [dict.fromkeys(COLUMNS, 1.0)]
        save_checkpoint(folder / "checkpoint.npz", run)
        save_weights(run, folder / "weights.safetensors")
        save_state_dict(run, folder / "weights.pt")
        (folder / "threads.json").write_text("[1, 2]")
        np.save(folder / "own.npy", rng.random((6, 3, 2), np.float32))
        with (folder / "version2.npy").open("wb") as stream:
            np.lib.format.write_array(stream, rng.random((6, 3, 2)), (2, 0))
        images = rng.integers(0, 256, (6, 3, 2), np.uint8)
        np.savez_compressed(folder / "own.npz", images=images, labels=np.arange(6))
        idx = np.array([0x803, 2, 28, 28], ">u4").tobytes() + bytes(2 * 28 * 28)
        (folder / "images-idx3").write_bytes(idx)
        (folder / "images-idx3.gz").write_bytes(gzip.compress(idx))
        image_grid(rng.random((9, 6)), (3, 2), folder / "grid.png")
        image_grid(rng.random((9, 18)), (3, 2, 3), folder / "colour.png")
        for kind in PICTURES:
            draw_picture(folder / kind, rng)
        return {kind: (folder / kind).read_bytes() for kind in READERS}


WHOLE = whole_files()


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes with a few changes: one set, some left out, repeated, or put in, or the end missing."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, min(100, len(content))) | st.integers(0, len(content)))
        end = place + draw(st.integers(0, 40))
        match draw(st.sampled_from(["set", "leave out", "repeat", "put in", "cut"])):
            case "set":
                content[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case "leave out":
                del content[place:end]
            case "repeat":
                content[place:place] = content[place:end]
            case "put in":
                content[place:place] = draw(st.binary(max_size=8))
            case "cut":
                del content[place:]
    return bytes(content)


@st.composite
def archive(draw: st.DrawFn, whole: bytes) -> bytes:
    """A zip file with one member damaged, or a value in its header of JSON, and right checksums."""
    with zipfile.ZipFile(io.BytesIO(whole)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    name = draw(st.sampled_from(sorted(members)))
    if name == "header.npy":
        header = json.loads(str(np.load(io.BytesIO(members[name]))))
        place = draw(st.sampled_from([header, header["config"], header["rng"], *[header] * 2]))
        place = draw(st.sampled_from([place, header["rng"]["state"], header["config"]]))
        place[draw(st.sampled_from(sorted(place)))] = draw(st.sampled_from(ABSURD))
        stream = io.BytesIO()
        np.save(stream, np.array(json.dumps(header)))
        members[name] = stream.getvalue()
    else:
        members[name] = draw(damaged(members[name]))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", draw(st.sampled_from([0, 8]))) as target:
        for member, content in members.items():
            target.writestr(member, content)
    return stream.getvalue()


@st.composite
def png(draw: st.DrawFn, whole: bytes) -> bytes:
    """A PNG with one of its chunks damaged, and the right checksum."""
    chunks, place = [], 8
    while place < len(whole):
        end = place + 8 + int.from_bytes(whole[place : place + 4])
        chunks.append(whole[place + 4 : end])
        place = end + 4
    number = draw(st.integers(0, len(chunks) - 1))
    chunks[number] = draw(damaged(chunks[number])).ljust(4, b"x")
    parts = [(len(c) - 4).to_bytes(4) + c + zlib.crc32(c).to_bytes(4) for c in chunks]
    return whole[:8] + b"".join(parts)


@st.composite
def metadata(draw: st.DrawFn, whole: bytes) -> bytes:
    """A safetensors file with an absurd setting."""
    (length,) = struct.unpack("<Q", whole[:8])
    header = json.loads(whole[8 : 8 + length])
    settings = json.loads(header["__metadata__"]["numpyvae"])
    place = draw(st.sampled_from([settings, settings["config"]]))
    absurd = st.sampled_from([*ABSURD, [-2, -2], [True, 4], [2.0, 2.0], "22", [[2], [2]], "\ud800"])
    place[draw(st.sampled_from(sorted(place)))] = draw(absurd)
    header["__metadata__"]["numpyvae"] = json.dumps(settings)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + whole[8 + length :]


@st.composite
def hostile(draw: st.DrawFn) -> tuple[str, bytes]:
    kind = draw(st.sampled_from(sorted(READERS)))
    whole = WHOLE[kind]
    if kind.endswith((".npz", ".pt")) and draw(st.integers(0, 3)):
        return kind, draw(archive(whole))
    if kind.endswith(".safetensors") and draw(st.booleans()):
        return kind, draw(metadata(whole))
    if kind.endswith(".json") and draw(st.booleans()):
        return kind, json.dumps(draw(st.lists(st.sampled_from(ABSURD), max_size=2))).encode()
    if kind.endswith(".png") and draw(st.booleans()):
        return kind, draw(png(whole))
    if kind.endswith(".gz") and draw(st.booleans()):
        return kind, gzip.compress(draw(damaged(gzip.decompress(whole))))
    return kind, draw(damaged(whole))


def outcome(folder: Path, kind: str, content: bytes) -> str:
    """Reads the file; says whether it was refused or usable, and raises if a promise was broken."""
    path = folder / kind
    path.write_bytes(content)
    start = time.process_time()
    tracemalloc.start()
    try:
        with warnings.catch_warnings(action="error"), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", InputWarning)
            READERS[kind](path)
        found, message = "usable", ""
    except InputError as error:
        found, message = "refused", str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert message.isprintable(), message
    assert len(message) < 2 * LONGEST, message
    assert peak < MOST_MEMORY, f"{peak} bytes of memory"
    assert time.process_time() - start < MOST_SECONDS
    return f"{kind} {found}"


def thousand(number: int, files: int) -> Counter[str]:
    """The outcomes of so many files, made with the seed ``number``."""
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:

        @seed(number)
        @settings(
            max_examples=files,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(hostile())
        def every_promise_is_kept(file: tuple[str, bytes]) -> None:
            seen[outcome(Path(name), *file)] += 1

        every_promise_is_kept()
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--record", type=Path, default=os.devnull, help="a line for a thousand")
    given = parser.parse_args()
    pictures.MOST_PIXELS = 2_000_000
    with given.record.open("a+") as record:
        record.seek(0)
        done = [Counter(json.loads(line)) for line in record]
        while (left := given.files - sum(seen.total() for seen in done)) > 0:
            done.append(thousand(len(done), min(left, 1000)))
            record.write(json.dumps(done[-1]) + "\n")
            record.flush()
    seen = sum(done, Counter())
    print(f"{seen.total()} files: every promise kept")
    for what, count in sorted(seen.items()):
        print(f"    {count:6d} {what}")


if __name__ == "__main__":
    os.umask(0o077)
    main()
