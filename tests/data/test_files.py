"""Files are written whole or not at all, whoever writes them."""

import fcntl
import os
import platform
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from numpyvae import Run, save_checkpoint
from numpyvae.data import files
from numpyvae.data.files import (
    locked,
    make_folder,
    make_subfolder,
    reading,
    replacing,
    uninterrupted,
    write_text,
)
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
        leftovers = len(os.listdir(tmp_path)) - 1
        assert leftovers <= 1
        cut_short += leftovers
        make_folder(tmp_path)
    assert cut_short > 0  # else no kill came while a file was being written
    assert os.listdir(tmp_path) == ["a.npz"]


def test_a_folder_is_made_with_its_parents_or_the_reason_is_said(tmp_path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "a"):
        why = r"(File exists|Not a directory)$"
        with pytest.raises(InputError, match=f"cannot make the folder {path}: {why}"):
            make_folder(path)


# What is not a regular file is neither waited for nor replaced


@pytest.fixture(params=["pipe", "link", "folder", "device"])
def special(request, tmp_path):
    """A path that holds no regular file."""
    path = tmp_path / "special"
    (tmp_path / "precious").write_bytes(b"precious")
    match request.param:
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to("precious")
        case "folder":
            path.mkdir()
        case "device":
            try:
                os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
            except OSError:
                pytest.skip("only root makes devices")
    return path


def test_only_regular_files_are_replaced(write, special, tmp_path):
    before = os.lstat(special)
    with pytest.raises(InputError, match=f"cannot write {special}: only a regular file"):
        write(special)
    assert os.lstat(special) == before
    assert sorted(os.listdir(tmp_path)) == ["precious", "special"]
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_only_regular_files_are_read_and_nothing_is_waited_for(special):
    if special.is_symlink():
        with reading(special) as stream:
            assert stream.read() == b"precious"
    else:
        with pytest.raises(InputError, match=f"cannot read {special}"), reading(special):
            pytest.fail("it was opened")


def test_old_temporary_names_are_not_followed(write, tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "file.tmp").symlink_to("precious")
    write(tmp_path / "file")
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_link_in_the_place_of_our_own_folder_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "samples").symlink_to("elsewhere")
    with pytest.raises(InputError, match=r"cannot write into .*samples: it is a link"):
        make_subfolder(tmp_path, "samples")
    assert make_subfolder(tmp_path, "other").is_dir()


def test_names_that_are_no_text_are_written_as_they_are(tmp_path):
    write_text(tmp_path / "a", os.fsdecode(b"gr\xfcn"))
    assert (tmp_path / "a").read_bytes() == b"gr\xfcn"


def test_a_new_file_is_complete_and_has_the_usual_permissions(tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    write_text(tmp_path / "a", "new")
    assert sizes[0] == 3  # all of it is with the system before the disk is waited for
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(os.stat(tmp_path / "a").st_mode) == 0o666 & ~mask


def test_no_file_stays_open(tmp_path):
    def next_descriptor() -> int:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        os.close(descriptor)
        return descriptor

    before = next_descriptor()
    for _ in range(3):
        with locked(tmp_path):
            write_text(tmp_path / "a", "new")
            with reading(tmp_path / "a") as stream:
                stream.read()
    assert next_descriptor() == before


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK | os.X_OK)
    with pytest.raises(InputError, match=f"cannot write into the folder {tmp_path}"):
        make_folder(tmp_path)


# Other processes


def other_process(code: str, folder: Path) -> subprocess.Popen[str]:
    """A process that runs ``code`` with ``files`` and ``folder``, after it has printed a line."""
    start = "import sys, time; from pathlib import Path; from numpyvae.data import files\n"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{start}folder = Path(sys.argv[1])\n{code}", folder],
        stdout=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_folder_has_one_writer_who_is_named_and_a_dead_one_is_none(tmp_path):
    hold = "with files.locked(folder): print(flush=True); time.sleep(60)"
    holder = other_process(hold, tmp_path)
    try:
        with pytest.raises(InputError, match=f"in use by process {holder.pid} on "):  # noqa: SIM117
            with locked(tmp_path):
                pytest.fail("two writers")
    finally:
        end(holder)
    with locked(tmp_path), pytest.raises(InputError, match="in use"), locked(tmp_path):
        pytest.fail("two writers")
    assert os.listdir(tmp_path) == []


def test_a_lock_that_is_a_link_or_a_pipe_is_refused(tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    for make in (lambda path: path.symlink_to("precious"), os.mkfifo):
        make(tmp_path / ".lock")
        with pytest.raises(InputError, match="cannot write"), locked(tmp_path):
            pytest.fail("it was followed")
        (tmp_path / ".lock").unlink()
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_file_of_somebody_else_is_no_lock(tmp_path):
    (tmp_path / ".lock").write_bytes(b"my thesis")
    with pytest.raises(InputError, match=r"cannot write .*\.lock: .* is no lock of n"):  # noqa: SIM117
        with locked(tmp_path):
            pytest.fail("it was taken")
    assert (tmp_path / ".lock").read_bytes() == b"my thesis"
    (tmp_path / ".lock").unlink()
    for content in (b"", b"process 7 on ada, since 2026-11-25 12:00:00"):
        (tmp_path / "thesis").write_bytes(content)
        os.link(tmp_path / "thesis", tmp_path / ".lock")
        with pytest.raises(InputError, match="is no lock"), locked(tmp_path):
            pytest.fail("it was taken")
        assert (tmp_path / "thesis").read_bytes() == content
        (tmp_path / ".lock").unlink()


def test_who_loses_the_lock_writes_no_more_and_leaves_the_next_one_alone(tmp_path):
    (tmp_path / "run/samples").mkdir(parents=True)
    (tmp_path / "link").symlink_to("run")
    with locked(tmp_path / "link"):
        write_text(tmp_path / "run/a", "old")
        (tmp_path / "run/.lock").unlink()
        hold = "with files.locked(folder): print(flush=True); time.sleep(60)"
        holder = other_process(hold, tmp_path / "run")
        for name in ("run/a", "link/a", "run/samples/a"):
            with pytest.raises(InputError, match=r"/a: somebody removed run/\.lock, so others may"):
                write_text(tmp_path / name, "new")
        write_text(tmp_path / "a", "new")
    end(holder)
    assert f"process {holder.pid}" in (tmp_path / "run/.lock").read_text()
    assert (tmp_path / "run/a").read_text() == "old"
    write_text(tmp_path / "run/a", "new")


def test_leftovers_of_dead_writers_are_removed_and_files_of_others_are_not(tmp_path):
    write = "with files.replacing(folder / 'file'): print(flush=True); time.sleep(60)"
    dead, alive = (other_process(write, tmp_path) for _ in range(2))
    end(dead)
    mine = [".numpyvae-notes.txt", ".numpyvae-notes.tmp", "file.tmp", "a"]
    for name in mine:
        (tmp_path / name).touch()
    assert len(os.listdir(tmp_path)) == 6
    make_folder(tmp_path)
    assert len(os.listdir(tmp_path)) == 5
    end(alive)
    make_folder(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(mine)


@pytest.mark.parametrize(
    ("content", "holder"),
    [(b"", "another process"), (b"me\xff\n", "me\ufffd\\n"), (b"x" * 10**7, "x")],
)
def test_a_holder_that_says_nothing_or_too_much(tmp_path, monkeypatch, traced, content, holder):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    (tmp_path / ".lock").write_bytes(content)
    with open(tmp_path / ".lock") as other, traced() as peak:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError) as error, locked(tmp_path):
            pytest.fail("two writers")
    assert str(error.value).startswith(f"{tmp_path} is in use by {holder}")
    assert len(str(error.value)) < 500
    assert peak() < 10**6


def test_a_holder_may_be_late_to_say_who_it_is(tmp_path, monkeypatch):
    (tmp_path / ".lock").touch()
    with open(tmp_path / ".lock") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        monkeypatch.setattr(time, "sleep", lambda _: (tmp_path / ".lock").write_bytes(b"me"))
        with pytest.raises(InputError, match=r"in use by me$"), locked(tmp_path):
            pytest.fail("two writers")


def test_a_lock_says_who_holds_it_and_nothing_of_the_dead(tmp_path):
    (tmp_path / ".lock").write_bytes(b"process 7 on ada, since 2026-11-25 12:00:00")
    with locked(tmp_path):
        said = (tmp_path / ".lock").read_text()
        at, when = said.split(", since ")
        assert at == f"process {os.getpid()} on {platform.node()}"
        began = time.mktime(time.strptime(when, "%Y-%m-%d %H:%M:%S"))
        assert abs(time.time() - began) < 60


def test_a_new_file_that_another_process_takes_for_a_leftover_is_made_again(tmp_path, monkeypatch):
    """Between its making and its locking."""
    takers = []

    def open_and_take(path, mode, **options):
        stream = open(path, mode, **options)  # noqa: SIM115
        if mode == "xb" and not takers:
            other = open(path)  # noqa: SIM115
            fcntl.flock(other, fcntl.LOCK_EX)
            takers.append(threading.Timer(0.1, lambda: (os.unlink(path), other.close())))
            takers[0].start()
        return stream

    monkeypatch.setattr(files, "open", open_and_take, raising=False)
    write_text(tmp_path / "a", "new")
    takers[0].join()
    assert (tmp_path / "a").read_text() == "new"
    assert os.listdir(tmp_path) == ["a"]


def test_a_leftover_that_is_a_link_or_a_pipe_is_neither_followed_nor_waited_for(tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / ".numpyvae-1.tmp").symlink_to("precious")
    os.mkfifo(tmp_path / ".numpyvae-2.tmp")
    make_folder(tmp_path)
    assert (tmp_path / ".numpyvae-1.tmp").is_symlink()
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_without_locks_files_are_still_written(write, tmp_path, monkeypatch):
    """As on some network drives."""

    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with locked(make_folder(tmp_path)):
        write(tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]


# Ctrl-C


def test_ctrl_c_waits_until_the_block_has_ended():
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        done.append(True)
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with uninterrupted():
        pass


def test_threads_may_write(tmp_path):
    thread = threading.Thread(target=write_npz, args=(tmp_path / "a.npz", {"a": np.zeros(3)}))
    thread.start()
    thread.join()
    assert read_npz(tmp_path / "a.npz")["a"].shape == (3,)
