"""How Sphinx builds the book: `sphinx-build -W docs OUT`, without a network.

The pages are plain Markdown that also reads well where the repository is shown. Four things are
added here: formulas become MathML, which every browser draws by itself; the list of pages in
index.md becomes the navigation; every mention of an equation, such as (B7), becomes a link; and
every picture gets a dark twin for dark pages.
"""

import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from docutils import nodes
from math_core import LatexToMathML
from PIL import Image
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from dark import darkened  # noqa: E402

project = "numpyvae"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
nb_execution_mode = "off"  # docs/run_tour.py executes it
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]  # ```math, as GitHub and GitLab understand it
myst_heading_anchors = 3

html_theme = "furo"
html_title = "numpyvae"
html_copy_source = False
html_show_copyright = False
html_math_renderer = "mathml"
html_extra_path = ["network.html"]
html_static_path = ["static", str(files("ziamath") / "fonts/STIXTwoMath-Regular.ttf")]
html_css_files = ["book.css"]

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
nitpick_ignore_regex = [("py:.*", ".*")]  # NumPy's, PyTorch's and Python's types have no page here
napoleon_numpy_docstring = False

TAG = re.compile(r"\\tag\{(\w+)\}")
PAGE_OF = {tag: page.stem for page in HERE.glob("*.md") for tag in TAG.findall(page.read_text())}
ARRAY = re.compile(r"~?numpy\.ndarray\[tuple\[.*?\], ~?numpy\.dtype\[.*?\]\]")
DTYPE = re.compile(r"dtype: [^=()]*")
PNG = re.compile(r'<img ([^>]*src="[^"]*_images/[^"]*)\.png"([^>]*)>')
LIVE = re.compile(r"\[([^]]*)\]\((network\.html[^)]*)\)")
MENTION = re.compile(r"\(([A-Z]\d+)\)")

to_mathml = LatexToMathML()


def inline_formula(translator: HTML5Translator, node: nodes.math) -> None:
    formula = to_mathml.convert_with_local_state(node.astext(), displaystyle=False)
    translator.body.append(formula)
    raise nodes.SkipNode


def block_formula(translator: HTML5Translator, node: nodes.math_block) -> None:
    latex = node.astext()
    formula = to_mathml.convert_with_local_state(TAG.sub("", latex), displaystyle=True)
    tag = TAG.search(latex)
    name = f' id="{tag[1]}"' if tag else ""
    number = f'<span class="number">({tag[1]})</span>' if tag else ""
    translator.body.append(f'<div class="formula"{name}><div>{formula}</div>{number}</div>\n')
    raise nodes.SkipNode


def list_pages(_app: Sphinx, page: str, source: list[str]) -> None:
    """What index.md and experiments.md list, in their order, is the navigation."""
    listed = {
        "index": r"\]\(((?:notebooks/)?\w+)\.(?:md|ipynb)\)",
        "experiments": r"\]\((experiments/[\w/-]+)\.md\)",
    }
    if page in listed:
        pages = dict.fromkeys(re.findall(listed[page], source[0]))
        source[0] += "\n\n```{toctree}\n:hidden:\n" + "\n".join(pages) + "\n```\n"


def link_live_page(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Links to network.html lead there; MyST would make downloads of them."""
    source[0] = LIVE.sub(r'<a href="\2">\1</a>', source[0])


def link_equations(app: Sphinx, doctree: nodes.document, page: str) -> None:
    skipped = (nodes.FixedTextElement, nodes.literal, nodes.math, nodes.reference, nodes.title)
    for text in list(doctree.findall(nodes.Text)):
        if isinstance(text.parent, skipped):
            continue
        new: list[nodes.Node] = []
        end = 0
        for mention in MENTION.finditer(text):
            if mention[1] in PAGE_OF:
                target = app.builder.get_relative_uri(page, PAGE_OF[mention[1]])
                uri = f"{target}#{mention[1]}"
                new.append(nodes.Text(text[end : mention.start()]))
                new.append(nodes.reference("", mention[0], internal=True, refuri=uri))
                end = mention.end()
        if new:
            text.parent.replace(text, [*new, nodes.Text(text[end:])])


def show_dark_twins(
    _app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    twins = r'<img class="only-light" \1.png"\2><img class="only-dark" \1-dark.png"\2>'
    context["body"] = PNG.sub(twins, context.get("body", ""))


def make_dark_twins(app: Sphinx, error: Exception | None) -> None:
    pictures = [] if error else sorted((Path(app.outdir) / "_images").glob("*.png"))
    for path in pictures:
        if not path.stem.endswith("-dark"):
            darkened(Image.open(path)).save(path.with_stem(f"{path.stem}-dark"), optimize=True)


def short_types(*arguments: Any) -> tuple[str | None, str | None]:
    """NumPy's types have the same short names in signatures as in the source."""
    signature, returns = (text and ARRAY.sub("Array", text) for text in arguments[-2:])
    return signature and DTYPE.sub("dtype: DTypeLike ", signature), returns


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (inline_formula, None), (block_formula, None))
    app.connect("source-read", list_pages)
    app.connect("source-read", link_live_page)
    app.connect("autodoc-process-signature", short_types)
    app.connect("doctree-resolved", link_equations)
    app.connect("html-page-context", show_dark_twins)
    app.connect("build-finished", make_dark_twins)
    return {"parallel_read_safe": True}
