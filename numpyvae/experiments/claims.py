"""The article's claims as data, and what the measurements say of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import nan
from typing import NamedTuple

import numpy as np

from ..evaluation.measurement import Row
from ..functional import Array
from ..training.config import Config
from .statistics import SURE, Difference, holm, paired

Measured = Mapping[str, Sequence[Row]]  # of every setting, a row per seed
Side = str | float  # a setting, or a number
BEST = "the best between"  # of the inner settings, as the other seeds find it
MORE, LESS = 1, -1


class Claim(NamedTuple):
    """A sentence of the article that can be measured.

    For every pair (a, b), ``measure`` is expected to be more (or less) for a than for b.
    ``picture`` is where to see it.
    """

    text: str
    measure: str
    expected: int
    pairs: Sequence[tuple[str, Side]]
    picture: str


class Judgement(NamedTuple):
    """One comparison of a claim. ``p`` is corrected for all comparisons of the experiment.

    ``verdict`` is 1 where the difference is as claimed, -1 where it is the opposite, 0 where
    the seeds do not decide.
    """

    pair: tuple[str, Side]
    difference: Difference
    p: float
    verdict: int


class Finding(NamedTuple):
    claim: Claim
    verdict: str
    steps: list[Judgement]


AUTOENCODER, CONVOLUTIONAL, VAE = "autoencoder", "convolutional autoencoder", "VAE"


def generation_claims(config: Config, settings: Sequence[str]) -> list[Claim]:
    """What is claimed of an autoencoder is asked of both, where there are both."""
    samples, measures = "samples.png", "measures.png"
    shown, training = "reconstructions.png", "training.png"
    autoencoders = [name for name in settings if name != VAE]
    than_vae: list[tuple[str, Side]] = [(name, VAE) for name in autoencoders]
    of_vae: list[tuple[str, Side]] = [(VAE, name) for name in autoencoders]

    def than(number: float, *more: str) -> list[tuple[str, Side]]:
        return [(name, number) for name in (*autoencoders, *more)]

    claims = [
        Claim("An autoencoder reconstructs better.", "squared_error", LESS, than_vae, shown),
        Claim("A VAE's samples are closer to images.", "sample_distance", LESS, of_vae, samples),
        Claim("More of a VAE's samples are recognizable.", "precision", MORE, of_vae, samples),
        Claim("A VAE's samples are more diverse.", "recall", MORE, of_vae, samples),
        Claim(
            "An autoencoder's samples fail: most images lie near none of them.",
            *("recall", LESS, than(0.5), samples),
        ),
        Claim(
            "An autoencoder's samples are blurry.",
            *("sample_sharpness", LESS, than(1.0), samples),
        ),
        Claim(
            "An autoencoder's latent space has holes: a random code is further from the nearest "
            "used one than the code of a new image is.",
            *("holes", MORE, than(1.0), measures),
        ),
        Claim("The KL divergence fills the holes.", "holes", LESS, of_vae, measures),
        Claim("It keeps codes near the origin.", "code_size", LESS, of_vae, measures),
        Claim(
            "It makes the space continuous: half-way between two images lies an image.",
            *("path_precision", MORE, of_vae, measures),
        ),
        Claim(
            "Similar digits lie together: the nearest code has the same label for more than half.",
            *("same_label", MORE, than(0.5, VAE), measures),
        ),
        Claim(
            "Every pass gives a variant of the image.", "variation", MORE, [(VAE, 0.0)], measures
        ),
        Claim(
            "Early in training the KL divergence is most of the loss.",
            *("kl_share_first", MORE, [(VAE, 0.5)], training),
        ),
        Claim(
            "It is so before the first step, when no code is near N(0, I).",
            *("kl_share_untrained", MORE, [(VAE, 0.5)], training),
        ),
        Claim(
            "Up to the middle the reconstruction term falls.",
            *("half_way", LESS, [(VAE, 0.0)], training),
        ),
        Claim(
            "Late in training it is stable: less than a fifth of its change falls into the last "
            "fifth.",
            *("late_reconstruction", LESS, [(VAE, 0.2)], training),
        ),
        Claim("So is the KL divergence.", "late_kl", LESS, [(VAE, 0.2)], training),
        Claim(
            "In health the mean of means is near 0: within 0.1.",
            *("mean_of_means", LESS, [(VAE, 0.1)], training),
        ),
        Claim(
            "In health the mean of log-variances approaches 0.",
            *("log_vars_drift", LESS, [(VAE, 0.0)], training),
        ),
        Claim(
            "After the first epoch samples are noise, with more edges than images have.",
            *("first_sharpness", MORE, [(VAE, 1.0)], "evolution.png"),
        ),
        Claim(
            "From the middle of training to its end samples become sharper.",
            *("sharpness_gain", MORE, [(VAE, 0.0)], "evolution.png"),
        ),
        Claim(
            "From the first epoch to the last they become diverse.",
            *("recall_gain", MORE, [(VAE, 0.0)], "evolution.png"),
        ),
    ]
    if config == replace(Config("mnist"), seed=config.seed):
        claims.append(
            Claim(
                "The validation loss ends at 29.25 or lower.",
                *("val_loss", LESS, [(VAE, 29.25)], training),
            )
        )
    return claims


def beta_claims(_: Config, settings: Sequence[str]) -> list[Claim]:
    """Between the largest beta and the smallest: steps between them are many and small."""
    up: list[tuple[str, Side]] = [(settings[-1], settings[0])] if len(settings) > 1 else []
    picture = "trade-off.png"
    claims = [
        Claim("More beta, blurrier reconstructions.", "sharpness", LESS, up, "reconstructions.png"),
        Claim("More beta, less accurate ones.", "squared_error", MORE, up, "reconstructions.png"),
        Claim("More beta, more diverse samples.", "diversity", MORE, up, "samples.png"),
        Claim("More beta, more variety of images reached.", "recall", MORE, up, picture),
        Claim("More beta, codes that say less.", "kl", LESS, up, picture),
        Claim("More beta, fewer units in use.", "used_units", LESS, up, "units.png"),
        Claim(
            "With more beta the mean of log-variances comes closer to 0.",
            *("mean_of_log_vars", MORE, up, "monitors.png"),
        ),
    ]
    if len(settings) > 2:
        ends = [(settings[0], BEST), (settings[-1], BEST)]
        text = "Between too little and too much beta there is a best one for generation."
        claims.append(Claim(text, "sample_distance", MORE, ends, picture))
    return claims


def latent_dim_claims(_: Config, settings: Sequence[str]) -> list[Claim]:
    """From each size to the next: the article says different things of 20, 50 and 100."""
    up: list[tuple[str, Side]] = [(b, a) for a, b in pairwise(settings)]
    picture = "trade-off.png"
    return [
        Claim(
            "More latent units are more expressive: they reconstruct better.",
            *("squared_error", LESS, up, "reconstructions.png"),
        ),
        Claim("More latent units, more of them in use.", "used_units", MORE, up, "units.png"),
        Claim(
            "More latent units are harder to regularize: their samples are further from images.",
            *("sample_distance", MORE, up, picture),
        ),
        Claim("Fewer of their samples are recognizable.", "precision", LESS, up, "samples.png"),
    ]


def judge(claims: Sequence[Claim], measured: Measured) -> list[Finding]:
    """What came of the claims. All comparisons of all claims are corrected for together.

    A claim held where every comparison is as claimed; in part where some are, and the others are
    undecided; it goes both ways where some are as claimed and some the opposite. One comparison
    that is decided against it, and none for it, and it did not hold.
    """
    differences = [
        [paired(_values(measured, a, claim) - _values(measured, b, claim)) for a, b in claim.pairs]
        for claim in claims
    ]
    corrected = iter(holm([one.p for row in differences for one in row]))
    findings = []
    for claim, row in zip(claims, differences, strict=True):
        steps = []
        for pair, difference in zip(claim.pairs, row, strict=True):
            p = next(corrected)
            decided = p < 1 - SURE
            as_claimed = difference.mean * claim.expected > 0
            verdict = (1 if as_claimed else -1) if decided else 0
            steps.append(Judgement(pair, difference, p, verdict))
        findings.append(Finding(claim, _verdict([step.verdict for step in steps]), steps))
    return findings


def _verdict(steps: Sequence[int]) -> str:
    match (1 in steps, -1 in steps, 0 in steps):
        case (True, False, False):
            return "Held"
        case (True, False, True):
            return "Held in part"
        case (True, True, _):
            return "Goes both ways"
        case (False, True, _):
            return "Did not hold"
        case _:
            return "Undecided"


def _values(measured: Measured, side: Side, claim: Claim) -> Array:
    """The measure of a claim, on one side of a pair, for every seed."""
    if not isinstance(side, str):
        return np.array(side)
    if side != BEST:
        return np.array([row.get(claim.measure, nan) for row in measured[side]])
    # The best is chosen by the other seeds: chosen by the same one, it would win by its luck.
    settings = list({setting for pair in claim.pairs for setting in pair} & measured.keys())
    inner = [setting for setting in measured if setting not in settings]
    table = np.array([[row[claim.measure] for row in measured[setting]] for setting in inner])
    seeds = range(table.shape[1])
    others = [
        table.mean(axis=1) if len(seeds) == 1 else np.delete(table, s, 1).mean(1) for s in seeds
    ]
    sign = -claim.expected  # what is expected of the ends is the opposite of what is best
    best = [int(np.argmax(sign * of_others)) for of_others in others]
    return table[best, np.arange(len(best))]
