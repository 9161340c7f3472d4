"""numpyvae's model written the way a PyTorch user would: autograd finds the gradients."""

from typing import NamedTuple, assert_never, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from numpyvae.model import Reconstruction


class Loss(NamedTuple):
    """``numpyvae.Loss`` as tensors without dimensions: sums over pixels or units, and images."""

    total: Tensor
    reconstruction: Tensor
    kl: Tensor


class TorchVAE(nn.Module):
    """A variational autoencoder with two hidden layers on each side.

    The arguments are those of ``numpyvae.VAE``, and the names in ``state_dict()`` are the names
    in its ``parameters``. No step waits for the host, so ``torch.compile`` and CUDA graphs work.

    Args:
        x_dim, h_dim1, h_dim2, z_dim: number of pixels, hidden units and latent units.
        reconstruction: ``"mse"``, the squared error, or ``"bce"``, the Bernoulli cross-entropy.

    Raises:
        ValueError: an unknown reconstruction.
    """

    def __init__(
        self,
        x_dim: int,
        h_dim1: int,
        h_dim2: int,
        z_dim: int,
        reconstruction: Reconstruction = "mse",
    ) -> None:
        super().__init__()
        if reconstruction not in get_args(Reconstruction):
            raise ValueError(f"reconstruction must be 'mse' or 'bce', got {reconstruction!r}")
        self.sizes = x_dim, h_dim1, h_dim2, z_dim
        self.reconstruction = reconstruction
        self.encoder1 = nn.Linear(x_dim, h_dim1)
        self.encoder2 = nn.Linear(h_dim1, h_dim2)
        self.mean = nn.Linear(h_dim2, z_dim)
        self.log_var = nn.Linear(h_dim2, z_dim)
        self.decoder1 = nn.Linear(z_dim, h_dim2)
        self.decoder2 = nn.Linear(h_dim2, h_dim1)
        self.decoder3 = nn.Linear(h_dim1, x_dim)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """q(z|x): mean and log-variance of z, each (B, z_dim), for images x of (B, x_dim)."""
        h1 = F.relu(self.encoder1(x))
        h2 = F.relu(self.encoder2(h1))
        return self.mean(h2), self.log_var(h2)

    def decode(self, z: Tensor) -> Tensor:
        """The images (B, x_dim), in [0, 1], of latent vectors z of (B, z_dim)."""
        return torch.sigmoid(self._logits(z))

    def forward(self, x: Tensor, eps: Tensor | None = None, beta: float = 1.0) -> Loss:
        """The loss of images x (B, x_dim) with noise eps (B, z_dim), drawn here if not given."""
        mean, log_var = self.encode(x)
        if eps is None:
            eps = torch.randn_like(mean)
        return self.loss(x, mean, log_var, eps, beta)

    def loss(self, x: Tensor, mean: Tensor, log_var: Tensor, eps: Tensor, beta: float) -> Loss:
        """The loss of images x that ``encode`` has turned into mean and log_var."""
        z = mean + torch.exp(0.5 * log_var) * eps
        match self.reconstruction:
            case "mse":
                reconstruction = F.mse_loss(self.decode(z), x, reduction="sum")
            case "bce":
                logits = self._logits(z)
                reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
            case unknown:
                assert_never(unknown)
        kl = 0.5 * torch.sum(mean.square() + log_var.exp() - 1 - log_var)
        return Loss(reconstruction + beta * kl, reconstruction, kl)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n new images (n, x_dim): latent vectors drawn from the prior N(0, I), decoded."""
        weight = self.decoder1.weight
        z = torch.randn(
            n, weight.shape[1], generator=generator, dtype=weight.dtype, device=weight.device
        )
        return self.decode(z)

    def _logits(self, z: Tensor) -> Tensor:
        h3 = F.relu(self.decoder1(z))
        h4 = F.relu(self.decoder2(h3))
        return self.decoder3(h4)
