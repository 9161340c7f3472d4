"""The page's JavaScript, run by V8 within the tests, and the page itself in Chromium."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from py_mini_racer import MiniRacer

from numpyvae import Config, Dataset, Run, load_dataset
from numpyvae.explore.page import MATHEMATICS, page, source

CALLS = Path(__file__).with_name("calls.js")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


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


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="session")
def make_run():
    """An untrained run on the digits, its latent clouds apart from each other as after training."""

    def make(**settings) -> Run:
        config = Config(**{"hidden": (12, 12), "z_dim": 2, "batch_size": 32, **settings})
        run = Run.start(config, (28, 28))
        run.vae.parameters["mean.weight"] *= np.float32(10)
        run.vae.parameters["log_var.bias"] -= 1
        return run

    return make


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def wait():
    """Waits until a condition in JavaScript is true; the page's policy forbids Playwright's way."""

    def wait(opened, condition: str) -> None:
        for _ in range(400):
            if opened.evaluate(condition):
                return
            opened.wait_for_timeout(50)
        raise TimeoutError(f"{condition}: {opened.errors}")

    return wait


@pytest.fixture(scope="session")
def open_page(browser, tmp_path_factory, digits, wait):
    """Opens the page of a run from disk and waits until it lives. An error on the page fails."""

    def open_page(run: Run, data: Dataset = digits, width: int = 1200, **options):
        path = tmp_path_factory.mktemp("page") / "explore.html"
        path.write_text(page(run, data))
        opened = browser.new_page(viewport={"width": width, "height": 900}, **options)
        opened.set_default_timeout(20_000)
        opened.errors, opened.asked = [], []
        opened.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.on("console", lambda message: opened.errors.append(message.text))
        opened.on("dialog", lambda dialog: opened.errors.append(dialog.message))
        opened.on("request", lambda request: opened.asked.append(request.url))
        opened.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            wait(opened, "document.documentElement.dataset.ready === 'yes'")
        return opened

    return open_page
