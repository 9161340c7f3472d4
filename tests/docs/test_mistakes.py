"""The page of mistakes is in step with the deliberate errors, and its numbers are measured."""

import re

import mistakes
import numpy as np
from generated import parts

from reference_torch.proof.deliberate_errors import ERRORS

PAGE = (mistakes.DOCS / "mistakes.md").read_text()
PARTS = parts(PAGE, "generated")


def test_the_page_shows_every_error_as_it_is_now():
    """If this fails: python docs/mistakes.py --text"""
    for what, text in parts(PAGE, "mistake").items():
        assert text == mistakes.text_of(what) + "\n"
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", PAGE, re.MULTILINE)
    assert rows == [(str(n), error.name) for n, error in enumerate(ERRORS, 1)]


def test_every_error_of_the_page_is_caught():
    rows = PARTS["table"].splitlines()[2:]
    assert len(rows) == len(ERRORS)
    assert all(re.search(r"\| `.+` [\d.]+\s% \| \w[\w, ]+ \|$", row) for row in rows)


def test_exhibits_are_errors_with_a_picture():
    names = [error.name for error in ERRORS]
    for name, picture in mistakes.EXHIBITS.items():
        assert name in names
        assert (mistakes.PICTURES / picture).exists()


def test_the_page_has_a_place_for_every_part():
    assert PARTS.keys() == {"settings", "summary", "table", *mistakes.EXHIBITS.values()}
    assert parts(PAGE, "mistake").keys() == {"all", *mistakes.EXHIBITS}


def test_whole_lines_are_shown_wrong_then_right():
    error = next(error for error in ERRORS if error.name == "noise drawn anew in the backward pass")
    assert mistakes.difference(error) == (
        "```diff\n  # reparameterize_backward\n"
        "- grad_log_var *= np.random.standard_normal(eps.shape)\n+ grad_log_var *= eps\n```"
    )


def test_a_short_training_with_and_without_an_error(monkeypatch, tiny):
    """Losses shown differ from those measured by right code just where the loss is wrong."""
    settings = {"dataset": "tiny", "hidden": (6, 6), "z_dim": 2, "beta": 0.5, "batch_size": 16}
    monkeypatch.setattr(mistakes, "SETTINGS", settings)
    monkeypatch.setattr(mistakes, "EPOCHS", 2)
    monkeypatch.setattr(mistakes, "digits", lambda: tiny)
    monkeypatch.setattr(mistakes, "CHECKED", 8)
    mistakes.right.cache_clear()
    right = mistakes.right("mse")
    for name, wrong_loss, changes_training, in_loss, in_gradient, in_differences, in_adam in (
        ("exp(log_var) as the standard deviation", True, True, True, True, False, False),
        ("beta missing in the total", True, False, True, False, True, False),
        ("x only as the encoder's input", False, False, False, True, True, False),
        ("no bias correction in Adam", False, True, False, False, False, True),
    ):
        error = next(error for error in ERRORS if error.name == name)
        config = mistakes.config(error.reconstruction)
        training, found = mistakes.train(config, error), mistakes.check(error)
        assert np.allclose(training.shown, training.true) == (not wrong_loss)
        assert (training.true != right.true) == changes_training
        assert [bool(part) for part in found] == [in_loss, in_gradient, in_differences, in_adam]
    mistakes.right.cache_clear()


def test_how_an_error_is_written():
    assert mistakes.by(None) == "agree"
    assert mistakes.by(("x", 0.0123)) == "`x` 1.2\N{NO-BREAK SPACE}%"
    assert mistakes.by(("x", 12.3)) == "`x` 1230\N{NO-BREAK SPACE}%"
    assert mistakes.worst([("a", 0.1), ("b", 0.2)]) == ("b", 0.2)
    assert mistakes.worst([]) is None
