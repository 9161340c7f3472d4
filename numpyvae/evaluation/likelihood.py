"""What a trained model is worth in numbers: likelihood, active units, distance of its samples.

Throughout, ``images`` are (N, x_dim) floats in [0, 1] of the model's dtype. Log-likelihoods are in
nats and always complete, with the normalising constant of their density:

- ``"bce"``: log p(x|z) is minus the cross-entropy, the log-probability of binary pixels. Of grey
  pixels it is only a score: the probabilities of 0 and 1 leave none for what lies between.
- ``"mse"``: the squared error is, up to a constant, minus the log-density of a Gaussian around the
  decoded image y with variance 1/2 in every pixel:

      log N(x; y, I/2)  =  -||x - y||²  -  (x_dim / 2) log pi

  It is a density over all real pixels, so it compares with other densities, not with ``"bce"``.

So the training loss with beta 1 is minus the ELBO, but for that constant: ``log_normalizer``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from .. import functional as F
from ..data.dataset import minibatches
from ..errors import InputError
from ..functional import Array
from ..importance import log_weights
from ..model import VAE
from ..reconstruction import RECONSTRUCTIONS
from ..training.kernels import blas_threads

BATCH = 200  # images that go through a network at once: few enough to stay in the cache
ROUND = 20  # samples of every image whose noise is drawn together
ACTIVE = 0.01  # Burda et al. (2016), section 5.2
USED = 0.05  # nats: units of VAEs lie far above it or far below, which is not true of ACTIVE


class Elbo(NamedTuple):
    """Means over images, in nats: elbo = -(reconstruction + kl) - log_normalizer.

    ``reconstruction`` and ``kl`` are the two terms of the training loss.
    """

    elbo: float
    reconstruction: float
    kl: float


def encode(vae: VAE, images: Array) -> tuple[Array, Array]:
    """q(z|x) of all images, uint8 or floats: mean and log-variance of z, each (N, z_dim).

    Raises:
        InputError: they are not finite.
    """
    found = [vae.encode(x) for x in minibatches(images, BATCH, vae.dtype)]
    mean, log_var = (np.concatenate(parts) for parts in zip(*found, strict=True))
    if not (np.isfinite(mean).all() and np.isfinite(log_var).all()):
        raise InputError("the model is broken: the codes of these images are not finite")
    return mean, log_var


def log_normalizer(vae: VAE) -> float:
    """What the reconstruction loss leaves out of -log p(x|z), in nats per image."""
    return vae.x_dim * RECONSTRUCTIONS[vae.reconstruction].log_normalizer


def log_likelihood(vae: VAE, images: Array, z: Array) -> Array:
    """log p(x|z) of each image x given its latent vector z, (N, z_dim). Returns (N,), float64."""
    logits = vae.decode_logits(z)
    loss = vae.reconstruction_loss(logits, images, y=logits)
    return -loss.astype(np.float64) - log_normalizer(vae)


def elbo(vae: VAE, images: Array, rng: np.random.Generator, samples: int = 10) -> Elbo:
    """The evidence lower bound E_q[log p(x|z)] - KL(q(z|x) || p(z)), beta being 1.

    The KL divergence is exact; the expectation is a mean over ``samples`` draws per image.

    Raises:
        InputError: ``samples`` is below 1.
    """
    check_at_least(1, "samples", samples)
    mean, log_var = encode(vae, images)
    likelihood = np.zeros(len(images))

    def add(rows: slice, z: Array, _: Array) -> None:
        likelihood[rows] += log_likelihood(vae, images[rows], z)

    add_samples(add, mean, log_var, samples, rng)
    reconstruction = -float(likelihood.mean() / samples) - log_normalizer(vae)
    kl = float(F.kl_divergence(mean, log_var).mean(dtype=np.float64))
    return Elbo(-(reconstruction + kl) - log_normalizer(vae), reconstruction, kl)


def importance_sampled_log_likelihood(
    vae: VAE,
    images: Array,
    samples: int,
    rng: np.random.Generator,
    on_samples: Callable[[int], object] = lambda _: None,
) -> Array:
    """log 1/K sum_k p(x, z_k) / q(z_k|x) of each image, with K = ``samples`` draws z_k ~ q(z|x).

    In expectation it is at most log p(x), approaches that as K grows, and never falls with K; with
    K = 1 it is the ELBO. Burda et al. (2016), theorem 1.

    ``on_samples`` is told now and then how many z more there are.

    Returns:
        (N,), float64, in nats.

    Raises:
        InputError: ``samples`` is below 1.
    """
    check_at_least(1, "importance samples", samples)
    mean, log_var = encode(vae, images)
    log_sum = np.full(len(images), -np.inf)

    def add(rows: slice, z: Array, eps: Array) -> None:
        loss = -log_likelihood(vae, images[rows], z)
        log_w = log_weights(loss[:, None], z[:, None], log_var[rows], eps[:, None])
        log_sum[rows] = np.logaddexp(log_sum[rows], log_w[:, 0])

    add_samples(add, mean, log_var, samples, rng, on_samples)
    return log_sum - math.log(samples)


def add_samples(
    add: Callable[[slice, Array, Array], None],
    mean: Array,
    log_var: Array,
    samples: int,
    rng: np.random.Generator,
    on_samples: Callable[[int], object] = lambda _: None,
) -> None:
    """Calls ``add`` for every sample of every batch of images: with rows, z and eps.

    A round draws a few eps for every image, so memory does not grow with the samples. The batches
    of a round are shared out among the cores, which work on it while the next one is drawn.
    """
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import threadpool_limits

    def add_round(noise: Array, rows: slice) -> None:
        for eps in noise[:, rows]:
            add(rows, F.reparameterize(mean[rows], log_var[rows], eps), eps)

    # Each thread is given a core, so its matrix products must not ask for all of them; and NumPy
    # keeps in each thread what to do about overflow.
    pool = ThreadPoolExecutor(blas_threads(), initializer=partial(np.seterr, **np.geterr()))
    with threadpool_limits(1, "blas"), pool:
        at_work: Iterator[None] = iter(())
        for start in range(0, samples, ROUND):
            count = min(ROUND, samples - start)
            noise = rng.standard_normal((count, *mean.shape), mean.dtype)
            list(at_work)
            at_work = pool.map(partial(add_round, noise), batches(mean))
            on_samples(count)
        list(at_work)


def batches(images: Array) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, len(images), BATCH))


def unit_kl(mean: Array, log_var: Array) -> Array:
    """The KL divergence of every latent unit, in nats, averaged over the images: (z_dim,).

    It is 0 where the unit is the prior's noise for every image, and says nothing about any.
    """
    of_each = F.kl_divergence(mean.reshape(-1, 1), log_var.reshape(-1, 1))
    return of_each.reshape(mean.shape).mean(axis=0, dtype=np.float64)


def used_units(mean: Array, log_var: Array) -> Array:
    """Which latent units say something about the image, (z_dim,) bool: KL above 0.05 nats."""
    return unit_kl(mean, log_var) > USED


def active_units(mean: Array) -> int:
    """How many latent units are active, given posterior means (N, z_dim), as papers count them.

    A unit's activity is the variance over the images of its posterior mean. It is active where
    that is above 0.01. Burda et al. (2016), section 5.2. After a short training many units lie
    near that threshold, and the count says little: ``used_units`` is stable over seeds.
    """
    return int(np.sum(mean.var(axis=0, dtype=np.float64) > ACTIVE))


def check_at_least(least: int, name: str, value: int) -> None:
    if value < least:
        raise InputError(f"{name} must be at least {least}, got {value}")
