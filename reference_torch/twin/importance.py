"""numpyvae's importance-weighted model as a PyTorch user would write it."""

import math
from typing import Any, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor

from numpyvae.importance import Bound

from .model import Loss, TorchVAE


class TorchIWAE(TorchVAE):
    """``numpyvae.IWAE`` with autograd. The arguments are those of its counterpart."""

    def __init__(
        self, *vae: Any, samples: int, bound: Bound = "importance", **options: Any
    ) -> None:
        super().__init__(*vae, **options)
        self.samples, self.bound = samples, bound

    def forward(self, x: Tensor, eps: Tensor | None = None, beta: float = 1.0) -> Loss:
        """The loss of images x (B, x_dim) with noise eps (B K, z_dim), drawn here if not given."""
        if eps is None:
            eps = torch.randn(len(x) * self.samples, self.sizes[3], dtype=x.dtype, device=x.device)
        return super().forward(x, eps, beta)

    def loss(self, x: Tensor, mean: Tensor, log_var: Tensor, eps: Tensor, beta: float) -> Loss:
        """The loss of images x that ``encode`` has turned into mean and log_var."""
        images, means, log_vars = (
            tensor.repeat_interleave(self.samples, dim=0) for tensor in (x, mean, log_var)
        )
        z = means + torch.exp(0.5 * log_vars) * eps
        match self.reconstruction:
            case "mse":
                pixels = F.mse_loss(self.decode(z), images, reduction="none")
            case "bce":
                pixels = F.binary_cross_entropy_with_logits(
                    self._logits(z), images, reduction="none"
                )
            case unknown:
                assert_never(unknown)
        losses = pixels.sum(1)
        reconstruction = losses.sum() / self.samples
        kl = 0.5 * torch.sum(mean.square() + log_var.exp() - 1 - log_var)
        match self.bound:
            case "importance":
                log_prior, log_q = -0.5 * z.square(), -0.5 * (log_vars + eps.square())
                log_w = (log_prior - log_q).sum(1) - losses
                bound = torch.logsumexp(log_w.reshape(-1, self.samples), 1)
                total = torch.sum(math.log(self.samples) - bound)
            case "elbo":
                total = reconstruction + beta * kl
            case other:
                assert_never(other)
        return Loss(total, reconstruction, kl)
