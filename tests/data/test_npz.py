"""npz.py: arrays come back as they were written, and no file can do harm."""

import io
import os
import warnings
import zipfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae.data import npz
from numpyvae.data.npz import npz_names, read_npy, read_npz, write_npz
from numpyvae.errors import InputError

ARRAYS = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big_endian": np.arange(4, dtype=">i4"),
    "step": np.array(7),
    "empty": np.empty((0, 5), np.uint8),
    "text": np.array(["grüße", "a"]),
}


def saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def header(text: str) -> bytes:
    """The start of a .npy file whose header is `text`."""
    line = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line


def announcing(shape: str, descr: str = "'|u1'") -> bytes:
    return header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}")


def zipped(name: str, content: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def assert_same(read, written) -> None:
    assert list(read) == list(written)
    for name, array in written.items():
        assert read[name].dtype == array.dtype
        assert read[name].shape == array.shape
        np.testing.assert_array_equal(read[name], array)


# Reading and writing


def test_what_is_written_is_read_by_us_and_by_numpy(tmp_path):
    path = tmp_path / "arrays.npz"
    write_npz(path, ARRAYS)
    assert_same(read_npz(path), ARRAYS)
    with np.load(path, allow_pickle=False) as loaded:
        assert_same(dict(loaded), ARRAYS)
    assert os.listdir(tmp_path) == ["arrays.npz"]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_files_of_numpy_are_read(tmp_path, save):
    save(tmp_path / "arrays.npz", **ARRAYS)
    assert_same(read_npz(tmp_path / "arrays.npz"), ARRAYS)


@pytest.mark.parametrize("name", ARRAYS)
def test_npy_files_are_read(tmp_path, name):
    np.save(tmp_path / "a.npy", ARRAYS[name])
    assert_same({name: read_npy(tmp_path / "a.npy")}, {name: ARRAYS[name]})


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_all_versions_are_read(tmp_path, version, kind):
    for name, array in ARRAYS.items():
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, version)
        content = stream.getvalue()
        path = tmp_path / f"a.{kind}"
        path.write_bytes(content if kind == "npy" else zipped("a.npy", content))
        assert_same({name: read_npy(path) if kind == "npy" else read_npz(path)["a"]}, {name: array})


def test_only_what_is_asked_for_is_read(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.arange(3), b=np.array([{}]), c=np.zeros(150 << 20, np.uint8))
    assert npz_names(path) == ["a", "b", "c"]
    assert_same(read_npz(path, ["a", "d"]), {"a": np.arange(3)})
    for name, said in (("b", "object"), ("c", "more than .* times its size: save it uncompressed")):
        with pytest.raises(InputError, match=said):
            read_npz(path, [name])


def test_a_limit_is_no_damage(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(150 << 20, np.uint8))
    with pytest.raises(InputError, match=r"a.npz: it announces .* with np.savez$"):
        read_npz(tmp_path / "a.npz")


def test_true_stands_for_one_as_a_size(tmp_path):
    (tmp_path / "a.npy").write_bytes(announcing("(True, 3)") + b"abc")
    assert_same({"a": read_npy(tmp_path / "a.npy")}, {"a": np.array([[97, 98, 99]], np.uint8)})


def test_compressed_zeros_are_no_bomb(tmp_path):
    zeros = {"images": np.zeros((4000, 784), np.uint8)}
    np.savez_compressed(tmp_path / "zeros.npz", **zeros)
    assert_same(read_npz(tmp_path / "zeros.npz"), zeros)


def test_a_small_file_gets_no_large_memory(tmp_path, traced):
    """Zeros are squeezed a thousandfold; real images are not."""
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, images=np.zeros(150 << 20, np.uint8))
    with traced() as peak, pytest.raises(InputError, match="more data than a file of its size"):
        read_npz(path)
    assert peak() < 1 << 20
    np.savez_compressed(path, images=np.zeros(2 << 20, np.uint8))
    assert read_npz(path)["images"].size == 2 << 20
    with pytest.raises(InputError, match="more data than a file of its size"):
        read_npz(path, compressed=False)


def test_a_large_file_may_unfold_to_a_hundred_times_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "UNUSUAL", 1 << 10)  # so that 20 kB are large
    noise = np.random.default_rng(0).integers(0, 256, 20_000, np.uint8)
    path = tmp_path / "a.npz"
    for times, refused in ((80, False), (125, True)):
        np.savez_compressed(path, noise=noise, zeros=np.zeros(20_000 * times, np.uint8))
        ratio = sum(member.file_size for member in zipfile.ZipFile(path).filelist)
        ratio /= path.stat().st_size
        assert 70 < ratio < 130
        assert refused == (ratio > 100)
        with pytest.raises(InputError, match="more data") if refused else nullcontext():
            assert read_npz(path)["zeros"].size == 20_000 * times


def test_the_bytes_depend_on_the_arrays_only(tmp_path):
    for name in ("a.npz", "b.npz"):
        write_npz(tmp_path / name, ARRAYS)
        os.utime(tmp_path / name, (0, 0))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {member.date_time[0] for member in archive.infolist()} == {1980}


# Damage


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "damaged"),
        (b"not an array at all", "damaged"),
        (saved(np.arange(9.0))[:-1], "71 bytes of data"),
        (saved(np.arange(9.0)) + b"\0", "73 bytes of data"),
        (saved(np.arange(9.0))[:20], "header"),
        (saved(np.array([{}, []], dtype=object)), "object"),
        (saved(np.zeros(3, [("a", "f4"), ("b", "f4")])), "not numbers or text"),
        (saved(np.zeros(3, "M8[s]")), "not numbers or text"),
        (announcing("(1000000000000,)") + b"abc", "holds 3 bytes"),
        (announcing("(-3, -1)") + b"abc", "holds 3 bytes"),
        (announcing(f"(0, {10**30})"), "cannot read"),
        (announcing("(" + "1, " * 70 + ")") + b"a", "cannot read"),
        (announcing("(9999999999,)", "'|S0'"), "not numbers or text"),
        (announcing("(3,)", "()") + b"abc", "header makes no sense"),
        (header("(" * 9000), "header makes no sense"),
        (header("{'shape': (1L,)}"), "header makes no sense"),
        (header("7 if 1or 2 else 3"), "header makes no sense"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "version 2, has 4294967295 bytes"),
        (b"\x93NUMPY\x04\x00\x01\x00\x00\x00a", "version 4"),
        (b"\x93NUMPY\x02\x00\x01\x00", "header makes no sense"),
    ],
)
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_damage_is_refused_in_one_line(tmp_path, content, said, kind):
    path = tmp_path / f"images.{kind}"
    path.write_bytes(content if kind == "npy" else zipped("images.npy", content))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(InputError, match=said) as caught:
            read_npy(path) if kind == "npy" else read_npz(path)
    assert not warned
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    np.savez(tmp_path / "trap.npz", a=np.array([Trap()], dtype=object))
    with pytest.raises(InputError, match="object"):
        read_npz(tmp_path / "trap.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("read", [read_npy, read_npz])
def test_missing_files_and_folders_are_named(tmp_path, read):
    with pytest.raises(InputError, match=r"missing\.npz: No such file"):
        read(tmp_path / "missing.npz")
    with pytest.raises(InputError, match="Is a directory"):
        read(tmp_path)
    with pytest.raises(InputError, match="null"):
        read("a\0b.npz")


def test_bad_zip_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    whole = zipped("a.npy", saved(np.arange(100.0)))
    flipped = bytearray(whole)
    flipped[400] ^= 1
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.npy", saved(np.arange(9)))
        archive.infolist()[0].header_offset = 2**64 - 1
    encrypted = whole.replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1")
    assert encrypted != whole
    for content, said in [
        (whole[:-30], "not a zip file"),
        (flipped, "CRC"),
        (encrypted, "encrypted"),
        (stream.getvalue(), "cannot read"),
        (zipped("a.txt", b"hello"), "'a.txt' in it is not an array"),
        (zipped("a.npy", saved(np.arange(9)), zipfile.ZIP_LZMA), "unusual"),
        (zipped("a.npy", saved(np.arange(9)), zipfile.ZIP_BZIP2), "unusual"),
    ]:
        path.write_bytes(content)
        with pytest.raises(InputError, match=said):
            read_npz(path)


def test_a_zip_that_lies_about_sizes_gets_no_memory(traced, tmp_path):
    size = 3 << 30
    content = zipped("a.npy", announcing(f"({size},)") + b"abc")
    real = len(announcing(f"({size},)")) + 3
    lie = len(announcing(f"({size},)")) + size
    directory = content.index(b"PK\1\2")
    start, end = content[:directory], content[directory:]
    lying = start + end.replace(real.to_bytes(4, "little"), lie.to_bytes(4, "little"))
    (tmp_path / "a.npz").write_bytes(lying)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.infolist()[0].file_size == lie
    with traced() as peak, pytest.raises(InputError, match="more data than a file of its size"):
        read_npz(tmp_path / "a.npz")
    assert peak() < 1 << 20


WHOLE_NPY = saved(np.arange(40, dtype=np.float32).reshape(5, 8))
WHOLE_NPZ = zipped("images.npy", WHOLE_NPY, zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize("whole", [WHOLE_NPY, WHOLE_NPZ], ids=["npy", "npz"])
@given(data=st.data())
def test_random_damage_is_an_input_error_or_nothing(damaged, traced, folder, whole, data):
    path = folder / "damaged"
    path.write_bytes(damaged(data, whole))
    message = str(path)
    with traced() as peak:
        try:
            read_npy(path) if whole is WHOLE_NPY else read_npz(path)
        except InputError as error:
            message = str(error)
    assert str(path) in message
    assert peak() < 4 << 20


def test_objects_are_not_written(tmp_path):
    write_npz(tmp_path / "a.npz", {"a": np.array(1)})
    with pytest.raises(ValueError, match="Object arrays"):
        write_npz(tmp_path / "a.npz", {"a": np.array([{}])})
    assert read_npz(tmp_path / "a.npz")["a"] == 1
