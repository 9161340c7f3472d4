"""The page as a file: what it holds, how large it is, that it is up to date; the command."""

import base64
import importlib.util
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numpyvae import Config, InputError, Run, save_checkpoint
from numpyvae.commands.main import main
from numpyvae.explore.page import (
    BACKWARD,
    BOOK,
    DRAWING,
    MATHEMATICS,
    ON_PAGE,
    SECTIONS,
    about,
    book_page,
    bytes_of,
    code_of,
    page,
    run_data,
    source,
)

DOCS = Path(__file__).parents[2] / "docs"
UP_TO_DATE = "run: python docs/make_explore.py"


def test_images_of_any_kind_become_256_levels():
    levels = np.arange(256, dtype=np.uint8)
    for images in (levels, (levels / 255).astype(np.float32)):
        np.testing.assert_array_equal(bytes_of(images), levels, strict=True)


@pytest.fixture(scope="module")
def make_explore():
    spec = importlib.util.spec_from_file_location("make_explore", DOCS / "make_explore.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_the_page_takes_from_the_book_is_up_to_date(make_explore):
    kept = json.loads(BOOK.read_text())
    fresh = json.loads(json.dumps(make_explore.book()))
    formulas = kept.pop("mathml")
    assert kept == fresh, UP_TO_DATE
    assert sorted(formulas) == sorted(make_explore.formulas(fresh)), UP_TO_DATE
    math_core = pytest.importorskip(
        "math_core", reason="formulas are converted by an extra of docs"
    )
    convert = math_core.LatexToMathML().convert_with_local_state
    assert formulas == {text: convert(text, displaystyle=True) for text in formulas}, UP_TO_DATE


def test_the_book_s_page_is_up_to_date_and_small(make_explore):
    text = make_explore.PAGE.read_text()
    assert book_page() == text, UP_TO_DATE
    assert len(text.encode()) <= 1.2e6


def test_the_page_of_the_article_s_network_is_small(digits):
    run = Run.start(Config("mnist"), (28, 28))
    assert len(page(run, digits).encode()) <= 6e6


def test_weights_and_images_come_out_as_they_went_in(make_run, digits):
    run = make_run()
    known = run_data(run, digits)
    planes = zlib.decompress(base64.b64decode(known["weights"]))
    numbers = np.frombuffer(planes, np.uint8).reshape(4, -1).T.copy().view(np.float32)
    np.testing.assert_array_equal(numbers.ravel(), run.vae.parameters.flat)
    images = zlib.decompress(base64.b64decode(known["test_images"]))
    assert images == digits.test_images[:300].tobytes()  # as many as a page may have
    assert known["test_labels"] == digits.test_labels[:300].tolist()
    assert known["label_names"] is None


def test_the_page_knows_names_of_labels_and_whose_images_it_shows(make_run, digits):
    names = tuple(map("number {}".format, range(10)))
    assert run_data(make_run(), replace(digits, label_names=names))["label_names"] == names
    others = replace(digits, name="a/other.npz")
    assert "images are others, of other.npz." in about(run_data(make_run(), others))
    assert "others" not in about(run_data(make_run(), digits))


def test_the_page_says_how_beta_rose(make_run, digits):
    said = about(run_data(make_run(beta=0.5, beta_warmup=8), digits))
    assert "beta 0.5 (rising from 0 in the first 8 epochs)" in said
    assert "rising" not in about(run_data(make_run(), digits))


def test_every_step_finds_its_line_of_code(mathematics):
    methods = [code_of(method) for method in BACKWARD]
    assert methods[0]["lines"][0].startswith("def backward(self)")
    for reconstruction, steps in (("mse", 18), ("bce", 17)):
        lines = mathematics.call("lines_of_steps", reconstruction)
        assert len(lines) == steps
        for line in lines:
            [(code, at)] = [
                (code, n)
                for code in methods
                for n, text in enumerate(code["lines"])
                if text.strip().startswith(line)
            ]
            assert any(first == at for first, _ in code["statements"])


def test_the_page_knows_the_losses_that_it_says_and_refuses_others(mathematics, make_run, digits):
    assert mathematics.call("() => Object.keys(RECONSTRUCTIONS)") == list(ON_PAGE)
    run = make_run()
    run.config = replace(run.config)
    object.__setattr__(run.config, "reconstruction", "l1")
    with pytest.raises(InputError, match="the page shows fully connected networks with mse or bce"):
        run_data(run, digits)
    run = Run.start(Config(hidden=(3, 2), z_dim=2), (4, 5, 3))
    with pytest.raises(InputError, match="the page shows models of grey images"):
        run_data(run, digits)


def test_the_steps_give_the_gradients_of_the_backward_pass(mathematics):
    for reconstruction in ("mse", "bce"):
        assert mathematics.call("wrong_steps", reconstruction) == []


def test_all_of_the_script_is_javascript(make_mathematics):
    make_mathematics(source(MATHEMATICS + DRAWING + SECTIONS)).context.close()


# The command


@pytest.fixture
def run_folder(tmp_path, tiny_config, tiny):
    folder = tmp_path / "run"
    folder.mkdir()
    save_checkpoint(folder / "checkpoint.npz", Run.start(Config(hidden=(6, 5)), (28, 28)))
    return folder


def test_the_command_writes_one_file(run_folder, tmp_path, capsys):
    assert main(["explore", str(run_folder)]) == 0
    assert capsys.readouterr().out.strip() == str(run_folder / "explore.html")
    assert main(["explore", str(run_folder), "--out", str(tmp_path / "x.html")]) == 0
    assert (tmp_path / "x.html").read_text() == (run_folder / "explore.html").read_text()


def test_without_a_run_the_page_is_the_book_s(make_explore, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["explore"]) == 0
    assert capsys.readouterr().out == "explore.html\n"
    assert Path("explore.html").read_bytes() == make_explore.PAGE.read_bytes()
    assert main(["explore", "--dataset", "nonsense"]) == 2


def test_bad_input_is_one_line_and_status_2(run_folder, tmp_path, capsys):
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes((run_folder / "checkpoint.npz").read_bytes()[:-200])
    for arguments in (
        [str(tmp_path / "nowhere")],
        [str(damaged)],
        [str(run_folder), "--out", str(damaged / "x.html")],
        [str(run_folder), "--out", str(run_folder / "checkpoint.npz" / "x.html")],
        [str(run_folder), "--dataset", "nonsense"],
    ):
        assert main(["explore", *arguments]) == 2, arguments
        error = capsys.readouterr().err
        assert error.startswith("numpyvae explore: ")
        assert error.count("\n") == 1
