"""Picture files: what is in them, upright, in grey or in colour."""

import struct

import numpy as np
import pytest
from PIL import Image

from numpyvae import InputError, InputWarning
from numpyvae.data import pictures
from numpyvae.data.pictures import read_pictures

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (5, 4, 6), np.uint8)
DEEP = RNG.integers(0, 65536, (5, 4, 6), np.uint16)
UPRIGHT = {  # by EXIF orientation, what makes a stored picture upright
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.T,
    6: lambda stored: stored.T[:, ::-1],
    7: lambda stored: stored[::-1, ::-1].T,
    8: lambda stored: stored.T[::-1],
}


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("size", [None, (32, 24), (24, 32)])
def test_pictures_are_upright_before_their_size_is_looked_at(tmp_path, kind, orientation, size):
    """Blocks of 8 pixels survive any compression."""
    stored = np.repeat(np.repeat(np.uint8([[0, 80, 160, 240], [60, 130, 200, 20]]), 16, 0), 8, 1)
    options = {"lossless": True} if kind == "webp" else {"quality": 100} if kind == "jpg" else {}
    Image.fromarray(stored).save(tmp_path / f"a.{kind}", exif=exif(orientation), **options)
    upright = UPRIGHT[orientation](stored)
    if size in (None, upright.shape):
        images, counts = read_pictures([tmp_path / f"a.{kind}"], size)
        assert (images.shape, counts) == ((1, *upright.shape), [1])
        np.testing.assert_allclose(images[0].astype(int), upright, atol=3)
    else:
        assert read_pictures([tmp_path / f"a.{kind}"], size)[0].shape == (1, *size)


def test_half_turned_pictures_differ_in_size(tmp_path):
    for name, orientation in (("a.jpg", 1), ("b.jpg", 6)):
        Image.fromarray(IMAGES[0]).save(tmp_path / name, exif=exif(orientation))
    with pytest.raises(InputError, match=r"differ in size \(a.jpg 4 x 6, b.jpg 6 x 4\)"):
        read_pictures([tmp_path / "a.jpg", tmp_path / "b.jpg"])


def test_a_large_upright_jpeg_is_decoded_no_smaller_than_wanted(tmp_path):
    """Of half the size, 16 wide, nothing would be left of the stripes."""
    stripes = np.tile(np.uint8([0, 255]), (64, 16))
    Image.fromarray(stripes.T).save(tmp_path / "a.jpg", exif=exif(6), quality=100)
    image = read_pictures([tmp_path / "a.jpg"], (4, 32))[0][0]
    assert image.shape == (4, 32)
    assert np.ptp(image.astype(int).mean(axis=0)) > 240


# Several pages and frames


def test_every_page_of_a_tiff_is_a_picture(tmp_path):
    first, *others = map(Image.fromarray, IMAGES)
    first.save(tmp_path / "a.tif", save_all=True, append_images=others)
    Image.fromarray(IMAGES[1]).save(tmp_path / "b.png")
    images, counts = read_pictures([tmp_path / "a.tif", tmp_path / "b.png", tmp_path / "a.tif"])
    np.testing.assert_array_equal(images, np.concatenate([IMAGES, IMAGES[1:2], IMAGES]))
    assert counts == [5, 1, 5]


def test_pages_that_are_copies_or_masks_are_left_out_aloud(tmp_path):
    first, *others = map(Image.fromarray, IMAGES)
    path, nothing = tmp_path / "a.tif", struct.pack("<HHII", 254, 4, 1, 0)
    first.save(path, save_all=True, append_images=others, tiffinfo={254: 0})
    parts = path.read_bytes().split(nothing)
    kinds = (struct.pack("<HHII", 254, 4, 1, kind) for kind in (0, 1, 4, 2, 0))
    path.write_bytes(
        parts[0] + b"".join(kind + p for kind, p in zip(kinds, parts[1:], strict=True))
    )
    with pytest.warns(InputWarning, match=r"2 frames in 1 files are left out \(a.tif\)"):
        images, counts = read_pictures([tmp_path / "a.tif"])
    np.testing.assert_array_equal(images, IMAGES[[0, 3, 4]])
    assert counts == [3]


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_of_an_animation_the_first_frame_is_read_which_is_said(tmp_path, kind):
    first, *others = map(Image.fromarray, IMAGES)
    first.save(tmp_path / f"a.{kind}", save_all=True, append_images=others, lossless=True)
    with pytest.warns(InputWarning, match=r"4 frames in 1 files are left out \(a\."):
        images, counts = read_pictures([tmp_path / f"a.{kind}"])
    assert counts == [1]
    np.testing.assert_array_equal(images, IMAGES[:1])


def test_pages_may_not_unfold_without_end(tmp_path, monkeypatch):
    black = Image.new("L", (200, 100))
    black.save(tmp_path / "a.tif", save_all=True, append_images=[black] * 9, compression="tiff_lzw")
    monkeypatch.setattr(pictures, "MOST_PIXELS", 200 * 100 * 10)
    monkeypatch.setattr(pictures, "USUAL_PIXELS", 1)
    assert read_pictures([tmp_path / "a.tif"])[1] == [10]
    monkeypatch.setattr(pictures, "MOST_PIXELS", 200 * 100 * 10 - 1)
    with pytest.raises(InputError, match=r"a.tif: its pages have more than .* save it uncompr"):
        read_pictures([tmp_path / "a.tif"])
    monkeypatch.setattr(pictures, "USUAL_PIXELS", 1000)
    assert read_pictures([tmp_path / "a.tif"])[1] == [10]


# More than 8 bits


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_16_bits_become_floats_of_0_to_1(tmp_path, kind):
    Image.fromarray(DEEP[0]).save(tmp_path / f"a.{kind}")
    images, _ = read_pictures([tmp_path / f"a.{kind}"])
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images[0], DEEP[0] / np.float32(65535))


def test_16_bits_of_the_other_byte_order(tmp_path):
    Image.frombytes("I;16B", (6, 4), DEEP[0].astype(">u2").tobytes()).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(
        read_pictures([tmp_path / "a.tif"])[0][0], DEEP[0] / np.float32(65535)
    )


def test_12_bits_have_a_white_of_their_own(tmp_path):
    """A TIFF by hand: 4095, 0, 2048, 4095, each in a byte and a half."""
    tags = {256: 2, 257: 2, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 2, 279: 6}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = struct.pack("<2sHI", b"II", 42, 14) + bytes.fromhex("fff000 800fff")
    content = start + struct.pack("<H", len(tags)) + entries + bytes(4)
    (tmp_path / "a.tif").write_bytes(content)
    image = read_pictures([tmp_path / "a.tif"])[0][0]
    np.testing.assert_array_equal(image, np.float32([[1, 0], [2048 / 4095, 1]]))


def test_pages_of_16_bits_and_pictures_of_8_become_floats_together(tmp_path):
    first, *others = map(Image.fromarray, DEEP)
    first.save(tmp_path / "b.tif", save_all=True, append_images=others)
    for name, image in (("a.png", IMAGES[0]), ("c.png", IMAGES[1])):
        Image.fromarray(image).save(tmp_path / name)
    images, counts = read_pictures([tmp_path / name for name in ("a.png", "b.tif", "c.png")])
    assert (images.dtype, counts) == (np.float32, [1, 5, 1])
    np.testing.assert_array_equal(images[0], IMAGES[0] / np.float32(255))
    np.testing.assert_array_equal(images[1:6], DEEP / np.float32(65535))
    np.testing.assert_array_equal(images[6], IMAGES[1] / np.float32(255))


@pytest.mark.parametrize("image", [IMAGES[0], DEEP[0]])
def test_a_tiff_in_which_0_is_white_is_turned(tmp_path, image):
    Image.fromarray(image).save(tmp_path / "a.tif")
    black_is_0, white_is_0 = (struct.pack("<HHII", 262, 3, 1, value) for value in (1, 0))
    content = (tmp_path / "a.tif").read_bytes()
    assert content.count(black_is_0) == 1
    (tmp_path / "a.tif").write_bytes(content.replace(black_is_0, white_is_0))
    white = np.iinfo(image.dtype).max
    read = read_pictures([tmp_path / "a.tif"])[0][0]
    np.testing.assert_allclose(read, (white - image) / (1 if white == 255 else white), atol=1e-6)


def test_scaling_16_bits_stays_within_0_and_1(tmp_path):
    edges = np.uint16([[0, 65535] * 4] * 8)
    Image.fromarray(edges).save(tmp_path / "a.png")
    image = read_pictures([tmp_path / "a.png"], (29, 31))[0]
    assert (image.shape, image.min(), image.max()) == ((1, 29, 31), 0, 1)


def test_a_transparent_grey_of_16_bits_is_white(tmp_path):
    Image.fromarray(DEEP[0]).save(tmp_path / "a.png", transparency=int(DEEP[0, 1, 2]))
    image = read_pictures([tmp_path / "a.png"])[0][0]
    assert image[1, 2] == 1
    assert np.sum(image != DEEP[0] / np.float32(65535)) == 1


def test_floats_are_pictures_from_0_to_1(tmp_path):
    floats = RNG.random((4, 6), np.float32)
    Image.fromarray(floats).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_pictures([tmp_path / "a.tif"])[0][0], floats)
    Image.fromarray(floats * 9).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a.tif: pixels from .*: scale them to \[0, 1\]"):
        read_pictures([tmp_path / "a.tif"])
    Image.fromarray(DEEP[0].astype(np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="32 bits: save them with 8 or 16"):
        read_pictures([tmp_path / "a.tif"])


# What is opened


def test_no_decoder_is_reached_but_those_that_are_promised(tmp_path, monkeypatch):
    """A decoder of a made-up kind, which would start a program."""
    reached = []
    Image.init()
    for place in ("ID", "OPEN"):
        monkeypatch.setattr(Image, place, type(getattr(Image, place))(getattr(Image, place)))
    Image.register_open("HARMLESS", reached.append, lambda prefix: prefix.startswith(b"harmless"))
    for name in ("a.png", "a.eps", "a.jpg"):
        (tmp_path / name).write_bytes(b"harmless, but not to be opened")
        with pytest.raises(InputError, match=f"{name}.* none of PNG, JPEG"):
            read_pictures([tmp_path / name])
    Image.fromarray(IMAGES[0]).save(tmp_path / "a.ppm")
    (tmp_path / "a.ppm").rename(tmp_path / "a.png")
    with pytest.raises(InputError, match="none of"):
        read_pictures([tmp_path / "a.png"])
    assert not reached


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "gif", "tiff", "webp"])
def test_a_picture_is_opened_by_its_content(tmp_path, kind):
    Image.fromarray(IMAGES[0]).save(tmp_path / "a", kind)
    for name in ("a.png", "a.gif"):
        (tmp_path / name).write_bytes((tmp_path / "a").read_bytes())
        assert read_pictures([tmp_path / name])[0].shape == (1, 4, 6)


def test_a_length_that_lies_gets_no_memory(tmp_path, traced):
    """A chunk before the pixels that claims to have 200 MB, and one of the pixels that does."""
    Image.fromarray(IMAGES[0]).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    place = whole.index(b"IDAT") - 4
    for lie in (b"iCCP", b"IDAT"):
        (tmp_path / "a.png").write_bytes(
            whole[:place] + (200 << 20).to_bytes(4) + lie + whole[-99:]
        )
        with traced() as peak, pytest.raises(InputError, match=r"a\.png"):
            read_pictures([tmp_path / "a.png"])
        assert peak() < 1 << 20


def test_too_many_pixels_are_a_limit_and_no_damage(tmp_path, monkeypatch):
    """Pillow has limits of its own, and other errors for them."""
    Image.new("1", (20_000, 20_000)).save(tmp_path / "a.png")
    Image.fromarray(IMAGES[0]).save(tmp_path / "b.png")
    with pytest.raises(InputError, match=r"a.png.* pixels") as error:
        read_pictures([tmp_path / "a.png"])
    monkeypatch.setattr(pictures, "MOST_PIXELS", 20)
    with pytest.raises(InputError, match=r"b.png: it has more than 20 pixels") as error:
        read_pictures([tmp_path / "b.png"])
    assert "damaged" not in str(error.value)


# Colour


@pytest.mark.parametrize("kind", ["png", "webp", "tif", "bmp"])
def test_colours_are_kept_pixel_by_pixel(tmp_path, kind):
    rgb = RNG.integers(0, 256, (4, 6, 3), np.uint8)
    Image.fromarray(rgb).save(
        tmp_path / f"a.{kind}", **{"lossless": True} if kind == "webp" else {}
    )
    images, counts = read_pictures([tmp_path / f"a.{kind}"], None, True)
    assert (images.dtype, counts) == (np.uint8, [1])
    np.testing.assert_array_equal(images, rgb[None], strict=True)
    with pytest.warns(InputWarning, match="1 of 1 pictures are read in grey, without the colour"):
        images, _ = read_pictures([tmp_path / f"a.{kind}"])
    np.testing.assert_array_equal(images, np.asarray(Image.fromarray(rgb).convert("L"))[None])


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("size", [None, (16, 16)])
def test_a_jpeg_in_colour_is_upright_and_scaled(tmp_path, orientation, size):
    blocks = np.uint8([[[250, 10, 10], [10, 240, 20]], [[20, 10, 230], [240, 240, 20]]])
    stored = blocks.repeat(64, 0).repeat(64, 1)
    path = tmp_path / "a.jpg"
    Image.fromarray(stored).save(path, exif=exif(orientation), quality=100, subsampling=0)
    images, _ = read_pictures([path], size, True)
    across = np.stack([UPRIGHT[orientation](channel) for channel in np.moveaxis(blocks, -1, 0)], -1)
    side = images.shape[1]
    assert side == (size or (128,))[0]
    with pytest.warns(InputWarning, match="1 of 1 pictures are read in grey, without the colour"):
        assert read_pictures([path], size)[0].ndim == 3
    inner = images[0][side // 4 :: side // 2, side // 4 :: side // 2]
    np.testing.assert_allclose(inner.astype(int), across, atol=5)


def test_other_ways_to_store_colour(tmp_path):
    """A palette, with and without transparency, four inks, and grey with an alpha channel."""
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[:4], rgb[4:] = [255, 0, 0], [0, 0, 255]
    whole = Image.fromarray(rgb)
    whole.quantize(4).save(tmp_path / "palette.png")
    whole.quantize(4).save(tmp_path / "palette.gif")
    whole.convert("CMYK").save(tmp_path / "inks.tif")
    clear = whole.convert("RGBA")
    clear.putalpha(Image.fromarray(np.repeat(np.uint8([255, 0]), 32).reshape(8, 8)))
    clear.save(tmp_path / "clear.png")
    whole.quantize(4).save(tmp_path / "partly.png", transparency=bytes([255, 255, 0]))
    for name in ("palette.png", "palette.gif", "inks.tif", "partly.png"):
        np.testing.assert_array_equal(read_pictures([tmp_path / name], None, True)[0][0], rgb, name)
    rgb[4:] = 255
    np.testing.assert_array_equal(read_pictures([tmp_path / "clear.png"], None, True)[0][0], rgb)
    clear.convert("LA").save(tmp_path / "grey.png")
    assert read_pictures([tmp_path / "grey.png"], None, True)[0].shape == (1, 8, 8)


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "webp"])
def test_grey_in_three_channels_is_grey(tmp_path, kind):
    grey = np.repeat(np.repeat(np.uint8([[0, 80], [160, 240]]), 8, 0), 8, 1)
    options = {"lossless": True} if kind == "webp" else {"quality": 100} if kind == "jpg" else {}
    Image.fromarray(np.stack([grey] * 3, 2)).save(tmp_path / f"a.{kind}", **options)
    images, _ = read_pictures([tmp_path / f"a.{kind}"], None, True)
    np.testing.assert_allclose(images.astype(int), grey[None], atol=2)


def test_one_pixel_of_colour_is_enough(tmp_path):
    """Even the last one of more than are looked at together."""
    rgb = np.full((1200, 1000, 3), 100, np.uint8)
    rgb[-1, -1, 2] = 101
    Image.fromarray(rgb).save(tmp_path / "a.png")
    assert read_pictures([tmp_path / "a.png"], None, True)[0].shape == (1, 1200, 1000, 3)
    with pytest.warns(InputWarning, match="read in grey, without the colour"):
        read_pictures([tmp_path / "a.png"])


def test_pages_in_grey_and_in_colour_become_colour_together(tmp_path):
    rgb = RNG.integers(0, 256, (2, 4, 6, 3), np.uint8)
    pages = [Image.fromarray(page) for page in (IMAGES[0], rgb[0], DEEP[0], rgb[1])]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.warns(InputWarning, match="2 of 4 pictures are grey, the others have colour"):
        images, counts = read_pictures([tmp_path / "a.tif"], None, True)
    grey, deep = (np.repeat(page[..., None], 3, -1) for page in (IMAGES[0], DEEP[0]))
    white = np.float32(255)
    expected = [grey / white, rgb[0] / white, deep / np.float32(65535), rgb[1] / white]
    np.testing.assert_array_equal(images, expected)
    assert counts == [4]
