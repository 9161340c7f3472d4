"""The parts of the pages that programs write. Each stands between two comments:

    <!-- KIND: WHAT -->
    ...
    <!-- end -->

The kinds are ``source``, written by sync.py, ``output``, by make_pictures.py, ``generated`` and
``mistake``, by mistakes.py, ``measured``, by importance.py, speed_bench.py, speed_ideas.py and
scaling.py, ``scale``, by scale.py, and ``report``, by reports.py. What stands between the comments
is replaced; the rest of a page is left as it is.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

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
