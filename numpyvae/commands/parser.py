"""The parser of a command line. It loads the command that is given: help needs no NumPy."""

import argparse
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from ..errors import one_line


class Paragraphs(argparse.HelpFormatter):
    """Fills every paragraph of a description by itself."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(fill(part, width, indent) for part in text.split("\n\n"))


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line, and whose flags have no short forms.

    Args:
        place: of the command that this parser is for: ``"module"`` or ``"module:object"``, with
            ``DESCRIPTION``, ``add_arguments`` and ``run``. It is imported when it is asked for.
        options: as of ``argparse.ArgumentParser``.
    """

    def __init__(self, place: str | None = None, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=Paragraphs, **options)
        self.place = place

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Complains about unknown flags itself, where its subcommand knows them best."""
        if self.place:
            module, _, name = self.place.partition(":")
            command: Any = import_module(module)
            command, self.place = getattr(command, name) if name else command, None
            self.description = command.DESCRIPTION
            self.set_defaults(run=command.run, prog=self.prog)
            command.add_arguments(self)
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            flag = unknown[0].partition("=")[0].replace("_", "-")
            close = did_you_mean(flag, self._option_string_actions)
            self.error(f"unknown argument {unknown[0]}{close}")
        from ..data.files import user_path  # help has ended before

        for name, value in vars(namespace).items():
            if isinstance(value, Path):
                setattr(namespace, name, user_path(value))
        return namespace, []

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        known = list(action.choices or [value])
        if value not in known and (close := did_you_mean(str(value), map(str, known))):
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}{close}")
        super()._check_value(action, value)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {one_line(message)}; see {self.prog} --help\n")


def did_you_mean(text: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(text, list(known), 1)
    return f" (did you mean {close[0]}?)" if close else ""


def add_commands(parser: Parser, commands: Mapping[str, tuple[str, str]]) -> None:
    """Each command has a place, as ``Parser`` takes it, and a line of help."""
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (place, help) in commands.items():
        subparsers.add_parser(name, place=place, help=help)
