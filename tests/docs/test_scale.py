"""The page of scale: its model, and tables that follow from what was measured."""

import json

import numpy as np
import pytest
import scale
from generated import DOCS, parts

PAGES = [DOCS / "scale.md", DOCS / "mistakes.md"]
SIMULATED = ("stragglers", "failures")
MACHINE = scale.Machine(fixed=1.0, image=0.1, latency=0.01, byte=1e-3)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_say_what_was_measured(page):
    """If this fails: python docs/scale.py"""
    for name, text in parts(page.read_text(), "scale").items():
        if name not in SIMULATED:
            assert text == f"{scale.TABLES[name]()}\n", name


def test_every_table_has_a_place():
    placed = [name for page in PAGES for name in parts(page.read_text(), "scale")]
    assert sorted(placed) == sorted(scale.TABLES)


def test_the_article_has_so_many_parameters():
    assert scale.network() == len(scale.new_model(scale.Config("mnist"), (28, 28)).parameters.flat)


def test_a_step_is_computing_and_a_ring():
    assert MACHINE.step(10, 1, 500.0) == pytest.approx(2.0)
    assert MACHINE.step(10, 2, 500.0) == pytest.approx(1.5 + 2 * (0.01 + 0.25))
    assert MACHINE.step(10, 4, 0.0) == pytest.approx(1.3 + 6 * 0.01)  # one has three rows


def test_rows_that_are_enough_are_computed_for_so_large_a_share():
    rows = scale.enough(MACHINE, 8, 0.9)
    computing, exchange = MACHINE.compute(rows), MACHINE.all_reduce(8, scale.size_of())
    assert computing / (computing + exchange) == pytest.approx(0.9)


def test_failures_cost_what_they_undo(monkeypatch):
    monkeypatch.setattr(scale, "LIFETIME", 1e12)
    assert scale.finished(0.1, 512, np.random.default_rng(0)) == pytest.approx(scale.HOURS)
    monkeypatch.setattr(scale, "LIFETIME", scale.HOURS)
    assert scale.finished(scale.HOURS, 1, np.random.default_rng(0)) > scale.HOURS


def test_what_is_kept_is_not_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "KEPT", tmp_path / "scale.json")
    assert scale.kept("a", lambda: [1.5]) == scale.kept("a", lambda: [2.5]) == [1.5]
    assert scale.kept("b", lambda: 2) == 2
    assert json.loads(scale.KEPT.read_text()) == {"a": [1.5], "b": 2}
