"""The network: an encoder and a decoder, each with its backward pass right below its forward pass::

    encoder   x -> h1 -> h2 -> (mean, log_var)
    decoder   z -> h3 -> h4 -> logits

ReLU after every hidden layer h. What lies between the two, and the loss, is the model's, which
needs no more of a network than ``Network`` names: another one can take this one's place.

A number such as (B2) is that of an equation in docs/model.md or docs/backward.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from math import prod, sqrt
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike

from . import functional as F
from .flat import FlatArrays
from .functional import Array

Shape = tuple[int, ...]


class Memory:
    """Arrays by name, allocated once, for the largest batch seen; smaller ones use their first
    rows."""

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype = dtype
        self._arrays: dict[tuple[str, str], Array] = {}

    def arrays(self) -> list[Array]:
        """All that there is."""
        return list(self._arrays.values())

    def rows(self, n: int, kind: str, shapes: Mapping[str, Shape]) -> dict[str, Array]:
        """n rows of such shapes, by name; those of another ``kind`` are other arrays."""
        for name, shape in shapes.items():
            if len(self._arrays.get((kind, name), ())) < n:
                self._arrays[kind, name] = np.empty((n, *shape), self.dtype)
        return {name: self._arrays[kind, name][:n] for name in shapes}


class Network(ABC):
    """What a model needs of its network.

    Args:
        sizes: what the network is made from, as a subclass takes it.
        shapes: of the parameters in their order, each layer's weight, then its bias.
        dtype: float32 to train, float64 to prove.
        seed: seeds the initial weights, drawn as PyTorch draws them: uniform between -1/sqrt(n)
            and 1/sqrt(n), weights and biases, for units with n inputs. The same for both dtypes.

    ``parameters`` and ``gradients`` map names (``"encoder1.weight"``, ...) to arrays; assign into
    them in place. ``activations`` has every layer's output for the last batch, among them
    ``"mean"``, ``"log_var"``, ``"z"`` and ``"logits"``, and ``activation_gradients`` the gradients
    with respect to them.

    Raises:
        ValueError: another dtype.
    """

    x_dim: int  # numbers of an image, which is a row
    z_dim: int
    defaults: ClassVar[Mapping[str, Any]]  # of ``Config``: ``hidden``, units or channels, and more
    stochastic: ClassVar[bool] = True  # whether q(z|x) has a variance
    rows_per_thread = 256  # of a minibatch: fewer are not worth a thread of their own
    colour: ClassVar[bool] = False  # whether commands keep the colours of images for it

    def __init__(
        self,
        sizes: tuple[Any, ...],
        shapes: Mapping[str, Shape],
        dtype: DTypeLike,
        seed: int | None,
    ) -> None:
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {np.dtype(dtype)}")
        self.sizes = sizes
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.parameters, self.gradients = FlatArrays(shapes, dtype), FlatArrays(shapes, dtype)
        rng = np.random.default_rng(seed)
        for name, parameter in self.parameters.items():
            n_in = prod(shapes[name.split(".")[0] + ".weight"][1:])
            parameter[...] = rng.uniform(-1 / sqrt(n_in), 1 / sqrt(n_in), parameter.shape)
        self.activations: dict[str, Array] = {}
        self.activation_gradients: dict[str, Array] = {}
        self._memory = Memory(dtype)

    def astype(self, dtype: DTypeLike) -> Self:
        """A copy of the network in another dtype."""
        make: Callable[..., Self] = type(self)
        copy = make(*self.sizes, dtype=dtype)
        copy.parameters.flat[...] = self.parameters.flat
        return copy

    def beside(self) -> Self:
        """A network with the very same parameters, for another thread: its gradients and
        activations are its own."""
        other = copy(self)
        shapes = {name: parameter.shape for name, parameter in self.parameters.items()}
        other.gradients, other._memory = FlatArrays(shapes, self.dtype), Memory(self.dtype)
        return other

    @staticmethod
    @abstractmethod
    def sizes_for(image_shape: Sequence[int], hidden: Sequence[int], z_dim: int) -> tuple[Any, ...]:
        """``sizes`` for images of (height, width), or (height, width, channels)."""

    @staticmethod
    @abstractmethod
    def parameter_shapes(*sizes: Any) -> dict[str, Shape]:
        """Names and shapes of all parameters in their order, for such ``sizes``."""

    @abstractmethod
    def __str__(self) -> str:
        """The encoder in a few words; the decoder goes back."""

    @abstractmethod
    def allocate(self, rows: int, samples: int = 1) -> None:
        """Points ``activations`` and ``activation_gradients`` at memory for a batch of so many
        images, and so many z of each."""

    @abstractmethod
    def encode(self, x: Array, out: Mapping[str, Array]) -> tuple[Array, Array]:
        """q(z|x): mean and log-variance of z, each (B, z_dim), for images x of (B, x_dim).

        Writes each layer's output into its array in ``out``; allocates where there is none.
        """

    @abstractmethod
    def encoder_backward(self, x: Array, grad_mean: Array, grad_log_var: Array) -> None:
        """The encoder's parameter gradients, for the ``activations`` that ``encode`` left."""

    @abstractmethod
    def encoder_backward_input(self) -> Array:
        """dL/dx through the encoder, (B, x_dim), after ``encoder_backward``."""

    @abstractmethod
    def decode(self, z: Array, out: Mapping[str, Array]) -> Array:
        """The logits (B, x_dim) of latent vectors z of (B, z_dim); ``out`` as in ``encode``."""

    @abstractmethod
    def decoder_backward(self, grad_logits: Array) -> Array:
        """dL/dz (B, z_dim), and the decoder's parameter gradients."""

    def _parameters(self, layer: str, of: FlatArrays | None = None) -> tuple[Array, Array]:
        """A layer's weight and bias, or its two among the gradients."""
        arrays = self.parameters if of is None else of
        return arrays[f"{layer}.weight"], arrays[f"{layer}.bias"]

    def _linear(self, layer: str, x: Array, out: Array | None) -> Array:
        return F.linear(x, *self._parameters(layer), out=out)

    def _linear_backward(self, layer: str, grad_y: Array, x: Array, out: Array) -> Array:
        """dL/dW and dL/db go into ``gradients``, dL/dx into ``out``."""
        self._linear_backward_parameters(layer, grad_y, x)
        weight, _ = self._parameters(layer)
        return F.linear_backward_input(grad_y, weight, out=out)

    def _linear_backward_parameters(self, layer: str, grad_y: Array, x: Array) -> None:
        F.linear_backward_parameters(grad_y, x, out=self._parameters(layer, self.gradients))


def parameter_shapes(x_dim: int, h_dim1: int, h_dim2: int, z_dim: int) -> dict[str, Shape]:
    """Names and shapes of all parameters in their order: each layer's weight, then its bias."""
    layers = {
        "encoder1": (h_dim1, x_dim),
        "encoder2": (h_dim2, h_dim1),
        "mean": (z_dim, h_dim2),
        "log_var": (z_dim, h_dim2),
        "decoder1": (h_dim2, z_dim),
        "decoder2": (h_dim1, h_dim2),
        "decoder3": (x_dim, h_dim1),
    }
    shapes: dict[str, Shape] = {}
    for layer, (n_out, n_in) in layers.items():
        shapes |= {f"{layer}.weight": (n_out, n_in), f"{layer}.bias": (n_out,)}
    return shapes


class FullyConnected(Network):
    """Linear layers, with two hidden ones on each side.

    Args:
        x_dim, h_dim1, h_dim2, z_dim: number of pixels, hidden units and latent units, at least 1.
        dtype, seed: as of ``Network``.

    Raises:
        ValueError: a size below 1, or another dtype.
    """

    defaults: ClassVar[Mapping[str, Any]] = {"hidden": (512, 256)}
    parameter_shapes = staticmethod(parameter_shapes)

    def __init__(
        self,
        x_dim: int = 784,
        h_dim1: int = 512,
        h_dim2: int = 256,
        z_dim: int = 50,
        dtype: DTypeLike = np.float32,
        seed: int | None = 0,
    ) -> None:
        sizes = {"x_dim": x_dim, "h_dim1": h_dim1, "h_dim2": h_dim2, "z_dim": z_dim}
        for name, size in sizes.items():
            if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {size!r}")
        self.x_dim, self.h_dim1, self.h_dim2, self.z_dim = x_dim, h_dim1, h_dim2, z_dim
        super().__init__(tuple(sizes.values()), parameter_shapes(**sizes), dtype, seed)

    @staticmethod
    def sizes_for(image_shape: Sequence[int], hidden: Sequence[int], z_dim: int) -> tuple[int, ...]:
        return prod(image_shape), *hidden, z_dim

    def __str__(self) -> str:
        return "-".join(map(str, self.sizes))

    def allocate(self, rows: int, samples: int = 1) -> None:
        h1, h2, z = (self.h_dim1,), (self.h_dim2,), (self.z_dim,)
        encoder = {"h1": h1, "h2": h2, "mean": z, "log_var": z}
        decoder = {"z": z, "h3": h2, "h4": h1, "logits": (self.x_dim,)}
        memory, decoded = self._memory.rows, rows * samples
        self.activations = memory(rows, "of", encoder) | memory(decoded, "of", decoder)
        self.activation_gradients = memory(rows, "grad", encoder | {"a1": h1, "a2": h2}) | memory(
            decoded, "grad", decoder | {"a3": h2, "a4": h1}
        )
        self._scratch = memory(rows, "scratch", {"h2": h2})

    def encode(self, x: Array, out: Mapping[str, Array]) -> tuple[Array, Array]:
        h1 = self._hidden("encoder1", x, out.get("h1"))
        h2 = self._hidden("encoder2", h1, out.get("h2"))
        mean = self._linear("mean", h2, out.get("mean"))
        log_var = self._linear("log_var", h2, out.get("log_var"))
        return mean, log_var

    def encoder_backward(self, x: Array, grad_mean: Array, grad_log_var: Array) -> None:
        a, grad = self.activations, self.activation_gradients

        # Last layer first: each linear layer is (B2), (B3) and (B4), each ReLU (B6). h2 feeds both
        # heads, so its gradient is a sum of two: (B17).
        grad_h2 = self._linear_backward("mean", grad_mean, a["h2"], out=grad["h2"])
        grad_h2 += self._linear_backward("log_var", grad_log_var, a["h2"], out=self._scratch["h2"])
        F.relu_backward(grad_h2, a["h2"], out=grad["a2"])
        self._linear_backward("encoder2", grad["a2"], a["h1"], out=grad["h1"])
        F.relu_backward(grad["h1"], a["h1"], out=grad["a1"])
        self._linear_backward_parameters("encoder1", grad["a1"], x)  # x needs no gradient

    def encoder_backward_input(self) -> Array:
        weight = self.parameters["encoder1.weight"]
        return F.linear_backward_input(self.activation_gradients["a1"], weight)

    def decode(self, z: Array, out: Mapping[str, Array]) -> Array:
        h3 = self._hidden("decoder1", z, out.get("h3"))
        h4 = self._hidden("decoder2", h3, out.get("h4"))
        return self._linear("decoder3", h4, out.get("logits"))

    def decoder_backward(self, grad_logits: Array) -> Array:
        a, grad = self.activations, self.activation_gradients

        # Last layer first: each linear layer is (B2), (B3) and (B4), each ReLU (B6).
        self._linear_backward("decoder3", grad_logits, a["h4"], out=grad["h4"])
        F.relu_backward(grad["h4"], a["h4"], out=grad["a4"])
        self._linear_backward("decoder2", grad["a4"], a["h3"], out=grad["h3"])
        F.relu_backward(grad["h3"], a["h3"], out=grad["a3"])
        return self._linear_backward("decoder1", grad["a3"], a["z"], out=grad["z"])

    def _hidden(self, layer: str, x: Array, out: Array | None) -> Array:
        h = self._linear(layer, x, out)
        return F.relu(h, out=h)
