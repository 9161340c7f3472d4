"""How a command ends."""

import pytest

from numpyvae import InputError, LossNotFiniteError
from numpyvae.commands.arguments import Parser, execute


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (None, 0, ""),
        (InputError("the file is bad"), 2, "p: the file is bad\n"),
        (PermissionError(13, "Permission denied"), 2, "p: [Errno 13] Permission denied\n"),
        (MemoryError(), 2, "p: not enough memory for models or images this large\n"),
        (LossNotFiniteError("the loss is nan"), 1, "p: the loss is nan\n"),
        (KeyboardInterrupt(), 130, "p: interrupted\n"),
        (KeyboardInterrupt("go on so"), 130, "p: go on so\n"),
    ],
    ids=repr,
)
def test_every_end_has_its_status_and_one_line(capsys, error, status, message):
    def run():
        if error is not None:
            raise error

    parser = Parser()
    parser.set_defaults(run=run, prog="p")
    assert execute(parser, []) == status
    assert capsys.readouterr() == ("", message)


def test_other_errors_are_bugs_and_not_hidden():
    parser = Parser()
    parser.set_defaults(run=lambda: 1 / 0, prog="p")
    with pytest.raises(ZeroDivisionError):
        execute(parser, [])
