"""What is measured: a step of NumPy, of PyTorch, and the matrix products alone."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from numpyvae import VAE, Adam
from numpyvae.model import parameter_shapes

from ..twin.carrying import to_torch

NUMPY, PRODUCTS = "NumPy, this package", "matrix products alone, NumPy"
DEFAULT, FUSED = "PyTorch, AdamW as it comes", "PyTorch, AdamW fused"
COMPILED = "PyTorch, compiled, AdamW fused"
PARTS = ("forward", "backward", "Adam")  # of NumPy's step
STEPS = 10  # of a contender before the next one's turn
REST = 0.03  # seconds between turns: the other side's threads spin on for a while
Contenders = Mapping[str, Callable[[], object]]


def medians(contenders: Contenders, rounds: int) -> dict[str, float]:
    """Milliseconds of one call of each contender: the median over ``rounds`` turns."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            time.sleep(REST)
            call()
            call()
            for _ in range(STEPS):
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
    return {name: 1e3 * float(np.median(values)) for name, values in times.items()}


class Sizes:
    """A network and a minibatch to measure with; the article's network by default."""

    def __init__(
        self, batch: int, hidden: tuple[int, int] = (512, 256), z_dim: int = 50, x_dim: int = 784
    ) -> None:
        self.network = (x_dim, *hidden, z_dim)
        rng = np.random.default_rng(0)
        self.x = rng.random((batch, x_dim), np.float32)
        self.eps = rng.standard_normal((batch, z_dim), np.float32)

    def numpy_parts(self) -> dict[str, Callable[[], object]]:
        """NumPy's step, and its three parts one by one."""
        vae = VAE(*self.network)
        adam = Adam(vae.parameters, weight_decay=0.01)
        standing = Adam(vae.parameters, lr=0.0, weight_decay=0.01)  # leaves the weights sane

        def step() -> float:
            loss = vae.forward(self.x, self.eps)
            adam.step(vae.backward())
            return loss.total

        parts = (
            lambda: vae.forward(self.x, self.eps),
            vae.backward,
            lambda: standing.step(vae.gradients),
        )
        return {NUMPY: step, **dict(zip(PARTS, parts, strict=True))}

    def products(self) -> Callable[[], object]:
        """The matrix products of the step, and nothing else."""
        rng = np.random.default_rng(0)
        shapes = [s for s in parameter_shapes(*self.network).values() if len(s) == 2]
        calls: list[Callable[[], object]] = []

        def product(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> None:
            out = np.empty((a.shape[0], b.shape[1]), np.float32)
            calls.append(lambda: np.matmul(a, b, out=out))

        for n_out, n_in in shapes:
            x = rng.random((len(self.x), n_in), np.float32)
            grad_y = rng.random((len(self.x), n_out), np.float32)
            weight = rng.random((n_out, n_in), np.float32)
            product(x, weight.T)  # forward
            product(grad_y.T, x)  # the weight's gradient
            if len(calls) > 2:  # the images need no gradient
                product(grad_y, weight)

        def run() -> None:
            for call in calls:
                call()

        return run

    def torch_step(
        self, compiled: bool = False, device: str = "cpu", **adamw: Any
    ) -> Callable[[], object]:
        """PyTorch's step."""
        model = to_torch(VAE(*self.network), device)
        optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01, **adamw)
        forward = torch.compile(model) if compiled else model
        x, eps = (torch.from_numpy(array).to(device) for array in (self.x, self.eps))

        def step() -> float:
            optimizer.zero_grad()
            loss = forward(x, eps).total
            loss.backward()
            optimizer.step()
            return float(loss.item())

        return step


def compiler_works() -> bool:
    """Whether ``torch.compile`` finds what it needs on this machine."""
    try:
        torch.compile(lambda x: x + 1)(torch.ones(2))
    except Exception:  # its errors have many kinds, and all mean the same here
        return False
    return True
