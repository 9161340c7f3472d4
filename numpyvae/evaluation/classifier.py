"""A small classifier, trained on the labels of a data set: its features say how alike images are.

Pixels are a poor measure of that: a digit moved by two pixels is far from itself.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from .. import functional as F
from ..data.dataset import Dataset, minibatches
from ..flat import FlatArrays
from ..functional import Array
from ..optim import Adam
from ..training.chance import Stream

HIDDEN = (128, 64)  # units; the last are the features
BATCH, STEPS = 128, 1500

Features = Callable[[Array], Array]  # of images (N, x_dim): (N, features)


def label_features(data: Dataset) -> Features:
    """The features of images, by a classifier trained on the labels of the training images.

    784-128-64-10 for digits, ReLU, softmax, AdamW; always from the same seed, so that there is
    one classifier for a data set. Where there are no labels, the features are the pixels.
    """
    if data.train_labels is None:
        return lambda images: images
    parameters = train_classifier(data.train_images, data.train_labels)
    return lambda images: _hidden(parameters, images)[-1]


def train_classifier(images: Array, labels: Array) -> FlatArrays:
    """The parameters of a classifier after ``STEPS`` steps on images (N, x_dim), labels (N,)."""
    classes, targets = np.unique(labels, return_inverse=True)
    sizes = (images.shape[1], *HIDDEN, len(classes))
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
        shapes |= {f"{layer}.weight": (n_out, n_in), f"{layer}.bias": (n_out,)}
    parameters, gradients = FlatArrays(shapes, np.float32), FlatArrays(shapes, np.float32)
    rng = Stream.CLASSIFIER.generator(0)
    for name, values in parameters.items():
        if name.endswith("weight"):  # He et al. (2015): keeps the variance through ReLUs
            values[...] = rng.standard_normal(values.shape) * np.sqrt(2 / values.shape[1])
    adam = Adam(parameters, weight_decay=0.01)
    while adam.steps < STEPS:
        order = rng.permutation(len(targets))
        batches = minibatches(images[order], BATCH, np.float32)
        for start, x in zip(range(0, len(order), BATCH), batches, strict=True):
            _differentiate(parameters, x, targets[order[start : start + BATCH]], gradients)
            adam.step(gradients)
    return parameters


def classify(parameters: FlatArrays, images: Array) -> Array:
    """The scores of every class, before the softmax: (N, classes)."""
    h = _hidden(parameters, images)[-1]
    return F.linear(h, parameters["2.weight"], parameters["2.bias"])


def _hidden(parameters: FlatArrays, x: Array) -> list[Array]:
    """The images, and the units of both hidden layers."""
    layers = [x]
    for layer in range(len(HIDDEN)):
        a = F.linear(layers[-1], parameters[f"{layer}.weight"], parameters[f"{layer}.bias"])
        layers.append(F.relu(a, out=a))
    return layers


def _differentiate(parameters: FlatArrays, x: Array, targets: Array, gradients: FlatArrays) -> None:
    """The gradient of the mean of -log softmax(scores)[target], by hand."""
    inputs = _hidden(parameters, x)
    scores = F.linear(inputs[-1], parameters["2.weight"], parameters["2.bias"])
    scores -= scores.max(axis=1, keepdims=True)
    grad = np.exp(scores)
    grad /= grad.sum(axis=1, keepdims=True)
    grad[np.arange(len(x)), targets] -= 1  # d/dscores of -log softmax: softmax - one_hot
    grad /= len(x)
    for layer in reversed(range(len(inputs))):
        weight, bias = f"{layer}.weight", f"{layer}.bias"
        F.linear_backward_parameters(grad, inputs[layer], (gradients[weight], gradients[bias]))
        if layer:
            grad = F.linear_backward_input(grad, parameters[weight])
            grad = F.relu_backward(grad, inputs[layer])
