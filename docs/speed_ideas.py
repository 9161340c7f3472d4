"""Measures what ideas for a faster training step bring, one by one.

    python docs/speed_ideas.py

Each idea is tried on the article's network, in turns with the step as it is. Run it on a quiet
machine. What docs/speed.md says of ideas comes from here.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from unittest.mock import patch

import numpy as np

from numpyvae import VAE, Adam, FlatArrays, functional, optim
from numpyvae.functional import Array
from reference_torch.speed.contenders import Sizes, medians

BLOCKS = (16, 64, 128, 2048)  # Ki elements, beside the 32 of optim.BLOCK


def tanh_sigmoid(a: Array, out: Array | None = None) -> Array:
    """y = (1 + tanh(a / 2)) / 2."""
    y = np.multiply(a, 0.5, out=out)
    np.tanh(y, out=y)
    y += 1
    y *= 0.5
    return y


class OneHeadVAE(VAE):
    """Both heads as one product, forward and for the weights' gradient.

    (Their weights are not trained here: for timing only.)
    """

    def __init__(self, *sizes: *tuple[int, int, int, int]) -> None:
        super().__init__(*sizes)
        self.heads = np.zeros((2 * self.z_dim, self.h_dim2), self.dtype)
        self.heads_bias = np.zeros(2 * self.z_dim, self.dtype)
        self.grad_heads, self.grad_heads_bias = (a.copy() for a in (self.heads, self.heads_bias))

    def _linear(self, layer: str, x: Array, out: Array | None) -> Array:
        if layer not in ("mean", "log_var") or out is None:
            return super()._linear(layer, x, out)
        if layer == "mean":
            self.both = functional.linear(x, self.heads, self.heads_bias)
            out[...] = self.both[:, : self.z_dim]
        else:
            out[...] = self.both[:, self.z_dim :]
        return out

    def _linear_backward_parameters(self, layer: str, grad_y: Array, x: Array) -> None:
        if layer == "mean":
            out = (self.grad_heads, self.grad_heads_bias)
            functional.linear_backward_parameters(self.both, x, out=out)
        elif layer != "log_var":
            super()._linear_backward_parameters(layer, grad_y, x)


class EagerVAE(VAE):
    """Adam moves each layer as soon as its gradient is there, while that is in the cache.

    (The gradient of the layer's input then sees the new weights, so this is for timing only.)
    """

    def __init__(self, *sizes: *tuple[int, int, int, int]) -> None:
        super().__init__(*sizes)
        self.adams = {
            name: Adam(
                slice_of(self.parameters, piece_of(self.parameters, name)), weight_decay=0.01
            )
            for name in self.parameters
        }

    def _linear_backward_parameters(self, layer: str, grad_y: Array, x: Array) -> None:
        super()._linear_backward_parameters(layer, grad_y, x)
        for part in ("weight", "bias"):
            name = f"{layer}.{part}"
            self.adams[name].step({"p": self.gradients[name].ravel()})


class ThreadedAdam(Adam):
    """The blocks of the vector are shared out to two threads."""

    pool = ThreadPoolExecutor(2)

    def __init__(self, parameters: FlatArrays, weight_decay: float) -> None:
        half = len(parameters.flat) // 2
        self.parts = [slice(None, half), slice(half, None)]
        self.halves = [
            Adam(slice_of(parameters, part), weight_decay=weight_decay) for part in self.parts
        ]

    def step(self, gradients: Mapping[str, Array]) -> None:
        assert isinstance(gradients, FlatArrays)
        jobs = [
            self.pool.submit(half.step, slice_of(gradients, part))
            for half, part in zip(self.halves, self.parts, strict=True)
        ]
        for job in jobs:
            job.result()


def slice_of(arrays: FlatArrays, part: slice) -> FlatArrays:
    """A part of the flat vector, as FlatArrays with a single name."""
    view = FlatArrays({"p": arrays.flat[part].shape}, arrays.flat.dtype)
    view.flat = arrays.flat[part]
    view._views = {"p": view.flat}
    return view


def piece_of(arrays: FlatArrays, name: str) -> slice:
    """Where in the flat vector an array lies."""
    names = list(arrays)
    start = sum(arrays[other].size for other in names[: names.index(name)])
    return slice(start, start + arrays[name].size)


def step_of(
    sizes: Sizes, model: type[VAE] = VAE, optimiser: Callable[..., Adam] = Adam
) -> Callable[[], None]:
    """A training step."""
    vae = model(*sizes.network)
    adam = optimiser(vae.parameters, weight_decay=0.01)

    def step() -> None:
        vae.forward(sizes.x, sizes.eps)
        gradients = vae.backward()
        if model is not EagerVAE:
            adam.step(gradients)

    return step


def patched(
    step: Callable[[], None], module: ModuleType, name: str, value: object
) -> Callable[[], None]:
    def call() -> None:
        with patch.object(module, name, value):
            step()

    return call


def main() -> None:
    for batch in (64, 512):
        sizes = Sizes(batch)
        ideas = {
            "as it is": step_of(sizes),
            "sigmoid by tanh": patched(step_of(sizes), functional, "sigmoid", tanh_sigmoid),
            "both heads as one product": step_of(sizes, OneHeadVAE),
            "Adam layer by layer, in the backward pass": step_of(sizes, EagerVAE),
            "Adam on two threads": step_of(sizes, optimiser=ThreadedAdam),
        }
        for block in BLOCKS:
            with patch.object(optim, "BLOCK", block * 1024):
                step = step_of(sizes)  # with scratch of that size
            ideas[f"Adam in blocks of {block} Ki"] = patched(step, optim, "BLOCK", block * 1024)
        times = medians(ideas, rounds=20)
        print(f"batch {batch:<38}{'ms per step':>12}{'gain':>8}")
        for name, ms in times.items():
            print(f"  {name:<42}{ms:12.3f}{1 - ms / times['as it is']:8.1%}")


if __name__ == "__main__":
    main()
