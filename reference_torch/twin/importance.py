"""numpyvae's importance-weighted model as a PyTorch user would write it."""

import math
from typing import Any, assert_never

import torch
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

    def loss(
        self, x: Tensor, mean: Tensor, log_var: Tensor, eps: Tensor, beta: float | Tensor
    ) -> Loss:
        """The loss of images x that ``encode`` has turned into mean and log_var."""
        images, means, log_vars = (
            tensor.repeat_interleave(self.samples, dim=0) for tensor in (x, mean, log_var)
        )
        z = means + torch.exp(0.5 * log_vars) * eps
        losses = self.reconstruction_loss(z, images, reduction="none").sum(1)
        reconstruction = losses.sum() / self.samples
        kl = 0.5 * torch.sum(mean.square() + log_var.exp() - 1 - log_var)
        match self.bound:
            case "importance" | "dreg":
                if self.bound == "dreg":  # log q is a function of z alone, and z hears w̃²
                    moved = (z - z.detach()) / torch.exp(0.5 * log_vars.detach())  # 0, with a slope
                    noise = eps + moved  # (z - mean) / sigma, but for its rounding
                    log_q = -0.5 * (log_vars.detach() + noise.square())
                else:
                    log_q = -0.5 * (log_vars + eps.square())
                log_w = ((-0.5 * z.square() - log_q).sum(1) - losses).reshape(-1, self.samples)
                if self.bound == "dreg" and z.requires_grad:
                    weights = log_w.detach().softmax(1).reshape(-1, 1)
                    z.register_hook(lambda grad: grad * weights)  # type: ignore[no-untyped-call]
                total = torch.sum(math.log(self.samples) - torch.logsumexp(log_w, 1))
            case "elbo":
                total = reconstruction + beta * kl
            case unknown:
                assert_never(unknown)
        return Loss(total, reconstruction, kl)
