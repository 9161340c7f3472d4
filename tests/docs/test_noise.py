"""The estimators of noise.md are right on average, but for the one that the page calls wrong."""

import math

import importance
import noise
import numpy as np
import pytest
import torch
from generated import DOCS, parts

from numpyvae import IWAE, FullyConnected

MEASURED = parts((DOCS / "noise.md").read_text(), "measured")
AWAY = noise.Linear(np.array([1.3]), np.array([[0.7]]), np.array([0.4]), np.array([-0.5]))
WRONG = "sticking the landing, with weights"


def test_the_exact_table_is_that_of_the_page():
    """If this fails: python docs/noise.py unit"""
    assert MEASURED["unit"] == noise.unit() + "\n"
    assert [WRONG in row for row in noise.unit().splitlines() if "**" in row] == [True]


@pytest.mark.parametrize("name", noise.ONE_SAMPLE)
def test_an_estimator_for_one_sample_is_unbiased_by_a_formula(name):
    mean, _ = noise.exact(AWAY, noise.ONE_SAMPLE[name], 1)
    assert mean == pytest.approx(AWAY.elbo_gradient(), abs=1e-9)
    assert mean == pytest.approx(noise.bound_gradient(AWAY, 1), abs=1e-6)


@pytest.mark.parametrize("name", noise.TWO_SAMPLES)
def test_an_estimator_for_two_samples_is_unbiased_but_for_one(name):
    mean, _ = noise.exact(AWAY, noise.TWO_SAMPLES[name], 2)
    off = np.abs(mean - noise.bound_gradient(AWAY, 2))
    assert (off > 0.01).all() if name == WRONG else (off < 1e-6).all()


def test_where_q_is_the_posterior_two_estimators_have_no_noise():
    model = noise.linear_model(noise.Case(0.0, independent=True), seed=0)
    s = model.samples(np.random.default_rng(0).standard_normal((50, 3, 5)))
    assert noise.effective(s.log_w) == pytest.approx(3)
    for estimator in (noise.sticking_the_landing, noise.dreg, noise.sticking_with_weights):
        assert np.abs(estimator(s)).max() < 1e-12
    assert noise.iwae(s).std() > 0.1


def test_the_gradients_are_autograds_for_the_same_noise():
    model = noise.linear_model(noise.Case(0.5, independent=False), seed=1, units=3)
    eps = np.random.default_rng(0).standard_normal((1, 4, 3))
    mean, log_var, decoder = (
        torch.tensor(array, requires_grad=True)
        for array in (model.mean, model.log_var, model.decoder)
    )
    noisy = torch.tensor(eps[0])
    z = mean + torch.exp(log_var / 2) * noisy
    losses = 0.5 * (z @ decoder - torch.tensor(model.x)).square().sum(1)
    log_w = 0.5 * (noisy**2 - z**2 + log_var).sum(1) - losses
    (math.log(4) - torch.logsumexp(log_w, 0)).backward()
    s = model.samples(eps)
    assert noise.iwae(s)[0] == pytest.approx(torch.cat([mean.grad, log_var.grad]).numpy())
    assert noise.decoder(s)[0] == pytest.approx(decoder.grad.numpy().ravel())


def test_signal_is_told_from_noise():
    rng = np.random.default_rng(0)

    def ratio(mean, draws, blocks=2):
        tally = noise.Tally()
        for _ in range(blocks):
            tally.add(rng.standard_normal((draws // blocks, 4)) * [1, 2, 1, 2] + np.array(mean))
        return tally.signal_to_noise()

    assert ratio([3, 4, 0, 0], 5000) == pytest.approx(5 / math.sqrt(10), rel=0.03)
    # The mean of 50 draws of noise is as long as a seventh of it.
    assert np.median([ratio(np.zeros(4), 50) for _ in range(21)]) < 0.05


def test_a_rate_is_a_power_of_the_number_of_samples(monkeypatch):
    monkeypatch.setattr(noise, "SAMPLES", (1, 4))
    assert noise.rate([[1.0, 3.0], [2.0, 6.0]]) == "0.50 ± 0.00"
    assert noise.rate([[1.0, 3.0], [0.0, 6.0]]) == "lost in the noise"


def test_everything_is_measured_and_drawn(monkeypatch, tmp_path, tiny):
    monkeypatch.setattr(noise, "SAMPLES", (1, 2))
    monkeypatch.setattr(noise, "SEEDS", (0, 1))
    monkeypatch.setattr(noise, "NUMBERS", 2 * noise.BLOCK)
    monkeypatch.setattr(noise, "DRAWS", 3)
    monkeypatch.setattr(noise, "PICTURE", tmp_path / "noise.svg")
    monkeypatch.setattr(noise, "load_dataset", lambda _: tiny)
    network = FullyConnected(20, 6, 5, 2)
    monkeypatch.setattr(noise, "trained_network", lambda _: IWAE(network, "bce", samples=5))
    for cached in (noise.linear_curves, noise.trained_curves):
        cached.cache_clear()
    for text, tables in ((noise.linear(), len(noise.CASES)), (noise.trained(), 1)):
        assert text.count("effective samples") == tables
    noise.picture()
    assert (tmp_path / "noise.svg").stat().st_size > 10_000
    for cached in (noise.linear_curves, noise.trained_curves):
        cached.cache_clear()


def test_digits_that_are_right():
    exact = np.array([3.0, 4.0])
    assert noise.right_digits(np.add(exact, [0.0, 5e-4]), exact) == pytest.approx(4)


def test_two_gradients_of_a_bound_are_compared_seed_by_seed(monkeypatch):
    def measured(name, bound, samples, seed):
        assert name == "dreg"
        better = {5: 1, 50: (-1) ** seed}[samples] if bound == "dreg" else 0
        return {"nll": 100 + seed - better * (1 + 0.1 * seed)}

    monkeypatch.setattr(importance, "measured", measured)
    *_, five, fifty = importance.dreg().splitlines()
    assert five.endswith("| +1.00, +1.10, +1.20 | DReG |")
    assert fifty.endswith("| +1.00, -1.10, +1.20 | undecided |")


def test_the_page_has_all_that_is_measured():
    assert MEASURED.keys() == {"unit", "linear", "trained", "rounding", "dreg"}
    assert all(text.startswith("|") for text in MEASURED.values())
    assert MEASURED["linear"].count("effective samples") == len(noise.CASES)
