"""The book: its code is the source, its examples run, its commands exist."""

import contextlib
import doctest
import io
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
import sync
from generated import filled

from numpyvae.commands import execute
from numpyvae.commands.parser import Parser
from reference_torch import __main__ as reference_torch

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")])
CODE = sorted([*ROOT.glob("numpyvae/**/*.py"), *ROOT.glob("reference_torch/**/*.py")])
LETTER = {
    "model.md": "M",
    "backward.md": "B",
    "adam.md": "A",
    "importance.md": "I",
    "convolution.md": "C",
}  # of a page's equations
MENTION = re.compile(r"\(([A-Z]\d+)\)")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page, *languages):
    """(language, text, line number) of the page's code blocks, copies of the source left out."""
    text = page.read_text()
    for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        before = text[: match.start()]
        copied = re.search(r"<!-- (source|output): [^\n]* -->\n\Z", before)
        if match[1] in languages and not copied:
            yield match[1], match[2], before.count("\n") + 1


def tags(page):
    return re.findall(r"\\tag\{(\w+)\}", page.read_text())


ALL_TAGS = {tag: page.name for page in PAGES for tag in tags(page)}


# Code and examples


@each_page
def test_code_is_copied_from_the_source(page):
    text = page.read_text()
    assert filled(text, "source", sync.block) == text, "run: python docs/sync.py"


@each_page
def test_examples_run(page, tmp_path, monkeypatch):
    """In order, as one session. Blocks of prompts must print what the page shows."""
    monkeypatch.chdir(tmp_path)
    namespace = {}
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for language, text, line in blocks(page, "python", "pycon"):
        if language == "python":
            exec(compile("\n" * line + text, page, "exec"), namespace)
        else:
            example = parser.get_doctest(text, namespace, page.name, str(page), line)
            report = io.StringIO()
            runner.run(example, out=report.write, clear_globs=False)
            assert not runner.failures, report.getvalue()
            namespace = example.globs


@each_page
def test_commands_are_understood(page, monkeypatch):
    parse = Parser.parse_args

    def parse_only(parser, given):
        parsed = parse(parser, given)
        parsed.run = lambda **_: 0
        return parsed

    monkeypatch.setattr(Parser, "parse_args", parse_only)
    for turn in ("_begin_process", "_end_process"):  # this process goes on
        monkeypatch.setattr(execute, turn, lambda *_: None)
    lines = [line for _, text, _ in blocks(page, "sh") for line in text.splitlines()]
    in_console = [line for _, text, _ in blocks(page, "console") for line in text.splitlines()]
    lines += [line[2:] for line in in_console if line[:2] == "$ "]
    commands = [part for line in lines for part in line.split(" && ")]
    commands += re.findall(r"<!-- output: (.+) -->", page.read_text())
    commands += re.findall(r"`((?:numpyvae|python -m reference_torch) [^`\n]+)`", page.read_text())
    for command in commands:
        program, *given = shlex.split(command, comments=True)
        program = Path(program).name.replace("python3", "python")
        if program == "python" and given[0] == "-m":
            program, *given = given[1:]
        elif program == "torchrun":
            program, *given = given[given.index("-m") + 1 :]
        if program in ("numpyvae", "reference_torch"):
            monkeypatch.setattr(sys, "argv", [program, *given])
            monkeypatch.delitem(sys.modules, f"{program}.__main__", raising=False)
            with pytest.raises(SystemExit) as stop, contextlib.redirect_stdout(io.StringIO()):
                runpy.run_module(program, run_name="__main__")
            assert stop.value.code in (0, None), command
        elif program == "pip":
            extras = re.findall(r"\w+", "".join(re.findall(r"\[.*?\]", command)))
            known = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
            assert set(extras) <= set(known), command
        elif program == "python":
            assert (ROOT / given[0]).exists(), command
        else:
            others = "sphinx-build", "git", "cd", "pytest", "venv", "ruff", "mypy", "dask"
            assert program in others, command


def test_the_measured_table_has_a_line_for_every_gradient(call):
    table = re.search(
        r"gradcheck -->\n```text\n(.*?)```", (ROOT / "docs/proof.md").read_text(), re.S
    )
    _, printed, _ = call(reference_torch.main, "gradcheck --image-size 2 3 --hidden 5 4 --z-dim 2")

    def names(text):
        return [line.split("  ")[0] for line in text.splitlines()[2:]]

    assert names(table[1]) == names(printed)
    assert "WRONG" not in table[1]


# Equations


def test_equations_are_numbered_in_order():
    found = {page.name: tags(page) for page in PAGES if tags(page)}
    expected = {
        name: [f"{LETTER[name]}{n}" for n in range(1, len(numbers) + 1)]
        for name, numbers in found.items()
    }
    assert found == expected


@pytest.mark.parametrize(
    "path", [*PAGES, *CODE, *ROOT.glob("docs/**/*.py")], ids=lambda path: path.name
)
def test_every_mention_of_an_equation_points_to_one(path):
    assert not set(MENTION.findall(path.read_text())) - ALL_TAGS.keys()


def test_every_numbered_equation_is_a_line_of_code_that_names_it():
    cited = {number for path in CODE for number in MENTION.findall(path.read_text())}
    assert not ALL_TAGS.keys() - cited


# Markdown


@each_page
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)(#[^)]*)?\)", text):
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor and file.suffix == ".html":
            assert f'id="{anchor[1:]}"' in file.read_text()
        elif anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
            assert anchor[1:] in slugs, anchor


@each_page
def test_formulas_survive_plain_markdown(page):
    """Where the repository is shown, Markdown takes a backslash before punctuation as its own."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    assert not re.findall(r"\$[^$\n]*\\[^\w\s$][^$\n]*\$", text)
