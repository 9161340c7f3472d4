"""What programs write into docs/ can be made again, and nothing else of a page is touched."""

import re
from pathlib import Path

import pytest
from generated import filled, parts, put

DOCS = Path(__file__).parent.parent.parent / "docs"
KINDS = ("source", "output", "generated", "mistake", "measured", "scale", "report")
PAGE = """\
before
<!-- source: one two -->
old
<!-- end -->
between
<!-- output: three -->
old
<!-- end -->
after
"""


def test_a_part_is_replaced_and_nothing_else():
    new = filled(PAGE, "output", lambda what: f"new \\1 {what}")
    assert new == PAGE.replace("three -->\nold", "three -->\nnew \\1 three")
    assert filled(new, "output", lambda what: f"new \\1 {what}") == new


def test_parts_are_listed_by_kind():
    assert parts(PAGE, "source") == {"one two": "old\n"}
    assert parts(PAGE, "output") == {"three": "old\n"}
    assert not parts(PAGE, "generated")


def test_parts_that_are_not_given_stay(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(PAGE + PAGE.replace("three", "four"))
    put(path, "output", {"three": "new\n"})
    assert path.read_text() == PAGE.replace("three -->\nold", "three -->\nnew") + PAGE.replace(
        "three", "four"
    )
    with pytest.raises(KeyError, match="five"):
        put(path, "output", {"five": ""})


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_every_part_of_a_page_has_its_two_comments(page):
    text = page.read_text()
    starts = sum(text.count(f"<!-- {kind}: ") for kind in KINDS)
    whole = sum(len(parts(text, kind)) for kind in KINDS)
    assert whole == starts == text.count("<!-- ") - text.count("<!-- end -->")


def test_every_picture_has_a_command_that_makes_it_again():
    """A program of docs/, a command in a page, or the experiment whose report says how."""
    commands = "".join(path.read_text() for path in DOCS.glob("*.py"))
    commands += "".join(re.findall(r"`python -m .*`", (DOCS / "speed.md").read_text()))
    made = [path for path in DOCS.rglob("*") if path.suffix in (".png", ".svg")]
    assert len(made) > 20
    for path in made:
        report = path.parent / "report.md"
        by_experiment = report.exists() and "Made by\n\n    numpyvae " in report.read_text()
        assert by_experiment or path.name in commands, path
