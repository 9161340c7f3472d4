"""Experiments from end to end."""

import csv
import re
from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from numpyvae import Config, load_checkpoint, load_dataset, train
from numpyvae.errors import InputError
from numpyvae.evaluation.samples import measure_real
from numpyvae.experiments import experiment
from numpyvae.experiments.findings import beta_findings
from numpyvae.experiments.measurement import measure
from numpyvae.training import loop
from numpyvae.training.steps import NumpyStepper, StepwiseTrainer


@pytest.fixture(autouse=True)
def _quick_runs(monkeypatch):
    """Runs leave out their own pictures."""
    monkeypatch.setattr(loop, "draw_pictures", lambda *_: None)


@pytest.fixture
def config(own_folder):
    return Config(dataset="own.npz", epochs=2, batch_size=16, z_dim=3, hidden=(6, 5))


@pytest.fixture
def data(config):
    return load_dataset(config.dataset)


def read_results(folder):
    with open(folder / "results.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def assert_report(folder, name, config, results):
    """The folder's report and table hold these results, and every picture is there."""
    rows = read_results(folder)
    assert [next(iter(row.values())) for row in rows] == [*map(str, results), "training images"]
    for row, found in zip(rows, results.values(), strict=False):
        for column in ("squared_error", "sharpness", "active_units"):
            assert float(row[column]) == getattr(found, column)
        assert float(row["sample_distance"]) == found.samples.distance
        assert float(row["deviation"]) == found.samples.deviation
        assert float(row["diversity"]) == found.samples.diversity
        assert row["kl"] == ("" if isnan(found.kl) else str(found.kl))
    report = (folder / "report.md").read_text()
    assert f"numpyvae experiment {name} --dataset {config.dataset} --epochs 2" in report
    assert "hidden=(6, 5)" in report
    pictures = re.findall(r"!\[.*\]\((.*)\)", report)
    assert len(pictures) >= 2
    assert all((folder / picture).read_bytes()[:4] == b"\x89PNG" for picture in pictures)
    for key, found in results.items():
        assert re.search(rf"^\| {key} \| {found.squared_error:.4g} \|", report, re.MULTILINE)
    assert report.count("\n- **") >= 3
    return report


def test_generation_from_end_to_end(config, tmp_path, monkeypatch):
    data, out = load_dataset(config.dataset), tmp_path / "out"
    results = experiment.generation(config, data, out)
    assert_report(out, "generation", config, results)
    autoencoder, vae = (load_checkpoint(out / name) for name in ("autoencoder", "vae"))
    assert autoencoder.config == replace(config, noise=False, beta=0)
    assert vae.config == config

    # Once more: nothing is trained again, and all else is the same.
    report = (out / "report.md").read_bytes()
    (out / "report.md").unlink()
    monkeypatch.setattr(experiment, "train", None)
    again = experiment.generation(config, data, out)
    assert again["VAE"] == results["VAE"]
    assert (out / "report.md").read_bytes() == report


def test_beta_from_end_to_end(config, tmp_path):
    data, out = load_dataset(config.dataset), tmp_path / "out"
    results = experiment.beta(config, data, out, [5, 0.5])
    assert list(results) == [0.5, 5]
    report = assert_report(out, "beta", config, results)
    assert "--values 0.5 5" in report
    assert all(finding in report for finding in beta_findings(
        results, measure_real(data, 0)
    ))  # fmt: skip
    runs = {value: load_checkpoint(out / f"beta-{value:g}") for value in results}
    assert {value: run.config for value, run in runs.items()} == {
        value: replace(config, beta=value) for value in results
    }
    for value, run in runs.items():
        assert results[value] == measure(run, data, run.vae.sample)

    # Another value joins those that are there.
    more = experiment.beta(replace(config, beta=3.0), data, out, [5, 0.5, 1])
    assert {value: more[value] for value in results} == results


def test_latent_dim_from_end_to_end_without_labels(config, tmp_path):
    np.savez("own.npz", images=np.load("own.npz")["images"])
    data, out = load_dataset(config.dataset), tmp_path / "out"
    assert data.test_labels is None
    results = experiment.latent_dim(config, data, out, (1, 2))
    assert_report(out, "latent-dim", config, results)
    assert [load_checkpoint(out / f"z-dim-{n}").config.z_dim for n in (1, 2)] == [1, 2]


def test_an_interrupted_experiment_goes_on(config, data, tmp_path, monkeypatch):
    whole = experiment.beta(config, data, tmp_path / "whole", [1, 2])

    class Interrupted(StepwiseTrainer):
        """Ctrl-C stops it in the second epoch of the second run."""

        def train_epoch(self, on_step):
            if self.run.config.beta == 2 and self.run.history:
                raise KeyboardInterrupt
            return super().train_epoch(on_step)

    def interrupted(*given, **options):
        def make_trainer(run, data):
            return Interrupted(run, data, NumpyStepper(run.vae, run.adam))

        return train(*given, **options, make_trainer=make_trainer)

    out = tmp_path / "out"
    monkeypatch.setattr(experiment, "train", interrupted)
    with pytest.raises(KeyboardInterrupt, match="epoch 2"):
        experiment.beta(config, data, out, [1, 2])
    assert not (out / "report.md").exists()
    trained = []

    def watched(config, data, folder, **options):
        trained.append(folder.name)
        return train(config, data, folder, **options)

    monkeypatch.setattr(experiment, "train", watched)
    assert experiment.beta(config, data, out, [1, 2]) == whole
    assert trained == ["beta-2"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "at least one value of beta"),
        ([1, 2, 1.0], "each once"),
        ([1, -0.5], "beta must be a finite number of at least 0, got -0.5"),
        ([float("nan")], "beta must be a finite number"),
    ],
)
def test_unfit_values_are_refused_before_anything_is_done(config, tmp_path, values, message):
    with pytest.raises(InputError, match=message):
        experiment.beta(config, load_dataset(config.dataset), tmp_path / "out", values)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_refused(config, tmp_path):
    data, out = load_dataset(config.dataset), tmp_path / "out"
    experiment.beta(config, data, out, [1])
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="experiment beta, not generation"):
        experiment.generation(config, data, out)
    with pytest.raises(InputError, match="seed 0, not 1"):
        experiment.beta(replace(config, seed=1), data, out, [2])
    with pytest.raises(InputError, match="beta-1 holds a run"):
        experiment.beta(config, data, out / "beta-1", [1])
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    for text in (b"[1]", b"{", b"\xff"):
        (out / "experiment.json").write_bytes(text)
        with pytest.raises(InputError, match=r"experiment\.json is damaged"):
            experiment.beta(config, data, out, [1])


def test_without_noise_there_is_nothing_to_compare(tiny, tiny_config, tmp_path):
    for redo in (experiment.generation, experiment.beta, experiment.latent_dim):
        with pytest.raises(InputError, match="noise must be true"):
            redo(replace(tiny_config, noise=False), tiny, tmp_path / "out")


@pytest.mark.parametrize(
    ("test_images", "message"),
    [
        (np.zeros((1, 20), np.uint8), "at least 2"),
        (np.zeros((5, 20), np.uint8), "the same"),
        (np.arange(5, dtype=np.uint8)[:, None].repeat(20, axis=1), "no edges"),
    ],
)
def test_images_that_show_nothing_are_refused(tiny, tiny_config, tmp_path, test_images, message):
    data = replace(tiny, test_images=test_images)
    for redo in (experiment.generation, experiment.beta, experiment.latent_dim):
        with pytest.raises(InputError, match=message):
            redo(tiny_config, data, tmp_path / "out")
    assert not (tmp_path / "out").exists()
