"""numpyvae's networks written the way a PyTorch user would: autograd finds the gradients."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from numpyvae.convolutional import Convolutional, ConvolutionalAutoencoder
from numpyvae.network import FullyConnected, Network


class TorchNetwork(nn.Module):
    """What ``TorchVAE`` needs of a network; ``sizes`` are those of its counterpart in numpyvae."""

    sizes: tuple[Any, ...]
    z_dim: int

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """q(z|x): mean and log-variance of z, each (B, z_dim), for images x of (B, x_dim)."""
        raise NotImplementedError

    def decode(self, z: Tensor) -> Tensor:
        """The logits (B, x_dim) of latent vectors z of (B, z_dim)."""
        raise NotImplementedError


class TorchFullyConnected(TorchNetwork):
    """``numpyvae.FullyConnected`` with the same arguments, and the same names of parameters.

    Args:
        x_dim, h_dim1, h_dim2, z_dim: number of pixels, hidden units and latent units.
    """

    def __init__(self, x_dim: int, h_dim1: int, h_dim2: int, z_dim: int) -> None:
        super().__init__()
        self.sizes, self.z_dim = (x_dim, h_dim1, h_dim2, z_dim), z_dim
        self.encoder1 = nn.Linear(x_dim, h_dim1)
        self.encoder2 = nn.Linear(h_dim1, h_dim2)
        self.mean = nn.Linear(h_dim2, z_dim)
        self.log_var = nn.Linear(h_dim2, z_dim)
        self.decoder1 = nn.Linear(z_dim, h_dim2)
        self.decoder2 = nn.Linear(h_dim2, h_dim1)
        self.decoder3 = nn.Linear(h_dim1, x_dim)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h1 = F.relu(self.encoder1(x))
        h2 = F.relu(self.encoder2(h1))
        return self.mean(h2), self.log_var(h2)

    def decode(self, z: Tensor) -> Tensor:
        h3 = F.relu(self.decoder1(z))
        h4 = F.relu(self.decoder2(h3))
        return self.decoder3(h4)


class TorchConvolutional(TorchNetwork):
    """``numpyvae.Convolutional`` with the same arguments, and the same names of parameters.

    Args:
        image_shape: (height, width), or (height, width, channels).
        channels: of h1 and h4, and of h2 and h3.
        z_dim: latent units.
    """

    def __init__(self, image_shape: Sequence[int], channels: Sequence[int], z_dim: int) -> None:
        super().__init__()
        self.sizes, self.z_dim = (tuple(image_shape), tuple(channels), z_dim), z_dim
        height, width, c0 = (*image_shape, 1)[:3]
        c1, c2 = channels
        self.image, self.h2 = (height, width, c0), (height // 4, width // 4, c2)
        flat = self.h2[0] * self.h2[1] * c2
        self.encoder1 = nn.Conv2d(c0, c1, 4, stride=2, padding=1)
        self.encoder2 = nn.Conv2d(c1, c2, 4, stride=2, padding=1)
        self.mean = nn.Linear(flat, z_dim)
        self.log_var = nn.Linear(flat, z_dim)
        self.decoder1 = nn.Linear(z_dim, flat)
        more = (height // 2 % 2, width // 2 % 2), (height % 2, width % 2)
        self.decoder2 = nn.ConvTranspose2d(c2, c1, 4, 2, 1, output_padding=more[0])
        self.decoder3 = nn.ConvTranspose2d(c1, c0, 4, 2, 1, output_padding=more[1])

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h1 = F.relu(self.encoder1(x.view(-1, *self.image).permute(0, 3, 1, 2)))
        h2 = F.relu(self.encoder2(h1))
        h2 = h2.permute(0, 2, 3, 1).flatten(1)  # pixel by pixel, as the images
        return self.mean(h2), self.log_var(h2)

    def decode(self, z: Tensor) -> Tensor:
        h3 = F.relu(self.decoder1(z)).view(-1, *self.h2).permute(0, 3, 1, 2)
        h4 = F.relu(self.decoder2(h3))
        return self.decoder3(h4).permute(0, 2, 3, 1).flatten(1)


class TorchConvolutionalAutoencoder(TorchNetwork):
    """``numpyvae.ConvolutionalAutoencoder`` with the same arguments, and the same names of
    parameters.

    Args:
        image_shape: (height, width), or (height, width, channels).
        channels: of h1 and h3, and of h2; h4 has half as many as h3.
    """

    def __init__(self, image_shape: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        self.sizes = (tuple(image_shape), tuple(channels))
        height, width, c0 = self.image = (*image_shape, 1)[:3]
        c1, c2 = channels
        self.code = ((height - 4) // 12, (width - 4) // 12, c2)
        self.z_dim = self.code[0] * self.code[1] * c2
        self.encoder1 = nn.Conv2d(c0, c1, 3, stride=3, padding=1)
        self.encoder2 = nn.Conv2d(c1, c2, 3, stride=2, padding=1)
        self.decoder1 = nn.ConvTranspose2d(c2, c1, 3, stride=2)
        self.decoder2 = nn.ConvTranspose2d(c1, (c1 + 1) // 2, 5, stride=3, padding=1)
        self.decoder3 = nn.ConvTranspose2d((c1 + 1) // 2, c0, 2, stride=2, padding=1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        image = 2 * x.view(-1, *self.image).permute(0, 3, 1, 2) - 1
        h1 = F.relu(self.encoder1(image))
        h2 = F.relu(self.encoder2(F.max_pool2d(h1, 2)))
        mean = F.max_pool2d(h2, 2, stride=1).permute(0, 2, 3, 1).flatten(1)
        return mean, torch.zeros_like(mean)

    def decode(self, z: Tensor) -> Tensor:
        h3 = F.relu(self.decoder1(z.view(-1, *self.code).permute(0, 3, 1, 2)))
        h4 = F.relu(self.decoder2(h3))
        return 2 * self.decoder3(h4).permute(0, 2, 3, 1).flatten(1)


TWINS: dict[type[Network], type[TorchNetwork]] = {
    FullyConnected: TorchFullyConnected,
    Convolutional: TorchConvolutional,
    ConvolutionalAutoencoder: TorchConvolutionalAutoencoder,
}
