"""What commands print, as the pages show it."""

import re

import make_pictures
import pytest

SMALL = "--hidden 4 4 --z-dim 2 --batch-size 500"


def test_the_middle_of_a_long_training_is_left_out(tmp_path, monkeypatch, unrendered):
    monkeypatch.chdir(tmp_path)
    printed = make_pictures.output(f"numpyvae train --epochs 6 {SMALL}")
    assert re.findall(r"^ +(\d/6|\.\.\.)", printed, re.MULTILINE) == [
        *("1/6", "2/6", "3/6", "...", "5/6", "6/6")
    ]


def test_a_command_that_fails_stops_everything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="numpyvae sample nowhere failed with status 2"):
        make_pictures.output("numpyvae sample nowhere")


def test_both_programs_are_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = "--image-size 2 3 --hidden 5 4 --z-dim 2"
    printed = make_pictures.output(f"python -m reference_torch gradcheck {small}")
    assert printed.endswith("All losses and gradients are right.")
