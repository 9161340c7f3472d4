"""Verdicts follow the differences between settings, seed by seed."""

import numpy as np
import pytest

from numpyvae import Config
from numpyvae.evaluation.measurement import MEASURES
from numpyvae.experiments.catalogue import BETA, EXPERIMENTS, GENERATION, LATENT_DIM
from numpyvae.experiments.claims import (
    AUTOENCODER,
    BEST,
    CONVOLUTIONAL,
    LESS,
    MORE,
    VAE,
    Claim,
    judge,
)

SETTINGS = {
    "generation": [AUTOENCODER, CONVOLUTIONAL, VAE],
    "beta": ["0.1", "0.3", "1", "3", "10"],
    "latent-dim": ["2", "20", "50", "100"],
}
ALL = {name: one.claims(Config("mnist"), SETTINGS[name]) for name, one in EXPERIMENTS.items()}
each_claim = pytest.mark.parametrize(
    ("experiment", "claim"),
    [(name, claim) for name, claims in ALL.items() for claim in claims],
    ids=lambda x: x if isinstance(x, str) else x.text[:40],
)


def measured(levels, noise=0.01, seeds=5, measure="x", draw=0):
    """{setting: a row per seed}, of one measure: levels, and noise of each seed and setting."""
    rng = np.random.default_rng(draw)
    return {
        setting: [{measure: level + noise * rng.standard_normal()} for _ in range(seeds)]
        for setting, level in levels.items()
    }


def verdict(levels, expected=MORE, pairs=(("b", "a"), ("c", "b")), **options):
    (found,) = judge([Claim("", "x", expected, pairs, "")], measured(levels, **options))
    return found.verdict


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((1, 2, 3), "Held"),
        ((3, 2, 1), "Did not hold"),
        ((1, 3, 2), "Goes both ways"),
        ((1, 2, 2), "Held in part"),
        ((2, 1, 1), "Did not hold"),
        ((1, 1, 1), "Undecided"),
    ],
)
def test_verdicts_follow_the_steps(levels, expected):
    levels = dict(zip("abc", levels, strict=True))
    assert verdict(levels) == expected
    opposite = {"Held": "Did not hold", "Did not hold": "Held"}
    if levels["c"] != levels["b"]:
        assert verdict(levels, LESS) == opposite.get(expected, expected)


def test_one_seed_decides_nothing():
    assert verdict({"a": 1, "b": 2, "c": 3}, seeds=1) == "Undecided"


def test_noise_decides_nothing():
    assert verdict({"a": 1, "b": 2, "c": 3}, noise=5) == "Undecided"


def test_what_all_settings_of_a_seed_share_does_not_count():
    """Seeds far apart, and in each of them b above a: only the pairs show that."""
    rows = measured({"a": 1, "b": 1.1})
    for setting in rows.values():
        for seed, row in enumerate(setting):
            row["x"] += 100 * seed
    (found,) = judge([Claim("", "x", MORE, [("b", "a")], "")], rows)
    assert found.verdict == "Held"
    assert found.steps[0].difference.mean == pytest.approx(0.1, abs=0.02)


def test_the_same_difference_counts_less_among_many():
    rows = measured({"a": 1, "b": 1.02})
    claim = Claim("", "x", MORE, [("b", "a")], "")
    nothing = Claim("", "x", MORE, [("a", "a")], "")
    assert judge([claim], rows)[0].verdict == "Held"
    assert judge([claim, *[nothing] * 50], rows)[0].verdict == "Undecided"


def test_a_number_can_be_the_other_side():
    assert verdict({"a": 1}, pairs=[("a", 0.5)]) == "Held"
    assert verdict({"a": 1}, pairs=[("a", 1.5)]) == "Did not hold"


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((3, 1, 2, 4), "Held"),
        ((1, 2, 3, 4), "Goes both ways"),
        ((1, 3, 3, 2), "Did not hold"),
        ((2, 2, 2, 2), "Undecided"),
    ],
)
def test_the_best_lies_between_the_ends_or_not(levels, expected):
    levels = dict(zip("abcd", levels, strict=True))
    assert verdict(levels, pairs=[("a", BEST), ("d", BEST)]) == expected


def test_a_seed_does_not_choose_its_own_best():
    """All settings alike, each seed with a lucky one: chosen by itself, that would always win."""
    claim = Claim("", "x", MORE, [("0", BEST), ("19", BEST)], "")
    rng = np.random.default_rng(0)
    alarms = []
    for _ in range(100):
        x = rng.standard_normal((20, 5))
        rows = {str(setting): [{"x": value} for value in of] for setting, of in enumerate(x)}
        alarms.append(judge([claim], rows)[0].verdict != "Undecided")
    assert np.mean(alarms) < 0.15


@each_claim
def test_every_claim_can_be_undecided(experiment, claim):
    """All settings alike, and at the claim's number, if it has one; 5 % of draws may mislead."""
    constants = [b for _, b in claim.pairs if not isinstance(b, str)]
    levels = dict.fromkeys(SETTINGS[experiment], constants[0] if constants else 1.0)
    draws = [measured(levels, measure=claim.measure, draw=draw) for draw in range(10)]
    verdicts = [judge([claim], rows)[0].verdict for rows in draws]
    assert verdicts.count("Undecided") >= 7


@each_claim
def test_every_claim_is_about_something_measured_and_drawn(experiment, claim):
    assert claim.measure in MEASURES
    assert claim.picture in EXPERIMENTS[experiment].pictures
    known = {*SETTINGS[experiment], BEST}
    assert {side for pair in claim.pairs for side in pair if isinstance(side, str)} <= known


def test_the_articles_loss_is_a_claim_of_its_own_settings_only():
    texts = {claim.measure for claim in GENERATION.claims(Config("mnist", seed=3), [VAE])}
    assert "val_loss" in texts
    for other in (Config("digits"), Config("mnist", epochs=3), Config("mnist", z_dim=20)):
        assert "val_loss" not in {claim.measure for claim in GENERATION.claims(other, [VAE])}


def test_what_is_claimed_of_an_autoencoder_is_asked_of_both():
    two, three = (
        GENERATION.claims(Config("mnist"), names)
        for names in ([AUTOENCODER, VAE], SETTINGS["generation"])
    )
    for one, more in zip(two, three, strict=True):
        about = {side for pair in one.pairs for side in pair}
        added = [pair for pair in more.pairs if pair not in one.pairs]
        assert bool(added) == (AUTOENCODER in about)
        assert all(CONVOLUTIONAL in pair for pair in added)


def test_a_sweep_over_one_value_compares_nothing():
    rows = {"1": [{"sharpness": 0.5}] * 3}
    for claims in (one.claims(Config(), ["1"]) for one in (BETA, LATENT_DIM)):
        assert {finding.verdict for finding in judge(claims, rows)} == {"Undecided"}
