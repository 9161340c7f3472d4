"""The page's JavaScript, run by V8 within the tests."""

import json
from pathlib import Path

import pytest
from py_mini_racer import MiniRacer

from numpyvae.explore.page import MATHEMATICS, source

CALLS = Path(__file__).with_name("calls.js")


class Mathematics:
    """The page's mathematics; ``call`` runs a function of calls.js with JSON in and out."""

    def __init__(self, text: str | None = None) -> None:
        self.context = MiniRacer()
        self.context.eval((source(MATHEMATICS) if text is None else text) + CALLS.read_text())

    def call(self, function: str, *arguments: object):
        values = ", ".join(map(json.dumps, arguments))
        return json.loads(self.context.eval(f"JSON.stringify(({function})({values}))"))


@pytest.fixture(scope="session")
def mathematics():
    engine = Mathematics()
    yield engine
    engine.context.close()


@pytest.fixture(scope="session")
def make_mathematics():
    """Mathematics from a source text, to break it."""
    return Mathematics
