"""The importance-weighted bound: several latent vectors per image, weighed against each other::

    x -> h1 -> h2 -> (mean, log_var) -> K times z -> h3 -> h4 -> y -> K log-weights -> bound

The encoder runs once per image, the decoder once per sample. Burda, Grosse and Salakhutdinov
(2016), "Importance weighted autoencoders". The networks and their backward passes are the VAE's;
here is what lies between them.

Shapes: B images, K samples of each. A number such as (I2) is that of an equation in
docs/importance.md.
"""

from collections.abc import Mapping
from typing import Literal, Self, assert_never, get_args

import numpy as np

from . import functional as F
from .flat import FlatArrays
from .functional import Array
from .model import VAE, Loss
from .network import Network
from .reconstruction import Reconstruction

Bound = Literal["importance", "dreg", "elbo"]


@F.underflow_to_zero
def log_weights(reconstruction: Array, z: Array, log_var: Array, eps: Array) -> Array:
    """log w = log p(x|z) + log p(z) - log q(z|x), up to the constant of log p(x|z). (I1)

    Shapes: reconstruction loss (B, K), z and eps (B, K, z), log_var (B, z); returns (B, K).
    """
    log_ratio = np.vecdot(eps, eps) - np.vecdot(z, z) + np.sum(log_var, axis=1, keepdims=True)
    return 0.5 * log_ratio - reconstruction


@F.underflow_to_zero
def log_weights_backward(grad_log_w: Array, z: Array, log_var: Array) -> tuple[Array, Array, Array]:
    """dL/dreconstruction = -grad_log_w (I4), dL/dz = -grad_log_w z (I5), and dL/dlog_var = half
    the sum of grad_log_w over the samples (I6), z being held still.

    Shapes: (B, K), (B, K, z) and (B, z), as in ``log_weights``.
    """
    grad_log_var = np.broadcast_to(0.5 * np.sum(grad_log_w, axis=1, keepdims=True), log_var.shape)
    return -grad_log_w, -grad_log_w[:, :, None] * z, grad_log_var


@F.underflow_to_zero
def log_mean_exp(log_w: Array) -> Array:
    """log 1/K sum_k exp(log_w), over the samples of each image. (I2)

    The largest is taken out first: exp of the rest is at most 1, and 1 is among them.
    Shapes: (B, K); returns (B,).
    """
    largest = np.max(log_w, axis=1, keepdims=True)
    return largest[:, 0] + np.log(np.mean(np.exp(log_w - largest), axis=1))


@F.underflow_to_zero
def log_mean_exp_backward(grad_bound: float, log_w: Array) -> Array:
    """dL/dlog_w = grad_bound w / sum_k w: the weights, normalized for each image. (I3)"""
    w = np.exp(log_w - np.max(log_w, axis=1, keepdims=True))
    return grad_bound * w / np.sum(w, axis=1, keepdims=True)


class IWAE(VAE):
    """A VAE that learns from several samples per image: by the importance-weighted bound, or by
    the mean of their ELBOs.

    With ``"dreg"`` the encoder's gradient is the doubly reparameterised one (Tucker et al., 2019).
    It is an estimate and no derivative of ``forward``: equal to that of ``"importance"`` on average
    over the noise, and less noisy.

    Args:
        samples: K, latent vectors per image.
        bound: ``"importance"``; ``"dreg"``, the same bound with the other gradient; or ``"elbo"``
            with its exact KL divergence: what a VAE learns by, with less noise in its gradient.
        network, reconstruction: as of ``VAE``.

    With one sample, ``"importance"`` is the ELBO with its KL divergence sampled, too.

    Raises:
        ValueError: fewer than 1 sample, an unknown bound, or what ``VAE`` refuses.
    """

    def __init__(
        self,
        network: Network | None = None,
        reconstruction: Reconstruction = "mse",
        *,
        samples: int,
        bound: Bound = "importance",
    ) -> None:
        if not isinstance(samples, int) or isinstance(samples, bool) or samples < 1:
            raise ValueError(f"samples must be a whole number of at least 1, got {samples!r}")
        if bound not in get_args(Bound):
            raise ValueError(
                f"bound must be {' or '.join(map(repr, get_args(Bound)))}, got {bound!r}"
            )
        super().__init__(network, reconstruction)
        self.samples, self.bound = samples, bound
        self._log_w = self._grad_reconstruction = np.empty((0, samples), self.dtype)

    def _around(self, network: Network) -> Self:
        return type(self)(network, self.reconstruction, samples=self.samples, bound=self.bound)

    def forward(self, x: Array, eps: Array, beta: float = 1.0) -> Loss:
        """The loss of images x (B, x_dim), in [0, 1], with noise eps (B K, z_dim), an image's K
        rows one after the other.

        The terms are the ELBO's: the reconstruction loss, a mean over the samples, and the exact
        KL divergence. With ``"elbo"`` the total is reconstruction + beta kl; with the other two
        it is minus the bound, in expectation no more than their sum.

        Raises:
            ValueError: a shape or dtype is not what the model was built for, or a beta that is not
                1 where the bound is not ``"elbo"``.
        """
        if self.bound != "elbo" and beta != 1:
            raise ValueError(f"the importance-weighted bound needs beta 1, got {beta}")
        self._start(x, eps, beta)
        a, per_sample, eps = self.activations, self._per_sample(self.activations), self._split(eps)

        mean, log_var = self.network.encode(x, a)
        z = F.reparameterize(mean[:, None], log_var[:, None], eps, out=per_sample["z"])
        self.network.decode(a["z"], a)
        reconstruction = self.reconstruction_loss(
            per_sample["logits"], x[:, None], per_sample.get("y"), self._split(self._scratch)
        )
        self._log_w = log_weights(reconstruction, z, log_var, eps)
        kl = F.kl_divergence(mean, log_var)

        reconstruction_sum = float(np.sum(reconstruction, dtype=np.float64)) / self.samples
        kl_sum = float(np.sum(kl, dtype=np.float64))
        match self.bound:
            case "importance" | "dreg":
                total = -float(np.sum(log_mean_exp(self._log_w), dtype=np.float64))
            case "elbo":  # (I9)
                total = reconstruction_sum + beta * kl_sum
            case unknown:
                assert_never(unknown)
        return Loss(total, reconstruction_sum, kl_sum)

    @F.underflow_to_zero
    def backward(self) -> FlatArrays:
        """d total / d parameter for the last ``forward``, as ``VAE.backward``; with ``"dreg"`` an
        estimate of it in the encoder.

        docs/importance.md derives it, and docs/noise.md the estimate.
        """
        x, eps, beta = self._last_forward()
        a, grad, eps = self.activations, self.activation_gradients, self._split(eps)
        per_sample, grad_per_sample = self._per_sample(a), self._per_sample(grad)
        z, mean, log_var = per_sample["z"], a["mean"], a["log_var"]

        # What the bound says to each sample's reconstruction loss, and to z, mean and log_var
        # beside the decoder: (I3) to (I6), or (I9), (B13) and (B14).
        direct_z: Array | float
        direct_mean: Array | float
        direct_log_var: Array | float
        again: Array | float = 1.0
        match self.bound:
            case "importance":
                grad_log_w = log_mean_exp_backward(-1.0, self._log_w)  # the loss is -bound
                grad_reconstruction, direct_z, direct_log_var = log_weights_backward(
                    grad_log_w, z, log_var
                )
                direct_mean = 0.0
            case "dreg":  # (I10): no path into log q but that through z, and the weights once more
                grad_log_w = log_mean_exp_backward(-1.0, self._log_w)
                grad_reconstruction, direct_z, _ = log_weights_backward(grad_log_w, z, log_var)
                direct_z += grad_log_w[:, :, None] * (eps * np.exp(-0.5 * log_var)[:, None])
                direct_mean = direct_log_var = 0.0
                again = -grad_log_w[:, :, None]
            case "elbo":
                grad_reconstruction = np.full_like(self._log_w, 1 / self.samples)
                direct_mean, direct_log_var = F.kl_divergence_backward(beta, mean, log_var)
                direct_z = 0.0
            case unknown:
                assert_never(unknown)

        self._reconstruction_backward(per_sample, x[:, None], grad_per_sample)
        grad_per_sample["logits"] *= grad_reconstruction[:, :, None]
        self.network.decoder_backward(grad["logits"])

        # An image's samples came from one mean and one log_var: sums over the samples, (I7), (I8).
        grad_z = grad_per_sample["z"]
        grad_z += direct_z
        grad_z *= again
        through_mean, through_log_var = F.reparameterize_backward(
            grad_z, np.broadcast_to(log_var[:, None], z.shape), eps
        )
        np.sum(through_mean, axis=1, out=grad["mean"])
        np.sum(through_log_var, axis=1, out=grad["log_var"])
        grad["mean"] += direct_mean
        grad["log_var"] += direct_log_var

        self.network.encoder_backward(x, grad["mean"], grad["log_var"])
        self._grad_reconstruction, self._differentiated = grad_reconstruction, True
        return self.gradients

    def _reconstruction_backward_x(self, a: Mapping[str, Array], x: Array) -> Array:
        """x is compared with all its samples."""
        of_each = super()._reconstruction_backward_x(self._per_sample(a), x[:, None])
        return np.einsum("bk,bkn->bn", self._grad_reconstruction, of_each)

    def _split(self, array: Array) -> Array:
        """(B K, n) seen as (B, K, n)."""
        return array.reshape(-1, self.samples, array.shape[1])

    def _per_sample(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """What there is of every sample, split."""
        names = arrays.keys() & {"z", "logits", "y"}
        return {name: self._split(arrays[name]) for name in names}
