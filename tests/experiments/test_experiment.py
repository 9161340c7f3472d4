"""Experiments from end to end."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest

from numpyvae import Config, load_checkpoint, load_dataset
from numpyvae.errors import InputError, InputWarning
from numpyvae.evaluation import classifier
from numpyvae.evaluation.measurement import MEASURES
from numpyvae.experiments import experiment, runs
from numpyvae.experiments.catalogue import BETA, EXPERIMENTS, GENERATION, LATENT_DIM
from numpyvae.experiments.claims import AUTOENCODER, CONVOLUTIONAL, VAE
from numpyvae.experiments.experiment import redo
from numpyvae.experiments.report import bullet, report
from numpyvae.experiments.results import files_of, read_results
from numpyvae.experiments.runs import train_all
from numpyvae.training import loop

pytestmark = pytest.mark.filterwarnings("ignore:the experiment goes without")

TWO = [AUTOENCODER, VAE]
KNOWN = [
    "training images",
    "one half of the test images, beside the other",
    "one image again and again",
    "noise",
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Runs leave out their own pictures, except the grids; the classifier learns little."""
    monkeypatch.setattr(loop, "draw_pictures", lambda *_: None)
    monkeypatch.setattr(classifier, "STEPS", 20)


@pytest.fixture
def undrawn(monkeypatch):
    """The pictures, which take most of the time, are left out."""
    for one in EXPERIMENTS.values():
        monkeypatch.setitem(vars(one), "draw", lambda *_: None)


@pytest.fixture
def data(own_folder):
    """54 images of one's own, 12 of them for testing."""
    data = load_dataset("own.npz")
    test, train = slice(12), slice(12, None)
    return replace(
        data,
        train_images=data.train_images[train],
        train_labels=data.train_labels[train],
        test_images=data.train_images[test],
        test_labels=data.train_labels[test],
    )


@pytest.fixture
def config(data):
    return Config(dataset="own.npz", epochs=2, batch_size=16, z_dim=3, hidden=(6, 5))


def assert_report(folder, results):
    """Table, report and pictures are there, and what is read back is what was found."""
    with open(folder / "results.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [*results.measured, *KNOWN]
    assert [row["setting"] for row in rows] == list(np.repeat(names, len(results.seeds)))
    again = read_results(folder)
    assert report(again) == (folder / "report.md").read_text()
    assert again.seeds == results.seeds
    for name, of in results.measured.items():
        for row, found in zip(of, again.measured[name], strict=True):
            present = {key: value for key, value in found.items() if value == value}
            assert present == {key: value for key, value in row.items() if value == value}
    text = (folder / "report.md").read_text()
    assert f"numpyvae experiment {results.experiment.name} --dataset own.npz --epochs 2" in text
    assert "hidden=(6, 5)" in text
    assert re.findall(r"!\[.*\]\((.*)\)", text) == list(results.experiment.pictures)
    for picture in results.experiment.pictures:
        assert (folder / picture).read_bytes()[:4] == b"\x89PNG"
    for finding in results.findings():
        assert bullet(finding) in text


def test_generation_from_end_to_end(config, data, tmp_path, monkeypatch, unrendered_within):
    out = tmp_path / "out"
    results = redo(GENERATION, config, data, out, seeds=2)
    assert_report(out / "generation", results)
    for seed in (0, 1):
        of_seed = replace(config, seed=seed)
        autoencoder, vae = (
            load_checkpoint(out / "runs" / name / f"seed-{seed}") for name in ("autoencoder", "vae")
        )
        assert autoencoder.config == replace(of_seed, noise=False, beta=0)
        assert vae.config == of_seed

    # Once more: nothing is trained again, and all else is the same.
    before = (out / "generation" / "report.md").read_bytes()
    (out / "generation" / "report.md").unlink()
    monkeypatch.setattr(runs, "train", None)
    with unrendered_within():
        redo(GENERATION, config, data, out, seeds=2)
    assert (out / "generation" / "report.md").read_bytes() == before


def test_the_articles_autoencoder_is_compared_where_it_takes_the_images(config, data, tmp_path):
    """Also in a folder from before it was: what is missing is trained."""
    out = tmp_path / "out"
    with pytest.warns(InputWarning, match="goes without the convolutional autoencoder: .* 6 x 5"):
        assert list(redo(GENERATION, config, data, tmp_path / "small", seeds=1).measured) == TWO
    rng = np.random.default_rng(0)
    train_images, test_images = (
        np.repeat(rng.integers(0, 256, (n, 64), np.uint8), 7, axis=1) for n in (42, 12)
    )
    data = replace(data, train_images=train_images, test_images=test_images, image_shape=(16, 28))
    train_all({"vae": config}, [0, 1], data, out / "runs")
    before = load_checkpoint(out / "runs/vae/seed-1")
    results = redo(GENERATION, config, data, out, seeds=2)
    assert list(results.measured) == [AUTOENCODER, CONVOLUTIONAL, VAE]
    assert_report(out / "generation", results)
    for seed in (0, 1):
        run = load_checkpoint(out / "runs/convolutional-autoencoder" / f"seed-{seed}")
        assert run.config == replace(
            config,
            seed=seed,
            network="conv-autoencoder",
            hidden=(32, 64),
            z_dim=128,
            noise=False,
            beta=0,
        )
    assert load_checkpoint(out / "runs/vae/seed-1").history == before.history
    text = (out / "generation" / "report.md").read_text()
    assert "convolutional autoencoder minus VAE" in text
    assert "|  | autoencoder | convolutional autoencoder | VAE |" in text


def test_a_sweep_from_end_to_end_uses_the_runs_that_are_there(
    config, data, tmp_path, monkeypatch, unrendered_within
):
    out = tmp_path / "out"
    with unrendered_within():
        redo(GENERATION, config, data, out, seeds=2)
    trained = []

    def watched(config, data, folder, **options):
        trained.append(f"{folder.parent.name}/{folder.name}")
        return loop.train(config, data, folder, **options)

    monkeypatch.setattr(runs, "train", watched)
    results = redo(BETA, replace(config, beta=9.0), data, out, [5, 0.5, 1], seeds=2)
    assert list(results.measured) == ["0.5", "1", "5"]
    assert trained == [f"beta-{value}/seed-{seed}" for seed in (0, 1) for value in ("0.5", "5")]
    assert_report(out / "beta", results)
    assert "--seeds 2 --values 0.5 1 5" in (out / "beta" / "report.md").read_text()


def test_without_labels_samples_are_compared_in_pixels(config, data, tmp_path, undrawn):
    bare = replace(data, train_labels=None, test_labels=None)
    results = redo(LATENT_DIM, config, bare, tmp_path / "out", (1, 2), seeds=2)
    assert "same_label" not in results.measured["2"][0]
    assert 0 <= results.measured["2"][0]["precision"] <= 1
    again = read_results(tmp_path / "out" / "latent-dim")
    assert report(again) == (tmp_path / "out" / "latent-dim" / "report.md").read_text()
    for n in (1, 2):
        run = load_checkpoint(tmp_path / "out" / "runs" / f"z-dim-{n}" / "seed-1")
        assert run.config.z_dim == n


def test_generation_needs_no_labels(config, data, tmp_path):
    bare = replace(data, train_labels=None, test_labels=None)
    results = redo(GENERATION, config, bare, tmp_path / "out", seeds=2)
    assert_report(tmp_path / "out" / "generation", results)
    text = (tmp_path / "out" / "generation" / "report.md").read_text()
    assert "same label: autoencoder not measured; VAE not measured)" in text
    assert "nan" not in text


def test_one_seed_is_allowed_and_says_that_it_says_nothing(config, data, tmp_path, undrawn):
    results = redo(GENERATION, config, data, tmp_path / "out", seeds=1)
    assert {finding.verdict for finding in results.findings()} == {"Undecided"}
    head = (tmp_path / "out/generation/results.csv").read_text().splitlines()[0].split(",")
    assert head[:2] == ["setting", "seed"]
    assert set(MEASURES) < set(head)
    text = (tmp_path / "out/generation/report.md").read_text()
    assert "One seed says nothing about noise" in text
    assert "±" not in text.split("## The numbers")[1].split("## How")[0]


def test_a_tilde_is_the_users_folder(config, data, tmp_path, undrawn, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    redo(GENERATION, config, data, "~/out", seeds=1, progress=False)
    assert (tmp_path / "home/out/runs").is_dir()
    assert (tmp_path / "home/out/generation/report.md").exists()
    assert not (tmp_path / "~").exists()


def test_by_default_there_are_5_seeds_on_the_digits_and_3_elsewhere(config, data, monkeypatch):
    asked = []
    monkeypatch.setattr(experiment, "train_all", lambda _, seeds, *__: asked.append(list(seeds)))
    monkeypatch.setattr(experiment, "label_features", lambda _: 1 / 0)
    for given in (replace(config, seed=4), replace(config, dataset="digits")):
        with pytest.raises(ZeroDivisionError):
            redo(GENERATION, given, data, "out")
    assert asked == [[4, 5, 6], [0, 1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "at least one value of beta"),
        ([1, 2, 1.0], "each once"),
        ([1, -0.5], "beta must be a number from 0 to .*, got -0.5"),
        ([float("nan")], "beta must be a number from 0 to"),
    ],
)
def test_unfit_values_are_refused_before_anything_is_done(config, data, tmp_path, values, message):
    with pytest.raises(InputError, match=message):
        redo(BETA, config, data, tmp_path / "out", values)
    assert not (tmp_path / "out").exists()


def test_values_without_a_setting_are_refused(config, data, tmp_path):
    with pytest.raises(InputError, match="generation has no setting that takes values"):
        redo(GENERATION, config, data, tmp_path / "out", [1.0])
    assert not (tmp_path / "out").exists()


def test_values_that_differ_little_have_folders_of_their_own(config, data, tmp_path, undrawn):
    results = redo(BETA, config, data, tmp_path, [1.0000001, 1.0000002], seeds=1)
    assert list(results.measured) == ["1.0000001", "1.0000002"]


def test_a_folder_of_something_else_is_refused(config, data, tmp_path, undrawn):
    out = tmp_path / "out"
    redo(BETA, config, data, out, [1], seeds=1)
    old = tmp_path / "old"
    old.mkdir()
    (old / "experiment.json").write_text("{}")  # as experiments of one seed left it
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="finished epoch 2"):
        redo(BETA, replace(config, epochs=1), data, out, [1], seeds=1)
    with pytest.raises(InputError, match="seed-0 holds a run"):
        redo(BETA, config, data, out / "runs" / "vae" / "seed-0", [1], seeds=1)
    with pytest.raises(InputError, match="old holds one experiment, of one seed"):
        redo(GENERATION, config, data, old)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_unfit_settings_and_data_are_refused_before_anything_is_done(config, data, tmp_path):
    data = replace(data, test_labels=None)
    few = replace(data, test_images=data.test_images[:7])
    same = replace(data, test_images=np.zeros_like(data.test_images))
    flat = replace(data, test_images=np.arange(8, dtype=np.uint8)[:, None].repeat(30, axis=1))
    for one in EXPERIMENTS.values():
        for given, images, message in (
            (replace(config, noise=False), data, "noise must be true"),
            (config, few, "number of test images in own.npz must be at least 8, got 7"),
            (config, same, "the same"),
            (config, flat, "no edges"),
        ):
            with pytest.raises(InputError, match=message):
                redo(one, given, images, tmp_path / "out")
        with pytest.raises(InputError, match="seeds must be at least 1, got 0"):
            redo(one, config, data, tmp_path / "out", seeds=0)
    assert not (tmp_path / "out").exists()


def test_without_scipy_one_line_says_what_to_install(config, data, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.stats", None)
    with pytest.raises(InputError, match=r"pip install 'numpyvae\[experiments\]'"):
        redo(GENERATION, config, data, tmp_path / "out")


@pytest.mark.parametrize("text", ["", "{}", "[1]", "{", '{"experiment": "beta"}'])
def test_damaged_results_are_one_error(tmp_path, text):
    (tmp_path / "experiment.json").write_text(text)
    with pytest.raises(InputError, match="holds no results"):
        read_results(tmp_path)


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_images_without_labels_are_reported_on_to_the_end(
    data, config, tmp_path, experiment, unrendered
):
    data = replace(data, train_labels=None, test_labels=None)
    values = experiment.values[:2] if experiment.setting else None
    redo(experiment, config, data, tmp_path, values, seeds=2)
    folder = tmp_path / experiment.name
    assert {path.name for path in folder.iterdir()} == set(files_of(experiment))
    text = (folder / "report.md").read_text()
    assert "nan" not in text


def test_a_folder_with_somebody_elses_report_is_refused_before_training(data, config, tmp_path):
    (tmp_path / "beta").mkdir()
    (tmp_path / "beta/report.md").write_text("precious")
    with pytest.raises(InputError, match=r"beta holds a file report.md of somebody else"):
        redo(BETA, config, data, tmp_path, [1.0], seeds=1)
    assert not (tmp_path / "runs").exists()
