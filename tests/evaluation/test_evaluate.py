"""Everything about a trained run in one table."""

import io
import json
import math
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from numpyvae import (
    Config,
    Dataset,
    InputError,
    load_dataset,
    train,
)
from numpyvae.evaluation import classifier
from numpyvae.evaluation.classifier import label_features
from numpyvae.evaluation.evaluate import EXPLAINED, as_json, binarize, evaluate, table
from numpyvae.evaluation.likelihood import (
    active_units,
    elbo,
    encode,
    importance_sampled_log_likelihood,
    used_units,
)
from numpyvae.evaluation.samples import measure_samples, training_images
from numpyvae.training.chance import Stream

pytestmark = pytest.mark.usefixtures("unrendered")


def test_binarize_draws_each_pixel_with_its_probability_and_always_alike():
    images = np.tile(np.array([0, 0.25, 0.5, 1], np.float32), (20_000, 1))
    binary = binarize(images)
    assert binary.dtype == np.float32
    assert set(np.unique(binary)) == {0, 1}
    np.testing.assert_allclose(binary.mean(axis=0), [0, 0.25, 0.5, 1], atol=0.015)
    np.testing.assert_array_equal(binarize(images[:7]), binary[:7])


@pytest.fixture(autouse=True)
def _quick_classifier(monkeypatch):
    monkeypatch.setattr(classifier, "STEPS", 50)


@pytest.fixture(scope="module")
def data():
    """The digits with few test images: to compare them with samples takes the square of them."""
    digits = load_dataset("digits")
    return replace(
        digits, test_images=digits.test_images[:100], test_labels=digits.test_labels[:100]
    )


@pytest.fixture(scope="module")
def runs(data):
    """Small runs of each kind."""
    mse = Config(epochs=1, hidden=(16, 8), z_dim=3)
    bce = replace(mse, reconstruction="bce", binarize=True)
    grey, autoencoder = replace(bce, binarize=False), replace(mse, noise=False, beta=0.0)
    configs = {"mse": mse, "bce": bce, "grey": grey, "autoencoder": autoencoder}
    return {name: train(config, data) for name, config in configs.items()}


def test_evaluate_agrees_with_the_validation_of_training(runs, data):
    run = runs["mse"]
    result = evaluate(run, data, importance_samples=20)
    last = run.history[-1]
    assert result.images == 100
    assert result.kl == pytest.approx(last["val_kl"], rel=1e-5)
    assert result.reconstruction == pytest.approx(last["val_reconstruction"], rel=1e-2)
    assert result.mean_of_means == pytest.approx(last["mean_of_means"], abs=1e-6)
    assert result.mean_of_log_vars == pytest.approx(last["mean_of_log_vars"], abs=1e-6)
    assert result.log_normalizer == pytest.approx(392 * math.log(math.pi))
    total = result.reconstruction + result.kl + result.log_normalizer
    assert result.elbo == pytest.approx(-total)
    assert result.nll < -result.elbo + 0.05
    assert result.samples.distance > 5 * result.training_images.distance  # hardly trained


def test_evaluate_puts_the_pieces_together(runs, data):
    run = runs["bce"]
    result = evaluate(run, data, importance_samples=5, images=50, seed=3)
    grey = data.test_images[:50].astype(np.float32) / 255
    binary = binarize(grey)
    for_elbo, for_nll = Stream.LIKELIHOOD.generator(3).spawn(2)
    assert result.elbo == elbo(run.vae, binary, for_elbo).elbo
    nll = -importance_sampled_log_likelihood(run.vae, binary, 5, for_nll)
    assert result.nll == pytest.approx(nll.mean(), rel=1e-12)
    assert result.nll_error == pytest.approx(nll.std(ddof=1) / 50**0.5, rel=1e-12)
    assert result.active_units == active_units(encode(run.vae, binary)[0])
    assert result.used_units == used_units(*encode(run.vae, binary)).sum()
    features = label_features(data)
    expected = measure_samples(run.vae.sample, data, 3, features)
    assert (result.samples, result.between_sets) == expected
    real, _ = measure_samples(training_images(data), data, 3, features)
    assert result.training_images == real


def test_the_seed_changes_the_noise_and_not_the_images(runs, data):
    run = runs["bce"]
    one, same, other = (
        evaluate(run, data, importance_samples=2, images=50, seed=seed) for seed in (0, 0, 1)
    )
    assert one == same
    assert one.kl == other.kl
    assert one.nll != other.nll
    assert one.samples != other.samples


def test_a_broken_model_is_an_error(runs, data):
    run = train(runs["mse"].config, data)
    run.vae.parameters.flat *= np.float32(1e18)
    with pytest.raises(InputError, match="the model is broken: "):
        evaluate(run, data, importance_samples=1, images=10)


def test_what_does_not_fit_is_an_error(runs, data):
    run = runs["mse"]
    for settings, message in (
        ({"importance_samples": 0}, "importance samples must be at least 1, got 0"),
        ({"images": 1}, "images must be at least 2, got 1"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ):
        with pytest.raises(InputError, match=message):
            evaluate(run, data, **settings)
    pixels = np.zeros((4, 4), np.uint8)
    other = Dataset("other", pixels, None, pixels, None, (2, 2))
    with pytest.raises(InputError, match="28 x 28 pixels, other has 2 x 2 pixels"):
        evaluate(run, other)
    with pytest.raises(InputError, match="number of test images in digits must be at least 2"):
        evaluate(
            run, replace(data, test_images=data.test_images[:1], test_labels=data.test_labels[:1])
        )


def test_the_table_says_what_the_numbers_stand_for(runs, data):
    results = {
        name: evaluate(run, data, importance_samples=1, images=10) for name, run in runs.items()
    }
    texts = {name: table(result) for name, result in results.items()}
    assert max(len(line) for text in texts.values() for line in text.splitlines()) < 80
    page = (Path(__file__).parents[2] / "docs/experiments.md").read_text()
    for heading in EXPLAINED:
        assert f'"{heading}"' in texts["mse"]
        assert f"\n## {heading}\n" in page
    assert "variance 1/2" in texts["mse"]
    assert "(x_dim / 2) log pi      448.73  nats per image" in texts["mse"]
    assert "binarized once (seed 0)" in texts["bce"]
    assert "no likelihood" in texts["grey"]
    assert "no likelihood" not in texts["bce"]
    assert "without noise" in texts["autoencoder"]
    assert "without noise" not in texts["mse"]
    result, text = results["mse"], texts["mse"]
    for name in ("distance", "precision", "recall", "diversity"):
        of_model, between, real = (
            f"{getattr(found, name):.4f}"
            for found in (result.samples, result.between_sets, result.training_images)
        )
        assert re.search(f"sample {name} +{of_model}  ± {between}; training images: {real}", text)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False)])
def test_the_bar_is_shown_on_a_terminal(runs, data, monkeypatch, progress, shown):
    updates = []
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("tqdm.tqdm.update", lambda _, n=1: updates.append(n))
    evaluate(runs["mse"], data, importance_samples=3, images=10, progress=progress)
    assert ("/3" in sys.stderr.getvalue()) == shown
    assert sum(updates) == 3


def test_json_holds_every_number_and_the_settings(runs, data):
    result = evaluate(runs["bce"], data, importance_samples=1, images=10)
    expected = asdict(result)
    expected["config"]["hidden"] = [16, 8]
    for name in ("samples", "between_sets", "training_images"):
        expected[name] = getattr(result, name)._asdict()
    assert json.loads(as_json(result)) == expected
