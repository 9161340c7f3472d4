"""data.py: every data set comes back whole and right, and anything else is an InputError."""

import gzip
import hashlib
import http.server
import io
import logging
import os
import socket
import struct
import subprocess
import sys
import threading
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pooch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae import data
from numpyvae.data.dataset import as_floats, minibatches
from numpyvae.data.loading import load_dataset
from numpyvae.errors import InputError

RNG = np.random.default_rng(0)
TRAIN = RNG.integers(0, 256, (7, 28, 28), np.uint8)
TEST = RNG.integers(0, 256, (3, 28, 28), np.uint8)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


TINY = {
    "train-images-idx3-ubyte": idx(TRAIN),
    "train-labels-idx1-ubyte": idx(np.arange(7, dtype=np.uint8)),
    "t10k-images-idx3-ubyte": idx(TEST),
    "t10k-labels-idx1-ubyte": idx(np.arange(3, dtype=np.uint8)),
}
TINY_GZ = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in TINY.items()}


def put(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def assert_tiny(dataset: data.Dataset) -> None:
    assert dataset.train_images.dtype == np.uint8
    np.testing.assert_array_equal(dataset.train_images, TRAIN.reshape(7, 784))
    np.testing.assert_array_equal(dataset.test_images, TEST.reshape(3, 784))
    np.testing.assert_array_equal(dataset.train_labels, range(7))
    np.testing.assert_array_equal(dataset.test_labels, range(3))
    assert dataset.image_shape == (28, 28)


def refused(match: str, *args) -> str:
    """load_dataset(*args) is an InputError of one line that `match`es."""
    with pytest.raises(InputError, match=match) as caught:
        load_dataset(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _no_data_folder(monkeypatch):
    monkeypatch.delenv("NUMPYVAE_DATA", raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """For hypothesis, whose examples may share a folder."""
    return tmp_path_factory.mktemp("damaged")


# The embedded digits


def test_digits_are_split_and_sized_as_promised():
    digits = load_dataset()
    assert digits.name == "digits"
    assert digits.image_shape == (28, 28)
    assert digits.train_images.shape == (1500, 784)
    assert digits.test_images.shape == (297, 784)
    assert digits.train_images.dtype == digits.test_images.dtype == np.uint8
    assert digits.train_labels is not None
    assert digits.test_labels is not None
    assert digits.train_labels[:10].tolist() == list(range(10))
    assert digits.test_labels.shape == (297,)
    assert digits.train_images.max() == 255


def test_digits_match_an_interpolation_written_out():
    """Against numpy.interp, row by row and then column by column."""
    images = np.load(Path(data.__file__).with_name("digits.npz"))["images"][[0, 1, 1796]]
    centres = (np.arange(24) + 0.5) * 8 / 24 - 0.5
    digits = load_dataset()
    rows = [digits.train_images[0], digits.train_images[1], digits.test_images[-1]]
    for image, row in zip(images, rows, strict=True):
        wide = np.array([np.interp(centres, range(8), line) for line in image])
        large = np.array([np.interp(centres, range(8), line) for line in wide.T]).T
        square = row.reshape(28, 28).astype(float)
        np.testing.assert_allclose(square[2:-2, 2:-2], large * 255 / 16, atol=0.5001)
        square[2:-2, 2:-2] = 0
        assert not square.any()


# MNIST and Fashion-MNIST on disk


@pytest.mark.parametrize("files", [TINY, TINY_GZ], ids=["plain", "gz"])
@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("mnist", "."),
        ("fashion-mnist", "."),
        ("mnist", "MNIST/raw"),
        ("fashion-mnist", "FashionMNIST/raw"),
        ("mnist", "mnist"),
        ("fashion-mnist", "fashion-mnist"),
    ],
)
def test_files_on_disk_are_found_in_every_layout(tmp_path, monkeypatch, name, layout, files):
    put(tmp_path / layout, files)
    dataset = load_dataset(name, tmp_path)
    assert dataset.name == name
    assert_tiny(dataset)
    monkeypatch.setenv("NUMPYVAE_DATA", str(tmp_path))
    assert_tiny(load_dataset(name))


def test_the_folder_given_outranks_the_environment(tmp_path, monkeypatch):
    put(tmp_path, TINY)
    monkeypatch.setenv("NUMPYVAE_DATA", str(tmp_path / "nothing"))
    assert_tiny(load_dataset("mnist", str(tmp_path)))
    refused("nothing", "mnist")


def test_each_data_set_keeps_to_its_own_folder(tmp_path):
    """Their files have the same names; what lies in a data set's own folder comes first."""
    other = TINY | {"train-images-idx3-ubyte": idx(255 - TRAIN)}
    put(tmp_path, other)
    put(tmp_path / "FashionMNIST" / "raw", TINY)
    assert_tiny(load_dataset("fashion-mnist", tmp_path))
    assert load_dataset("mnist", tmp_path).train_images[0, 0] == 255 - TRAIN[0, 0, 0]


@pytest.mark.parametrize(
    ("name", "other"), [("mnist", "fashion-mnist"), ("fashion-mnist", "mnist")]
)
def test_one_data_set_is_not_taken_for_the_other(tmp_path, name, other):
    labels = np.frombuffer(data.FIRST_TEST_LABELS[other], np.uint8)
    images = np.zeros((10, 28, 28), np.uint8)
    put(tmp_path, TINY)
    put(tmp_path, {"t10k-images-idx3-ubyte": idx(images), "t10k-labels-idx1-ubyte": idx(labels)})
    refused(f"those of {other}, not of {name}", name, tmp_path)
    assert len(load_dataset(other, tmp_path).test_images) == 10


def test_a_missing_file_is_never_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "_download", pytest.fail)
    put(tmp_path, TINY)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    for folder in (tmp_path, tmp_path / "nowhere"):
        message = refused("mnist not found", "mnist", folder)
        for part in ("t10k-labels-idx1-ubyte", "MNIST/raw", str(folder / "mnist"), ".gz"):
            assert part in message


IMAGES = idx(TRAIN)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("train-images-idx3-ubyte", b"", "damaged"),
        ("train-images-idx3-ubyte", IMAGES[:15], "damaged"),
        ("train-images-idx3-ubyte", IMAGES[:-1], "ends after 5487 of 5488 bytes"),
        ("train-images-idx3-ubyte", IMAGES + b"\0", "more in it"),
        ("train-images-idx3-ubyte", idx(TRAIN[:, 0]), "magic number 0x802"),
        ("train-images-idx3-ubyte", idx(TRAIN[:, 1:]), r"\[27, 28\]"),
        ("train-images-idx3-ubyte", idx(TRAIN[:0]), "announces 0 items"),
        ("train-images-idx3-ubyte", IMAGES[:4] + b"\xff" * 4 + IMAGES[8:], "4294967295 items"),
        ("train-images-idx3-ubyte", struct.pack(">4I", 0x803, 2**31, 2**31, 2**31), "shape"),
        ("train-labels-idx1-ubyte", IMAGES, "magic number 0x803"),
        ("train-labels-idx1-ubyte", idx(np.zeros(70_001, np.uint8)), "70001 items"),
        ("train-labels-idx1-ubyte", idx(np.zeros(6, np.uint8)), "6 labels for 7 images"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_idx_files_are_refused(tmp_path, file, content, said, compressed):
    put(tmp_path, TINY_GZ if compressed else TINY)
    path = tmp_path / (f"{file}.gz" if compressed else file)
    path.write_bytes(gzip.compress(content) if compressed else content)
    assert str(path) in refused(said, "mnist", tmp_path)


def test_damaged_gzip_files_are_refused(tmp_path):
    put(tmp_path, TINY_GZ)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    bad_checksum = whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]
    bad_data = whole[:30] + bytes(100) + whole[130:]
    for content in (b"", b"plain", whole[:9], whole[:-1], bad_checksum, bad_data, whole + whole):
        path.write_bytes(content)
        assert str(path) in refused("cannot read", "mnist", tmp_path)


def test_a_header_that_lies_gets_no_memory(tmp_path):
    """A gzip bomb of 1 GiB behind a header of absurd size: refused at the header."""
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(struct.pack(">4I", 0x803, 1 << 20, 28, 28))
    bomb += packer.compress(bytes(1 << 24)) + packer.flush()
    put(tmp_path, TINY_GZ | {"train-images-idx3-ubyte.gz": bomb})
    tracemalloc.start()
    refused("1048576 items", "mnist", tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("file", [IMAGES, gzip.compress(IMAGES)], ids=["plain", "gz"])
@given(damage=st.data())
def test_random_damage_to_idx_files(folder, file, damage):
    content = bytearray(file[: damage.draw(st.integers(0, len(file)) | st.just(len(file)))])
    for _ in range(damage.draw(st.integers(0, 3))):
        if content:
            place = damage.draw(
                st.integers(0, min(40, len(content))) | st.integers(0, len(content))
            )
            content[min(place, len(content) - 1)] = damage.draw(st.integers(0, 255))
    path = folder / ("images" if file is IMAGES else "images.gz")
    path.write_bytes(content)
    message = str(path)
    tracemalloc.start()
    try:
        data._read_idx(path, (28, 28))
    except InputError as error:
        message = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert str(path) in message
    assert peak < data.IDX_MAX_ITEMS * 784 + (4 << 20)


needs_mnist = pytest.mark.skipif(
    "NUMPYVAE_DATA" not in os.environ, reason="NUMPYVAE_DATA does not name a folder with MNIST"
)
MNIST_FOLDER = os.environ.get("NUMPYVAE_DATA", "")


@needs_mnist
def test_the_real_mnist():
    mnist = load_dataset("mnist", MNIST_FOLDER)
    assert mnist.train_images.shape == (60000, 784)
    assert mnist.test_images.shape == (10000, 784)
    assert mnist.train_labels is not None
    assert np.bincount(mnist.train_labels).tolist() == [
        *(5923, 6742, 5958, 6131, 5842),
        *(5421, 5918, 6265, 5851, 5949),
    ]
    assert as_floats(mnist.train_images[:6000]).mean() == pytest.approx(0.13, abs=0.005)
    refused("those of mnist, not of fashion-mnist", "fashion-mnist", MNIST_FOLDER)


@needs_mnist
def test_loading_mnist_holds_it_in_memory_once():
    code = """
import sys, tracemalloc, numpy
from numpyvae.data.loading import load_dataset
tracemalloc.start()
load_dataset("mnist", sys.argv[1])
print(tracemalloc.get_traced_memory()[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, MNIST_FOLDER], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 70_000 * 785 + (5 << 20)


# Downloads


class Mirror(http.server.ThreadingHTTPServer):
    """A server on localhost that knows `files` and remembers what it was asked for."""

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self):
        self.server.asked.append(self.path[1:])
        content = self.server.files.get(self.path[1:])
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror():
    """Start mirrors: mirror(files) -> Mirror."""
    running = []

    def start(files):
        server = Mirror(files)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of its own, with the hashes of the tiny files."""
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    hashes = tuple(hashlib.md5(content).hexdigest() for content in TINY_GZ.values())
    monkeypatch.setattr(data, "MD5", {"mnist": hashes, "fashion-mnist": hashes})
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "numpyvae"


def use(monkeypatch, *urls):
    monkeypatch.setattr(data, "MIRRORS", {"mnist": urls, "fashion-mnist": urls})


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_a_download_happens_once_and_quietly(cache, mirror, monkeypatch, capfd, name):
    log = io.StringIO()
    monkeypatch.setattr(pooch.get_logger(), "handlers", [logging.StreamHandler(log)])
    pooch.get_logger().setLevel("DEBUG")
    server = mirror(TINY_GZ)
    use(monkeypatch, server.url, closed_port())
    assert_tiny(load_dataset(name))
    assert server.asked == list(TINY_GZ)
    assert sorted(os.listdir(cache / name)) == sorted(TINY_GZ)
    assert_tiny(load_dataset(name))
    assert server.asked == list(TINY_GZ)
    assert capfd.readouterr() == ("", "")
    assert log.getvalue() == ""


@pytest.mark.usefixtures("cache")
def test_an_empty_environment_variable_names_no_folder(mirror, monkeypatch):
    monkeypatch.setenv("NUMPYVAE_DATA", "")
    use(monkeypatch, mirror(TINY_GZ).url)
    assert_tiny(load_dataset("mnist"))


@pytest.mark.parametrize("failure", ["404", "wrong bytes", "cut short", "refused"])
def test_the_next_mirror_is_tried(cache, mirror, monkeypatch, failure):
    files = {
        "404": {},
        "wrong bytes": dict.fromkeys(TINY_GZ, b"<html>Please sign in</html>"),
        "cut short": {name: content[:-5] for name, content in TINY_GZ.items()},
    }
    first = closed_port() if failure == "refused" else mirror(files[failure]).url
    second = mirror(TINY_GZ)
    use(monkeypatch, first, second.url)
    assert_tiny(load_dataset("mnist"))
    assert second.asked == list(TINY_GZ)
    assert sorted(os.listdir(cache / "mnist")) == sorted(TINY_GZ)


def test_a_damaged_file_in_the_cache_is_fetched_again(cache, mirror, monkeypatch):
    server = mirror(TINY_GZ)
    use(monkeypatch, server.url)
    load_dataset("mnist")
    put(cache / "mnist", {"t10k-images-idx3-ubyte.gz": b"damaged"})
    server.asked.clear()
    assert_tiny(load_dataset("mnist"))
    assert server.asked == ["t10k-images-idx3-ubyte.gz"]


def test_without_a_network_one_line_says_what_to_do(cache, mirror, monkeypatch, capfd):
    dead, empty = closed_port(), mirror({})
    use(monkeypatch, dead, empty.url)
    message = refused("cannot download train-images-idx3-ubyte.gz of mnist", "mnist")
    for part in (dead[7:-1], empty.url[7:-1], "--data-dir DIR", "NUMPYVAE_DATA", "digits"):
        assert part in message
    assert os.listdir(cache / "mnist") == []
    assert capfd.readouterr() == ("", "")


def test_a_cache_that_cannot_be_written_is_named(cache, mirror, monkeypatch):
    use(monkeypatch, mirror(TINY_GZ).url)
    cache.write_text("a file where the folder should be")
    refused(f"cannot write {cache}", "mnist")


@pytest.mark.usefixtures("cache")
def test_a_terminal_sees_progress(mirror, monkeypatch, capfd):
    use(monkeypatch, mirror(TINY_GZ).url)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    load_dataset("mnist")
    assert "100%" in capfd.readouterr().err


def test_the_real_mirrors_and_hashes_are_complete():
    assert data.MIRRORS.keys() == data.MD5.keys() == data.TORCHVISION_FOLDER.keys()
    hashes = [md5 for four in data.MD5.values() for md5 in four]
    assert len(set(hashes)) == 8
    assert {len(md5) for md5 in hashes} == {32}
    assert all(url.endswith("/") for urls in data.MIRRORS.values() for url in urls)


def test_importing_loads_no_download_library():
    code = "import sys, numpyvae.data; print({'pooch', 'tqdm', 'requests'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# A user's own images


def own(tmp_path, images, **more):
    """Load `images` from a .npy file, or with `more` arrays from a .npz file."""
    path = tmp_path / ("own.npz" if more else "own.npy")
    if more:
        np.savez(path, images=images, **more)
    else:
        np.save(path, images)
    return load_dataset(path)


@pytest.mark.parametrize(
    ("shape", "image_shape"),
    [((20, 4, 6), (4, 6)), ((20, 9), (3, 3)), ((20, 10), (1, 10)), ((20, 1), (1, 1))],
)
@pytest.mark.parametrize("dtype", ["u1", "<f2", "<f4", "<f8", ">f4"])
def test_own_images_of_every_kind(tmp_path, shape, image_shape, dtype):
    images = RNG.integers(0, 2, shape).astype(dtype)
    for array in (images, np.asfortranarray(images)):
        dataset = own(tmp_path, array)
        assert dataset.image_shape == image_shape
        assert dataset.train_labels is None
        assert dataset.test_labels is None
        assert dataset.train_images.dtype == (np.uint8 if dtype == "u1" else np.float32)
        rows = np.concatenate([dataset.train_images, dataset.test_images])
        np.testing.assert_array_equal(rows, images.reshape(20, -1))
        assert len(dataset.test_images) == 2
        assert dataset.train_images.flags.c_contiguous


@pytest.mark.parametrize(("n", "held_out"), [(2, 1), (9, 1), (19, 1), (20, 2), (105, 10)])
def test_the_last_tenth_is_held_out(tmp_path, n, held_out):
    images = np.arange(n, dtype=np.uint8)[:, None]
    dataset = own(tmp_path, images, labels=np.arange(n) % 7)
    assert dataset.test_images[:, 0].tolist() == list(range(n - held_out, n))
    np.testing.assert_array_equal(dataset.train_labels, np.arange(n - held_out) % 7)
    np.testing.assert_array_equal(dataset.test_labels, np.arange(n - held_out, n) % 7)
    assert dataset.train_labels.dtype == np.uint8


def test_the_only_array_of_an_npz_file_may_have_any_name(tmp_path):
    np.savez(tmp_path / "own.npz", faces=np.zeros((5, 2, 2), np.uint8))
    assert load_dataset(str(tmp_path / "own.npz")).image_shape == (2, 2)
    np.savez(tmp_path / "own.npz", a=np.zeros((5, 2, 2)), b=np.zeros(5))
    refused("own.npz needs an array named images; it has a, b", tmp_path / "own.npz")
    np.savez(tmp_path / "own.npz")
    refused("it has none", tmp_path / "own.npz")


ZEROS = np.zeros((4, 3))


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.full((4, 3), np.nan), "no NaN"),
        (np.where(np.arange(12).reshape(4, 3) == 11, np.nan, 0.5), "no NaN"),
        (np.full((4, 3), np.inf), "values from inf"),
        (ZEROS - 0.001, "from -0.001"),
        (ZEROS + 1.001, "to 1.001"),
        (np.array([[0.5], [-np.inf]], np.float16), "from -inf"),
        (ZEROS.astype(np.int64), "int64"),
        (ZEROS.astype(bool), "bool"),
        (ZEROS.astype(complex), "complex128"),
        (ZEROS.astype(np.longdouble), "give uint8, or floats"),
        (np.array([["a"], ["b"]]), "<U1"),
        (np.float32(0.5), r"shape \(\)"),
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((4, 2, 2, 3)), r"shape \(4, 2, 2, 3\)"),
        (np.zeros((1, 4)), r"shape \(1, 4\)"),
        (np.zeros((0, 4)), r"shape \(0, 4\)"),
        (np.zeros((4, 0)), r"shape \(4, 0\)"),
        (np.zeros((4, 0, 3)), r"shape \(4, 0, 3\)"),
    ],
)
def test_unfit_images_are_refused(tmp_path, images, said):
    np.save(tmp_path / "own.npy", images)
    assert "own.npy" in refused(said, tmp_path / "own.npy")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros(3, int), r"int64 \(3,\)"),
        (np.zeros((4, 1), int), r"\(4, 1\)"),
        (np.zeros(4), "float64"),
        (np.array([0, 1, 2, 256]), "from 0 to 256"),
        (np.array([0, 1, 2, -1]), "from -1 to 2"),
    ],
)
def test_unfit_labels_are_refused(tmp_path, labels, said):
    np.savez(tmp_path / "own.npz", images=ZEROS, labels=labels)
    assert "labels in" in refused(said, tmp_path / "own.npz")


def test_unknown_names_and_missing_files():
    message = refused("unknown data set cifar", "cifar")
    for part in ("digits", "mnist", "fashion-mnist", ".npy", ".npz"):
        assert part in message
    refused("unknown data set images.png", Path("images.png"))
    refused(r"no/such\.npy: No such file", "no/such.npy")


# Floats, batch by batch


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_become_floats(dtype):
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 128)
    expected = np.arange(256).reshape(2, 128).astype(dtype) / dtype(255)
    floats = as_floats(pixels, dtype)
    assert floats.dtype == dtype
    np.testing.assert_array_equal(floats, expected)
    out = np.empty((2, 128), dtype)
    assert as_floats(pixels, out=out) is out
    np.testing.assert_array_equal(out, expected)
    for own_dtype in (np.float32, np.float64):
        same = as_floats(expected.astype(own_dtype), dtype)
        assert same.dtype == dtype
        np.testing.assert_allclose(same, expected, rtol=1e-7)
    with pytest.raises(InputError, match="not int64"):
        as_floats(np.arange(3))


@given(n=st.integers(1, 40), batch_size=st.integers(1, 50), seed=st.none() | st.integers(0, 9))
def test_minibatches_cover_every_image_once(n, batch_size, seed):
    images = np.arange(n, dtype=np.uint8)[:, None].repeat(3, axis=1)
    rng = None if seed is None else np.random.default_rng(seed)
    batches = [batch.copy() for batch in minibatches(images, batch_size, np.float64, rng)]
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    order = range(n) if seed is None else np.random.default_rng(seed).permutation(n)
    np.testing.assert_array_equal(np.concatenate(batches), images[order] / 255)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_minibatches_take_no_memory_but_one_buffer(dtype):
    images = np.ones((2000, 784), dtype)
    batches = minibatches(images, 100, np.float32, np.random.default_rng(0))
    first = next(batches)
    tracemalloc.start()
    shares = [np.shares_memory(first, batch) for batch in batches]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert shares == [True] * 19
    assert peak < 100 * 784 / 2  # half of even a batch of uint8
