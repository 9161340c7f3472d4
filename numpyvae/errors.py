"""The one exception that stands for a user's mistake."""


class InputError(ValueError):
    """Something the user gave is wrong; the message is one line that says what and what to do.

    Commands print the message and exit with status 2.
    """
