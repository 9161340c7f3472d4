"""A learner's file runs in a process of its own: whatever it does, there is one verdict."""

import numpy as np
import pytest

from reference_torch.__main__ import main
from reference_torch.grading import process

RIGHT = "def squared_error_backward(y, x): return 2 * (y - x)\n"


@pytest.fixture
def impatient(monkeypatch):
    """A call may take no more than a second; on a busy machine, others take long, too."""
    monkeypatch.setattr(process, "CALL", 1.0)
    monkeypatch.setattr(process, "GRACE", 1.0)


@pytest.mark.parametrize(
    ("body", "remarks"),
    [
        ("import os; os._exit(0)", ("It ends the whole program (status 0).",)),
        ("import os, signal; os.kill(os.getpid(), 9)", ("It ends the whole program (SIGKILL).",)),
        (
            "import time; time.sleep(99)",
            ("Line 6: import time; time.", "It has not returned after 1 s."),
        ),
        (
            "while True:\n    try: import time; time.sleep(9)\n    except BaseException: pass",
            ("It has not returned after 2 s.",),
        ),
        ("raise KeyboardInterrupt", ("Line 6: raise KeyboardInterrupt", "KeyboardInterrupt")),
        ("raise Mute", ("Line 6: raise Mute", "Mute, whose text cannot be made")),
        ("return relu_backward(grad_y, y)", ("Line 6: return relu_backward(grad_y, y)", "Recurs")),
        ("import sys; sys.stdout = None; return y.z", ("Line 6: import sys; sys.st", "Attribute")),
        ("raise NotImplementedError", ()),
    ],
)
def test_whatever_a_function_does_the_others_are_graded(graded, written, impatient, body, remarks):
    mute = "class Mute(Exception):\n    def __str__(self): 1 / 0\n"
    text = written("relu_backward", body).replace("def relu", f"{mute}def relu") + RIGHT
    verdicts = graded(text)
    state, given = verdicts["relu_backward"]
    assert state == ("wrong" if remarks else "not yet written")
    assert len(given) == len(remarks)
    for start, remark in zip(remarks, given, strict=True):
        assert remark.startswith(start)
    assert verdicts["squared_error_backward"] == ("right", ())


def test_a_message_is_cut_and_nothing_in_it_is_obeyed(call, written, tmp_path):
    body = r'raise ValueError("\x1b[31m\n" + 100_000 * "x" + "\0\r")'
    (tmp_path / "mine.py").write_text(written("relu_backward", body))
    status, shown, complaint = call(main, f"grade {tmp_path / 'mine.py'}")
    assert (status, complaint) == (1, "")
    assert r"ValueError: \x1b[31m\nxxx" in shown
    assert r"xxx\x00\r" in shown
    assert len(shown) < 3000
    assert not set(shown) & set("\x1b\0\r")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import os; os._exit(0)", "mine.py cannot be run. It ends the whole program (status 0)."),
        ("import time; time.sleep(99)", "mine.py cannot be run. It has not returned after 1 s."),
        ("raise KeyboardInterrupt", "cannot be run. Line 1: raise KeyboardInterrupt Keyboard"),
    ],
)
def test_a_file_that_ends_the_process_is_one_line(
    own_folder, assert_mistake, monkeypatch, text, message
):
    if "sleep" in text:
        monkeypatch.setattr(process, "LOAD", 1.0)
    (own_folder / "mine.py").write_text(text)
    assert_mistake(main, "grade mine.py", message)


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + RIGHT.encode(),
        b"# -*- coding: latin-1 -*-\n# \xe9\n" + RIGHT.encode(),
        b"from __future__ import annotations\nfrom dataclasses import dataclass\n"
        b"@dataclass\nclass Layer:\n    size: int = 1\n" + RIGHT.encode(),
        b"from beside import squared_error_backward\n",
        b"import sys\nassert sys.argv[0].endswith('mine.py')\n" + RIGHT.encode(),
    ],
)
def test_a_file_that_python_runs_is_graded(call, tmp_path, text):
    (tmp_path / "mine.py").write_bytes(text)
    (tmp_path / "beside.py").write_text(RIGHT)
    _, shown, complaint = call(main, f"grade {tmp_path / 'mine.py'}")
    assert complaint == ""
    assert "squared_error_backward            right" in shown


def test_what_a_file_changes_stays_in_its_process(graded):
    exp = np.exp
    assert graded("import numpy as np\nnp.exp = None\n" + RIGHT)["squared_error_backward"] == (
        "right",
        (),
    )
    assert np.exp is exp
