"""Intervals against a textbook's example, and no certainty where there is none."""

from math import isnan

import numpy as np
import pytest

from numpyvae.experiments.statistics import holm, paired

SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]  # Student (1908), hours gained


def test_the_paired_test_is_students():
    found = paired(SLEEP)
    assert found.mean == pytest.approx(1.58)
    assert (found.low, found.high) == pytest.approx((0.700, 2.460), abs=0.001)
    assert found.p == pytest.approx(0.00283, abs=0.00001)


def test_a_95_percent_interval_covers_the_truth_95_times_in_100_even_with_3_seeds():
    rng = np.random.default_rng(0)
    found = [paired(rng.normal(1, 2, 3)) for _ in range(2000)]
    covered = np.mean([one.low < 1 < one.high for one in found])
    assert covered == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("differences", [[0.3], [-4.0, -4.0, -4.0], [0.0, 0.0]])
def test_without_spread_nothing_is_certain(differences):
    found = paired(differences)
    assert found.mean == differences[0]
    assert all(map(isnan, found[1:]))


def test_holm_multiplies_each_p_by_the_number_of_those_left():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, float("nan"), 0.9]) == [1, 1, 1]


def test_holm_keeps_the_chance_of_any_false_alarm_below_5_percent():
    rng = np.random.default_rng(0)
    alarms = [min(holm(rng.random(20).tolist())) < 0.05 for _ in range(4000)]
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.012)
