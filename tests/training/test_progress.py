"""What a person sees of a run: lines that fit the terminal."""

import io
import sys
import time
from dataclasses import replace

import pytest

from numpyvae import train
from numpyvae.training import progress
from numpyvae.training.progress import Bars, Progress

pytestmark = pytest.mark.usefixtures("unrendered")


@pytest.fixture
def shown(monkeypatch, capsys, tiny, tiny_config):
    """shown(columns): the lines that a training on a terminal of so many columns prints."""

    def shown(columns: int, **options) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        train(tiny_config, tiny, progress=True, **options)
        return capsys.readouterr().out.splitlines()

    return shown


@pytest.mark.parametrize(("columns", "numbers"), [(80, 9), (200, 9), (79, 9), (78, 5), (60, 5)])
def test_lines_fit_the_terminal(shown, columns, numbers):
    lines = shown(columns)
    assert max(map(len, lines)) <= columns
    assert [len(line.split()) for line in lines[-3:]] == [1 + numbers] * 3
    assert lines[-1].split()[0] == "3/3"


def test_the_columns_have_titles(shown):
    groups, titles = (line.split() for line in shown(80)[2:4])
    assert groups == ["train", "validation", "mean", "of"]
    losses = ["loss", "recon.", "KL"]
    assert titles == ["epoch", *losses, *losses, "means", "log-vars", "s"]


def test_the_start_says_what_is_trained(shown, tmp_path):
    lines = shown(80, out=tmp_path / "run")
    assert lines[:3] == [
        "tiny: 40 training and 12 test images of 5 x 4 pixels",
        "20-6-5-2 and back, 376 parameters; squared error + 1 KL",
        f"kept in {tmp_path / 'run'}",
    ]


def test_names_of_labels_are_said_in_one_line(run, tiny):
    def said(*names: str) -> str:
        return progress.describe(run, replace(tiny, label_names=names), None).splitlines()[1]

    assert said("circle", "a\x1bb") == r"labels: circle, a\x1bb"
    many = said(*(f"class{i}" for i in range(300)))
    assert many.startswith("labels: class0, class1, ")
    assert many.endswith(", ... (300 in all)")
    assert len(many) <= 79


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0.0, "0.000"), (0.1234, "0.123"), (99.4, "99.400"), (123.456, "123.46"), (12345.6, "12346")],
)
def test_numbers_of_any_size_stay_in_their_column(monkeypatch, run, tiny, number, shown):
    monkeypatch.setenv("COLUMNS", "80")
    row = {**run.history[-1], "train_kl": number}
    with Progress(run, tiny, None, True) as lines:
        cell = lines._cell(row, "train_kl")
    assert cell == shown


def test_in_a_notebook_the_bar_is_text_among_the_lines_or_a_widget(monkeypatch, tiny, run):
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", sys)
    monkeypatch.setattr(progress, "find_spec", lambda _: None)
    with Progress(run, tiny, None, True) as lines:
        assert (lines.bar.disable, lines.bar.fp._wrapped) == (False, sys.stdout)


def test_elsewhere_there_is_no_bar(tiny, run):
    with Progress(run, tiny, None, True) as lines:
        assert lines.bar.disable


def test_many_runs_have_a_bar_each_from_their_first_file_to_their_last(
    monkeypatch, tiny, tiny_config, tmp_path
):
    terminal, make_bar = io.StringIO(), progress._bar
    terminal.isatty = lambda: True
    monkeypatch.setattr(progress, "_bar", lambda **of: make_bar(file=terminal, ncols=80, **of))
    folders = [tmp_path / name / "seed-1" for name in ("vae", "beta-2", "beta-3")]
    with Bars(dict.fromkeys(folders, tiny_config), True) as bars:
        bars.show(folders)
        assert terminal.getvalue() == ""
        train(replace(tiny_config, epochs=2), tiny, folders[0])
        train(replace(tiny_config, epochs=1), tiny, folders[1])
        bars.show(folders)
        assert "vae/seed-1:  67%" in terminal.getvalue()
        assert "beta-2/seed-1:  33%" in terminal.getvalue()
        train(tiny_config, tiny, folders[1], resume=True)
        time.sleep(0.11)  # tqdm draws no more often than every 0.1 s
        bars.show(folders)
        assert "beta-2/seed-1: 100%" in terminal.getvalue()
        bars.show(folders[:1])
        assert list(bars.bars) == folders[:1]
    assert not bars.bars
