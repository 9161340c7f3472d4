"""Makes what the page of `numpyvae explore` takes from the book, and the book's own such page.

    python docs/make_explore.py
    python docs/make_explore.py --train

The first writes numpyvae/explore/book.json (the numbered equations, the whole network on paper with
its steps, and the mistakes that still train, all as the book has them), and docs/network.html anew.
The second first trains the network in it, with two latent units on the embedded digits (a minute),
and writes numpyvae/explore/network.json.
"""

import difflib
import doctest
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from numpyvae import VAE, FullyConnected, load_checkpoint
from numpyvae.commands.main import main as numpyvae
from numpyvae.explore.page import BOOK, NETWORK, book_page, of_run
from numpyvae.functional import Array
from reference_torch.proof.deliberate_errors import ERRORS, DeliberateError

DOCS = Path(__file__).parent
PAGE = DOCS / "network.html"
SETTINGS = (
    "--hidden 64 32 --z-dim 2 --beta 0.1 --epochs 150 --batch-size 32 --lr 0.004 "
    "--lr-schedule cosine"
)
EQUATION = re.compile(r"```math\n([^`]*?) *\\tag\{(\w+)\}\n```")
ON_PAPER = re.compile(r"^## One image, one unit, on paper\n(.*?)^## ", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"\$([^$]+)\$|`([^`]+)`|([^$`]+)")


def main() -> None:
    from math_core import LatexToMathML

    found = book()
    convert = LatexToMathML().convert_with_local_state
    found["mathml"] = {formula: convert(formula, displaystyle=True) for formula in formulas(found)}
    BOOK.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    if sys.argv[1:] == ["--train"]:
        with tempfile.TemporaryDirectory() as folder:
            if status := numpyvae(f"train {SETTINGS} --out {folder}/run".split()):
                raise SystemExit(status)
            NETWORK.write_text(json.dumps(of_run(load_checkpoint(f"{folder}/run"))) + "\n")
    PAGE.write_text(book_page())


def book() -> dict[str, Any]:
    """What the page takes from the book; formulas are LaTeX."""
    pages = {page: page.read_text() for page in sorted(DOCS.glob("*.md"))}
    equations = {
        tag: {"formula": formula, "page": page.stem}
        for page, text in pages.items()
        for formula, tag in EQUATION.findall(text)
    }
    [section] = ON_PAPER.findall(pages[DOCS / "backward.md"])
    return {
        "equations": equations,
        "paper": network_on_paper(section),
        "mistakes": [mistake(error) for error in ERRORS],
    }


def formulas(found: dict[str, Any]) -> list[str]:
    """All formulas, each once."""
    steps = [part for step in found["paper"]["steps"] for part in step]
    inline = [text for kind, text in steps if kind == "formula"]
    return list(dict.fromkeys([e["formula"] for e in found["equations"].values()] + inline))


def network_on_paper(section: str) -> dict[str, Any]:
    """The numbers of the smallest network, from the section's example, and its steps in words."""
    names: dict[str, Any] = {"np": np, "VAE": VAE, "FullyConnected": FullyConnected}
    for example in doctest.DocTestParser().get_examples(section):
        if example.source.startswith(("vae =", "chosen =", "for layer,", "    ", "x, eps =")):
            exec(example.source, names)
    vae: VAE = names["vae"]
    x: Array = names["x"]
    steps = re.findall(r"^\d+\. (.*)$", section, re.MULTILINE)
    return {
        "parameters": vae.parameters.flat.tolist(),
        "x": x.item(),
        "eps": names["eps"].item(),
        "steps": [list(map(part, INLINE.findall(step))) for step in steps],
    }


def part(match: tuple[str, str, str]) -> tuple[str, str]:
    kind = next(i for i, text in enumerate(match) if text)
    return ("formula", "code", "text")[kind], match[kind]


def mistake(error: DeliberateError) -> dict[str, Any]:
    """A deliberate error and its lines: wrong ones begin with -, right ones with +."""
    lines = []
    for function, (right, wrong) in error.sources().items():
        compared = difflib.ndiff(wrong.splitlines(), right.splitlines())
        lines.append(f"  {function.__qualname__}")
        lines += [f"{line[0]} {line[2:].strip()}" for line in compared if line[0] in "-+"]
    return {
        "name": error.name,
        "explanation": error.explanation,
        "reconstruction": error.reconstruction,
        "public": error.public,
        "lines": lines,
    }


if __name__ == "__main__":
    main()
