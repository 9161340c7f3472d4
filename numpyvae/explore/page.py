"""The page: a template filled with code of ours and data of the run.

Whatever comes from a run (weights, images, labels, the data set's name) is data: JSON in an element
that no browser executes, with every ``<`` escaped, and the page's policy allows no script but the
one whose hash it names, and no connection to anywhere.
"""

import ast
import base64
import hashlib
import html
import inspect
import json
import textwrap
import zlib
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..data.loading import load_dataset
from ..data.pixels import has_colour
from ..errors import InputError
from ..functional import Array
from ..model import VAE
from ..network import FullyConnected
from ..reconstruction import RECONSTRUCTIONS
from ..training.run import Run

HERE = Path(__file__).parent
BOOK = HERE / "book.json"
NETWORK = HERE / "network.json"  # the small network of the book: ``of_run``
ON_PAGE = ("mse", "bce")  # the reconstruction losses of model.js
MATHEMATICS = (
    "arrays",
    "functional",
    "model",
    "optim",
    "chance",
    "mistakes",
    "steps",
    "estimators",
)
DRAWING = ("elements", "heat", "plot", "plane", "graph", "drawing")
SECTIONS = ("data", "paper", "look", "step", "nudge", "train", "mistake", "main")
BACKWARD = (
    VAE.backward,
    VAE._reconstruction_backward,
    FullyConnected.decoder_backward,
    FullyConnected.encoder_backward,
    VAE.input_gradient,
)
SETTINGS = ("beta", "beta_warmup", "lr", "weight_decay", "batch_size", "noise", "binarize")
PIXELS = (1500 * 784, 300 * 784)  # of training and test images, at most


def page(run: Run, data: Dataset) -> str:
    """The page of a run with images of the size that the run is for, as HTML."""
    return fill(run_data(run, data))


def book_page(dataset: str = "digits", data_dir: str | None = None) -> str:
    """The page of the small network of the book, trained on the digits, as HTML."""
    known = json.loads(NETWORK.read_text("utf-8"))
    return fill(known | of_data(load_dataset(dataset, data_dir, tuple(known["image_shape"]))))


def run_data(run: Run, data: Dataset) -> dict[str, Any]:
    """What the page knows of a run and its data.

    Raises:
        InputError: the page cannot show such a model.
    """
    return of_run(run) | of_data(data)


def of_run(run: Run) -> dict[str, Any]:
    config = run.config
    if config.reconstruction not in ON_PAGE or not isinstance(run.vae.network, FullyConnected):
        raise InputError(
            f"the page shows fully connected networks with {' or '.join(ON_PAGE)}, not {run.vae}"
        )
    if has_colour(run.image_shape):
        raise InputError("the page shows models of grey images, and this one is for colour")
    return {
        "dataset": Path(config.dataset).name,
        "sizes": run.vae.network.sizes,
        "image_shape": run.image_shape,
        "reconstruction": config.reconstruction,
        "settings": {name: getattr(config, name) for name in SETTINGS},
        "samples": config.importance_samples,
        "epochs": len(run.history),
        "loss": run.history[-1]["val_loss"] if run.history else None,
        "weights": packed(run.vae.parameters.flat),
    }


def of_data(data: Dataset) -> dict[str, Any]:
    n_train, n_test = (max(1, most // prod(data.image_shape)) for most in PIXELS)
    labels = data.test_labels
    return {
        "images": Path(data.name).name,
        "train_images": packed(bytes_of(data.train_images[:n_train])),
        "test_images": packed(bytes_of(data.test_images[:n_test])),
        "test_labels": None if labels is None else labels[:n_test].tolist(),
        "label_names": data.label_names,
    }


def fill(run: dict[str, Any]) -> str:
    """The template with everything in it; ``run`` is what ``run_data`` returns."""
    book = json.loads(BOOK.read_text("utf-8"))
    formula = book["mathml"].__getitem__
    script = '"use strict";\n' + source(MATHEMATICS + DRAWING + SECTIONS)
    known = {
        "run": run,
        "code": [code_of(function) for function in BACKWARD],
        "paper": {name: book["paper"][name] for name in ("parameters", "x", "eps")},
        "mistakes": book["mistakes"],
    }
    steps = "\n".join(
        f"<li><details><summary>Answer</summary>{spelled(step, formula)}</details></li>"
        for step in book["paper"]["steps"]
    )
    equations = "\n".join(
        f'<template id="{tag}">{formula(equation["formula"])}</template>'
        for tag, equation in book["equations"].items()
    )
    parts = {
        "dataset": html.escape(run["dataset"]),
        "about": html.escape(about(run)),
        "hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "style": (HERE / "page.css").read_text("utf-8"),
        "paper steps": steps,
        "equations": equations,
        "data": json.dumps(known, separators=(",", ":")).replace("<", "\\u003c"),
        "script": script,
    }
    text = (HERE / "page.html").read_text("utf-8")
    pieces = text.split("@@")
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def about(run: dict[str, Any]) -> str:
    """The run in a sentence."""
    loss = f"the {RECONSTRUCTIONS[run['reconstruction']].title}"
    text = f"{'-'.join(map(str, run['sizes']))} and back, {loss}, beta {run['settings']['beta']:g}"
    if warmup := run["settings"]["beta_warmup"]:
        text += f" (rising from 0 in the first {warmup} epochs)"
    if run["epochs"]:
        text += f", {run['epochs']} epochs, validation loss {run['loss']:.2f} per image"
    if run["samples"] > 1:
        text += f"; trained with {run['samples']} samples per image, shown with the loss of one"
    if run.get("images", run["dataset"]) != run["dataset"]:
        text += f"; the images are others, of {run['images']}"
    return text + "."


def source(names: tuple[str, ...]) -> str:
    """The page's JavaScript files of these names, one after the other."""
    return "\n".join((HERE / "js" / f"{name}.js").read_text("utf-8") for name in names)


def code_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The source of a function without its docstring, and its statements: first and last line."""
    text = textwrap.dedent(inspect.getsource(function))
    [tree] = ast.parse(text).body
    assert isinstance(tree, ast.FunctionDef)
    docstring = tree.body[0]
    first, last = docstring.lineno - 1, docstring.end_lineno or 0
    lines = text.splitlines()
    kept = lines[:first] + lines[last:]
    ranges = {
        (node.lineno - 1, (node.end_lineno or 0) - 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.Return)
    }
    moved = [[a - (last - first), b - (last - first)] for a, b in sorted(ranges) if a >= last]
    return {"lines": kept, "statements": moved}


def packed(array: Array) -> str:
    """An array's bytes as base64 text: of all numbers the first byte, then the second, deflated."""
    planes = np.frombuffer(array.tobytes(), np.uint8).reshape(-1, array.itemsize).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()


def bytes_of(images: Array) -> Array:
    """Images as 256 levels of grey."""
    return images if images.dtype == np.uint8 else np.rint(as_floats(images) * 255).astype(np.uint8)


def spelled(step: list[tuple[str, str]], formula: Callable[[str], str]) -> str:
    """A step of the network on paper as HTML."""
    kinds: dict[str, Callable[[str], str]] = {
        "formula": lambda latex: formula(latex).replace(' display="block"', ""),
        "code": lambda text: f"<code>{html.escape(text)}</code>",
        "text": html.escape,
    }
    return "".join(kinds[kind](text) for kind, text in step)
