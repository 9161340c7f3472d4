"""What a reader relies on in the pages: numbers on paper, folded answers, words to search for."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

from numpyvae import VAE, FullyConnected

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = sorted(DOCS.glob("*.md"))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def matrix(text):
    return np.array([[float(entry) for entry in row.split("&")] for row in text.split(r"\\")])


def value(formula):
    """What a formula of matrices comes to, its products written as in mathematics."""
    found = []

    def name(match):
        found.append(matrix(match[1]))
        return f" found[{len(found) - 1}]"

    code = re.sub(r"\\begin\{pmatrix\}(.*?)\\end\{pmatrix\}", name, formula)
    code = code.replace(r"^\top", ".T").replace(r"\odot", "*")
    code = re.sub(r"(?<=[\]T])\s+(?=found)", " @ ", code)
    code = re.sub(r"(?<=\d)\s+(?=found)", " * ", code)
    return eval(code.strip(), {"found": found})


def test_the_network_of_two_images_is_right_in_every_number():
    section = (DOCS / "backward.md").read_text().split("## Two images, two units, on paper")[1]
    results = []
    for block in re.findall(r"```math\n(.*?)\n```", section, re.DOTALL):
        for equation in block.split(r", \quad"):
            sides = [value(side) for side in equation.split("=") if "pmatrix" in side]
            for side in sides[1:]:
                np.testing.assert_allclose(side, sides[0], atol=1e-12)
            results.append(sides[-1].ravel())

    session = {"np": np, "VAE": VAE, "FullyConnected": FullyConnected}
    setup = re.search(r"```pycon\n(.*?)```", section, re.DOTALL)[1]
    for example in doctest.DocTestParser().get_examples(setup):
        exec(example.source, session)
    vae = session["vae"]
    arrays = dict(vae.backward()) | {"x": vae.input_gradient()} | vae.activation_gradients
    arrays |= {f"{name} forward": vae.activations[name] for name in ("h1", "h2", "h3", "h4", "z")}
    shown = {tuple((result + 0).round(12)) for result in results}
    missing = [name for name, array in arrays.items() if tuple(array.ravel() + 0) not in shown]
    assert not missing


@each_page
def test_folded_answers_are_markdown(page):
    """A blank line on both sides of every tag: else Markdown leaves what is between as it is."""
    text = page.read_text()
    folds = re.findall(
        r"^\n<details>\n<summary>[^\n]+</summary>\n\n.*?\n\n</details>\n$", text, re.DOTALL | re.M
    )
    assert len(folds) == text.count("<details>") == text.count("</details>")


@pytest.mark.parametrize("page", ["model.md", "backward.md", "adam.md"])
def test_there_are_questions_with_folded_answers(page):
    text = (DOCS / page).read_text()
    sections = text.split("\n## ")[1:]
    asked = [section for section in sections if "**Ask yourself.**" in section]
    assert len(asked) >= len(sections) - 2
    for section in asked:
        questions = section.split("**Ask yourself.**")[1]
        assert questions.count("<summary>Answer</summary>") >= 1


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("backpropagation", "backward.md"),
        ("reparameterization trick", "backward.md"),
        ("reparameterization trick", "model.md"),
        ("posterior collapse", "model.md"),
        ("chain rule", "backward.md"),
        ("vanishing gradient", "backward.md"),
    ],
)
def test_who_searches_finds_the_page(words, page):
    """The site's search looks for whole words, so the usual names must stand in the text."""
    assert words in (DOCS / page).read_text().lower()
