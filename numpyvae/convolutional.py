"""The convolutional network, for images whose neighbouring pixels have to do with each other::

    encoder   x -> h1 -> h2 -> (mean, log_var)
    decoder   z -> h3 -> h4 -> logits

From x to h2 each convolution halves height and width; from h3 to the logits each transposed one
doubles them. Kernels of 4 x 4, stride 2 and padding 1 let every inner pixel have the same share.
ReLU after every hidden layer h; linear layers between h2 and h3.

A number such as (C4) is that of an equation in docs/convolution.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from . import convolution as C
from . import functional as F
from .errors import InputError
from .functional import Array
from .network import Network, Shape

KERNEL = (4, 4)
WINDOW: dict[str, Any] = {"stride": 2, "padding": 1}
LEAST = 8  # pixels of an image's side


class Convolutional(Network):
    """Two convolutions, and two transposed ones back.

    A row of x holds the pixels in the order of reading, each with its channels, and so do h2 and h3
    where the linear layers read and write them.

    Args:
        image_shape: (height, width), or (height, width, channels); at least 8 x 8.
        channels: of h1 and h4, and of h2 and h3.
        z_dim: latent units.
        dtype, seed: as of ``Network``.

    Raises:
        ValueError: a size is too small, or another dtype.
    """

    hidden, colour = (32, 64), True
    rows_per_thread = 32

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28),
        channels: Sequence[int] = hidden,
        z_dim: int = 50,
        dtype: DTypeLike = np.float32,
        seed: int | None = 0,
    ) -> None:
        sizes = (*image_shape, *channels, z_dim)
        if any(not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1 for n in sizes):
            raise ValueError(f"sizes must be whole numbers of at least 1, got {sizes}")
        shapes = self.parameter_shapes(image_shape, channels, z_dim)
        super().__init__((tuple(image_shape), tuple(channels), z_dim), shapes, dtype, seed)
        self.x_dim, self.z_dim = prod(image_shape), z_dim
        self._image, self._h1, self._h2 = self._sizes(image_shape, channels)

    def __str__(self) -> str:
        (height, width, *_), (c1, c2), z_dim = self.sizes
        return f"conv {height}x{width}x{self._image[2]}-{c1}-{c2}-{z_dim}"

    @staticmethod
    def sizes_for(
        image_shape: Sequence[int], hidden: Sequence[int], z_dim: int
    ) -> tuple[Sequence[int], Sequence[int], int]:
        return image_shape, hidden, z_dim

    @staticmethod
    def parameter_shapes(
        image_shape: Sequence[int], channels: Sequence[int], z_dim: int
    ) -> dict[str, Shape]:
        (*_, c0), (*_, c1), h2 = Convolutional._sizes(image_shape, channels)
        c2, flat = h2[2], prod(h2)
        return {
            "encoder1.weight": (c1, c0, *KERNEL),
            "encoder1.bias": (c1,),
            "encoder2.weight": (c2, c1, *KERNEL),
            "encoder2.bias": (c2,),
            "mean.weight": (z_dim, flat),
            "mean.bias": (z_dim,),
            "log_var.weight": (z_dim, flat),
            "log_var.bias": (z_dim,),
            "decoder1.weight": (flat, z_dim),
            "decoder1.bias": (flat,),
            "decoder2.weight": (c2, c1, *KERNEL),
            "decoder2.bias": (c1,),
            "decoder3.weight": (c1, c0, *KERNEL),
            "decoder3.bias": (c0,),
        }

    @staticmethod
    def _sizes(image_shape: Sequence[int], channels: Sequence[int]) -> tuple[Shape, Shape, Shape]:
        """Height, width and channels of the images, of h1 and of h2."""
        height, width, *rest = image_shape
        if min(height, width) < LEAST:
            raise InputError(
                f"the convolutional network needs images of at least {LEAST} x {LEAST} pixels, "
                f"these have {height} x {width}"
            )
        c1, c2 = channels
        image = (height, width, *rest) if rest else (height, width, 1)
        return image, (height // 2, width // 2, c1), (height // 4, width // 4, c2)

    def allocate(self, rows: int, samples: int = 1) -> None:
        z, h1, h2, x_dim = (self.z_dim,), self._h1, self._h2, (self.x_dim,)
        encoder = {"h1": h1, "h2": h2, "mean": z, "log_var": z}
        decoder = {"z": z, "h3": h2, "h4": h1, "logits": x_dim}
        # One patch per position, which is a pixel of the smaller of the two images
        patches1 = {"patches1": (*h1[:2], *KERNEL, self._image[2])}
        patches2 = {"patches2": (*h2[:2], *KERNEL, h1[2])}
        patches3 = {"patches3": patches2["patches2"], "patches4": patches1["patches1"]}
        memory, decoded = self._memory.rows, rows * samples
        self.activations = _as_images(
            memory(rows, "of", encoder | patches1 | patches2)
            | memory(decoded, "of", decoder | patches3)
        )
        self.activation_gradients = _as_images(
            memory(rows, "grad", encoder | patches2 | {"a1": h1, "a2": h2})
            | memory(decoded, "grad", decoder | {"a3": h2, "a4": h1})
        )
        self._scratch = _as_images(memory(rows, "scratch", {"h2": h2}))

    def encode(self, x: Array, out: Mapping[str, Array]) -> tuple[Array, Array]:
        h1 = self._conv("encoder1", _image(x, self._image), out.get("h1"), out.get("patches1"))
        h2 = self._conv("encoder2", h1, out.get("h2"), out.get("patches2"))
        mean = self._linear("mean", _row(h2), out.get("mean"))
        log_var = self._linear("log_var", _row(h2), out.get("log_var"))
        return mean, log_var

    def encoder_backward(self, x: Array, grad_mean: Array, grad_log_var: Array) -> None:
        a, grad = self.activations, self.activation_gradients

        # Last layer first, each ReLU (B6). h2 feeds both heads, so its gradient is a sum: (B17).
        h2, grad_h2, scratch = _row(a["h2"]), _row(grad["h2"]), _row(self._scratch["h2"])
        self._linear_backward("mean", grad_mean, h2, out=grad_h2)
        grad_h2 += self._linear_backward("log_var", grad_log_var, h2, out=scratch)
        F.relu_backward(grad["h2"], a["h2"], out=grad["a2"])
        # A convolution: (C5), (C6) and (C7)
        self._conv_backward_parameters("encoder2", grad["a2"], a["h1"], a["patches2"])
        weight, _ = self._parameters("encoder2")
        C.conv2d_backward_input(
            grad["a2"], weight, self._h1[:2], **WINDOW, out=grad["h1"], scratch=grad["patches2"]
        )
        F.relu_backward(grad["h1"], a["h1"], out=grad["a1"])
        image = _image(x, self._image)  # needs no gradient
        self._conv_backward_parameters("encoder1", grad["a1"], image, a["patches1"])

    def encoder_backward_input(self) -> Array:
        grad_a1, (weight, _) = self.activation_gradients["a1"], self._parameters("encoder1")
        return _row(C.conv2d_backward_input(grad_a1, weight, self._image[:2], **WINDOW))

    def decode(self, z: Array, out: Mapping[str, Array]) -> Array:
        h3 = self._linear("decoder1", z, _row(out["h3"]) if out else None)
        F.relu(h3, out=h3)
        h4 = self._conv_transpose(
            "decoder2", _image(h3, self._h2), self._h1, out.get("h4"), out.get("patches3")
        )
        F.relu(h4, out=h4)
        logits = _image(out["logits"], self._image) if out else None
        logits = self._conv_transpose("decoder3", h4, self._image, logits, out.get("patches4"))
        return _row(logits)

    def decoder_backward(self, grad_logits: Array) -> Array:
        a, grad = self.activations, self.activation_gradients

        # Last layer first: each transposed convolution is (C12), (C10) and (C11), each ReLU (B6).
        # The scratch of the forward pass is free for the patches of the backward pass.
        grad_image = _image(grad_logits, self._image)
        self._conv_transpose_backward(
            "decoder3", grad_image, a["h4"], out=grad["h4"], scratch=a["patches4"]
        )
        F.relu_backward(grad["h4"], a["h4"], out=grad["a4"])
        self._conv_transpose_backward(
            "decoder2", grad["a4"], a["h3"], out=grad["h3"], scratch=a["patches3"]
        )
        F.relu_backward(grad["h3"], a["h3"], out=grad["a3"])
        return self._linear_backward("decoder1", _row(grad["a3"]), a["z"], out=grad["z"])

    def _conv(self, layer: str, x: Array, out: Array | None, scratch: Array | None) -> Array:
        """A convolution, and ReLU."""
        h = C.conv2d(x, *self._parameters(layer), **WINDOW, out=out, scratch=scratch)
        return F.relu(h, out=h)

    def _conv_backward_parameters(
        self, layer: str, grad_y: Array, x: Array, patches: Array
    ) -> None:
        """dL/dW and dL/db go into ``gradients``."""
        out = self._parameters(layer, self.gradients)
        C.conv2d_backward_parameters(grad_y, x, KERNEL, **WINDOW, out=out, patches=patches)

    def _conv_transpose(
        self, layer: str, x: Array, size: Shape, out: Array | None, scratch: Array | None
    ) -> Array:
        """To an image of this size: an odd height or width needs output_padding."""
        odd = [n % 2 for n in size[:2]]
        weight, bias = self._parameters(layer)
        return C.conv_transpose2d(
            x, weight, bias, **WINDOW, output_padding=odd, out=out, scratch=scratch
        )

    def _conv_transpose_backward(
        self, layer: str, grad_y: Array, x: Array, out: Array, scratch: Array
    ) -> None:
        """dL/dW and dL/db go into ``gradients``, dL/dx into ``out``."""
        weight, _ = self._parameters(layer)
        C.conv_transpose2d_backward_input(grad_y, weight, **WINDOW, out=out, scratch=scratch)
        into = self._parameters(layer, self.gradients)
        C.conv_transpose2d_backward_parameters(
            grad_y, x, KERNEL, **WINDOW, out=into, patches=scratch
        )


def _image(rows: Array, shape: Shape) -> Array:
    """Rows (B, H W C) as images (B, C, H, W)."""
    return rows.reshape(-1, *shape).transpose(0, 3, 1, 2)


def _row(images: Array) -> Array:
    """Images (B, C, H, W), channels last in memory, as rows (B, H W C)."""
    return images.transpose(0, 2, 3, 1).reshape(len(images), -1)


def _as_images(memory: Mapping[str, Array]) -> dict[str, Array]:
    """What is (B, H, W, C) as (B, C, H, W)."""
    return {name: a.transpose(0, 3, 1, 2) if a.ndim == 4 else a for name, a in memory.items()}
