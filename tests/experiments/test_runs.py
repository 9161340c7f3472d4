"""Every run is trained once, and paired with those of the same seed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from numpyvae import InputError, load_checkpoint, train
from numpyvae.experiments import runs
from numpyvae.experiments.runs import run_path, threads, train_all
from numpyvae.training import loop, steps


@pytest.fixture(autouse=True)
def _quick_runs(monkeypatch):
    """Runs leave out their own pictures."""
    monkeypatch.setattr(loop, "draw_pictures", lambda *_: None)


@pytest.fixture
def settings(tiny_config):
    autoencoder = replace(tiny_config, noise=False, beta=0.0)
    return {"vae": tiny_config, "autoencoder": autoencoder}


@pytest.fixture
def trained(monkeypatch):
    """The folders of all trainings that were begun or gone on with, in their order."""
    folders = []

    def watched(config, data, folder, **options):
        folders.append(f"{folder.parent.name}/{folder.name}")
        return train(config, data, folder, **options)

    monkeypatch.setattr(runs, "train", watched)
    return folders


def test_each_seed_is_trained_with_every_setting_before_the_next(settings, tiny, tmp_path, trained):
    train_all(settings, [3, 4], tiny, tmp_path)
    assert trained == ["vae/seed-3", "autoencoder/seed-3", "vae/seed-4", "autoencoder/seed-4"]
    for name, config in settings.items():
        for seed in (3, 4):
            run = load_checkpoint(run_path(tmp_path, name, seed))
            assert run.config == replace(config, seed=seed)
            assert len(run.history) == config.epochs


def test_finished_runs_are_left_alone_and_begun_ones_finished(settings, tiny, tmp_path, trained):
    train(replace(settings["vae"], seed=1), tiny, run_path(tmp_path, "vae", 1))
    begun = replace(settings["autoencoder"], seed=1, epochs=1)
    train(begun, tiny, run_path(tmp_path, "autoencoder", 1))
    train_all(settings, [1], tiny, tmp_path)
    assert trained == ["autoencoder/seed-1"]
    whole = train(replace(settings["autoencoder"], seed=1), tiny)
    found = load_checkpoint(run_path(tmp_path, "autoencoder", 1)).vae
    np.testing.assert_array_equal(found.parameters.flat, whole.vae.parameters.flat)


def test_a_run_with_other_settings_is_refused(settings, tiny, tmp_path):
    train_all(settings, [0], tiny, tmp_path)
    other = {"vae": replace(settings["vae"], hidden=(6, 4))}
    with pytest.raises(InputError, match=r"vae/seed-0: the run has hidden \(6, 5\), not \(6, 4\)"):
        train_all(other, [0], tiny, tmp_path)


def test_runs_of_a_seed_see_the_same_images_in_the_same_order(settings, tiny, monkeypatch):
    seen = []

    def watched(images, config, rng, shuffled=False):
        for x, eps in steps_visits(images, config, rng, shuffled):
            seen.append((shuffled, x.copy(), eps.copy()))
            yield x, eps

    steps_visits = steps.visits
    monkeypatch.setattr(steps, "visits", watched)
    of = {}
    for name, config in {**settings, "beta": replace(settings["vae"], beta=7.0)}.items():
        train(config, tiny)
        of[name] = [(x, eps) for shuffled, x, eps in seen if shuffled]
        seen.clear()
    for x, autoencoder, beta in zip(*of.values(), strict=True):
        np.testing.assert_array_equal(x[0], autoencoder[0])
        np.testing.assert_array_equal(x[0], beta[0])
        np.testing.assert_array_equal(x[1], beta[1])
        assert not np.any(autoencoder[1])


def test_the_numbers_of_threads_are_kept(settings, tiny, tmp_path, monkeypatch):
    assert threads(tmp_path) == []
    for seed, number in enumerate((2, 1, 2)):
        monkeypatch.setattr(runs, "blas_threads", lambda number=number: number)
        train_all(settings, [seed], tiny, tmp_path)
    monkeypatch.setattr(runs, "blas_threads", lambda: 64)
    train_all(settings, [0, 1], tiny, tmp_path)  # nothing to train
    assert threads(tmp_path) == json.loads((tmp_path / "threads.json").read_text()) == [1, 2]


def test_a_run_on_other_data_is_refused_before_anything_is_trained(
    settings, tiny, tmp_path, trained
):
    train(replace(settings["autoencoder"], seed=1), tiny, run_path(tmp_path, "autoencoder", 1))
    other = replace(tiny, train_images=255 - tiny.train_images)
    with pytest.raises(InputError, match=r"autoencoder/seed-1: the run was trained on 40 \+ 12 im"):
        train_all(settings, [0, 1], other, tmp_path)
    assert trained == []


@pytest.mark.parametrize(
    ("begun", "change"),
    [
        ({}, {"lr": 1e-2}),
        ({"lr_schedule": "cosine"}, {"epochs": 4}),
        ({}, {"lr_schedule": "cosine"}),
    ],
)
def test_only_more_epochs_make_of_a_run_what_a_whole_one_is(
    settings, tiny, tmp_path, begun, change
):
    settings = {"vae": replace(settings["vae"], **begun)}
    train_all(settings, [0], tiny, tmp_path)
    with pytest.raises(InputError, match=rf"the run has {next(iter(change))} "):
        train_all({"vae": replace(settings["vae"], **change)}, [0], tiny, tmp_path)


@pytest.mark.parametrize(
    "content",
    ["", "{}", "3", '["\\u001b[2J"]', "[1e999]", "[true]", "[-1]", "[" * 10**5, "[9999999]"],
)
def test_a_file_of_threads_that_makes_no_sense_is_one_line(
    settings, tiny, tmp_path, content, trained
):
    (tmp_path / "threads.json").write_text(content)
    with pytest.raises(InputError, match=r"cannot read .*threads\.json") as error:
        train_all(settings, [0], tiny, tmp_path)
    assert str(error.value).isprintable()
    assert trained == []
