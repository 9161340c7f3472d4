"""Copies code from the source into the pages, so that what they show is what runs.

    python docs/sync.py

A page says what it wants in the comment before the part (see generated.py):

    <!-- source: numpyvae/functional.py linear -->         a function, without its docstring
    <!-- source: numpyvae/model.py VAE.backward -->        a method
    <!-- source: numpyvae/model.py VAE.backward | TEXT --> only its paragraph that contains TEXT

A paragraph is what stands between two blank lines.
"""

import ast
import textwrap

from generated import DOCS, fill


def main() -> None:
    fill("source", block)


def block(wanted: str) -> str:
    """The code block for what stands in a comment."""
    function, _, text = wanted.partition(" | ")
    path, name = function.split()
    return f"```python\n{code(path, name, text)}\n```"


def code(path: str, name: str, text: str = "") -> str:
    """A function of a file, or its one paragraph that contains ``text``.

    Raises:
        ValueError: there is no such function, or not exactly one such paragraph.
    """
    source = (DOCS.parent / path).read_text()
    node: ast.AST = ast.parse(source)
    for part in name.split("."):
        children = ast.iter_child_nodes(node)
        found = [child for child in children if getattr(child, "name", None) == part]
        if not found:
            raise ValueError(f"{path} has no {name}")
        node = found[0]
    assert isinstance(node, ast.FunctionDef)
    lines = source.splitlines()
    if ast.get_docstring(node) is None:
        kept = lines[node.lineno - 1 : node.end_lineno]
    else:
        docstring = node.body[0]
        kept = lines[node.lineno - 1 : docstring.lineno - 1]
        kept += lines[docstring.end_lineno : node.end_lineno]
    shown = textwrap.dedent("\n".join(kept))
    if not text:
        return shown
    paragraphs = [p for p in shown.split("\n\n") if text in p]
    if len(paragraphs) != 1:
        raise ValueError(f"{len(paragraphs)} paragraphs of {name} contain {text!r}")
    return textwrap.dedent(paragraphs[0])


if __name__ == "__main__":
    main()
