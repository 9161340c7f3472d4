"""Measures how noisy gradients are, and writes the tables and the picture of noise.md.

    python docs/noise.py             all of it: some minutes
    python docs/noise.py WHAT ...    unit, linear, trained or rounding; see below
    python docs/importance.py dreg   its last table, of trainings

"unit" is a model of one latent unit, whose means are integrals and no estimates, "linear" one of
several. "trained" measures the digits' models that importance.py trains for its table, and
"rounding" what float32 loses. The picture needs "linear" and "trained", and is drawn where both are
asked for.
"""

import math
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import product
from typing import NamedTuple

import numpy as np
from generated import DOCS, deviating, put, ranging
from importance import RUNS, measured
from matplotlib.figure import Figure

from numpyvae import VAE, Config, load_checkpoint, load_dataset, train
from numpyvae import functional as F
from numpyvae.experiments.report import table
from numpyvae.figures import style
from numpyvae.functional import Array
from numpyvae.importance import IWAE, Bound, log_mean_exp, log_mean_exp_backward, log_weights
from reference_torch.grading.chain import CHAIN

PAGE, PICTURE = DOCS / "noise.md", DOCS / "pictures" / "noise.svg"
SEEDS = (0, 1, 2)
NODES = 60  # of the integrals over eps
SAMPLES = (1, 4, 16, 64)  # K
NUMBERS, BLOCK = 2**20, 2**14  # log-weights for each K of a linear model, and how many at once
DRAWS, IMAGES = 200, 4  # of the digits' models
EFFECTIVE = "effective samples"


def main(wanted: list[str]) -> None:
    made = {"unit": unit, "linear": linear, "trained": trained, "rounding": rounding}
    wanted = wanted or list(made)
    put(PAGE, "measured", {name: made[name]() for name in wanted})
    if {"linear", "trained"} <= set(wanted):
        picture()


# A model whose decoder is linear


class Linear(NamedTuple):
    """x = z A + noise of variance 1, and one image's q(z|x): mean and log_var."""

    x: Array  # (D,)
    decoder: Array  # A, (J, D)
    mean: Array  # (J,)
    log_var: Array  # (J,)

    def posterior(self) -> tuple[Array, Array]:
        """The true mean, and the log-variances of the best q with independent units."""
        precision = np.eye(len(self.mean)) + self.decoder @ self.decoder.T
        return np.linalg.solve(precision, self.decoder @ self.x), -np.log(np.diag(precision))

    def elbo_gradient(self) -> Array:
        """Of minus the ELBO with respect to mean and log_var, exactly. (2 J,)"""
        var = np.exp(self.log_var)
        grad_mean = self.decoder @ (self.mean @ self.decoder - self.x) + self.mean
        grad_log_var = 0.5 * (var * np.sum(self.decoder**2, axis=1) + var - 1)
        return np.concatenate([grad_mean, grad_log_var])

    def samples(self, eps: Array) -> "Samples":
        z = self.mean + np.exp(0.5 * self.log_var) * eps
        error = z @ self.decoder - self.x
        reconstruction = 0.5 * np.sum(error**2, axis=2)
        log_w = log_weights(reconstruction, z, self.log_var[None], eps)
        return Samples(self.mean, self.log_var, eps, z, log_w, error @ self.decoder.T, error)


class Samples(NamedTuple):
    """N draws of K samples for one image, and what is known of each."""

    mean: Array  # (J,)
    log_var: Array
    eps: Array  # (N, K, J)
    z: Array
    log_w: Array  # (N, K)
    slope: Array  # of each sample's reconstruction loss, at its z; (N, K, J)
    error: Array  # z A - x, (N, K, D)

    @property
    def std(self) -> Array:
        return np.exp(0.5 * self.log_var)

    @property
    def log_q_slope(self) -> Array:
        """Of log q(z|x), at z."""
        return -self.eps / self.std

    @property
    def w(self) -> Array:
        """The normalized weights, (N, K, 1), so that they multiply gradients at z."""
        return log_mean_exp_backward(1.0, self.log_w)[:, :, None]

    @property
    def same(self) -> Array:
        """What the weights are in the ELBO."""
        return np.full((*self.log_w.shape, 1), 1 / self.log_w.shape[1])


# The estimators: each finds the gradients of minus a bound, at mean and log_var, from every draw


def score_function(s: Samples) -> Array:
    loss = -s.log_w[:, :, None]
    at_mean, at_log_var = s.eps / s.std, 0.5 * (s.eps**2 - 1)
    return np.concatenate([s.same * loss * at_mean, s.same * loss * at_log_var], axis=2).sum(axis=1)


def through(grad_z: Array, s: Samples) -> Array:
    at_log_var = grad_z * 0.5 * s.std * s.eps
    return np.concatenate([grad_z, at_log_var], axis=2).sum(axis=1)


def sampled_kl(s: Samples) -> Array:
    return through(s.same * (s.slope + s.z), s) + beside(0.0, -0.5, s)


def exact_kl(s: Samples) -> Array:
    kl_mean, kl_log_var = F.kl_divergence_backward(1.0, s.mean, s.log_var)
    return through(s.same * s.slope, s) + beside(kl_mean, kl_log_var, s)


def sticking_the_landing(s: Samples) -> Array:
    return through(s.same * (s.slope + s.z + s.log_q_slope), s)


def iwae(s: Samples) -> Array:
    return through(s.w * (s.slope + s.z), s) + beside(0.0, -0.5, s)


def sticking_with_weights(s: Samples) -> Array:
    return through(s.w * (s.slope + s.z + s.log_q_slope), s)


def dreg(s: Samples) -> Array:
    return through(s.w**2 * (s.slope + s.z + s.log_q_slope), s)


def decoder(s: Samples) -> Array:
    """The IWAE's, of the decoder."""
    return np.einsum("nk,nkj,nkd->njd", s.w[:, :, 0], s.z, s.error).reshape(len(s.z), -1)


def beside(at_mean: Array | float, at_log_var: Array | float, s: Samples) -> Array:
    """What reaches mean and log_var not through z, the same for every draw."""
    return np.concatenate([np.broadcast_to(a, s.mean.shape) for a in (at_mean, at_log_var)])


Estimator = Callable[[Samples], Array]
ONE_SAMPLE: Mapping[str, Estimator] = {
    "score function": score_function,
    "sampled KL": sampled_kl,
    "exact KL": exact_kl,
    "sticking the landing": sticking_the_landing,
}
TWO_SAMPLES: Mapping[str, Estimator] = {
    "IWAE": iwae,
    "sticking the landing, with weights": sticking_with_weights,
    "DReG": dreg,
}
ESTIMATORS: Mapping[str, Estimator] = {
    "score function, ELBO": score_function,
    "encoder, IWAE": iwae,
    "encoder, DReG": dreg,
    "decoder": decoder,
}

# One unit: means over eps are integrals, by Gauss and Hermite


ONE_UNIT = Linear(np.array([1.0]), np.array([[1.0]]), np.array([0.0]), np.array([0.0]))


def grid(samples: int) -> tuple[Array, Array]:
    """Values of eps (N, K, 1), and their probabilities: a mean over them is one over normal eps."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    eps = np.array(list(product(nodes, repeat=samples)))[:, :, None]
    probability = np.prod(list(product(weights / weights.sum(), repeat=samples)), axis=1)
    return eps, probability


def exact(model: Linear, estimator: Estimator, samples: int) -> tuple[Array, Array]:
    """An estimator's mean, and its standard deviation."""
    eps, probability = grid(samples)
    draws = estimator(model.samples(eps))
    mean = probability @ draws
    return mean, np.sqrt(probability @ (draws - mean) ** 2)


def bound_gradient(model: Linear, samples: int, step: float = 1e-4) -> Array:
    """Of minus the bound, by differences of the bound itself: no estimator is involved."""
    eps, probability = grid(samples)

    def bound(at: Array) -> float:
        moved = model._replace(mean=at[:1], log_var=at[1:])
        return float(probability @ log_mean_exp(moved.samples(eps).log_w))

    here = np.concatenate([model.mean, model.log_var])
    steps = step * np.eye(len(here))
    return np.array([(bound(here - d) - bound(here + d)) / (2 * step) for d in steps])


def unit() -> str:
    rows = []
    for samples, estimators in ((1, ONE_SAMPLE), (2, TWO_SAMPLES)):
        right = bound_gradient(ONE_UNIT, samples)
        cells = [f"{number:.4f}" for number in right]
        rows.append([str(samples), "*the gradient itself*", cells[0], "", cells[1], ""])
        for name, estimator in estimators.items():
            mean, deviation = exact(ONE_UNIT, estimator, samples)
            marked = [
                f"{m:.4f}" if abs(m - r) < 1e-6 else f"**{m:.4f}**"
                for m, r in zip(mean, right, strict=True)
            ]
            spread = [f"{d:.3f}" for d in deviation]
            rows.append([str(samples), name, marked[0], spread[0], marked[1], spread[1]])
    return table(["K", "estimator", "mean: on average", "±", "log_var: on average", "±"], rows)


# Signal and noise


class Tally:
    """Mean and variance of draws that come in blocks, a row each."""

    def __init__(self) -> None:
        self.count = 0
        self.total, self.squares = np.zeros(()), np.zeros(())

    def add(self, block: Array) -> None:
        self.count += len(block)
        self.total = self.total + block.sum(axis=0, dtype=np.float64)
        self.squares = self.squares + np.square(block, dtype=np.float64).sum(axis=0)

    def signal_to_noise(self) -> float:
        """|mean| / the root of the summed variances.

        The mean of N draws is itself noisy, and its square too large by variance / N: that is
        taken off.
        """
        mean = self.total / self.count
        variance = float((self.squares / self.count - mean**2).sum())
        signal = float((mean**2).sum()) - variance / self.count
        return math.sqrt(max(signal, 0.0) / variance)


def effective(log_w: Array) -> Array:
    """To how many equal weights those of each image amount."""
    return 1 / np.sum(log_mean_exp_backward(1.0, log_w) ** 2, axis=1)


class Case(NamedTuple):
    """A linear model: how far q is from the best one, and whether that is the posterior."""

    away: float
    independent: bool


CASES = {
    "q near the posterior": Case(0.1, True),
    "q near the best, which is not the posterior": Case(0.1, False),
    "q far from the posterior": Case(1.0, True),
}
Ratios = dict[str, float]
Curves = dict[str, list[list[float]]]  # by what is measured: for each K, for each seed


def linear_model(case: Case, seed: int, units: int = 5) -> Linear:
    """An image of a random decoder; with orthogonal rows, z is independent given x."""
    rng = np.random.default_rng(seed)
    decoder = 2 * rng.standard_normal((units, 2 * units)) / math.sqrt(units)
    if case.independent:
        decoder = 2 * np.linalg.qr(decoder.T)[0].T
    x = rng.standard_normal(units) @ decoder + rng.standard_normal(2 * units)
    model = Linear(x, decoder, np.zeros(units), np.zeros(units))
    mean, log_var = model.posterior()
    return model._replace(
        mean=mean + case.away * np.exp(0.5 * log_var) * rng.standard_normal(units),
        log_var=log_var + case.away * rng.standard_normal(units),
    )


def linear_ratios(case: Case, samples: int, seed: int) -> Ratios:
    model, rng = linear_model(case, seed), np.random.default_rng([seed, samples])
    tallies, weights = {name: Tally() for name in ESTIMATORS}, Tally()
    for _ in range(NUMBERS // BLOCK):
        s = model.samples(rng.standard_normal((BLOCK // samples, samples, len(model.mean))))
        for name, tally in tallies.items():
            tally.add(ESTIMATORS[name](s))
        weights.add(effective(s.log_w))
    return _ratios(tallies, weights)


def _ratios(tallies: Mapping[str, Tally], weights: Tally) -> Ratios:
    ratios = {name: tally.signal_to_noise() for name, tally in tallies.items()}
    return ratios | {EFFECTIVE: float(weights.total) / weights.count}


def curves(ratios: Callable[[int, int], Ratios]) -> Curves:
    found = [[ratios(samples, seed) for seed in SEEDS] for samples in SAMPLES]
    return {name: [[r[name] for r in row] for row in found] for name in found[0][0]}


@cache
def linear_curves(case: Case) -> Curves:
    return curves(partial(linear_ratios, case))


def linear() -> str:
    return "\n\n".join(snr_table(name, linear_curves(case)) for name, case in CASES.items())


def snr_table(title: str, found: Curves) -> str:
    rows = []
    for name, by_samples in found.items():
        form = ".1f" if name == EFFECTIVE else ".3f"
        rows.append([name, *(deviating(values, form) for values in by_samples), rate(by_samples)])
    return table([title, *(f"K = {k}" for k in SAMPLES), "last power of K"], rows)


def rate(by_samples: list[list[float]]) -> str:
    """The power of K with which it grows between the last two K."""
    before, last = map(np.array, by_samples[-2:])
    if not (before.all() and last.all()):
        return "lost in the noise"
    return deviating((np.log(last / before) / np.log(SAMPLES[-1] / SAMPLES[-2])).tolist())


# The digits


def trained_ratios(samples: int, seed: int) -> Ratios:
    """Of the gradients for the same few test images, all parameters of a side as one vector."""
    vae = trained_network(seed)
    bounds: tuple[Bound, Bound] = ("importance", "dreg")
    iwae, dreg = (IWAE(vae.network, "bce", samples=samples, bound=bound) for bound in bounds)
    x = (load_dataset("digits").test_images[:IMAGES] >= 128).astype(np.float32)
    rng = np.random.default_rng([seed, samples])
    tallies, weights = {name: Tally() for name in list(ESTIMATORS)[1:]}, Tally()
    for _ in range(DRAWS):
        eps = rng.standard_normal((len(x) * samples, vae.z_dim), np.float32)
        for model, names in ((iwae, ("encoder, IWAE", "decoder")), (dreg, ("encoder, DReG",))):
            model.forward(x, eps)
            gradients = model.backward()
            for name in names:
                tallies[name].add(side(gradients, name))
        a = iwae.activations
        losses = iwae.reconstruction_loss(a["logits"], np.repeat(x, samples, axis=0))
        z, noise = (array.reshape(len(x), samples, -1) for array in (a["z"], eps))
        log_w = log_weights(losses.reshape(len(x), -1), z, a["log_var"], noise)
        weights.add(effective(log_w))
    return _ratios(tallies, weights)


def side(gradients: Mapping[str, Array], name: str) -> Array:
    """The encoder's or the decoder's gradients as one row."""
    decoder = name == "decoder"
    parts = [g.ravel() for n, g in gradients.items() if n.startswith("decoder") == decoder]
    return np.concatenate(parts)[None]


def trained_network(seed: int) -> VAE:
    measured("dreg", "importance", 5, seed)  # trains it, if need be
    return load_checkpoint(RUNS / f"dreg-importance-5-{seed}").vae


@cache
def trained_curves() -> Curves:
    return curves(trained_ratios)


def trained() -> str:
    return snr_table("digits", trained_curves())


def picture() -> None:
    panels = {name: linear_curves(case) for name, case in CASES.items()}
    draw(panels | {"digits": trained_curves()})


@style.in_our_style
def draw(panels: Mapping[str, Curves]) -> None:
    figure = Figure(figsize=(9, 6.6), layout="constrained")
    colours = dict(
        zip(ESTIMATORS, (style.GREY, style.ORANGE, style.GREEN, style.BLUE), strict=True)
    )
    for axes, (title, found) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        for name, by_samples in found.items():
            for seed in range(len(SEEDS) if name in colours else 0):
                values = [row[seed] or math.nan for row in by_samples]
                label = name if seed == 0 else None
                axes.loglog(SAMPLES, values, color=colours[name], label=label, linewidth=1.2)
        for name, power, line in (("decoder", 0.5, "--"), ("encoder, IWAE", -0.5, ":")):
            start = np.median(found[name][0])
            axes.loglog(SAMPLES, start * np.array(SAMPLES) ** power, line, color="0.6")
        style.finish_panel(axes, title, "K", "signal to noise")
        axes.set_xticks(SAMPLES, [str(k) for k in SAMPLES])
        axes.minorticks_off()
    figure.axes[0].legend(fontsize=7, frameon=False)
    style.save(figure, PICTURE)


# Noise of another kind


def rounding() -> str:
    """What float32 loses, array by array: a network trained a little, on a minibatch of 64."""
    lost: dict[str, list[float]] = {}
    for seed in SEEDS:
        for name, digits in lost_digits(seed).items():
            lost.setdefault(name, []).append(digits)
    rows = [[f"`{name}`", ranging(values)] for name, values in lost.items()]
    return table(["gradient at, or of", "digits that are right, of 7.2"], rows)


def lost_digits(seed: int) -> dict[str, float]:
    """The right digits of each gradient in float32, by norm, in the order of the backward pass."""
    data = load_dataset("digits")
    single = train(Config("digits", epochs=5, beta=1.0, z_dim=50, seed=seed), data).vae
    double = single.astype(np.float64)
    rng = np.random.default_rng(seed)
    x, eps = data.test_images[:64] / np.float32(255), rng.standard_normal((64, single.z_dim))
    for vae in (single, double):
        vae.forward(x.astype(vae.dtype), eps.astype(np.float32).astype(vae.dtype))
        vae.backward()
    found: dict[str, float] = {}
    for of in ("activation_gradients", "gradients"):
        singles, doubles = getattr(single, of), getattr(double, of)
        found |= {name: right_digits(singles[name], doubles[name]) for name in doubles}
    return {name: found[name] for name in CHAIN if name in found}


def right_digits(single: Array, double: Array) -> float:
    return -math.log10(np.linalg.norm(single - double) / np.linalg.norm(double))


if __name__ == "__main__":
    main(sys.argv[1:])
