"""The variational autoencoder: parameters, forward pass, backward pass::

    x -> h1 -> h2 -> (mean, log_var) -> z -> h3 -> h4 -> y

ReLU after every hidden layer h, sigmoid after the last. y is the reconstruction of x.

A number such as (M5) or (B15) is that of an equation in docs/model.md or docs/backward.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any, Literal, NamedTuple, assert_never, get_args

import numpy as np
from numpy.typing import DTypeLike

from . import functional as F
from .flat import FlatArrays
from .functional import Array

Reconstruction = Literal["mse", "bce"]
Shape = tuple[int, ...]


class Loss(NamedTuple):
    """The loss of one minibatch and its two terms: sums over pixels or latent units and images.

    total = reconstruction + beta kl. (M5) For ``"bce"`` (and beta 1) it is the negative ELBO in
    nats.
    """

    total: float
    reconstruction: float
    kl: float


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


class VAE:
    """A variational autoencoder (Kingma and Welling, 2014) with two hidden layers on each side.

    Args:
        x_dim, h_dim1, h_dim2, z_dim: number of pixels, hidden units and latent units, at least 1.
        reconstruction: ``"mse"``, the squared error, or ``"bce"``, the Bernoulli cross-entropy.
        dtype: float32 to train, float64 to prove.
        seed: seeds the initial weights, drawn as ``torch.nn.Linear`` draws them: uniform between
            -1/sqrt(in) and 1/sqrt(in), weights and biases. The same for both dtypes.

    ``parameters`` maps names (``"encoder1.weight"``, ...) to arrays; assign into them in place.

    Raises:
        ValueError: a size below 1, an unknown reconstruction, or another dtype.
    """

    def __init__(
        self,
        x_dim: int = 784,
        h_dim1: int = 512,
        h_dim2: int = 256,
        z_dim: int = 50,
        reconstruction: Reconstruction = "mse",
        dtype: DTypeLike = np.float32,
        seed: int | None = 0,
    ) -> None:
        sizes = {"x_dim": x_dim, "h_dim1": h_dim1, "h_dim2": h_dim2, "z_dim": z_dim}
        for name, size in sizes.items():
            if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {size!r}")
        if reconstruction not in get_args(Reconstruction):
            raise ValueError(f"reconstruction must be 'mse' or 'bce', got {reconstruction!r}")
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {np.dtype(dtype)}")
        self.x_dim, self.h_dim1, self.h_dim2, self.z_dim = x_dim, h_dim1, h_dim2, z_dim
        self.reconstruction = reconstruction
        self.dtype: np.dtype[Any] = np.dtype(dtype)

        shapes = parameter_shapes(x_dim, h_dim1, h_dim2, z_dim)
        self.parameters = FlatArrays(shapes, dtype)
        self.gradients = FlatArrays(shapes, dtype)
        rng = np.random.default_rng(seed)
        for name, parameter in self.parameters.items():
            _, n_in = shapes[name.split(".")[0] + ".weight"]
            parameter[...] = rng.uniform(-1 / sqrt(n_in), 1 / sqrt(n_in), parameter.shape)

        self.activations: dict[str, Array] = {}
        self.activation_gradients: dict[str, Array] = {}
        self._room: dict[str, Array] = {}  # for intermediate results
        self._buffers: list[dict[str, Array]] = []
        self._allocated_rows = 0
        self._given: tuple[Array, Array, float] | None = None  # to the last forward
        self._differentiated = False  # whether backward came after it

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        name, count = type(self).__name__, self.parameters.flat.size
        return f"<{name} {sizes}, {self.reconstruction}, {self.dtype}, {count:,} parameters>"

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """x_dim, h_dim1, h_dim2 and z_dim."""
        return self.x_dim, self.h_dim1, self.h_dim2, self.z_dim

    def astype(self, dtype: DTypeLike) -> VAE:
        """A copy of the model in another dtype."""
        copy = VAE(*self.sizes, self.reconstruction, dtype)
        copy.parameters.flat[...] = self.parameters.flat
        return copy

    def encode(self, x: Array) -> tuple[Array, Array]:
        """q(z|x): mean and log-variance of z, each (B, z_dim), for images x of (B, x_dim)."""
        self._check("x", x, self.x_dim)
        return self._encode(x, {})

    def decode(self, z: Array) -> Array:
        """The images (B, x_dim), in [0, 1], of latent vectors z of (B, z_dim)."""
        logits = self.decode_logits(z)
        return F.sigmoid(logits, out=logits)

    def decode_logits(self, z: Array) -> Array:
        """What ``decode`` gives, before the sigmoid: the cross-entropy is computed from these."""
        self._check("z", z, self.z_dim)
        return self._decode(z, {})

    def sample(self, n: int, rng: np.random.Generator | int | None = None) -> Array:
        """n new images (n, x_dim): latent vectors drawn from the prior N(0, I), decoded.

        ``rng`` is a generator or a seed; without one, every call draws other images.
        """
        z = np.random.default_rng(rng).standard_normal((n, self.z_dim), self.dtype)
        return self.decode(z)

    def forward(self, x: Array, eps: Array, beta: float = 1.0) -> Loss:
        """The loss of images x (B, x_dim), in [0, 1], with noise eps (B, z_dim).

        Leaves every layer's output in ``activations``. x and eps must not change before
        ``backward``. With beta 0 and eps 0 the model is a plain autoencoder. That x lies in [0, 1]
        is trusted, not checked: ``Dataset`` and ``as_floats`` see to it.

        Raises:
            ValueError: a shape or dtype is not what the model was built for.
        """
        self._check("x", x, self.x_dim)
        self._check("eps", eps, self.z_dim, rows=len(x))
        self._given, self._differentiated = (x, eps, beta), False
        self._allocate(len(x))
        a = self.activations

        mean, log_var = self._encode(x, a)
        z = F.reparameterize(mean, log_var, eps, out=a["z"])
        logits = self._decode(z, a)
        reconstruction = self.reconstruction_loss(logits, x, y=a["y"], room=self._room["y"])
        kl = F.kl_divergence(mean, log_var)

        reconstruction_sum = float(np.sum(reconstruction, dtype=np.float64))
        kl_sum = float(np.sum(kl, dtype=np.float64))
        return Loss(reconstruction_sum + beta * kl_sum, reconstruction_sum, kl_sum)

    def reconstruction_loss(
        self, logits: Array, x: Array, y: Array | None = None, room: Array | None = None
    ) -> Array:
        """The reconstruction loss of each image, (B,), given logits and x, (B, x_dim) both.

        ``y`` and ``room`` are memory for the sigmoid of the logits, which only ``"mse"`` computes,
        and for an intermediate result.
        """
        match self.reconstruction:
            case "mse":
                return F.squared_error(F.sigmoid(logits, out=y), x, room=room)
            case "bce":
                return F.bernoulli_cross_entropy(logits, x, room=room)
            case unknown:
                assert_never(unknown)

    def backward(self) -> FlatArrays:
        """d total / d parameter for the last ``forward``, by parameter name.

        docs/backward.md goes through this method line by line. Every line is one layer's backward
        pass, except where paths meet: (B15), (B16) and (B17).

        The arrays are the model's own, overwritten by the next ``backward``. The gradients with
        respect to the activations are left in ``activation_gradients``: ``"mean"``, ``"z"``, ...

        Raises:
            RuntimeError: there was no ``forward``.
        """
        if self._given is None:
            raise RuntimeError("backward() differentiates the last forward(), and there was none")
        x, eps, beta = self._given
        a, grad = self.activations, self.activation_gradients

        # The loss and the sigmoid: (B9) and (B8), or (B10).
        match self.reconstruction:
            case "mse":
                F.squared_error_backward(a["y"], x, out=grad["y"])
                F.sigmoid_backward(grad["y"], a["y"], out=grad["logits"])
            case "bce":
                F.bernoulli_cross_entropy_backward(a["logits"], x, out=grad["logits"])
            case unknown:
                assert_never(unknown)

        # The decoder, last layer first: each linear layer is (B2), (B3) and (B4), each ReLU (B6).
        self._linear_backward("decoder3", grad["logits"], a["h4"], out=grad["h4"])
        F.relu_backward(grad["h4"], a["h4"], out=grad["a4"])
        self._linear_backward("decoder2", grad["a4"], a["h3"], out=grad["h3"])
        F.relu_backward(grad["h3"], a["h3"], out=grad["a3"])
        self._linear_backward("decoder1", grad["a3"], a["z"], out=grad["z"])

        # Two paths lead to mean and log_var: through z, (B11) and (B12), and through the KL
        # divergence, (B13) and (B14). Their sums are (B15) and (B16).
        grad_mean, grad_log_var = F.reparameterize_backward(
            grad["z"], a["log_var"], eps, out=(grad["mean"], grad["log_var"])
        )
        kl_mean, kl_log_var = F.kl_divergence_backward(beta, a["mean"], a["log_var"])
        grad_mean += kl_mean
        grad_log_var += kl_log_var

        # The encoder, as the decoder; h2 feeds both heads, so its gradient is a sum of two: (B17).
        grad_h2 = self._linear_backward("mean", grad_mean, a["h2"], out=grad["h2"])
        grad_h2 += self._linear_backward("log_var", grad_log_var, a["h2"], out=self._room["h2"])
        F.relu_backward(grad_h2, a["h2"], out=grad["a2"])
        self._linear_backward("encoder2", grad["a2"], a["h1"], out=grad["h1"])
        F.relu_backward(grad["h1"], a["h1"], out=grad["a1"])
        self._linear_backward_parameters("encoder1", grad["a1"], x)  # x needs no gradient
        self._differentiated = True
        return self.gradients

    def input_gradient(self) -> Array:
        """d total / d x, (B, x_dim), for the last ``backward``. (B18)

        x counts twice: as the encoder's input and as what the reconstruction is compared with.
        Training does not need it, so ``backward`` does not pay for it.
        """
        if not self._differentiated:
            raise RuntimeError("input_gradient() needs a forward() and a backward() before it")
        a, grad = self.activations, self.activation_gradients
        through_encoder = F.linear_backward_input(grad["a1"], self.parameters["encoder1.weight"])
        match self.reconstruction:
            case "mse":
                through_loss = -grad["y"]
            case "bce":
                through_loss = -a["logits"]
            case unknown:
                assert_never(unknown)
        return through_encoder + through_loss

    def _encode(self, x: Array, out: Mapping[str, Array]) -> tuple[Array, Array]:
        """Writes each layer's output into its buffer in ``out``; allocates where it has none."""
        h1 = self._hidden("encoder1", x, out.get("h1"))
        h2 = self._hidden("encoder2", h1, out.get("h2"))
        mean = self._linear("mean", h2, out.get("mean"))
        log_var = self._linear("log_var", h2, out.get("log_var"))
        return mean, log_var

    def _decode(self, z: Array, out: Mapping[str, Array]) -> Array:
        h3 = self._hidden("decoder1", z, out.get("h3"))
        h4 = self._hidden("decoder2", h3, out.get("h4"))
        return self._linear("decoder3", h4, out.get("logits"))

    def _hidden(self, layer: str, x: Array, out: Array | None) -> Array:
        h = self._linear(layer, x, out)
        return F.relu(h, out=h)

    def _linear(self, layer: str, x: Array, out: Array | None) -> Array:
        w = self.parameters
        return F.linear(x, w[f"{layer}.weight"], w[f"{layer}.bias"], out=out)

    def _linear_backward(self, layer: str, grad_y: Array, x: Array, out: Array) -> Array:
        """dL/dW and dL/db go into ``gradients``, dL/dx into ``out``."""
        self._linear_backward_parameters(layer, grad_y, x)
        return F.linear_backward_input(grad_y, self.parameters[f"{layer}.weight"], out=out)

    def _linear_backward_parameters(self, layer: str, grad_y: Array, x: Array) -> None:
        g = self.gradients
        F.linear_backward_parameters(grad_y, x, out=(g[f"{layer}.weight"], g[f"{layer}.bias"]))

    def _allocate(self, rows: int) -> None:
        """Points activations, their gradients and the room at buffers of this many rows.

        They are allocated once, for the largest batch seen; smaller batches use their first rows.
        """
        if rows > self._allocated_rows:
            hidden = {"1": self.h_dim1, "2": self.h_dim2, "3": self.h_dim2, "4": self.h_dim1}
            widths = {f"h{layer}": width for layer, width in hidden.items()}
            widths |= dict.fromkeys(["mean", "log_var", "z"], self.z_dim)
            widths |= dict.fromkeys(["logits", "y"], self.x_dim)
            before_relu = {f"a{layer}": width for layer, width in hidden.items()}
            room = {name: widths[name] for name in ("y", "h2")}
            self._buffers = [
                {name: np.empty((rows, width), self.dtype) for name, width in names.items()}
                for names in (widths, widths | before_relu, room)
            ]
            self._allocated_rows = rows
        self.activations, self.activation_gradients, self._room = (
            {name: buffer[:rows] for name, buffer in buffers.items()} for buffers in self._buffers
        )

    def _check(self, name: str, array: Array, columns: int, rows: int | None = None) -> None:
        wanted = f"{name} must be {self.dtype} of shape ({rows or 'B'}, {columns})"
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{wanted}, got a {type(array).__name__}")
        good_shape = array.ndim == 2 and array.shape[1] == columns and rows in (None, len(array))
        if not good_shape or len(array) == 0 or array.dtype != self.dtype:
            remedy = "; as_floats makes it so" if name == "x" and array.dtype != self.dtype else ""
            raise ValueError(f"{wanted}, got {array.dtype} of shape {array.shape}{remedy}")
