"""The tables of docs/importance.md: every row is a command, and done only once."""

import re

import importance
import pytest
from generated import DOCS, parts

PAGE = (DOCS / "importance.md").read_text()


def rows(name):
    return [line.split(" | ") for line in parts(PAGE, "measured")[name].splitlines()[2:]]


def test_the_page_has_a_row_for_everything_that_is_measured():
    expected = [(bound == "elbo", str(samples)) for bound, samples in importance.ROWS]
    assert [(row[0] == "| VAE", row[1]) for row in rows("digits")] == expected
    assert [row[0][2:] for row in rows("mistakes")[1:]] == [e.name for e in importance.BOUND_ERRORS]
    assert all(row[-1].rstrip(" |") for row in rows("mistakes")[1:])


def test_a_table_trains_and_evaluates_what_is_missing(own_folder, monkeypatch, capsys, unrendered):
    monkeypatch.setattr(importance, "ROWS", (("elbo", 1), ("importance", 2)))
    monkeypatch.setattr(importance, "SEEDS", {1: (0, 1), 2: (0,)})
    settings = {"own": "--dataset own.npz --hidden 6 6 --epochs 1"}
    monkeypatch.setattr(importance, "SETTINGS", settings)
    monkeypatch.setattr(importance, "EVALUATED", {"own": 10})
    first = importance.paper("own").splitlines()[2:]
    assert re.match(r"\| VAE \| 1 \| \d+\.\d\d ± \d\.\d\d \| \d+ ± \d \| -\d+\.\d\d ± ", first[0])
    assert re.match(r"\| IWAE \| 2 \| \d+\.\d\d \| \d+ \| -\d+\.\d\d \|$", first[1])
    commands = re.findall(r"^\$ numpyvae (\w+)", capsys.readouterr().out, re.MULTILINE)
    assert commands == ["train", "evaluate"] * 3

    assert importance.paper("own").splitlines()[2:] == first
    assert "$ numpyvae" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        importance.call("train --epochs 0")


def test_a_mistake_is_measured_by_the_right_code(monkeypatch, tiny):
    monkeypatch.setattr("mistakes.digits", lambda: tiny)
    settings = {**importance.MISTAKES, "dataset": "tiny", "epochs": 1, "hidden": (6, 6)}
    error = next(error for error in importance.BOUND_ERRORS if error.name == "1/K forgotten")
    monkeypatch.setattr(importance, "MISTAKES", settings)
    monkeypatch.setattr(importance, "CHECKED", 4)
    monkeypatch.setattr(importance, "BOUND_ERRORS", [error])
    right, wrong = (row.split(" | ") for row in importance.mistakes().splitlines()[2:])
    assert wrong[2] == right[2].partition(",")[0]
    assert float(wrong[2]) - float(wrong[1]) == pytest.approx(1.609, abs=0.011)  # log 5
    assert wrong[3] == "losses |"
