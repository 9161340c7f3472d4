"""What is measured: a training step of NumPy, PyTorch and JAX, and the matrix products alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from numpyvae import VAE, Adam
from numpyvae.networks import NETWORKS, NetworkName
from numpyvae.training.kernels import blas_threads
from numpyvae.training.steps import NumpyStepper

NUMPY, PRODUCTS = "NumPy, this package", "matrix products alone, NumPy"
TORCH_PRODUCTS = "matrix products alone, PyTorch"
DEFAULT, FUSED = "PyTorch, AdamW as it comes", "PyTorch, AdamW fused"
COMPILED, CUDA, JAX = "PyTorch, compiled and fused", "PyTorch, CUDA, fused", "JAX, compiled"
PARTS = ("forward", "forward and backward", "Adam")  # of NumPy's step
Step = Callable[[], object]


class Sizes:
    """A network and a minibatch of 28 x 28 images to measure with; by default the article's."""

    def __init__(
        self,
        batch: int,
        hidden: tuple[int, int] | None = None,
        z_dim: int = 50,
        network: NetworkName = "fully-connected",
    ) -> None:
        self.kind = NETWORKS[network]
        self.sizes = self.kind.sizes_for((28, 28), hidden or self.kind.defaults["hidden"], z_dim)
        rng = np.random.default_rng(0)
        self.x = rng.random((batch, 784), np.float32)
        self.eps = rng.standard_normal((batch, z_dim), np.float32)
        self.threads: list[AbstractContextManager[object]] = []  # to enter before NumPy's step

    def vae(self) -> VAE:
        """A model with this network."""
        return VAE(self.kind(*self.sizes))

    def contender(self, name: str) -> dict[str, Step]:
        """A contender's step; of NumPy's also the three parts, one by one."""
        settings: dict[str, dict[str, Any]] = {
            DEFAULT: {},
            "PyTorch, AdamW foreach": {"foreach": True},
            FUSED: {"fused": True},
            COMPILED: {"compiled": True, "fused": True},
            CUDA: {"device": "cuda", "fused": True},
        }
        if name == NUMPY:
            return self.numpy_parts()
        if name in (PRODUCTS, TORCH_PRODUCTS):
            return {name: self.products(in_torch=name == TORCH_PRODUCTS)}
        return {name: self.jax_step() if name == JAX else self.torch_step(**settings[name])}

    def numpy_parts(self) -> dict[str, Step]:
        """NumPy's step, and its three parts one by one."""
        vae = self.vae()
        stepper = NumpyStepper(vae, Adam(vae.parameters, weight_decay=0.01))
        standing = Adam(vae.parameters, lr=0.0, weight_decay=0.01)  # leaves the weights sane
        self.threads = [stepper.in_threads(), standing.threads(blas_threads())]
        given = (self.x, self.eps, 1.0)
        parts = (
            lambda: stepper.measure(*given),
            lambda: stepper.gradients(*given),
            lambda: standing.step(vae.gradients),
        )
        return {NUMPY: lambda: stepper.train(*given).total, **dict(zip(PARTS, parts, strict=True))}

    def products(self, in_torch: bool = False) -> Step:
        """The matrix products of the step, and nothing else."""
        matmul: Callable[..., object] = np.matmul
        given: Callable[[Any], Any] = np.asarray
        if in_torch:
            import torch

            matmul, given = torch.matmul, torch.from_numpy
        rng = np.random.default_rng(0)
        shapes = [s for s in self.kind.parameter_shapes(*self.sizes).values() if len(s) == 2]
        calls: list[Step] = []

        def product(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> None:
            out = given(np.empty((a.shape[0], b.shape[1]), np.float32))
            calls.append(partial(matmul, given(a), given(b), out=out))

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

    def torch_step(self, compiled: bool = False, device: str = "cpu", **adamw: Any) -> Step:
        """PyTorch's step."""
        import torch  # not at the top: a process that measures NumPy does without it

        from ..twin.carrying import to_torch

        model = to_torch(self.vae(), device)
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

    def jax_step(self) -> Step:
        """JAX's step, compiled as one function."""
        import jax
        import jax.numpy as jnp

        from ..twin.jax_model import TWINS, loss

        network = TWINS[self.kind](self.vae().network)
        gradient = jax.value_and_grad(partial(loss, network=network), has_aux=True)

        def adamw(p: Any, m: Any, v: Any, t: Any) -> Any:
            update = m / (1 - 0.9**t) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
            return p * (1 - 1e-5) - 1e-3 * update

        def update(state: Any, x: Any, eps: Any) -> Any:
            w, m, v, t = state
            (value, _), g = gradient(w, x, eps)
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, v, g)
            w = jax.tree.map(lambda p, m, v: adamw(p, m, v, t), w, m, v)
            return (w, m, v, t + 1), value

        compiled = jax.jit(update, donate_argnums=0)
        w = {name: jnp.array(array) for name, array in self.vae().parameters.items()}
        zeros = [jax.tree.map(jnp.zeros_like, w) for _ in range(2)]
        x, eps, state = jnp.array(self.x), jnp.array(self.eps), (w, *zeros, jnp.ones(()))

        def step() -> float:
            nonlocal state
            state, value = compiled(state, x, eps)
            return float(value)

        return step


def contenders(compiled: bool) -> list[str]:
    """Those that this machine has."""
    import torch

    names = [PRODUCTS, TORCH_PRODUCTS, NUMPY, DEFAULT, "PyTorch, AdamW foreach", FUSED]
    names += [COMPILED] if compiled and compiler_works() else []
    names += [CUDA] if torch.cuda.is_available() else []
    return names + ([JAX] if find_spec("jax") else [])


def compiler_works() -> bool:
    """Whether ``torch.compile`` finds what it needs on this machine."""
    import torch

    try:
        torch.compile(lambda x: x + 1)(torch.ones(2))
    except Exception:  # its errors have many kinds, and all mean the same here
        return False
    return True
