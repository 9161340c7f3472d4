"""Copies code from the source into the pages, so that what they show is what runs.

    python docs/sync.py

A page says what it wants in the comment before the part (see generated.py):

    <!-- source: numpyvae/functional.py linear -->     a function, without its docstring
    <!-- source: numpyvae/network.py Network.astype --> a method
    <!-- source: numpyvae/model.py | TEXT -->           the file's one paragraph of code with TEXT

A paragraph is what stands between two blank lines.
"""

import ast
import textwrap

from generated import DOCS, fill


def main() -> None:
    fill("source", block)


def block(wanted: str) -> str:
    """The code block for what stands in a comment."""
    place, _, text = wanted.partition("| ")
    path, *name = place.split()
    return f"```python\n{paragraph(path, text) if text else code(path, *name)}\n```"


def code(path: str, name: str) -> str:
    """A function of a file, without its docstring.

    Raises:
        ValueError: there is no such function.
    """
    source = (DOCS.parent / path).read_text()
    node: ast.AST = ast.parse(source)
    for part in name.split("."):
        children = ast.iter_child_nodes(node)
        found = [child for child in children if getattr(child, "name", None) == part]
        if not found:
            raise ValueError(f"{path} has no {name}")
        node = found[0]
    return without_docstring(source, node)


def paragraph(path: str, text: str) -> str:
    """The one paragraph of a file's functions that contains ``text``.

    Raises:
        ValueError: there is not exactly one.
    """
    source = (DOCS.parent / path).read_text()
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
    paragraphs = [p for n in functions for p in without_docstring(source, n).split("\n\n")]
    found = {textwrap.dedent(p).strip("\n") for p in paragraphs if text in p}
    if len(found) != 1:
        raise ValueError(f"{len(found)} paragraphs of {path} contain {text!r}")
    return found.pop()


def without_docstring(source: str, node: ast.AST) -> str:
    assert isinstance(node, ast.FunctionDef)
    lines = source.splitlines()
    kept = lines[node.lineno - 1 : node.end_lineno]
    if ast.get_docstring(node) is not None:
        docstring = node.body[0]
        kept = lines[node.lineno - 1 : docstring.lineno - 1]
        kept += lines[docstring.end_lineno : node.end_lineno]
    return textwrap.dedent("\n".join(kept))


if __name__ == "__main__":
    main()
