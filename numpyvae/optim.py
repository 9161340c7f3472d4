"""Adam with decoupled weight decay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np

from .flat import FlatArrays
from .functional import Array, underflow_to_zero
from .threads import sharing

SWEEP = 100  # steps; after so many, sums that have decayed to nearly nothing become 0
LEAST = 64 * 1024  # numbers: fewer are not worth a thread's while
Move = Callable[[slice], None]  # does a step's work for a slice of all numbers


def whole(move: Move) -> None:
    """Moves all numbers at once."""
    move(slice(None))


class Adam:
    """Adam (Kingma and Ba, 2015, algorithm 1); with a weight decay, AdamW (Loshchilov and Hutter,
    2019). The same update as ``torch.optim.AdamW``, which multiplies the decay by lr, too; the
    paper's algorithm 2 does so only with the schedule's factor.

    With t counting the steps from 1::

        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g²
        p = p - lr weight_decay p - lr m̂ / (sqrt(v̂) + eps)

    where m̂ = m / (1 - beta1^t) and v̂ = v / (1 - beta2^t). docs/adam.md turns this into the
    lines of ``step``.

    Args:
        parameters: the arrays to update in place, as ``VAE.parameters``.
        lr: step size.
        betas: decay rates of the two moving averages.
        eps: a gradient moves its parameter less where it is not far above this, in size.
        weight_decay: the share of p removed per step, in units of lr.

    ``gradient_sum`` and ``square_sum`` hold m / (1 - beta1) and v / (1 - beta2): sums with
    decaying weights, (A1) and (A2), which need one pass less than averages.

    Raises:
        ValueError: a setting is negative, not finite, or a beta is not below 1; gradients whose
            names or shapes are not those of the parameters.
    """

    def __init__(
        self,
        parameters: FlatArrays,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        for name, value in {"lr": lr, "eps": eps, "weight_decay": weight_decay}.items():
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be finite and at least 0, got {value}")
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be at least 0 and below 1, got {betas}")
        self.parameters = parameters
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.steps = 0
        self.gradient_sum = np.zeros_like(parameters.flat)
        self.square_sum = np.zeros_like(parameters.flat)
        self._scratch = np.empty_like(parameters.flat)
        self._in_slices = whole

    def __repr__(self) -> str:
        return (
            f"<Adam lr {self.lr:g}, betas {self.betas}, eps {self.eps:g}, weight_decay "
            f"{self.weight_decay:g}, {self.steps} steps taken>"
        )

    @underflow_to_zero
    def step(self, gradients: Mapping[str, Array]) -> None:
        """Moves the parameters one step against ``gradients``, as ``VAE.backward`` returns them.

        docs/adam.md derives it: the constants (A3), (A4), (A5) and (A6), and what is done to a
        slice of all numbers, (A1), (A2) and (A7).
        """
        gradient = self._flat(gradients)
        self.steps += 1
        beta1, beta2 = self.betas
        # All constant factors of the update in two numbers: with r² = (1 - beta2^t) / (1 - beta2),
        #   lr m̂ / (sqrt(v̂) + eps) = step_size gradient_sum / (sqrt(square_sum) + r eps)
        r = math.sqrt((1 - beta2**self.steps) / (1 - beta2))
        step_size = self.lr * r * (1 - beta1) / (1 - beta1**self.steps)
        eps = self.eps * r
        decay = 1 - self.lr * self.weight_decay

        def move(part: slice) -> None:
            p, g = self.parameters.flat[part], gradient[part]
            m, v = self.gradient_sum[part], self.square_sum[part]
            update = self._scratch[part]
            m *= beta1
            m += g
            v *= beta2
            np.square(g, out=update)
            v += update
            np.sqrt(v, out=update)
            update += eps
            np.divide(m, update, out=update)
            update *= step_size
            p *= decay
            p -= update

        self._in_slices(move)
        if self.steps % SWEEP == 0:
            self._sweep(step_size, eps)

    def _sweep(self, step_size: float, eps: float) -> None:
        """Sets to 0 the sums that are nearly subnormal, numbers that processors are slow with.

        Only where that provably changes nothing, by (A8) and (A9) in docs/adam.md.
        """
        p, m, v = self.parameters.flat, self.gradient_sum, self.square_sum
        numbers = np.finfo(p.dtype)
        nothing, digit = 1e5 * float(numbers.tiny), float(numbers.eps) / 8
        if digit * eps < math.sqrt(nothing):
            return
        least = step_size * nothing / (digit * eps * (1 - self.betas[0]))
        swept = np.abs(p, out=self._scratch) > least
        swept &= np.abs(m, out=self._scratch) < nothing
        m[swept] = 0
        v[v < nothing] = 0

    @contextmanager
    def threads(self, n: int) -> Iterator[None]:
        """While this lasts, n threads share every ``step``, a slice each; the result is as ever."""
        with sharing(n) as share:

            def in_slices(move: Move) -> None:
                size = self.parameters.flat.size
                length = max(LEAST, -(-size // n))
                slices = [slice(start, start + length) for start in range(0, size, length)]
                share([partial(move, part) for part in slices])

            self._in_slices = in_slices
            try:
                yield
            finally:
                self._in_slices = whole

    def _flat(self, gradients: Mapping[str, Array]) -> Array:
        """All gradients as one vector, in the order of the parameters."""
        shapes = {name: g.shape for name, g in gradients.items()}
        expected = {name: p.shape for name, p in self.parameters.items()}
        if shapes != expected:
            raise ValueError(f"gradients must have the shapes {expected}, got {shapes}")
        if isinstance(gradients, FlatArrays) and list(shapes) == list(expected):
            return gradients.flat
        return np.concatenate([gradients[name].ravel() for name in self.parameters])
