"""Adam with decoupled weight decay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np

from .flat import FlatArrays
from .functional import Array

BLOCK = 144 * 1024  # elements: few enough for the cache, enough to be worth a thread's while
SWEEP = 100  # steps; after so many, what has decayed to nearly nothing becomes 0


def in_turn(move: Callable[[slice], None], blocks: list[slice]) -> None:
    """Moves block after block."""
    for block in blocks:
        move(block)


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
        eps: keeps the division away from 0.
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
        self._for_each = in_turn

    def __repr__(self) -> str:
        return (
            f"<Adam lr {self.lr:g}, betas {self.betas}, eps {self.eps:g}, weight_decay "
            f"{self.weight_decay:g}, {self.steps} steps taken>"
        )

    def step(self, gradients: Mapping[str, Array]) -> None:
        """Moves the parameters one step against ``gradients``, as ``VAE.backward`` returns them.

        docs/adam.md derives it: the constants (A3), (A4), (A5) and (A6), and what is done to a
        block, (A1), (A2) and (A7). Below float32's 1e-38 are numbers that processors are slow with:
        a sum that comes near becomes 0 before it is there.
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
        nothing = 1e5 * np.finfo(gradient.dtype).tiny

        def move(block: slice) -> None:
            p, g = self.parameters.flat[block], gradient[block]
            m, v = self.gradient_sum[block], self.square_sum[block]
            update = self._scratch[block]
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
            if self.steps % SWEEP == 0:
                m[np.abs(m, out=update) < nothing] = 0
                v[v < nothing] = 0

        starts = range(0, len(gradient), BLOCK)
        self._for_each(move, [slice(start, start + BLOCK) for start in starts])

    @contextmanager
    def threads(self, n: int) -> Iterator[None]:
        """While this lasts, ``step`` shares its blocks out to n threads; the result is the same.

        NumPy lets other threads run while it computes, so each can have a core of its own. One of
        the n is the thread that calls ``step``.
        """
        if n == 1:
            yield
            return
        from concurrent.futures import ThreadPoolExecutor

        def share(move: Callable[[slice], None], blocks: list[slice]) -> None:
            """Each thread moves every n-th block, and the calling one what no other comes to."""
            parts = [blocks[first::n] for first in range(min(n, len(blocks)))]
            others = [pool.submit(in_turn, move, part) for part in parts[1:]]
            in_turn(move, parts[0])
            for part, future in zip(parts[1:], others, strict=True):
                if future.cancel():
                    in_turn(move, part)
                else:
                    future.result()

        same_warnings = partial(np.seterr, **np.geterr())  # NumPy keeps what to warn of by thread
        with ThreadPoolExecutor(n - 1, initializer=same_warnings) as pool:
            self._for_each = share
            try:
                yield
            finally:
                self._for_each = in_turn

    def _flat(self, gradients: Mapping[str, Array]) -> Array:
        """All gradients as one vector, in the order of the parameters."""
        shapes = {name: g.shape for name, g in gradients.items()}
        expected = {name: p.shape for name, p in self.parameters.items()}
        if shapes != expected:
            raise ValueError(f"gradients must have the shapes {expected}, got {shapes}")
        if isinstance(gradients, FlatArrays) and list(shapes) == list(expected):
            return gradients.flat
        return np.concatenate([gradients[name].ravel() for name in self.parameters])
