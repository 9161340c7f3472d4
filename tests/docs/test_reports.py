"""The reports say what their numbers say, and the page of experiments what the reports say."""

import re
import shutil

import pytest
import reports

from numpyvae.experiments.results import read_results

PAGE = reports.PAGE.read_text()


def test_pages_say_what_the_reports_say():
    """If this fails: python docs/reports.py"""
    assert reports.check() == []


def test_every_claim_has_a_line_of_its_own():
    for experiment in reports.EXPERIMENTS:
        for name, results in reports.results(experiment).items():
            assert (results.experiment.name, results.config.dataset) == (experiment, name)
            for claim, *_ in results.findings():
                assert PAGE.count(f"| {claim.text} |") == 1, claim.text


def test_the_reports_are_of_several_seeds():
    for experiment in reports.EXPERIMENTS:
        for results in reports.results(experiment).values():
            assert len(results.seeds) >= 3


def test_pictures_of_claims_are_there():
    linked = set(re.findall(r"\]\((experiments/[^)]+)\)", PAGE))
    assert all((reports.DOCS / path).exists() for path in linked)


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of page and reports that may be changed."""
    shutil.copytree(reports.DOCS / "experiments", tmp_path / "experiments")
    shutil.copy(reports.PAGE, tmp_path)
    monkeypatch.setattr(reports, "DOCS", tmp_path)
    monkeypatch.setattr(reports, "PAGE", tmp_path / "experiments.md")
    return tmp_path


def test_a_changed_number_is_noticed(copied, capsys):
    folder = copied / "experiments" / "beta-digits"
    kl = str(read_results(folder).measured["10"][0]["kl"])
    path = folder / "results.csv"
    path.write_text(path.read_text().replace(f",{kl},", ",99.0,"))
    assert reports.main(["--check"]) == 1
    out = capsys.readouterr().out
    assert "beta-digits/report.md: not what its results.csv says" in out
    assert "experiments.md: run python docs/reports.py" in out
    assert reports.main([]) == 0  # the page can be filled again, the report has to be made
    assert len(reports.check()) == 1


def test_a_changed_word_of_the_page_is_noticed(copied):
    page = copied / "experiments.md"
    page.write_text(page.read_text().replace("**Held**", "**Fell**", 1))
    assert reports.check() == [f"{page}: run python docs/reports.py"]
    reports.main([])
    assert reports.check() == []
