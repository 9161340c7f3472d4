"""Messages fit on a line."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae.errors import LONGEST, InputError, InputWarning, one_line, say


@given(st.text(max_size=50))
def test_a_message_is_one_printable_line(text):
    line = one_line(text)
    assert line.isprintable()
    assert one_line(line) == line
    if text.isprintable():
        assert line == text


def test_nothing_in_a_message_is_obeyed_and_too_much_is_cut():
    assert one_line("a\nb\x1b[2J\udcff\u202e") == r"a\nb\x1b[2J\udcff\u202e"
    assert one_line(LONGEST * "x") == LONGEST * "x"
    long = one_line("begin" + 10**6 * "x" + "end")
    assert long.startswith("begin")
    assert long.endswith("end")
    assert LONGEST < len(long) < LONGEST + 10


def test_input_errors_have_such_messages_and_can_be_sent_to_other_processes():
    error = InputError("cannot read a\nb")
    assert str(error) == r"cannot read a\nb"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_what_is_said_is_a_warning_of_one_line():
    with pytest.warns(InputWarning, match=r"^a\\nb$"):
        say("a\nb")
