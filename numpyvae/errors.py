"""The ways in which a run can end early, and what is said about input, each in one line."""

LONGEST = 1000  # characters of a message


def one_line(text: object) -> str:
    """``text`` as a line for a terminal: nothing in it is obeyed, and too much of it is cut.

    Messages quote names and contents of files, which may hold newlines and control sequences.
    """
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"
    return line


class InputError(ValueError):
    """Something the user gave is wrong; the message is one line that says what and what to do.

    Commands print the message and exit with status 2.
    """

    def __init__(self, message: object) -> None:
        super().__init__(one_line(message))


class InputWarning(UserWarning):
    """Something the user gave was left out, guessed or changed; the message is one line.

    Commands print the message and go on; from Python it is a warning like others.
    """


def say(message: object) -> None:
    """Warns with an ``InputWarning``, so that nothing is left out in silence."""
    import warnings

    warnings.warn(InputWarning(one_line(message)), stacklevel=2)


class LossNotFiniteError(ArithmeticError):
    """The loss, or what training moves, became infinite or not a number, so training stopped."""


class ProcessLostError(RuntimeError):
    """A training on several processes stopped because one of them has ended or is silent."""
