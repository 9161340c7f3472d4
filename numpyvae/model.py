"""The variational autoencoder: what lies between encoder and decoder, and its loss::

    x -> encoder -> (mean, log_var) -> z -> decoder -> logits -> y

y, the sigmoid of the logits, is the reconstruction of x. The networks are in network.py.

A number such as (M5) or (B15) is that of an equation in docs/model.md or docs/backward.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike

from . import functional as F
from .flat import FlatArrays
from .functional import Array
from .network import FullyConnected, Memory, Network
from .reconstruction import RECONSTRUCTIONS, Reconstruction


class Loss(NamedTuple):
    """The loss of one minibatch and its two terms: sums over pixels or latent units and images.

    total = reconstruction + beta kl. (M5) For ``"bce"`` (and beta 1) it is the negative ELBO in
    nats.
    """

    total: float
    reconstruction: float
    kl: float


class VAE:
    """A variational autoencoder (Kingma and Welling, 2014).

    Args:
        network: encoder and decoder; by default the article's, ``FullyConnected()``. Its dtype is
            the model's. It belongs to the model: two models with one network share all parameters.
        reconstruction: ``"mse"``, the squared error, or ``"bce"``, the Bernoulli cross-entropy.

    ``parameters`` maps names (``"encoder1.weight"``, ...) to arrays; assign into them in place.

    Raises:
        ValueError: what is given is no network, or an unknown reconstruction.
    """

    samples = 1  # latent vectors per image

    def __init__(
        self, network: Network | None = None, reconstruction: Reconstruction = "mse"
    ) -> None:
        self.network = FullyConnected() if network is None else network
        if not isinstance(self.network, Network):
            raise ValueError(
                f"network must be one, as FullyConnected(784, 512, 256, 50): {network!r}"
            )
        if reconstruction not in RECONSTRUCTIONS:
            choices = " or ".join(map(repr, RECONSTRUCTIONS))
            raise ValueError(f"reconstruction must be {choices}, got {reconstruction!r}")
        self.reconstruction = reconstruction
        self.x_dim, self.z_dim = self.network.x_dim, self.network.z_dim
        self.dtype = self.network.dtype
        self.parameters, self.gradients = self.network.parameters, self.network.gradients

        self.activations: dict[str, Array] = {}
        self.activation_gradients: dict[str, Array] = {}
        self._memory = Memory(self.dtype)
        self._given: tuple[Array, Array, float] | None = None  # to the last forward
        self._differentiated = False  # whether backward came after it

    def __repr__(self) -> str:
        name, count = type(self).__name__, self.parameters.flat.size
        return f"<{name} {self.network}, {self.reconstruction}, {self.dtype}, {count:,} parameters>"

    def astype(self, dtype: DTypeLike) -> Self:
        """A copy of the model in another dtype."""
        return self._around(self.network.astype(dtype))

    def beside(self) -> Self:
        """A model with the very same parameters, for another thread: its gradients and
        activations are its own."""
        return self._around(self.network.beside())

    def _around(self, network: Network) -> Self:
        """The same model around another network."""
        return type(self)(network, self.reconstruction)

    def encode(self, x: Array) -> tuple[Array, Array]:
        """q(z|x): mean and log-variance of z, each (B, z_dim), for images x of (B, x_dim)."""
        self._check("x", x, self.x_dim)
        return self.network.encode(x, {})

    def decode(self, z: Array) -> Array:
        """The images (B, x_dim), in [0, 1], of latent vectors z of (B, z_dim)."""
        logits = self.decode_logits(z)
        return F.sigmoid(logits, out=logits)

    def decode_logits(self, z: Array) -> Array:
        """What ``decode`` gives, before the sigmoid: the cross-entropy is computed from these."""
        self._check("z", z, self.z_dim)
        return self.network.decode(z, {})

    def reconstruct(self, x: Array, eps: Array | None = None) -> Array:
        """The images x (B, x_dim), encoded and decoded again.

        From the z of q(z|x) that the noise eps (B, z_dim) stands for, as in training; without eps
        from its mean.
        """
        mean, log_var = self.encode(x)
        return self.decode(mean if eps is None else F.reparameterize(mean, log_var, eps))

    def sample(self, n: int, rng: np.random.Generator | int | None = None) -> Array:
        """n new images (n, x_dim): latent vectors drawn from the prior N(0, I), decoded.

        ``rng`` is a generator or a seed; without one, every call draws other images.
        """
        z = np.random.default_rng(rng).standard_normal((n, self.z_dim), self.dtype)
        return self.decode(z)

    def forward(self, x: Array, eps: Array, beta: float = 1.0) -> Loss:
        """The loss of images x (B, x_dim), in [0, 1], with noise eps (B, z_dim).

        Leaves every layer's output in ``activations``; y is among them where the loss needs it,
        which ``"bce"`` does not. x and eps must not change before ``backward``. With beta 0 and eps
        0 the model is a plain autoencoder. That x lies in [0, 1] is trusted, not checked:
        ``Dataset`` and ``as_floats`` see to it.

        Raises:
            ValueError: a shape or dtype is not what the model was built for.
        """
        self._start(x, eps, beta)
        a = self.activations

        mean, log_var = self.network.encode(x, a)
        z = F.reparameterize(mean, log_var, eps, out=a["z"])
        logits = self.network.decode(z, a)
        reconstruction = self.reconstruction_loss(logits, x, a.get("y"), self._scratch)
        kl = F.kl_divergence(mean, log_var)

        reconstruction_sum = float(np.sum(reconstruction, dtype=np.float64))
        kl_sum = float(np.sum(kl, dtype=np.float64))
        return Loss(reconstruction_sum + beta * kl_sum, reconstruction_sum, kl_sum)

    def reconstruction_loss(
        self, logits: Array, x: Array, y: Array | None = None, scratch: Array | None = None
    ) -> Array:
        """The reconstruction loss of each image, (B,), given logits and x, (B, x_dim) both.

        ``y`` and ``scratch`` are memory: for the sigmoid of the logits, where the loss takes that,
        and for an intermediate result.
        """
        loss = RECONSTRUCTIONS[self.reconstruction]
        return loss.value(
            logits if loss.takes_logits else F.sigmoid(logits, out=y), x, scratch=scratch
        )

    def backward(self) -> FlatArrays:
        """d total / d parameter for the last ``forward``, by parameter name.

        docs/backward.md goes through this method and the network's line by line.

        The arrays are the model's own, overwritten by the next ``backward``. The gradients with
        respect to the activations are left in ``activation_gradients``: ``"mean"``, ``"z"``, ...

        Raises:
            RuntimeError: there was no ``forward``.
        """
        x, eps, beta = self._last_forward()
        a, grad = self.activations, self.activation_gradients

        self._reconstruction_backward(a, x, grad)
        self.network.decoder_backward(grad["logits"])

        # Two paths lead to mean and log_var: through z, (B11) and (B12), and through the KL
        # divergence, (B13) and (B14). Their sums are (B15) and (B16).
        grad_mean, grad_log_var = F.reparameterize_backward(
            grad["z"], a["log_var"], eps, out=(grad["mean"], grad["log_var"])
        )
        kl_mean, kl_log_var = F.kl_divergence_backward(beta, a["mean"], a["log_var"])
        grad_mean += kl_mean
        grad_log_var += kl_log_var

        self.network.encoder_backward(x, grad_mean, grad_log_var)
        self._differentiated = True
        return self.gradients

    def _reconstruction_backward(
        self, a: Mapping[str, Array], x: Array, grad: Mapping[str, Array]
    ) -> None:
        """dR/dlogits: a loss of the logits says it, (B10), a loss of y through the sigmoid."""
        loss = RECONSTRUCTIONS[self.reconstruction]
        if loss.takes_logits:
            loss.backward(a["logits"], x, out=grad["logits"])
        else:
            loss.backward(a["y"], x, out=grad["y"])  # (B9)
            F.sigmoid_backward(grad["y"], a["y"], out=grad["logits"])  # (B8)

    def input_gradient(self) -> Array:
        """d total / d x, (B, x_dim), for the last ``backward``. (B18)

        x counts twice: as the encoder's input and as what the reconstruction is compared with.
        Training does not need it, so ``backward`` does not pay for it.
        """
        if not self._differentiated:
            raise RuntimeError("input_gradient() needs a forward() and a backward() before it")
        x, *_ = self._last_forward()
        through_encoder = self.network.encoder_backward_input()
        through_loss = self._reconstruction_backward_x(self.activations, x)
        return through_encoder + through_loss

    def _reconstruction_backward_x(self, a: Mapping[str, Array], x: Array) -> Array:
        loss = RECONSTRUCTIONS[self.reconstruction]
        return loss.backward_x(a["logits"] if loss.takes_logits else a["y"], x)

    def _start(self, x: Array, eps: Array, beta: float) -> None:
        """Checks what ``forward`` is given, keeps it, and points the activations at memory."""
        self._check("x", x, self.x_dim)
        self._check("eps", eps, self.z_dim, rows=len(x) * self.samples)
        self._given, self._differentiated = (x, eps, beta), False

        self.network.allocate(len(x), self.samples)
        pixels = {} if RECONSTRUCTIONS[self.reconstruction].takes_logits else {"y": (self.x_dim,)}
        rows = len(x) * self.samples
        self.activations = self.network.activations | self._memory.rows(rows, "of", pixels)
        self.activation_gradients = self.network.activation_gradients | self._memory.rows(
            rows, "grad", pixels
        )
        self._scratch = self._memory.rows(rows, "scratch", {"y": (self.x_dim,)})["y"]

    def _last_forward(self) -> tuple[Array, Array, float]:
        if self._given is None:
            raise RuntimeError("backward() differentiates the last forward(), and there was none")
        return self._given

    def _check(self, name: str, array: Array, columns: int, rows: int | None = None) -> None:
        wanted = f"{name} must be {self.dtype} of shape ({rows or 'B'}, {columns})"
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{wanted}, got a {type(array).__name__}")
        good_shape = array.ndim == 2 and array.shape[1] == columns and rows in (None, len(array))
        if not good_shape or len(array) == 0 or array.dtype != self.dtype:
            remedy = "; as_floats makes it so" if name == "x" and array.dtype != self.dtype else ""
            raise ValueError(f"{wanted}, got {array.dtype} of shape {array.shape}{remedy}")
