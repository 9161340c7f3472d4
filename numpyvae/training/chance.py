"""Everything random, by name: which numbers are drawn for what."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """A stream of random numbers for each purpose, so that none depends on how much others draw.

    A run's seed and the stream's number seed its generator. The numbers are part of a
    checkpoint's meaning: they never change, and a new stream gets a new one.
    """

    WEIGHTS = 0  # the initial weights, which VAE draws itself: its seed alone gives this stream
    TRAINING = 1  # the order of the images, their binarization and eps, step by step
    VALIDATION = 2  # eps and binarization of validation: the same after every epoch
    PICTURES = 3  # the latent vectors behind a run's sample pictures: the same after every epoch
    HELD_OUT = 4  # which test images samples are compared with, where there are many
    MEASURED_SAMPLES = 5  # the sets of samples that are measured
    BINARY_TEST_IMAGES = 6  # the one binarization of test images that is evaluated
    LIKELIHOOD = 7  # the latent vectors behind ELBO and importance-sampled likelihood
    EXPERIMENT_PICTURES = 8  # the samples that an experiment shows
    NEW_IMAGES = 9  # what the command sample draws, and reconstruct beside the test images
    PAIRS = 10  # which test images the command interpolate joins
    GRADCHECK = 11  # the images, eps and directions of gradcheck
    CLASSIFIER = 12  # weights and order of the classifier that compares samples with images
    RECONSTRUCTIONS = 13  # the latent vectors that reconstructions are decoded from
    MEASURED_CODES = 14  # the random codes whose distance to used ones is measured

    def generator(self, seed: int) -> np.random.Generator:
        """The generator of this stream for ``seed``, at least 0, from its beginning."""
        return np.random.default_rng([seed, self])
