"""MNIST and Fashion-MNIST come back whole and right from disk or a mirror, or not at all."""

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
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pooch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae import Dataset
from numpyvae.data import mnist
from numpyvae.data.dataset import as_floats
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


def assert_tiny(dataset: Dataset) -> None:
    assert dataset.train_images.dtype == np.uint8
    np.testing.assert_array_equal(dataset.train_images, TRAIN.reshape(7, 784))
    np.testing.assert_array_equal(dataset.test_images, TEST.reshape(3, 784))
    np.testing.assert_array_equal(dataset.train_labels, range(7))
    np.testing.assert_array_equal(dataset.test_labels, range(3))
    assert dataset.image_shape == (28, 28)


# On disk


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


def test_the_folder_given_outranks_the_environment(refused, tmp_path, monkeypatch):
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
def test_one_data_set_is_not_taken_for_the_other(refused, tmp_path, name, other):
    labels = np.frombuffer(mnist.SOURCES[other].first_test_labels, np.uint8)
    images = np.zeros((10, 28, 28), np.uint8)
    put(tmp_path, TINY)
    put(tmp_path, {"t10k-images-idx3-ubyte": idx(images), "t10k-labels-idx1-ubyte": idx(labels)})
    refused(f"those of {other}, not of {name}", name, tmp_path)
    assert len(load_dataset(other, tmp_path).test_images) == 10


def test_a_missing_file_is_never_downloaded(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "_download", pytest.fail)
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
def test_damaged_idx_files_are_refused(refused, tmp_path, file, content, said, compressed):
    put(tmp_path, TINY_GZ if compressed else TINY)
    path = tmp_path / (f"{file}.gz" if compressed else file)
    path.write_bytes(gzip.compress(content) if compressed else content)
    assert str(path) in refused(said, "mnist", tmp_path)


def test_one_item_and_the_last_label_are_enough(tmp_path):
    put(tmp_path, TINY)
    put(
        tmp_path,
        {
            "t10k-images-idx3-ubyte": idx(TEST[:1]),
            "t10k-labels-idx1-ubyte": idx(np.array([255], np.uint8)),
        },
    )
    assert load_dataset("mnist", tmp_path).test_labels.tolist() == [255]


def test_damaged_gzip_files_are_refused(refused, tmp_path):
    put(tmp_path, TINY_GZ)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    bad_checksum = whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]
    bad_data = whole[:30] + bytes(100) + whole[130:]
    for content in (b"", b"plain", whole[:9], whole[:-1], bad_checksum, bad_data, whole + whole):
        path.write_bytes(content)
        assert str(path) in refused("cannot read", "mnist", tmp_path)


def test_a_header_that_lies_gets_no_memory(refused, traced, tmp_path):
    """A gzip bomb of 1 GiB behind a header of absurd size: refused at the header."""
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(struct.pack(">4I", 0x803, 1 << 20, 28, 28))
    bomb += packer.compress(bytes(1 << 24)) + packer.flush()
    put(tmp_path, TINY_GZ | {"train-images-idx3-ubyte.gz": bomb})
    with traced() as peak:
        refused("1048576 items", "mnist", tmp_path)
    assert peak() < 1 << 20


@pytest.mark.parametrize("file", [IMAGES, gzip.compress(IMAGES)], ids=["plain", "gz"])
@given(data=st.data())
def test_random_damage_to_idx_files(damaged, traced, folder, file, data):
    path = folder / ("images" if file is IMAGES else "images.gz")
    path.write_bytes(damaged(data, file))
    message = str(path)
    with traced() as peak:
        try:
            mnist._read_idx(path, (28, 28))
        except InputError as error:
            message = str(error)
    assert str(path) in message
    assert peak() < mnist.IDX_MAX_ITEMS * 784 + (4 << 20)


needs_mnist = pytest.mark.skipif(
    "NUMPYVAE_DATA" not in os.environ, reason="NUMPYVAE_DATA does not name a folder with MNIST"
)
MNIST_FOLDER = os.environ.get("NUMPYVAE_DATA", "")


@needs_mnist
def test_the_real_mnist(refused):
    found = load_dataset("mnist", MNIST_FOLDER)
    assert found.train_images.shape == (60000, 784)
    assert found.test_images.shape == (10000, 784)
    assert found.train_labels is not None
    assert np.bincount(found.train_labels).tolist() == [
        *(5923, 6742, 5958, 6131, 5842),
        *(5421, 5918, 6265, 5851, 5949),
    ]
    assert as_floats(found.train_images[:6000]).mean() == pytest.approx(0.13, abs=0.005)
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
        with suppress(ConnectionError):  # who refuses a file does not wait for the rest of it
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
    change(monkeypatch, md5=hashes, sizes=tuple(map(len, TINY_GZ.values())))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "numpyvae"


def change(monkeypatch, **changed):
    for name, source in mnist.SOURCES.items():
        monkeypatch.setitem(mnist.SOURCES, name, source._replace(**changed))


def use(monkeypatch, *urls):
    change(monkeypatch, mirrors=urls)


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


def test_without_a_network_one_line_says_what_to_do(refused, cache, mirror, monkeypatch, capfd):
    dead, empty = closed_port(), mirror({})
    use(monkeypatch, dead, empty.url)
    message = refused("cannot download train-images-idx3-ubyte.gz of mnist", "mnist")
    for part in (dead[7:-1], empty.url[7:-1], "--data-dir DIR", "NUMPYVAE_DATA", "digits"):
        assert part in message
    assert os.listdir(cache / "mnist") == []
    assert capfd.readouterr() == ("", "")


def test_a_cache_that_cannot_be_written_is_named(refused, cache, mirror, monkeypatch):
    use(monkeypatch, mirror(TINY_GZ).url)
    cache.write_text("a file where the folder should be")
    refused(f"cannot write {cache}", "mnist")


@pytest.mark.usefixtures("cache")
def test_a_terminal_sees_progress(mirror, monkeypatch, capfd):
    use(monkeypatch, mirror(TINY_GZ).url)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    load_dataset("mnist")
    assert "100%" in capfd.readouterr().err


def test_a_download_stops_at_the_known_size(mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = mirror({"large": bytes(10**7), "right": bytes(1000)})
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        mnist._download_file(f"{server.url}large", str(tmp_path / "file"), 1000)
    assert (tmp_path / "file").stat().st_size < 10**5
    mnist._download_file(f"{server.url}right", str(tmp_path / "file"), 1000)
    assert (tmp_path / "file").read_bytes() == bytes(1000)


def test_the_real_mirrors_and_hashes_are_complete():
    sources = mnist.SOURCES.values()
    assert all(source.mirrors[0].startswith("https:") for source in sources)
    assert all(len(source.sizes) == len(mnist.IDX_FILES) for source in sources)
    hashes = [md5 for source in sources for md5 in source.md5]
    assert len(set(hashes)) == 8
    assert {len(md5) for md5 in hashes} == {32}
    assert all(url.endswith("/") for source in sources for url in source.mirrors)
