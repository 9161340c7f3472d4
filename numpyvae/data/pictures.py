"""Picture files: the one place where they are opened, and become arrays, and arrays become them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile
from tqdm import tqdm

from ..errors import InputError, say
from ..functional import Array
from .dataset import as_floats
from .files import StrPath, make_folder, reading, replacing
from .pixels import KEPT, check_range

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")  # no other decoder is ever reached
MOST_PIXELS = 50_000_000  # in one picture
USUAL_PIXELS = 100  # for each byte of a file, where all its pages have more than MOST_PIXELS
DELAY = 1  # second, until a bar shows how many are read
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F")  # Pillow's modes without colour
SUBFILE, BITS, PHOTOMETRIC = 254, 258, 262  # tags of a TIFF


def read_pictures(
    files: Sequence[Path], size: tuple[int, int] | None = None, colour: bool = False
) -> tuple[Array, list[int]]:
    """The pictures in the files, in shades of grey, (N, H, W), and how many each file holds.

    With ``colour`` they are (N, H, W, 3) where one of them has any. They are scaled to fill
    ``size``, (height, width), and cropped where they hang over; without it all must have one size.
    Their type is uint8, or float32 in [0, 1] where one of them has more than 8 bits per pixel. A
    TIFF holds as many pictures as it has pages, any other file one.

    Raises:
        InputError: a file cannot be read or is no picture, or they differ in size.
    """
    pixels, dtype, channels = bytearray(), np.dtype(np.uint8), 1  # grows in place
    counts: list[int] = []
    in_colour = 0
    sizes: dict[tuple[int, int], Path] = {}
    left_out: dict[Path, int] = {}
    for file in tqdm(files, "Reading", unit=" files", delay=DELAY, leave=False, disable=None):
        pages, left_out[file] = _read_file(file, size, colour)
        counts.append(len(pages))
        for page, its_colour in pages:
            in_colour += its_colour
            sizes.setdefault(page.shape[:2], file)
            if len(sizes) > 1:
                continue  # they are refused below
            kind = np.promote_types(dtype, page.dtype), max(channels, page.shape[2])
            if kind != (dtype, channels):
                pixels = bytearray(_as_kind(np.frombuffer(pixels, dtype), channels, *kind))
                dtype, channels = kind
            pixels += _as_kind(page.ravel(), page.shape[2], *kind).data
        if len(sizes) > 1:
            shown = ", ".join(f"{f.name} {h} x {w}" for (h, w), f in sizes.items())
            raise InputError(
                f"pictures in {os.path.commonpath(files)} differ in size ({shown}): give the image "
                "size that they are to be scaled to, such as --image-size 28 28"
            )
    if some := [file.name for file, frames in left_out.items() if frames]:
        say(
            f"{sum(left_out.values())} frames in {len(some)} files are left out "
            f"({', '.join(some[:3])}): of an animation the first is read, of a TIFF no reduced "
            "copy and no mask"
        )
    if in_colour and not colour:
        say(
            f"{in_colour} of {sum(counts)} pictures are read in grey, without the colour, which "
            f"{KEPT}"
        )
    elif 0 < in_colour < sum(counts):
        say(
            f"{sum(counts) - in_colour} of {sum(counts)} pictures are grey, the others have "
            "colour: all are read in colour"
        )
    [size] = sizes
    shape = size if channels == 1 else (*size, channels)
    return np.frombuffer(pixels, dtype).reshape(-1, *shape), counts


def write_pictures(folder: StrPath, pictures: Array) -> None:
    """Writes pictures, floats in [0, 1], pixel by pixel as 1.png, 2.png, ... in a folder.

    They are (N, H, W), or (N, H, W, 3) in colour.

    Raises:
        InputError: there is something in it, or they cannot be written.
    """
    folder = make_folder(folder)
    if any(folder.iterdir()):
        raise InputError(f"{folder} is not empty: single pictures get a folder of their own")
    for i, picture in enumerate(pictures, 1):
        with replacing(folder / f"{i:0{len(str(len(pictures)))}}.png") as stream:
            Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(stream, format="png")


def _read_file(
    path: Path, size: tuple[int, int] | None, colour: bool
) -> tuple[list[tuple[Array, bool]], int]:
    """Each picture as ``_read_page`` returns it, and how many frames are left out."""
    with reading(path) as stream:
        content = stream.read()  # which no damaged length makes Pillow read beyond
        try:
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
            if picture.width * picture.height > MOST_PIXELS:
                raise InputError(f"it has more than {MOST_PIXELS:,} pixels")
            side = max(size or picture.size)
            stored = picture.mode
            # A JPEG is decoded smaller, upright or not
            picture.draft(stored if colour else "L", (side, side))
            lost = picture.mode != stored
            pages = [_read_page(page, size, colour, lost) for page in _pages(picture, len(content))]
            return pages, getattr(picture, "n_frames", 1) - len(pages)
        except UnidentifiedImageError:
            raise ValueError(f"it is none of {', '.join(FORMATS)}") from None
        except (InputError, OSError, MemoryError):
            raise
        except Exception as error:  # damage makes Pillow raise nearly anything
            raise ValueError(str(error) or type(error).__name__) from error


def _pages(picture: Image.Image, size: int) -> Iterator[Image.Image]:
    """The same object turned to each page of a TIFF of so many bytes; of others, as it is."""
    if not isinstance(picture, TiffImageFile):
        yield picture
        return
    left = max(MOST_PIXELS, USUAL_PIXELS * size)
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


def _read_page(
    picture: Image.Image, size: tuple[int, int] | None, colour: bool, lost: bool
) -> tuple[Array, bool]:
    """A picture (H, W, 1), or (H, W, 3) where it has colour that is kept, and whether it has or had
    any; ``lost`` says that it had.

    It is upright and on white, scaled and cropped to ``size`` where it is given. It is uint8, or
    float32 in [0, 1] where it has more than 8 bits per pixel.
    """
    if colour and picture.mode not in GREY:
        image = _prepared(picture, size, "RGB")
        if _has_colour(image):
            return np.asarray(image), True
        return np.asarray(image.getchannel(0))[..., None], False
    pixels = np.asarray(_prepared(picture, size, "L"))[..., None]
    return pixels, lost or (picture.mode not in GREY and _has_colour(picture))


def _has_colour(picture: Image.Image) -> bool:
    """Whether red, green and blue differ anywhere; some rows at a time, for the memory's sake."""
    rows = max(1, (1 << 20) // picture.width)
    for top in range(0, picture.height, rows):
        box = (0, top, picture.width, min(top + rows, picture.height))
        channels = picture.crop(box).convert("RGB").split()
        if any(ImageChops.difference(a, b).getbbox() for a, b in pairwise(channels)):
            return True
    return False


def _prepared(picture: Image.Image, size: tuple[int, int] | None, mode: str) -> Image.Image:
    """The picture upright and on white, scaled and cropped to ``size`` where it is given.

    Of this mode, L or RGB, or F in [0, 1] where it has more than 8 bits per pixel; perhaps the same
    object.
    """
    picture.load()
    if picture.info:  # else it says nothing of an orientation
        ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode[0] in "IF":
        image = Image.fromarray(_deep_grey(picture))
    else:
        clear = picture.has_transparency_data
        alpha = picture.convert("RGBA").getchannel("A") if clear else None
        picture.info.pop("transparency", None)  # in a palette: Pillow warns of what is done already
        image = picture if picture.mode == mode else picture.convert(mode)
        if alpha:
            white = Image.new(mode, image.size, "white")
            white.paste(image, mask=alpha)
            image = white
    if size and image.size != size[::-1]:
        image = ImageOps.fit(image, size[::-1])
        if image.mode == "F":  # bicubic interpolation overshoots at edges
            image = Image.fromarray(np.asarray(image).clip(0, 1))
    return image


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


def _as_kind(pixels: Array, has: int, dtype: np.dtype[Any], channels: int) -> Array:
    """Numbers (P,), ``has`` of each pixel, in another type and so many of each pixel."""
    numbers = pixels if pixels.dtype == dtype else as_floats(pixels)
    return numbers if has == channels else numbers.repeat(channels)
