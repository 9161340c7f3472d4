"""The experiments, a record each: all that distinguishes one from another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..data.dataset import Dataset
from ..training.config import Config
from .claims import Claim, beta_claims, generation_claims, latent_dim_claims
from .drawing import Found, draw_generation, draw_sweep


@dataclass(frozen=True)
class Experiment:
    """What is trained for a part of the article, claimed of it, and drawn.

    ``setting`` is the one of ``Config`` that takes ``values``. Without one, autoencoders stand
    beside a VAE. ``claims`` is given the VAE's settings and the names of all that is
    compared, ``draw`` what was found, the images, and the folder for its ``pictures``.
    """

    name: str
    help: str
    claims: Callable[[Config, Sequence[str]], list[Claim]]
    pictures: tuple[str, ...]
    draw: Callable[[Found, Dataset, Path], None]
    setting: str = ""
    values: tuple[float, ...] = ()


SWEEP = ("trade-off.png", "reconstructions.png", "samples.png", "units.png", "monitors.png")
GENERATION = Experiment(
    "generation",
    "the samples of autoencoders against a VAE's",
    generation_claims,
    ("samples.png", "reconstructions.png", "measures.png", "training.png", "evolution.png"),
    draw_generation,
)
BETA = Experiment(
    "beta",
    "the trade-off between quality and diversity",
    beta_claims,
    SWEEP,
    partial(draw_sweep, "beta"),
    "beta",
    (0.1, 0.3, 1.0, 3.0, 10.0),
)
LATENT_DIM = Experiment(
    "latent-dim",
    "latent spaces of different sizes",
    latent_dim_claims,
    SWEEP,
    partial(draw_sweep, "z_dim"),
    "z_dim",
    (2, 20, 50, 100),
)
EXPERIMENTS = {one.name: one for one in (GENERATION, BETA, LATENT_DIM)}
