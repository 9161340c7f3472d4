"""Files are written whole or not at all, whoever writes them."""

import os
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest
from matplotlib.figure import Figure

from numpyvae import Run, save_checkpoint
from numpyvae.data.files import make_folder, replacing, write_text
from numpyvae.data.npz import read_npz, write_npz
from numpyvae.errors import InputError
from numpyvae.figures.images import image_grid
from numpyvae.figures.style import save as save_figure


@pytest.fixture(params=["array", "text", "checkpoint", "grid", "figure"])
def write(request, tiny, tiny_config):
    """write(path): each way in which this project writes a file."""
    return {
        "array": lambda path: write_npz(path, {"a": np.zeros(3)}),
        "text": lambda path: write_text(path, "new"),
        "checkpoint": lambda path: save_checkpoint(path, Run.start(tiny_config, tiny.image_shape)),
        "grid": lambda path: image_grid(np.zeros((2, 4), np.uint8), (2, 2), path),
        "figure": lambda path: save_figure(Figure(), path),
    }[request.param]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(write, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=f"cannot write {path}: No space left on device"):
        write(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_places_that_cannot_be_written_are_named(write, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "none" / "a", tmp_path / "file" / "a", tmp_path / "folder"):
        with pytest.raises(InputError, match=f"cannot write {path}: "):
            write(path)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_an_interruption_half_way_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupted():
        with replacing(path) as stream:
            stream.write(b"half of the new o")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_file_reaches_the_disk_before_its_name_does(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace

    def spy_fsync(descriptor):
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def spy_replace(*paths):
        steps.append("name")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "replace", spy_replace)
    write_text(tmp_path / "a.txt", "new")
    assert steps == ["file", "name", "folder"]


def test_a_disk_that_fills_up_while_writing(tmp_path):
    code = """
import resource, sys, numpy as np
from numpyvae.errors import InputError
from numpyvae.data.npz import write_npz
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_npz(sys.argv[1], {"a": np.zeros(50_000), "b": np.zeros(9)})
except InputError as error:
    print(error)
"""
    path = tmp_path / "a.npz"
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"cannot write {path}: File too large\n"
    assert os.listdir(tmp_path) == []


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path):
    code = """
import sys, itertools, numpy as np
from numpyvae.data.npz import write_npz
for i in itertools.count():
    write_npz(sys.argv[1], {"a": np.full(30_000, i), "b": np.full(30_000, i)})
    if i == 0: print("begun", flush=True)
"""
    path = tmp_path / "a.npz"
    rng = np.random.default_rng(0)
    cut_short = 0
    for _ in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "begun\n"
            time.sleep(rng.uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
        arrays = read_npz(path)
        assert len(arrays["a"]) == len(arrays["b"]) == 30_000
        assert np.all(arrays["a"] == arrays["b"][0])
        assert np.all(arrays["a"] == arrays["b"])
        cut_short += (tmp_path / "a.npz.tmp").exists()
        assert set(os.listdir(tmp_path)) <= {"a.npz", "a.npz.tmp"}
    assert cut_short > 0  # else no kill came while a file was being written
    write_npz(path, {"a": np.zeros(3)})
    assert os.listdir(tmp_path) == ["a.npz"]


def test_a_folder_is_made_with_its_parents_or_the_reason_is_said(tmp_path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "a"):
        with pytest.raises(InputError, match=f"cannot make the folder {path}: "):
            make_folder(path)
