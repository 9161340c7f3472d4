"""numpyvae's model written the way a PyTorch user would: autograd finds the gradients."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from numpyvae.reconstruction import Reconstruction

from .network import TorchNetwork


class Loss(NamedTuple):
    """``numpyvae.Loss`` as tensors without dimensions: sums over pixels or units, and images."""

    total: Tensor
    reconstruction: Tensor
    kl: Tensor


def squared_error(logits: Tensor, x: Tensor, *, reduction: str) -> Tensor:
    return F.mse_loss(torch.sigmoid(logits), x, reduction=reduction)


# Of logits and x, (B, x_dim) both, reduced as PyTorch's losses are
RECONSTRUCTIONS: dict[Reconstruction, Callable[..., Tensor]] = {
    "mse": squared_error,
    "bce": F.binary_cross_entropy_with_logits,
}


class TorchVAE(nn.Module):
    """A variational autoencoder.

    The names in ``state_dict()`` are the names in ``numpyvae.VAE.parameters``. No step waits for
    the host, so ``torch.compile`` and CUDA graphs work.

    Args:
        network: encoder and decoder, as ``TorchFullyConnected(784, 512, 256, 50)``.
        reconstruction: ``"mse"``, the squared error, or ``"bce"``, the Bernoulli cross-entropy.

    Raises:
        ValueError: an unknown reconstruction.
    """

    network: TorchNetwork
    samples = 1  # latent vectors per image

    def __init__(self, network: TorchNetwork, reconstruction: Reconstruction = "mse") -> None:
        super().__init__()
        if reconstruction not in RECONSTRUCTIONS:
            choices = " or ".join(map(repr, RECONSTRUCTIONS))
            raise ValueError(f"reconstruction must be {choices}, got {reconstruction!r}")
        self.reconstruction = reconstruction
        vars(self)["network"] = network  # no part of its own: the layers are, by their own names
        for name, layer in network.named_children():
            self.add_module(name, layer)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """q(z|x): mean and log-variance of z, each (B, z_dim), for images x of (B, x_dim)."""
        return self.network.encode(x)

    def decode(self, z: Tensor) -> Tensor:
        """The images (B, x_dim), in [0, 1], of latent vectors z of (B, z_dim)."""
        return torch.sigmoid(self.network.decode(z))

    def forward(self, x: Tensor, eps: Tensor | None = None, beta: float | Tensor = 1.0) -> Loss:
        """The loss of images x (B, x_dim), with noise eps of K rows of z_dim numbers for each of
        them, drawn here if not given."""
        mean, log_var = self.encode(x)
        if eps is None:
            rows = (self.samples * len(x), mean.shape[1])
            eps = torch.randn(rows, dtype=x.dtype, device=x.device)
        return self.loss(x, mean, log_var, eps, beta)

    def loss(
        self, x: Tensor, mean: Tensor, log_var: Tensor, eps: Tensor, beta: float | Tensor
    ) -> Loss:
        """The loss of images x that ``encode`` has turned into mean and log_var."""
        z = mean + torch.exp(0.5 * log_var) * eps
        reconstruction = self.reconstruction_loss(z, x, reduction="sum")
        kl = 0.5 * torch.sum(mean.square() + log_var.exp() - 1 - log_var)
        return Loss(reconstruction + beta * kl, reconstruction, kl)

    def reconstruction_loss(self, z: Tensor, x: Tensor, reduction: str) -> Tensor:
        """Of images x and what their z are decoded to."""
        return RECONSTRUCTIONS[self.reconstruction](self.network.decode(z), x, reduction=reduction)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n new images (n, x_dim): latent vectors drawn from the prior N(0, I), decoded."""
        like = next(self.parameters())
        z = torch.randn(
            n, self.network.z_dim, generator=generator, dtype=like.dtype, device=like.device
        )
        return self.decode(z)
