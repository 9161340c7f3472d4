"""Shows, parameter by parameter, that the hand-written gradients are right."""

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch

from numpyvae import VAE, Config, InputError, load_checkpoint
from numpyvae.commands.arguments import (
    add_checkpoint_argument,
    add_image_size_argument,
    add_settings,
    size_of,
)
from numpyvae.convolution import max_pool2d, max_pool2d_backward
from numpyvae.functional import Array
from numpyvae.importance import IWAE
from numpyvae.training.chance import Stream
from numpyvae.training.run import new_model

from ..twin.carrying import to_array, to_torch
from .parity import Comparison, losses_and_gradients, model_parity

Witness = Literal["torch", "jax"]
DIRECTIONS = 4  # of the finite differences, for each array
DRAWS, STANDARD_ERRORS = 200, 5  # of the noise, where a gradient is right on average
STEPS = (1e-6, 1e-7, 1e-8, 1e-9)
FINITE_DIFFERENCE_TOLERANCE = 1e-4  # a wrong formula is off by percents

DESCRIPTION = """\
Check numpyvae's hand-written backward pass, gradient by gradient, on one batch of random images.

"vs PyTorch" compares with PyTorch's automatic differentiation, for the same weights, images and
noise; "vs JAX", of --witness jax, with JAX's. The error is the norm of the difference, relative to
the norm of the gradient.

"vs differences" compares with finite differences: how much the loss changes when the array is
moved a little, forward and back, along 4 random directions. No derivative is involved there, but
the difference of two nearly equal losses has few digits: expect 1e-7, where PyTorch agrees to
1e-15. These losses are always computed in float64. mean, log_var and z are no arrays one can
move, so they have no such number.

The encoder's gradient of --bound dreg is no derivative of the loss, but equal to one on average.
There the number compares its mean over 200 draws of the noise with that of autograd's gradient of
the importance-weighted bound, along 4 random directions: expect some percent, and a verdict that
allows 5 standard errors.

The exit status is 0 if all of it agrees, 1 if anything does not.
"""


class Differences(NamedTuple):
    """How far a gradient is from finite differences of the loss, or its mean from autograd's."""

    error: float  # norm of the difference, relative to the norm of the gradient
    agrees: bool


class Checked(NamedTuple):
    """A line of the table. ``differences`` is None for what cannot be moved."""

    comparison: Comparison
    differences: Differences | None

    @property
    def agrees(self) -> bool:
        return self.comparison.agrees and (self.differences is None or self.differences.agrees)


def gradcheck(
    vae: VAE,
    x: Array,
    eps: Array,
    beta: float,
    rng: np.random.Generator,
    witness: Witness = "torch",
) -> list[Checked]:
    """Checks a model's losses and gradients, for images x and noise eps, as ``VAE.forward``.

    Against the witness: all that ``model_parity`` lists. Against finite differences: the gradients
    with respect to x and the parameters, along directions that ``rng`` draws.
    """
    exact = vae.astype(np.float64)
    exact_x, exact_eps = x.astype(np.float64), eps.astype(np.float64)
    movable = {"x": exact_x, **exact.parameters}

    estimated = dreg_means(exact, exact_x, rng) if getattr(exact, "bound", "") == "dreg" else {}

    def finite_differences(comparison: Comparison) -> Differences:
        """Central differences along random directions.

        For a direction d of standard normal numbers, the mean of (D · d)² is |D|². So the root
        mean square of (slope along d) - gradient · d estimates the norm of the gradient's error,
        with few directions for an array of any size.
        """
        array = movable[comparison.name]
        gradient = comparison.numpy.astype(np.float64)
        misses, rounding = [], 0.0
        for _ in range(DIRECTIONS):
            direction = rng.standard_normal(array.shape)
            slope, uncertainty = _slope(exact, exact_x, exact_eps, beta, array, direction)
            misses.append(slope - float(np.vdot(gradient, direction)))
            rounding = max(rounding, uncertainty)
        miss = math.sqrt(np.mean(np.square(misses)))
        norm = float(np.linalg.norm(gradient))
        allowed = FINITE_DIFFERENCE_TOLERANCE * norm + comparison.allowed + rounding
        error = miss / norm if norm else math.inf if miss else 0.0
        return Differences(error, miss <= allowed < math.inf)

    def row(comparison: Comparison) -> Checked:
        differences = estimated.get(comparison.name)
        if differences is None and comparison.name in movable:
            differences = finite_differences(comparison)
        return Checked(comparison, differences)

    parity = jax_parity() if witness == "jax" else model_parity
    return [row(comparison) for comparison in parity(vae, x, eps, beta)]


def jax_parity() -> Callable[..., list[Comparison]]:
    """``jax_parity``, where there is JAX."""
    try:
        from .jax_witness import jax_parity
    except ModuleNotFoundError as error:
        raise InputError(f"--witness jax needs {error.name}: pip install jax") from error
    return jax_parity


def dreg_means(vae: VAE, x: Array, rng: np.random.Generator) -> dict[str, Differences]:
    """For each array before z, how far the mean of dreg gradients is from that of autograd's
    gradients of the importance-weighted bound, given the same noise.

    The differences are 0 on average, so along a direction their mean is some standard errors from
    0. Four directions, as with finite differences.
    """
    reference = to_torch(IWAE(vae.network, vae.reconstruction, samples=vae.samples))
    arrays = {"x": x, "mean": np.empty((len(x), vae.z_dim)), **vae.parameters}
    arrays["log_var"] = arrays["mean"]
    names = [name for name in arrays if not name.startswith("decoder")]
    directions = {
        name: rng.standard_normal((DIRECTIONS, arrays[name].size)).astype(vae.dtype)
        for name in names
    }
    misses: dict[str, list[Array]] = {name: [] for name in names}
    sums = {name: np.zeros(arrays[name].size) for name in names}
    for _ in range(DRAWS):
        eps = rng.standard_normal((len(x) * vae.samples, vae.z_dim))
        vae.forward(x, eps)
        found = {**vae.backward(), **vae.activation_gradients, "x": vae.input_gradient()}
        right = losses_and_gradients(reference, torch.tensor(x), torch.tensor(eps), 1.0)
        for name in names:
            autograd = to_array(right[name]).ravel()
            misses[name].append(directions[name] @ (found[name].ravel() - autograd))
            sums[name] += autograd

    def judged(name: str) -> Differences:
        means, spread = np.mean(misses[name], axis=0), np.std(misses[name], axis=0)
        agrees = (np.abs(means) <= STANDARD_ERRORS * spread / math.sqrt(DRAWS)).all()
        norm = float(np.linalg.norm(sums[name])) / DRAWS
        return Differences(math.sqrt(np.mean(np.square(means))) / norm, bool(agrees))

    return {name: judged(name) for name in names}


def _slope(
    vae: VAE, x: Array, eps: Array, beta: float, array: Array, direction: Array
) -> tuple[float, float]:
    """d total / d t, where ``array`` moves by t times ``direction``; and what rounding does to it.

    ReLU has a kink, and a step across it sees a mixture of two slopes. So the step shrinks until
    no unit switches on or off, and no pool takes another pixel.
    """
    kept = array.copy()

    def moved(t: float) -> tuple[float, Array]:
        array[...] = kept + t * direction
        loss = vae.forward(x, eps, beta).total
        array[...] = kept
        return loss, _switches(vae)

    for step in STEPS:
        (up, on_after), (down, on_before) = moved(step), moved(-step)
        if np.array_equal(on_after, on_before):
            break
    # 16 roundings in each of the losses
    return (up - down) / (2 * step), 16 * float(np.finfo(np.float64).eps) * abs(up) / step


def _switches(vae: VAE) -> Array:
    """Which units were on in the last forward pass, and which pixels pools took."""
    a = vae.activations
    found = [array.ravel() > 0 for name, array in a.items() if name.startswith("h")]
    for name, (kernel_size, stride) in getattr(vae.network, "pools", {}).items():
        ones = np.ones_like(max_pool2d(a[name], kernel_size, stride))
        found.append(max_pool2d_backward(ones, a[name], kernel_size, stride).ravel() > 0)
    return np.concatenate(found)


# The command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint_argument(parser, nargs="?", help="a trained run, instead of random weights")
    add_image_size_argument(parser, "height and width of an image (default 28 28)")
    add_settings(
        parser, "network", "hidden", "z_dim", "reconstruction", "batch_size", "beta", "seed"
    )
    add_settings(parser, "importance_samples", "bound")
    parser.add_argument(
        "--dtype",
        choices=["float64", "float32"],
        default="float64",
        help="of both sides; a checkpoint is converted (default float64)",
    )
    parser.add_argument(
        "--witness",
        choices=get_args(Witness),
        default="torch",
        help="whose automatic differentiation to compare with (default torch)",
    )


def run(
    checkpoint: Path | None,
    image_size: Sequence[int] | None,
    dtype: str,
    witness: Witness,
    **settings: Any,
) -> int:
    """Prints the table; returns 1 if anything disagrees, else 0."""
    if checkpoint is not None:
        own = ["image_size"] if image_size is not None else []
        names = ("network", "hidden", "z_dim", "reconstruction", "importance_samples", "bound")
        own += [name for name in names if name in settings]
        if own:
            flags = ", ".join("--" + name.replace("_", "-") for name in own)
            raise InputError(f"leave out {flags}: the checkpoint has its own")
        run = load_checkpoint(checkpoint)
        vae, weights = run.vae.astype(dtype), f"weights of {checkpoint}"
        kept = ("importance_samples", "bound")
        config = Config(**settings, **{name: getattr(run.config, name) for name in kept})
    else:
        if "hidden" in settings:
            settings["hidden"] = tuple(settings["hidden"])
        config = Config(**settings)
        vae = new_model(config, size_of(image_size) or (28, 28), dtype)
        weights = "random weights"

    rng = Stream.GRADCHECK.generator(config.seed)
    pixels = rng.uniform(-0.5, 1.5, (config.batch_size, vae.x_dim))
    x = np.clip(pixels, 0, 1).astype(dtype)  # a quarter of them exactly 0, a quarter exactly 1
    samples = config.importance_samples
    eps = rng.standard_normal((config.batch_size * samples, vae.z_dim)).astype(dtype)
    rows = gradcheck(vae, x, eps, config.beta, rng, witness)

    several = f", {samples} samples of each, {config.bound} bound" if samples > 1 else ""
    print(f"{vae.network} and back, {weights}, {dtype}")
    print(
        f"{vae.reconstruction}, beta {config.beta:g}, {config.batch_size} random images"
        f"{several}, seed {config.seed}\n"
    )
    print(table(rows))
    wrong = [row.comparison.name for row in rows if not row.agrees]
    print("WRONG: " + ", ".join(wrong) if wrong else "All losses and gradients are right.")
    return 1 if wrong else 0


def table(rows: Sequence[Checked]) -> str:
    """The losses, then the gradients, a line each."""
    form = "{:<15}  {:>9}  {:>10}  {:>10}  {:>14}  {}\n"
    versus = f"vs {rows[0].comparison.witness}"
    losses = form.format("loss", "", "value", versus, "", "verdict")
    gradients = form.format("gradient", "shape", "norm", versus, "vs differences", "verdict")
    for comparison, differences in rows:
        name, array = comparison.name, comparison.numpy
        shape = " x ".join(map(str, array.shape))
        size = f"{np.linalg.norm(array):.4e}"
        error = f"{comparison.error:.1e}"
        verdict = "right" if Checked(comparison, differences).agrees else "WRONG"
        if not shape:
            losses += form.format(name, "", size, error, "", verdict)
        else:
            by_differences = f"{differences.error:.1e}" if differences else "-"
            gradients += form.format(name, shape, size, error, by_differences, verdict)
    return f"{losses}\n{gradients}"
