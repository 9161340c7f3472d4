"""The classifier behind precision and recall: its gradient, and that it learns."""

from dataclasses import replace

import numpy as np
import pytest

from numpyvae import load_dataset
from numpyvae.data.dataset import as_floats
from numpyvae.evaluation import classifier
from numpyvae.evaluation.classifier import classify, label_features, train_classifier
from numpyvae.flat import FlatArrays


def test_its_gradient_is_that_of_the_mean_cross_entropy(assert_gradient):
    rng = np.random.default_rng(0)
    shapes = {"0.weight": (4, 6), "0.bias": (4,), "1.weight": (3, 4), "1.bias": (3,)}
    shapes |= {"2.weight": (5, 3), "2.bias": (5,)}
    parameters, gradients = FlatArrays(shapes, np.float64), FlatArrays(shapes, np.float64)
    parameters.flat[...] = rng.standard_normal(parameters.flat.size)
    x, targets = rng.random((7, 6)), rng.integers(0, 5, 7)

    def loss():
        scores = classify(parameters, x)
        chosen = scores[np.arange(7), targets]
        return float(np.mean(np.log(np.exp(scores).sum(axis=1)) - chosen))

    classifier._differentiate(parameters, x, targets, gradients)
    for name in shapes:
        assert_gradient(gradients[name], loss, parameters[name], name)


def test_it_learns_the_labels_always_in_the_same_way(monkeypatch):
    monkeypatch.setattr(classifier, "STEPS", 150)
    data = load_dataset("digits")
    one, two = (train_classifier(data.train_images, data.train_labels + 7) for _ in range(2))
    np.testing.assert_array_equal(one.flat, two.flat)
    found = classify(one, as_floats(data.test_images)).argmax(axis=1)
    assert np.mean(found == data.test_labels) > 0.85


def test_features_are_its_last_hidden_units_or_without_labels_the_pixels(tiny, monkeypatch):
    monkeypatch.setattr(classifier, "STEPS", 3)
    images = as_floats(tiny.test_images)
    assert label_features(tiny)(images) is images
    labelled = replace(tiny, train_labels=np.arange(40, dtype=np.uint8) % 3)
    features = label_features(labelled)(images)
    assert features.shape == (12, classifier.HIDDEN[-1])
    assert np.all(features >= 0)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(features[0], features[1])
