"""The two ways in which a run can end early."""


class InputError(ValueError):
    """Something the user gave is wrong; the message is one line that says what and what to do.

    Commands print the message and exit with status 2.
    """


class LossNotFiniteError(ArithmeticError):
    """The loss became infinite or not a number, so training stopped."""
