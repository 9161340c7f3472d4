"""How a command begins and ends."""

import contextlib
import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from numpyvae import InputError, LossNotFiniteError, load_checkpoint
from numpyvae.commands.execute import _meet, _meet_half_made, _meet_unraised, execute
from numpyvae.commands.parser import Parser
from numpyvae.errors import ProcessLostError


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (None, 0, ""),
        (InputError("the file is bad"), 2, "p: the file is bad\n"),
        (PermissionError(13, "Denied", "a"), 2, "p: [Errno 13] Denied: 'a'\n"),
        (OSError(28, "No space left"), 2, "p: cannot write the output: No space left\n"),
        (MemoryError(), 2, "p: not enough memory for models or images this large\n"),
        (LossNotFiniteError("the loss is nan"), 1, "p: the loss is nan\n"),
        (ProcessLostError("it is gone"), 1, "p: it is gone\n"),
        (KeyboardInterrupt(), 130, "p: interrupted\n"),
        (KeyboardInterrupt("go on so"), 130, "p: go on so\n"),
        (BrokenPipeError(), 141, ""),
        (OSError("\x1b[2J\n" + 5_000_000 * "x" + "end"), 2, f"p: \\x1b[2J\\n{491 * 'x'}"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_every_end_has_its_status_and_one_line(capsys, error, status, message):
    def run():
        if error is not None:
            raise error

    assert execute("p", parser_of(run), []) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)
    assert err.count("\n") == bool(message)
    assert len(err) < 1100


def test_ctrl_c_is_met_from_the_first_line_on(capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    assert execute("p", interrupted, []) == 130
    assert capsys.readouterr() == ("", "p: interrupted\n")


@pytest.mark.parametrize("again", [0, 1, 2])
def test_ctrl_c_that_cannot_be_raised_where_it_comes_is_raised_soon(again, monkeypatch, capsys):
    """Though it is pressed again just then."""
    start, presses = threading.Timer.start, iter(range(again))

    def pressed_at_the_start(timer):
        if next(presses, None) is not None:
            raise KeyboardInterrupt
        start(timer)

    monkeypatch.setattr(threading.Timer, "start", pressed_at_the_start)

    class Freed:
        def __del__(self):
            raise KeyboardInterrupt

    freed = Freed()
    hook, sys.unraisablehook = sys.unraisablehook, _meet_unraised
    # A shell may have begun pytest in the background, where Ctrl-C is ignored.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            del freed
            time.sleep(10)
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGINT, handler)
    assert capsys.readouterr().err == ""


def test_other_errors_are_bugs_and_not_hidden():
    with pytest.raises(ZeroDivisionError):
        execute("p", parser_of(lambda: 1 / 0), [])


def parser_of(run):
    def parser(prog):
        parser = Parser()
        parser.set_defaults(run=run, prog=prog)
        return parser

    return parser


# In a process of its own


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What ``line`` does in a shell, where NUMPYVAE is the command."""
    settings = {**os.environ, **environment, "NUMPYVAE": f"{sys.executable} -m numpyvae"}
    return subprocess.run(
        line, shell=True, env=settings, capture_output=True, text=True, errors="surrogateescape"
    )


@pytest.mark.parametrize(
    "module", ["numpyvae.commands.train", "numpy", "datetime", "ipaddress", "matplotlib.ft2font"]
)
def test_ctrl_c_during_an_import_is_one_line(own_folder, module):
    """NumPy takes it for its own failure in datetime, pathlib in ipaddress; Matplotlib aborts."""
    program = f"""
import os, signal, sys
for name in "pathlib", "urllib.parse", "ipaddress":  # an editable package has loaded them
    sys.modules.pop(name, None)
from numpyvae.commands.main import main

class Press:
    def find_spec(name, path, target=None):
        if name == {module!r}:
            sys.meta_path.remove(Press)
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Press)
sys.exit(main())
"""
    line = "train --dataset own.npz --hidden 6 5 --z-dim 2 --epochs 100000 --out run"
    command = [sys.executable, "-c", program, *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 130, done.stderr
    assert re.fullmatch(r"numpyvae.*: interrupted.*\n", done.stderr)


TRAIN = "$NUMPYVAE train --dataset own.npz --hidden 6 5 --z-dim 2 --epochs 2 --out run"


def test_without_standard_output_and_error_training_goes_on(own_folder):
    done = shell(f"{TRAIN} >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(load_checkpoint("run").history) == 2


def test_an_output_that_nobody_reads_ends_the_command_without_a_word(own_folder):
    done = shell(f"({TRAIN}; echo $? >status) | true")
    assert done.stderr == ""
    assert (own_folder / "status").read_text() == "141\n"


def test_any_terminal_can_show_any_text(train):
    train("--epochs 1 --out run")
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = shell("$NUMPYVAE evaluate run --n 6 --importance-samples 2", **ascii_only)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\xb1" in done.stdout  # ±
    done = shell("$NUMPYVAE sample run --n 4 --out $(printf 'gr\\374n.png')", **ascii_only)
    assert (done.returncode, done.stdout, done.stderr) == (0, "gr\\udcfcn.png\n", "")
    assert os.path.exists(b"gr\xfcn.png")


def test_what_is_said_about_input_is_a_line_and_other_warnings_are_not_shown(tmp_path):
    program = """
import sys, warnings
from types import SimpleNamespace
from numpyvae.commands.execute import execute
from numpyvae.errors import say

def run():
    say("2 files are left out:\\nb")
    warnings.warn("old", DeprecationWarning)
    warnings.warn("unknown")

parser = SimpleNamespace(parse_args=lambda _: SimpleNamespace(run=run, prog="p train"))
sys.exit(execute("p", lambda _: parser, None))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "p: 2 files are left out:\\nb\n"
    command = [sys.executable, "-W", "error", "-c", program]
    assert "InputWarning" in subprocess.run(command, capture_output=True, text=True).stderr


def test_what_ctrl_c_left_half_made_says_nothing(monkeypatch, capsys):
    class HalfMade:
        def __init__(self):
            _meet(signal.SIGINT, None)
            self.made = True

        def __del__(self):
            assert self.made

    monkeypatch.setattr(sys, "unraisablehook", _meet_unraised)
    with contextlib.suppress(KeyboardInterrupt):
        HalfMade()
    gc.collect()
    assert sys.unraisablehook is _meet_half_made
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is full")
def test_a_full_disk_behind_the_output_is_said_when_all_is_done(own_folder):
    done = shell(f"{TRAIN} >/dev/full")
    said = "numpyvae train: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, said)
    assert len(load_checkpoint("run").history) == 2
    assert os.path.exists("run/evolution.gif")


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_training_goes_on_when_its_terminal_goes_away(own_folder):
    import pty

    leader, follower = pty.openpty()
    line = f"{TRAIN.replace('$NUMPYVAE', f'{sys.executable} -m numpyvae')} --epochs 30"
    process = subprocess.Popen(  # in a session of its own, where no signal tells it
        line.split(), stdin=subprocess.DEVNULL, stdout=follower, stderr=follower,
        start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    shown = b""
    while b" 3/30 " not in shown:
        shown += os.read(leader, 4096)
    os.close(leader)
    assert process.wait(timeout=100) == 2
    assert len(load_checkpoint("run").history) == 30
    assert os.path.exists("run/evolution.gif")


def test_a_matplotlib_that_cannot_start_is_one_line(own_folder):
    done = shell(TRAIN, MPLBACKEND="nonsense")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Matplotlib cannot start, by MPLBACKEND or its settings: " in done.stderr
    assert not os.path.exists("run")


def test_our_files_are_read_and_written_in_utf_8_wherever_one_is(numpyvae, train):
    train("--epochs 2 --out run")
    elsewhere = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = shell("$NUMPYVAE explore run", **elsewhere)
    assert (done.returncode, done.stderr) == (0, "")
    with open("run/explore.html", "rb") as there:
        page = there.read()
    numpyvae("explore run")
    with open("run/explore.html", "rb") as here:
        assert page == here.read()
