"""Convolutional networks, for images whose neighbouring pixels have to do with each other: that of
a VAE, and the article's autoencoder.

A row of x holds the pixels in the order of reading, each with its channels, and so does whatever
else is a row but was an image, or becomes one. A number such as (C4) is that of an equation in
docs/convolution.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import prod
from typing import Any, ClassVar

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


class WithConvolutions(Network):
    """A network with convolutions: ``windows`` holds stride and padding, by layer."""

    colour, rows_per_thread = True, 32
    windows: ClassVar[Mapping[str, Mapping[str, Any]]]

    def _conv(self, layer: str, x: Array, out: Array | None, scratch: Array | None) -> Array:
        """A convolution, and ReLU."""
        weight, bias = self._parameters(layer)
        h = C.conv2d(x, weight, bias, **self.windows[layer], out=out, scratch=scratch)
        return F.relu(h, out=h)

    def _conv_backward_parameters(
        self, layer: str, grad_y: Array, x: Array, patches: Array
    ) -> None:
        """dL/dW and dL/db go into ``gradients``."""
        weight, bias = self._parameters(layer, self.gradients)
        C.conv2d_backward_parameters(
            *(grad_y, x, weight.shape[2:]),
            **self.windows[layer],
            out=(weight, bias),
            patches=patches,
        )

    def _conv_transpose(
        self,
        layer: str,
        x: Array,
        out: Array | None,
        scratch: Array | None,
        output_padding: C.Size = 0,
    ) -> Array:
        weight, bias = self._parameters(layer)
        return C.conv_transpose2d(
            *(x, weight, bias),
            **self.windows[layer],
            output_padding=output_padding,
            out=out,
            scratch=scratch,
        )

    def _conv_transpose_backward(
        self, layer: str, grad_y: Array, x: Array, out: Array, scratch: Array
    ) -> None:
        """dL/dW and dL/db go into ``gradients``, dL/dx into ``out``."""
        window, (weight, _) = self.windows[layer], self._parameters(layer)
        C.conv_transpose2d_backward_input(grad_y, weight, **window, out=out, scratch=scratch)
        into = self._parameters(layer, self.gradients)
        C.conv_transpose2d_backward_parameters(
            grad_y, x, weight.shape[2:], **window, out=into, patches=scratch
        )


class Convolutional(WithConvolutions):
    """Two convolutions, and two transposed ones back, with linear layers between them::

        encoder   x -> h1 -> h2 -> (mean, log_var)
        decoder   z -> h3 -> h4 -> logits

    From x to h2 each convolution halves height and width; from h3 to the logits each transposed one
    doubles them. Kernels of 4 x 4, stride 2 and padding 1 let every inner pixel have the same
    share. ReLU after every hidden layer h.

    Args:
        image_shape: (height, width), or (height, width, channels); at least 8 x 8.
        channels: of h1 and h4, and of h2 and h3.
        z_dim: latent units.
        dtype, seed: as of ``Network``.

    Raises:
        ValueError: a size is too small, or another dtype.
    """

    defaults: ClassVar[Mapping[str, Any]] = {"hidden": (32, 64)}
    windows = dict.fromkeys(("encoder1", "encoder2", "decoder2", "decoder3"), WINDOW)

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28),
        channels: Sequence[int] = (32, 64),
        z_dim: int = 50,
        dtype: DTypeLike = np.float32,
        seed: int | None = 0,
    ) -> None:
        _check_sizes((*image_shape, *channels, z_dim))
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
        h3, odd = _image(h3, self._h2), [n % 2 for n in self._h1[:2]]
        h4 = self._conv_transpose("decoder2", h3, out.get("h4"), out.get("patches3"), odd)
        F.relu(h4, out=h4)
        logits, odd = out.get("logits"), [n % 2 for n in self._image[:2]]
        logits = None if logits is None else _image(logits, self._image)
        logits = self._conv_transpose("decoder3", h4, logits, out.get("patches4"), odd)
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


class ConvolutionalAutoencoder(WithConvolutions):
    """The article's autoencoder: two convolutions and pools, and three transposed ones back::

        encoder   x -> h1 -> p1 -> h2 -> mean       log_var = 0
        decoder   z -> h3 -> h4 -> logits

    ReLU after every hidden layer h; p1 and mean are what the pools leave. The code is a point, not
    a distribution: the model is an autoencoder where eps and beta are 0.

    The article's images lie between -1 and 1: the encoder is given 2 x - 1, and what the decoder
    gives is tanh(a). As that is 2 sigmoid(2 a) - 1, its squared error is 4 (sigmoid(2 a) - x)². So
    the logits here are 2 a, and ``VAE(network, "mse")`` is the article's model, trained by a fourth
    of its loss, which to Adam is the same up to its eps. (C17)

    Args:
        image_shape: (height, width), or (height, width, channels); a side of 16, 28, 40, ...
            pixels comes back in its size.
        channels: of h1 and h3, and of h2; h4 has half as many as h3.
        dtype, seed: as of ``Network``.

    Raises:
        ValueError: an image of this size does not come back as large, a size is too small, or
            another dtype.
    """

    defaults: ClassVar[Mapping[str, Any]] = {
        "hidden": (32, 64),
        "z_dim": 256,
        "noise": False,
        "beta": 0.0,
    }
    stochastic = False
    windows: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "encoder1": {"stride": 3, "padding": 1},
        "encoder2": {"stride": 2, "padding": 1},
        "decoder1": {"stride": 2, "padding": 0},
        "decoder2": {"stride": 3, "padding": 1},
        "decoder3": {"stride": 2, "padding": 1},
    }
    kernels: ClassVar[Mapping[str, C.Pair]] = {
        **dict.fromkeys(("encoder1", "encoder2", "decoder1"), (3, 3)),
        "decoder2": (5, 5),
        "decoder3": (2, 2),
    }
    pools: ClassVar[Mapping[str, C.Pair]] = {"h1": (2, 2), "h2": (2, 1)}  # kernel size and stride

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28),
        channels: Sequence[int] = (32, 64),
        dtype: DTypeLike = np.float32,
        seed: int | None = 0,
    ) -> None:
        _check_sizes((*image_shape, *channels))
        shapes = self.parameter_shapes(image_shape, channels)
        super().__init__((tuple(image_shape), tuple(channels)), shapes, dtype, seed)
        self._shapes = self._sizes(image_shape, channels)
        self.x_dim, self.z_dim = prod(image_shape), self.code_size(image_shape, channels)

    def __str__(self) -> str:
        (height, width, c0), (c1, c2) = self._shapes["x"], self.sizes[1]
        return f"conv-autoencoder {height}x{width}x{c0}-{c1}-{c2}-{self.z_dim}"

    @classmethod
    def code_size(cls, image_shape: Sequence[int], channels: Sequence[int]) -> int:
        """How many numbers the code of such an image has."""
        return prod(cls._sizes(image_shape, channels)["mean"])

    @staticmethod
    def sizes_for(
        image_shape: Sequence[int], hidden: Sequence[int], z_dim: int
    ) -> tuple[Sequence[int], Sequence[int]]:
        if z_dim != (size := ConvolutionalAutoencoder.code_size(image_shape, hidden)):
            height, width, *_ = image_shape
            raise InputError(
                f"the article's autoencoder turns images of {height} x {width} pixels, with "
                f"{hidden[1]} channels, into {size} numbers: z_dim must be {size}, not {z_dim}"
            )
        return image_shape, hidden

    @staticmethod
    def parameter_shapes(image_shape: Sequence[int], channels: Sequence[int]) -> dict[str, Shape]:
        sizes = ConvolutionalAutoencoder._sizes(image_shape, channels)
        c0, c1, c2, c4 = (sizes[name][2] for name in ("x", "h1", "h2", "h4"))
        weights = {  # between how many channels
            **{"encoder1": (c1, c0), "encoder2": (c2, c1)},
            **{"decoder1": (c2, c1), "decoder2": (c1, c4), "decoder3": (c4, c0)},
        }
        shapes: dict[str, Shape] = {}
        for layer, (first, second) in weights.items():
            kernel = ConvolutionalAutoencoder.kernels[layer]
            n_out = first if layer.startswith("encoder") else second
            shapes |= {f"{layer}.weight": (first, second, *kernel), f"{layer}.bias": (n_out,)}
        return shapes

    @classmethod
    def _sizes(cls, image_shape: Sequence[int], channels: Sequence[int]) -> dict[str, Shape]:
        """Height, width and channels of everything that is an image, by name."""
        height, width, c0 = (*image_shape, 1)[:3]
        c1, c2 = channels
        c4 = (c1 + 1) // 2

        def conv(size: C.Pair, layer: str) -> C.Pair:
            return C.conv2d_size(size, cls.kernels[layer], **cls.windows[layer])

        def conv_transpose(size: C.Pair, layer: str) -> C.Pair:
            return C.conv_transpose2d_size(size, cls.kernels[layer], **cls.windows[layer])

        x = height, width
        with suppress(ValueError):  # too small for one of the kernels
            h1 = conv(x, "encoder1")
            p1 = C.conv2d_size(h1, *cls.pools["h1"])
            h2 = conv(p1, "encoder2")
            p2 = C.conv2d_size(h2, *cls.pools["h2"])
            h3 = conv_transpose(p2, "decoder1")
            h4 = conv_transpose(h3, "decoder2")
            if conv_transpose(h4, "decoder3") == x:
                return {
                    **{"x": (*x, c0), "h1": (*h1, c1), "p1": (*p1, c1), "h2": (*h2, c2)},
                    **{"mean": (*p2, c2), "h3": (*h3, c1), "h4": (*h4, c4)},
                }
        raise InputError(
            "the article's autoencoder needs images whose sides have 16, 28, 40, ... pixels, which "
            f"are 12 n + 4; these have {height} x {width}"
        )

    def allocate(self, rows: int, samples: int = 1) -> None:
        of, z, x_dim = self._shapes, (self.z_dim,), (self.x_dim,)
        encoder = {"image": of["x"], "h1": of["h1"], "p1": of["p1"], "h2": of["h2"]}
        encoder |= {"mean": z, "log_var": z}
        decoder = {"z": z, "h3": of["h3"], "h4": of["h4"], "logits": x_dim}

        def patches(layer: str, smaller: str, larger: str) -> Shape:
            """One patch per position, which is a pixel of the smaller of the two images."""
            return (*of[smaller][:2], *self.kernels[layer], of[larger][2])

        patches1 = {"patches1": patches("encoder1", "h1", "x")}
        patches2 = {"patches2": patches("encoder2", "h2", "p1")}
        patches3 = {
            "patches3": patches("decoder1", "mean", "h3"),
            "patches4": patches("decoder2", "h3", "h4"),
            "patches5": patches("decoder3", "h4", "x"),
        }
        memory, decoded = self._memory.rows, rows * samples
        self.activations = _as_images(
            memory(rows, "of", encoder | patches1 | patches2)
            | memory(decoded, "of", decoder | patches3)
        )
        self.activation_gradients = _as_images(
            memory(rows, "grad", encoder | patches2 | {"a1": of["h1"], "a2": of["h2"]})
            | memory(decoded, "grad", decoder | {"a3": of["h3"], "a4": of["h4"], "a": x_dim})
        )

    def encode(self, x: Array, out: Mapping[str, Array]) -> tuple[Array, Array]:
        image = np.multiply(2, _image(x, self._shapes["x"]), out=out.get("image"))
        image -= 1  # (C17)
        h1 = self._conv("encoder1", image, out.get("h1"), out.get("patches1"))
        p1 = C.max_pool2d(h1, *self.pools["h1"], out=out.get("p1"))
        h2 = self._conv("encoder2", p1, out.get("h2"), out.get("patches2"))
        mean = self._code(out["mean"]) if out else None
        mean = _row(C.max_pool2d(h2, *self.pools["h2"], out=mean))
        log_var = out["log_var"] if out else np.empty_like(mean)
        log_var.fill(0)
        return mean, log_var

    def encoder_backward(self, x: Array, grad_mean: Array, grad_log_var: Array) -> None:
        a, grad = self.activations, self.activation_gradients
        del x, grad_log_var  # x is there as image, and log_var is a constant

        # Last layer first: each pool is (C14), each ReLU (B6), a convolution (C5), (C6) and (C7).
        grad_code = self._code(grad_mean)
        C.max_pool2d_backward(grad_code, a["h2"], *self.pools["h2"], out=grad["h2"])
        F.relu_backward(grad["h2"], a["h2"], out=grad["a2"])
        self._conv_backward_parameters("encoder2", grad["a2"], a["p1"], a["patches2"])
        C.conv2d_backward_input(
            *(grad["a2"], self.parameters["encoder2.weight"], self._shapes["p1"][:2]),
            **self.windows["encoder2"],
            out=grad["p1"],
            scratch=grad["patches2"],
        )
        C.max_pool2d_backward(grad["p1"], a["h1"], *self.pools["h1"], out=grad["h1"])
        F.relu_backward(grad["h1"], a["h1"], out=grad["a1"])
        self._conv_backward_parameters("encoder1", grad["a1"], a["image"], a["patches1"])

    def encoder_backward_input(self) -> Array:
        grad_a1, (weight, _) = self.activation_gradients["a1"], self._parameters("encoder1")
        size, window = self._shapes["x"][:2], self.windows["encoder1"]
        return 2 * _row(C.conv2d_backward_input(grad_a1, weight, size, **window))  # (C17)

    def decode(self, z: Array, out: Mapping[str, Array]) -> Array:
        h3 = self._conv_transpose("decoder1", self._code(z), out.get("h3"), out.get("patches3"))
        F.relu(h3, out=h3)
        h4 = self._conv_transpose("decoder2", h3, out.get("h4"), out.get("patches4"))
        F.relu(h4, out=h4)
        a = _image(out["logits"], self._shapes["x"]) if out else None
        logits = _row(self._conv_transpose("decoder3", h4, a, out.get("patches5")))
        logits *= 2  # (C17)
        return logits

    def decoder_backward(self, grad_logits: Array) -> Array:
        a, grad = self.activations, self.activation_gradients

        # Last layer first: each transposed convolution is (C12), (C10) and (C11), each ReLU (B6).
        np.multiply(2, grad_logits, out=grad["a"])  # (C17)
        image = _image(grad["a"], self._shapes["x"])
        self._conv_transpose_backward("decoder3", image, a["h4"], grad["h4"], a["patches5"])
        F.relu_backward(grad["h4"], a["h4"], out=grad["a4"])
        self._conv_transpose_backward("decoder2", grad["a4"], a["h3"], grad["h3"], a["patches4"])
        F.relu_backward(grad["h3"], a["h3"], out=grad["a3"])
        z, grad_z = self._code(a["z"]), self._code(grad["z"])
        self._conv_transpose_backward("decoder1", grad["a3"], z, grad_z, a["patches3"])
        return grad["z"]

    def _code(self, rows: Array) -> Array:
        """Codes as images."""
        return _image(rows, self._shapes["mean"])


def _check_sizes(sizes: Sequence[int]) -> None:
    if any(not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1 for n in sizes):
        raise ValueError(f"sizes must be whole numbers of at least 1, got {sizes}")


def _image(rows: Array, shape: Shape) -> Array:
    """Rows (B, H W C) as images (B, C, H, W)."""
    return rows.reshape(-1, *shape).transpose(0, 3, 1, 2)


def _row(images: Array) -> Array:
    """Images (B, C, H, W), channels last in memory, as rows (B, H W C)."""
    return images.transpose(0, 2, 3, 1).reshape(len(images), -1)


def _as_images(memory: Mapping[str, Array]) -> dict[str, Array]:
    """What is (B, H, W, C) as (B, C, H, W)."""
    return {name: a.transpose(0, 3, 1, 2) if a.ndim == 4 else a for name, a in memory.items()}
