"""Holds numpyvae's losses, gradients and Adam against PyTorch's.

How close is close enough
-------------------------

Two right implementations add up the same numbers in another order and round differently. So
arrays are compared by norm: the *error* of an array a against its reference b is |a - b| / |b|,
with Euclidean norms over the whole array. It may be

- 1e-10 in float64. A rounding is 1e-16, and thousands of them in a row, partly cancelling, stay
  far below 1e-10; a mistake in a formula changes digits that are far above it.
- 1e-5 in float32, for the same reason: a rounding is 6e-8.

That alone would blame honest rounding where the true value is a small difference of large
numbers. Examples: exp(log_var) - 1 in PyTorch's KL gradient when log_var is tiny; 1 - y for a
saturated sigmoid; a gradient whose contributions from the images happen to cancel; a unit whose
activation is so near 0 that rounding decides on which side of ReLU's kink it lies. There every
formula is uncertain by much more than a relative 1e-10, and PyTorch is, too.

So the *rounding* of the reference is measured, not guessed: PyTorch computes the result again a
few times with every intermediate result, forward and backward, moved at random in its last digit
(``LastDigitNoise``). How far the reference itself moves is how uncertain it is, and 8 times that
is allowed on top. Where nothing cancels this is about 1e-15 and hides nothing. Where an array is
exactly 0, it stays 0 under such noise, and the other side must be exactly 0, too, up to
underflow.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from numpyvae import VAE, Adam
from numpyvae.functional import Array

from ..twin.carrying import to_array, to_torch
from ..twin.model import TorchVAE
from .rounding import LastDigitNoise

TOLERANCE = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 1e-5}
ROUNDING_FACTOR = 8
NOISY_RUNS = 8


class Comparison(NamedTuple):
    """A NumPy result beside its reference; ``rounding``: how uncertain that one is.

    ``witness``: whose reference it is.
    """

    name: str
    numpy: Array
    reference: Array
    rounding: float = 0.0
    witness: str = "PyTorch"

    @property
    def difference(self) -> float:
        """The norm of the difference."""
        if self.numpy.shape != self.reference.shape:
            return np.inf
        with np.errstate(invalid="ignore"):  # infinity - infinity
            return _norm(self.numpy - self.reference)

    @property
    def error(self) -> float:
        """The norm of the difference, relative to the norm of the reference."""
        norm = _norm(self.reference)
        return self.difference / norm if norm else np.inf if self.difference else 0.0

    @property
    def allowed(self) -> float:
        """The greatest difference that rounding explains."""
        underflow = float(np.finfo(self.reference.dtype).tiny) * self.reference.size
        relative = TOLERANCE[self.reference.dtype] * _norm(self.reference)
        return relative + ROUNDING_FACTOR * self.rounding + underflow

    @property
    def agrees(self) -> bool:
        """Whether rounding explains the difference; never true of NaN or infinity."""
        return bool(np.isfinite(self.allowed) and self.difference <= self.allowed)

    def __str__(self) -> str:
        if self.numpy.shape != self.reference.shape:
            shapes = f"shape {self.numpy.shape}, {self.witness} {self.reference.shape}"
            return f"{self.name}: NumPy has {shapes}"
        with np.errstate(invalid="ignore"):
            distance = np.nan_to_num(np.abs(self.numpy - self.reference), nan=np.inf)
        worst = tuple(int(i) for i in np.unravel_index(np.argmax(distance), distance.shape))
        where = f" at {list(worst)}" if worst else ""
        return (
            f"{self.name}: NumPy {self.numpy[worst]}, "
            f"{self.witness} {self.reference[worst]}{where}; "
            f"difference by norm {self.difference:.1e}, allowed {self.allowed:.1e}, "
            f"norm {_norm(self.reference):.1e}"
        )


def assert_agree(comparisons: Iterable[Comparison]) -> None:
    """Raises AssertionError with a line for each array that disagrees: name and both values."""
    wrong = [comparison for comparison in comparisons if not comparison.agrees]
    if wrong:
        lines = "\n".join(map(str, wrong))
        raise AssertionError(f"NumPy and {wrong[0].witness} disagree:\n{lines}")


def parity(
    reference: Callable[[], Mapping[str, Tensor]], results: Mapping[str, Any]
) -> list[Comparison]:
    """Compares NumPy results with what ``reference`` returns under the same names.

    ``reference`` runs several times, for its rounding to be measured. It must start from copies
    (``Tensor.clone``) of its inputs, so that they are rounded, too.
    """
    expected = {name: to_array(tensor) for name, tensor in reference().items()}
    assert expected.keys() == results.keys(), (expected.keys(), results.keys())
    rounding = dict.fromkeys(expected, 0.0)
    for seed in range(NOISY_RUNS):
        with LastDigitNoise(seed):
            noisy = reference()
        for name, tensor in noisy.items():
            moved = _norm(to_array(tensor) - expected[name])
            rounding[name] = max(rounding[name], moved)
    return [
        Comparison(name, np.asarray(results[name]), expected[name], rounding[name])
        for name in expected
    ]


def model_parity(
    vae: VAE, x: Array, eps: Array, beta: float = 1.0, device: torch.device | str = "cpu"
) -> list[Comparison]:
    """Compares a NumPy model with the same in PyTorch, for images x and noise eps.

    The comparisons, in this order: the losses ``total``, ``reconstruction`` and ``kl``; the
    gradients of ``total`` with respect to ``x``, ``mean``, ``log_var`` and ``z``; those with
    respect to the parameters, by their names. See ``VAE.forward`` for the arguments.
    """
    loss = vae.forward(x, eps, beta)
    gradients = vae.backward()
    results = loss._asdict() | {"x": vae.input_gradient()}
    results |= {name: vae.activation_gradients[name] for name in ("mean", "log_var", "z")}
    results |= gradients
    results = {name: np.array(result, vae.dtype) for name, result in results.items()}

    torch_vae = to_torch(vae, device)
    x_tensor, eps_tensor = torch.tensor(x, device=device), torch.tensor(eps, device=device)
    return parity(lambda: losses_and_gradients(torch_vae, x_tensor, eps_tensor, beta), results)


def losses_and_gradients(
    torch_vae: TorchVAE, x: Tensor, eps: Tensor, beta: float
) -> dict[str, Tensor]:
    """What ``model_parity`` compares, from autograd."""
    network, kept = torch_vae.network, {"x": x.clone().requires_grad_()}
    encode, decode = network.encode, network.decode

    def keep(name: str, tensor: Tensor) -> Tensor:
        tensor.requires_grad_().retain_grad()  # a constant, as an autoencoder's log_var, has none
        kept[name] = tensor
        return tensor

    def watched_encode(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(map(keep, ("mean", "log_var"), encode(x)))

    torch_vae.zero_grad()
    with (
        patch.object(network, "encode", watched_encode),
        patch.object(network, "decode", lambda z: decode(keep("z", z))),
    ):
        loss: Mapping[str, Tensor] = torch_vae(kept["x"], eps.clone(), beta)._asdict()
    torch.autograd.backward(loss["total"])
    kept |= dict(torch_vae.named_parameters())
    gradients = {name: tensor.grad for name, tensor in kept.items() if tensor.grad is not None}
    return {**loss, **gradients}


def adam_parity(adam: Adam, gradients: Iterable[Mapping[str, Array]]) -> list[Comparison]:
    """Steps a new NumPy Adam and ``torch.optim``'s through the same gradients; compares parameters.

    Without weight decay the reference is ``torch.optim.Adam``, with it ``torch.optim.AdamW``.
    """
    parameters = {name: nn.Parameter(torch.tensor(p)) for name, p in adam.parameters.items()}
    algorithm = torch.optim.AdamW if adam.weight_decay else torch.optim.Adam
    optimizer = algorithm(
        parameters.values(), adam.lr, adam.betas, adam.eps, weight_decay=adam.weight_decay
    )
    for gradient in gradients:
        adam.step(gradient)
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(gradient[name])
        optimizer.step()
    return [Comparison(name, adam.parameters[name], to_array(p)) for name, p in parameters.items()]


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array.astype(np.float64, copy=False).ravel()))
