"""The distance of samples against its formula, and what it is measured on."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from numpyvae import (
    Dataset,
    InputError,
)
from numpyvae.data.dataset import as_floats
from numpyvae.evaluation import samples
from numpyvae.evaluation.samples import (
    held_out,
    measure_samples,
    median_distance,
    mmd2,
    precision_recall,
    training_images,
)


def rng(seed=0):
    return np.random.default_rng(seed)


# Squared maximum mean discrepancy


def naive_mmd2(x, y, bandwidth):
    def k(a, b):
        return math.exp(-sum((a - b) ** 2) / (2 * bandwidth**2))

    n, m = len(x), len(y)
    among_x = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    among_y = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    between = sum(k(a, b) for a in x for b in y) / (n * m)
    return among_x + among_y - 2 * between


def naive_median(x):
    pairs = itertools.combinations(x, 2)
    return float(np.median([math.sqrt(sum((a - b) ** 2)) for a, b in pairs]))


def test_mmd2_is_the_formula_written_out():
    x, y = rng().random((7, 3)), rng(1).random((5, 3)) + 0.2
    assert mmd2(x, y, bandwidth=0.7) == pytest.approx(naive_mmd2(x, y, 0.7), rel=1e-12)
    assert median_distance(x) == pytest.approx(naive_median(x), rel=1e-12)


def test_mmd2_of_a_distribution_with_itself_is_zero_on_average():
    generator = rng()
    values = [
        mmd2(generator.standard_normal((15, 4)), generator.standard_normal((20, 4)), 2.0)
        for _ in range(1000)
    ]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error
    assert error < 1e-3  # a biased estimate would be around 1/15 + 1/20 off
    assert min(values) < 0


def test_mmd2_of_gaussians_is_their_integral():
    """E k(a, b) for Gaussians is a Gaussian integral; so is MMD² between N(0, I) and N(s, I)."""
    dims, shift, bandwidth = 3, np.array([0.8, 0, 0]), 1.5
    wide = bandwidth**2 + 2
    scale = (bandwidth**2 / wide) ** (dims / 2)
    exact = 2 * scale * (1 - math.exp(-(0.8**2) / (2 * wide)))
    normal = rng().standard_normal
    values = [mmd2(normal((200, dims)), normal((200, dims)) + shift, bandwidth) for _ in range(200)]
    assert np.mean(values) == pytest.approx(exact, rel=0.05)


def test_mmd2_grows_with_the_distance():
    x, y = rng().standard_normal((200, 3)), rng(1).standard_normal((200, 3))
    values = [mmd2(x, y + shift, 2.0) for shift in (0, 0.25, 0.5, 1, 2)]
    assert np.all(np.diff(values) > 0), values


def test_float32_images_of_full_size():
    """Distances around 10 and squares around 100 are where float32 would lose MMD's digits."""
    x, y = rng().random((60, 784), np.float32), rng(1).random((60, 784), np.float32)
    expected = naive_mmd2(x.astype(float), y.astype(float), 11.0)
    assert mmd2(x, y, 11.0) == pytest.approx(expected, rel=1e-9)


def test_no_bandwidth_and_too_few_images_are_errors():
    with pytest.raises(InputError, match="median distance is 0"):
        median_distance(np.zeros((5, 3)))
    with pytest.raises(InputError, match="at least 2, got 1"):
        mmd2(np.zeros((5, 3)), np.ones((1, 3)), 1.0)
    with pytest.raises(InputError, match="at least 2, got 1"):
        median_distance(np.zeros((1, 3)))


# Samples and held-out images


@pytest.fixture
def uniform():
    """1500 images of 5 random pixels, 1000 of them to train with."""
    images = rng().random((1500, 5), np.float32)
    return Dataset("uniform", images[:1000], None, images[1000:], None, (1, 5))


def pixels(images):
    return images


def test_samples_like_the_images_are_near_precise_complete_and_as_diverse(uniform):
    found, between = measure_samples(lambda n, rng: rng.random((n, 5)), uniform, 0, pixels)
    assert abs(found.distance) < 4 * between.distance
    assert found.precision > 0.8
    assert found.recall > 0.8
    assert found.diversity == pytest.approx(1, abs=0.05)


def test_other_samples_are_further_away_and_alike_ones_less_diverse(uniform):
    half, between = measure_samples(lambda n, rng: rng.random((n, 5)) / 2, uniform, 0, pixels)
    same, none = measure_samples(lambda n, _: np.full((n, 5), 0.5), uniform, 0, pixels)
    assert half.distance > 20 * between.distance
    assert half.diversity == pytest.approx(0.25, abs=0.02)
    assert half.recall < 0.3
    assert (same.precision, same.recall, same.diversity) == (1, 0, 0)
    assert none == (0, 0, 0, 0)


def test_sets_of_samples_are_compared_with_the_held_out_images(uniform, monkeypatch):
    monkeypatch.setattr(samples, "MOST_HELD_OUT", 30)
    drawn = []

    def sample(n, rng):
        drawn.append(rng.random((n, 5)))
        return drawn[-1]

    found, between = measure_samples(sample, uniform, 3, lambda images: images[:, :2])
    images = held_out(uniform, 3)
    assert [len(one) for one in drawn] == [30] * 10
    distances = [naive_mmd2(images, one, naive_median(images)) for one in drawn]
    assert found.distance == pytest.approx(np.mean(distances), rel=1e-6)
    assert between.distance == pytest.approx(np.std(distances, ddof=1), rel=1e-6)
    precision = [precision_recall(images[:, :2], one[:, :2])[0] for one in drawn]
    assert found.precision == pytest.approx(np.mean(precision))
    assert between.precision == pytest.approx(np.std(precision, ddof=1))
    again = measure_samples(sample, uniform, 3, lambda images: images[:, :2])
    assert again == (found, between)
    assert measure_samples(sample, uniform, 4, pixels)[0] != found


def test_training_images_are_drawn_as_floats_as_many_as_there_are(uniform):
    dark = (127 * uniform.train_images).astype(np.uint8)
    draw = training_images(replace(uniform, train_images=dark))
    drawn = draw(500, rng())
    assert drawn.shape == (500, 5)
    assert len(np.unique(drawn, axis=0)) == 500
    assert {tuple(image) for image in drawn} <= {tuple(image) for image in as_floats(dark)}
    assert training_images(replace(uniform, train_images=dark[:9]))(500, rng()).shape == (9, 5)


# Precision and recall


def naive_share(points, centres):
    """The share of points that lie within the reach of a centre, with its third neighbour."""

    def near(point, centre):
        to_others = sorted(math.dist(centre, other) for other in centres)
        return math.dist(point, centre) <= to_others[3]  # the first is the centre itself

    return np.mean([any(near(point, centre) for centre in centres) for point in points])


def test_precision_and_recall_are_their_definition_written_out():
    real, generated = rng().random((30, 2)), rng(1).random((25, 2)) + 0.4
    precision, recall = precision_recall(real, generated)
    assert 0.1 < recall < precision < 0.9
    assert precision == pytest.approx(naive_share(generated, real))
    assert recall == pytest.approx(naive_share(real, generated))


def test_precision_sees_bad_samples_and_recall_missing_ones():
    real = np.concatenate([rng().random((100, 3)), rng(1).random((100, 3)) + 5])  # two kinds
    one_kind = rng(2).random((200, 3))
    half_bad = np.concatenate([rng(2).random((100, 3)), rng(3).random((100, 3)) - 5])
    precision, recall = precision_recall(real, one_kind)
    assert precision > 0.85
    assert recall == pytest.approx(0.5, abs=0.05)
    assert precision_recall(real, half_bad)[0] == pytest.approx(0.5, abs=0.05)


def test_too_few_images_have_no_neighbours():
    with pytest.raises(InputError, match="at least 4, got 3"):
        precision_recall(np.eye(5), np.eye(3, 5))


def test_all_test_images_are_held_out_or_some_drawn_with_the_seed(uniform, monkeypatch):
    grey = replace(uniform, test_images=np.arange(250, dtype=np.uint8).reshape(50, 5))
    np.testing.assert_array_equal(held_out(grey, 0), grey.test_images.astype(np.float32) / 255)
    monkeypatch.setattr(samples, "MOST_HELD_OUT", 300)
    one, same, other = (held_out(uniform, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    everything = {tuple(image) for image in uniform.test_images}
    chosen = {tuple(image) for image in one}
    assert len(chosen) == 300
    assert chosen < everything
    assert chosen != {tuple(image) for image in other}


def test_samples_are_not_compared_with_images_that_are_all_the_same(uniform):
    data = replace(uniform, test_images=uniform.test_images[:1].repeat(9, axis=0))
    with pytest.raises(InputError, match="same"):
        measure_samples(training_images(data), data, 0, pixels)
