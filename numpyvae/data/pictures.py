"""Picture files: the one place where they are opened, and become arrays."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile
from tqdm import tqdm

from ..errors import InputError, say
from ..functional import Array
from .dataset import as_floats
from .files import StrPath, reading
from .pixels import check_range

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")  # no other decoder is ever reached
MOST_PIXELS = 50_000_000  # in one picture
USUAL_PIXELS = 100  # for each byte of a file, where all its pages have more than MOST_PIXELS
DELAY = 1  # second, until a bar shows how many are read
SUBFILE, BITS, PHOTOMETRIC = 254, 258, 262  # tags of a TIFF


def read_pictures(
    files: Sequence[Path], size: tuple[int, int] | None = None
) -> tuple[Array, list[int]]:
    """The pictures in the files, in shades of grey, (N, H, W), and how many each file holds.

    They are scaled to fill ``size``, (height, width), and cropped where they hang over; without it
    all must have one size. Their type is uint8, or float32 in [0, 1] where one of them has more
    than 8 bits per pixel. A TIFF holds as many pictures as it has pages, any other file one.

    Raises:
        InputError: a file cannot be read or is no picture, or they differ in size.
    """
    pixels, dtype = bytearray(), np.dtype(np.uint8)  # grows in place
    counts: list[int] = []
    sizes: dict[tuple[int, ...], Path] = {}
    left_out: dict[Path, int] = {}
    for file in tqdm(files, "Reading", unit=" files", delay=DELAY, leave=False, disable=None):
        with open_picture(file, size) as picture:
            pictures = [_in_grey(page, size) for page in _pages(picture)]
            frames = getattr(picture, "n_frames", 1)
        counts.append(len(pictures))
        if frames > len(pictures):
            left_out[file] = frames - len(pictures)
        for grey in pictures:
            sizes.setdefault(grey.shape, file)
            if grey.dtype != dtype == np.uint8:
                pixels, dtype = bytearray(as_floats(np.frombuffer(pixels, dtype))), grey.dtype
            pixels += (grey if grey.dtype == dtype else as_floats(grey)).tobytes()
        if len(sizes) > 1:
            shown = ", ".join(f"{f.name} {h} x {w}" for (h, w), f in sizes.items())
            raise InputError(
                f"pictures in {os.path.commonpath(files)} differ in size ({shown}): give the image "
                "size that they are to be scaled to, such as --image-size 28 28"
            )
    if left_out:
        shown = ", ".join([file.name for file in left_out][:3])
        say(
            f"{sum(left_out.values())} frames in {len(left_out)} files are left out ({shown}): of "
            "an animation the first is read, of a TIFF no reduced copy and no mask"
        )
    return np.frombuffer(pixels, dtype).reshape(-1, *next(iter(sizes))), counts


@contextmanager
def open_picture(path: StrPath, size: tuple[int, int] | None = None) -> Iterator[Image.Image]:
    """A picture, opened but not yet decoded; where ``size`` is given, perhaps not much larger.

    Whatever is wrong with it, also in the block, is an InputError.
    """
    with reading(path) as stream:
        try:
            with Image.open(stream, formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise InputError(f"it has more than {MOST_PIXELS:,} pixels")
                side = max(size or picture.size)
                picture.draft("L", (side, side))  # a JPEG is decoded smaller, upright or not
                yield picture
        except UnidentifiedImageError:
            raise ValueError(f"it is none of {', '.join(FORMATS)}") from None
        except (InputError, OSError, MemoryError):
            raise
        except Exception as error:  # damage makes Pillow raise nearly anything
            raise ValueError(str(error) or type(error).__name__) from error


def _pages(picture: Image.Image) -> Iterator[Image.Image]:
    """The same object turned to each page of a TIFF; of another file, to its first frame."""
    if not isinstance(picture, TiffImageFile):
        yield picture
        return
    assert picture.fp is not None
    left = max(MOST_PIXELS, USUAL_PIXELS * os.fstat(picture.fp.fileno()).st_size)
    for page in range(picture.n_frames):
        picture.seek(page)
        if picture.tag_v2.get(SUBFILE, 0) & 5:  # a reduced copy, or a mask
            continue
        left -= picture.width * picture.height
        if left < 0:
            raise InputError(
                f"its pages have more than {MOST_PIXELS:,} pixels, and more than {USUAL_PIXELS} "
                "for each of its bytes: save it uncompressed, or in several files"
            )
        yield picture


def _in_grey(picture: Image.Image, size: tuple[int, int] | None) -> Array:
    """The picture upright and on white, (H, W), scaled and cropped to ``size`` where it is given.

    uint8, or float32 in [0, 1] where it has more than 8 bits per pixel.
    """
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode[0] in "IF":
        grey = Image.fromarray(_deep_grey(picture))
    else:
        grey = picture if picture.mode == "L" else picture.convert("L")
        if picture.has_transparency_data:
            alpha = picture.convert("RGBA").getchannel("A")
            grey = Image.composite(grey, Image.new("L", grey.size, "white"), alpha)
    if size and grey.size != size[::-1]:
        grey = ImageOps.fit(grey, size[::-1])
    pixels = np.asarray(grey)
    return pixels.clip(0, 1) if grey.mode == "F" else pixels  # scaling overshoots at edges


def _deep_grey(picture: Image.Image) -> Array:
    """A picture of 16 bits or of floats in [0, 1], as float32 in [0, 1]."""
    values = np.asarray(picture)
    if picture.mode == "F":
        check_range(values)
        return values.astype(np.float32)
    if picture.mode == "I" and picture.format != "PNG":  # Pillow 10 has 16 bits of a PNG in it
        raise InputError("its whole numbers have a sign or 32 bits: save them with 8 or 16 bits")
    tags = getattr(picture, "tag_v2", {})
    white = 2 ** tags.get(BITS, (16,))[0] - 1
    grey = np.divide(values, white, dtype=np.float32)
    if tags.get(PHOTOMETRIC) == 0:  # white is 0, which Pillow minds for 8 bits only
        grey = 1 - grey
    grey[values == picture.info.get("transparency")] = 1
    return grey
