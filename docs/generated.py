"""The parts of the pages that programs write. Each stands between two comments:

    <!-- KIND: WHAT -->
    ...
    <!-- end -->

The kinds are ``source``, written by sync.py, ``output``, by make_pictures.py, ``generated`` and
``mistake``, by mistakes.py, ``measured``, by importance.py, convolution.py, speed_bench.py,
speed_ideas.py and scaling.py, ``scale``, by scale.py, and ``report``, by reports.py. What stands
between the comments is replaced; the rest of a page is left as it is.

Below are what these programs share beside that: how a figure is written, and measuring in a process
of its own.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

DOCS = Path(__file__).resolve().parent
PART = re.compile(r"^<!-- (\w+): ([^\n]*) -->\n(.*?)^<!-- end -->$", re.DOTALL | re.MULTILINE)


def parts(page: str, kind: str) -> dict[str, str]:
    """The texts of all parts of this kind, by what stands behind the colon."""
    return {what: text for found, what, text in PART.findall(page) if found == kind}


def filled(page: str, kind: str, text_of: Callable[[str], str]) -> str:
    """The page with ``text_of(WHAT)`` in every part of this kind."""

    def part(match: re.Match[str]) -> str:
        found, what, _ = match.groups()
        if found != kind:
            return match[0]
        return f"<!-- {kind}: {what} -->\n{text_of(what)}\n<!-- end -->"

    return PART.sub(part, page)


def fill(kind: str, text_of: Callable[[str], str]) -> None:
    """Writes every page of docs/ in which a part of this kind has changed, and prints its path."""
    for path in sorted(DOCS.glob("*.md")):
        page = path.read_text()
        if (new := filled(page, kind, text_of)) != page:
            path.write_text(new)
            print(path)


def put(path: Path, kind: str, texts: Mapping[str, str]) -> None:
    """Writes these parts of a page; its others stay, and it must have all that are given."""
    page = path.read_text()
    new = {what: text.strip() for what, text in parts(page, kind).items()}
    if texts.keys() - new.keys():
        raise KeyError(f"{path} has no parts {texts.keys() - new.keys()}")
    new |= {what: text.strip() for what, text in texts.items()}
    path.write_text(filled(page, kind, new.__getitem__))


def deviating(values: Sequence[float], form: str = ".2f") -> str:
    """Mean ± standard deviation; of one value, the value."""
    text = f"{mean(values):{form}}"
    return f"{text} ± {stdev(values):{form}}" if len(values) > 1 else text


def ranging(values: Sequence[float]) -> str:
    """The median, and between what the values lie."""
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def printed_by(*arguments: str, **environment: str) -> Any:
    """What ``python ARGUMENTS`` prints, read as JSON, with these variables set for it."""
    command, variables = [sys.executable, *arguments], {**os.environ, **environment}
    return json.loads(subprocess.check_output(command, env=variables))


def threads(number: int) -> dict[str, str]:
    """The variables that give a process so many threads for its products."""
    return dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(number))
