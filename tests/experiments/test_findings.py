"""Findings follow the numbers."""

import re

import pytest

from numpyvae.evaluation.samples import Samples
from numpyvae.experiments.findings import (
    beta_findings,
    generation_findings,
    latent_dim_findings,
    trend,
)
from numpyvae.experiments.measurement import Measurement


@pytest.mark.parametrize(
    ("values", "deviation", "expected"),
    [
        ([1, 2, 3], 0, "rises"),
        ([3, 2, 1], 0, "falls"),
        ([1, 3, 2, 4], 0, "mostly rises"),
        ([4, 2, 3, 1], 0, "mostly falls"),
        ([1, 3, 2], 0, "goes both ways"),
        ([9, 1, 3, 8], 0, "goes both ways"),
        ([1, 2, 1], 0, "goes both ways"),
        ([5, 5], 0, "has no clear trend"),
        ([5], 0, "has no clear trend"),
        ([1, 1.5, 1.2], 0.3, "has no clear trend"),  # all within 2 * 0.3 * sqrt(2)
        ([1, 0.5, 1.6], 0.3, "has no clear trend"),  # the last two differ, not the ends
        ([1, 3, 2.9], 0.3, "rises"),  # the step back is noise
        ([1, 0.9, 3], 0.3, "rises"),
        ([1, 4, 2], 0.3, "goes both ways"),
    ],
)
def test_trends(values, deviation, expected):
    assert trend(values, [deviation] * len(values)) == expected


MOSTLY = "Held on the whole, not at every step"
FLOOR = Samples(0.01, 0.001, 1.0)


def measured(error=10.0, sharpness=0.8, active=5, distance=0.1, diversity=0.5, deviation=0.001):
    return Measurement(error, sharpness, 6.0, active, Samples(distance, deviation, diversity))


def verdicts(findings):
    """{claim's first words: verdict}, of the findings that have a claim."""
    pairs = [re.match(r"\*\*(.+?)\.\*\* (.+)", finding).groups() for finding in findings]
    return [(verdict, text) for verdict, text in pairs if verdict != "Seen"]


@pytest.mark.parametrize(
    ("autoencoder", "vae", "expected"),
    [
        ({"error": 3, "distance": 0.3}, {"error": 9, "distance": 0.1}, ["Held", "Held"]),
        ({"error": 9, "distance": 0.1}, {"error": 3, "distance": 0.3}, ["Did not hold"] * 2),
        (
            {"error": 9, "distance": 0.1},
            {"error": 9, "distance": 0.102},
            ["Did not hold", "Undecided"],
        ),
    ],
)
def test_findings_on_generation(autoencoder, vae, expected):
    results = {"autoencoder": measured(**autoencoder), "VAE": measured(**vae)}
    findings = verdicts(generation_findings(results, FLOOR))
    assert [verdict for verdict, _ in findings] == expected
    assert f"VAE {vae['distance']:.4f}" in findings[1][1]


def test_findings_say_whether_samples_can_be_told_from_real_ones():
    for distance, word in ((0.012, "cannot"), (0.02, "can")):
        results = {"autoencoder": measured(), "VAE": measured(distance=distance)}
        assert f"distance {word} tell" in generation_findings(results, FLOOR)[-1]


def betas(**columns):
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return dict(zip((0.1, 1, 10), (measured(**row) for row in rows), strict=True))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {
                "sharpness": [0.9, 0.7, 0.3],
                "error": [3, 8, 20],
                "diversity": [0.2, 0.5, 0.9],
                "distance": [0.3, 0.1, 0.2],
            },
            ["Held", "Held", "Held", "Held"],
        ),
        (
            {
                "sharpness": [0.3, 0.7, 0.9],
                "error": [20, 8, 3],
                "diversity": [0.9, 0.5, 0.2],
                "distance": [0.1, 0.2, 0.3],
            },
            ["Did not hold"] * 4,
        ),
        (
            {
                "sharpness": [0.9, 0.3, 0.4],
                "error": [3, 3, 3],
                "diversity": [0.2, 0.5, 0.4],
                "distance": [0.3, 0.1, 0.1005],
            },
            ["Did not hold", "Undecided", "Did not hold", "Undecided"],
        ),
    ],
)
def test_findings_on_beta(columns, expected):
    findings = verdicts(beta_findings(betas(**columns), FLOOR))
    assert [verdict for verdict, _ in findings] == expected
    assert "sharpness" in findings[0][1]
    assert f"{columns['sharpness'][2]} at 10" in findings[0][1]


def test_a_single_value_decides_nothing():
    findings = verdicts(beta_findings({1.0: measured()}, FLOOR))
    assert {verdict for verdict, _ in findings} == {"Undecided"}


def test_findings_name_collapse():
    results = {1.0: measured(active=3), 5.0: measured(active=0), 9.0: measured(active=0)}
    assert "At beta 5, 9 no latent unit" in " ".join(beta_findings(results, FLOOR))
    results = {1.0: measured(active=3)}
    assert "no latent unit" not in " ".join(beta_findings(results, FLOOR))


@pytest.mark.parametrize(
    ("errors", "distances", "expected"),
    [
        ([30, 10, 8], [0.1, 0.2, 0.3], ["Held", "Held"]),
        ([8, 10, 30], [0.3, 0.2, 0.1], ["Did not hold", "Did not hold"]),
        ([30, 10, 11], [0.1, 0.1, 0.1005], ["Did not hold", "Undecided"]),
        ([30, 10, 11, 8], [0.1, 0.3, 0.2, 0.4], [MOSTLY, MOSTLY]),
    ],
)
def test_findings_on_latent_dim(errors, distances, expected):
    results = {
        z_dim: measured(error=error, distance=distance, active=z_dim // 2)
        for z_dim, error, distance in zip((2, 20, 50, 100), errors, distances, strict=False)
    }
    findings = latent_dim_findings(results, FLOOR)
    assert [verdict for verdict, _ in verdicts(findings)] == expected
    assert f"{distances[2]:.4f} ± 0.0010 at 50" in findings[1]
    largest = max(results)
    assert f"Of {largest} units {largest // 2} are active" in " ".join(findings)
