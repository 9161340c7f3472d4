"""The mathematics of convolutions: forward passes, their hand-derived backward passes right below.

Conventions, beside those of ``functional``:

- A batch of images is ``(B, C, H, W)``, and weights have the shapes that PyTorch stores:
  ``(out, in, kh, kw)`` for ``conv2d``, ``(in, out, kh, kw)`` for ``conv_transpose2d``.
- A size or setting is one number, or a pair: for the height, then for the width. As in PyTorch,
  padding is zeros at all four sides.
- Results have their *channels last in memory*, as ``channels_last`` allocates: a pixel's channels
  are neighbours, so that an image is also a matrix with one row per pixel. Arguments may lie in
  memory as they like, and are fastest like this.
- All three gradients of both convolutions go through *patches*: what the kernel sees at each of
  its positions, ``(B, H_out, W_out, kh, kw, C)``. ``scratch=`` is memory for them.
- A number such as (C4) is that of an equation in docs/convolution.md, where it is derived.

Every function raises ValueError for a setting that is too small, or for arrays whose shapes do not
fit each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import DTypeLike

from . import functional as F
from .functional import Array

Pair = tuple[int, int]
Size = int | Sequence[int]


def channels_last(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """An uninitialised array (B, C, H, W) in which the channels of a pixel are neighbours."""
    batch, channels, height, width = shape
    return np.empty((batch, height, width, channels), dtype).transpose(0, 3, 1, 2)


def im2col(
    x: Array, kernel_size: Size, stride: Size = 1, padding: Size = 0, out: Array | None = None
) -> Array:
    """What the kernel sees at each of its positions: a copy of every patch of the images. (C2)

    Shapes: x (B, C, H, W); returns (B, H_out, W_out, kh, kw, C), with H_out and W_out by (C1).
    """
    batch, channels, *image_size = _images("x", x)
    kernel_size = _pair("kernel_size", kernel_size)
    y_size = conv2d_size(image_size, kernel_size, stride, padding)
    out = np.empty((batch, *y_size, *kernel_size, channels), x.dtype) if out is None else out
    pixels = x.transpose(0, 2, 3, 1)
    for (u, i, rows), (v, j, columns) in _places(image_size, kernel_size, stride, padding):
        place = out[:, :, :, u, v]
        place[:, i, j] = pixels[:, rows, columns]
        place[:, : i.start] = place[:, i.stop :] = 0  # these positions see padding here
        place[:, :, : j.start] = place[:, :, j.stop :] = 0
    return out


def col2im(
    grad_patches: Array,
    image_size: Size,
    stride: Size = 1,
    padding: Size = 0,
    out: Array | None = None,
) -> Array:
    """dL/dx of ``im2col``: every pixel gets the sum over its copies. (C3)

    Where patches overlap a pixel has several copies: hence += and not =.
    Shapes: grad_patches (B, H_out, W_out, kh, kw, C); returns (B, C, H, W).
    """
    batch, *y_size, kh, kw, channels = grad_patches.shape
    image_size = _pair("image_size", image_size)
    _agree("the size of y", y_size, conv2d_size(image_size, (kh, kw), stride, padding))
    out = channels_last((batch, channels, *image_size), grad_patches.dtype) if out is None else out
    out[...] = 0
    pixels = out.transpose(0, 2, 3, 1)
    for (u, i, rows), (v, j, columns) in _places(image_size, (kh, kw), stride, padding):
        pixels[:, rows, columns] += grad_patches[:, i, j, u, v]
    return out


def conv2d(
    x: Array,
    weight: Array,
    bias: Array,
    stride: Size = 1,
    padding: Size = 0,
    out: Array | None = None,
    scratch: Array | None = None,
) -> Array:
    """y = P Wᵀ + b, where the rows of P are the patches of x: a linear layer for each. (C4)

    Leaves the patches in ``scratch``. ``out`` must have its channels last in memory.
    Shapes: x (B, in, H, W), weight (out, in, kh, kw), bias (out,); y (B, out, H_out, W_out).
    """
    _agree("the channels of x", _images("x", x)[1:2], weight.shape[1:2])
    _agree("the shape of bias", bias.shape, weight.shape[:1])
    patches = im2col(x, weight.shape[2:], stride, padding, out=scratch)
    y = _result(patches, weight) if out is None else out
    F.linear(_matrix(patches), _weight_matrix(weight), bias, out=_rows_of(y))
    return y


def conv2d_backward_parameters(
    grad_y: Array,
    x: Array,
    kernel_size: Size,
    stride: Size = 1,
    padding: Size = 0,
    out: tuple[Array | None, Array | None] = (None, None),
    patches: Array | None = None,
) -> tuple[Array, Array]:
    """dL/dW = grad_yᵀ P (C5) and dL/db = the sum of grad_y over images and places (C6).

    ``patches`` are those of x, where the forward pass has left them.
    Shapes: grad_y (B, out, H_out, W_out), x (B, in, H, W); returns (out, in, kh, kw) and (out,).
    """
    patches = im2col(x, kernel_size, stride, padding) if patches is None else patches
    _agree("the size of grad_y", _images("grad_y", grad_y)[2:], patches.shape[1:3])
    grad_matrix, grad_bias = F.linear_backward_parameters(
        _rows(grad_y), _matrix(patches), out=(None, out[1])
    )
    return _weight(grad_matrix, patches, out=out[0]), grad_bias


def conv2d_backward_input(
    grad_y: Array,
    weight: Array,
    image_size: Size,
    stride: Size = 1,
    padding: Size = 0,
    out: Array | None = None,
    scratch: Array | None = None,
) -> Array:
    """dL/dP = grad_y W (C7), and dL/dx by (C3). ``scratch`` is for dL/dP.

    ``image_size`` is that of x, as several sizes have the same y where the stride does not divide.
    Shapes: grad_y (B, out, H_out, W_out), weight (out, in, kh, kw); returns (B, in, H, W).
    """
    batch, channels, *y_size = _images("grad_y", grad_y)
    _agree("the channels of y", (channels,), weight.shape[:1])
    if scratch is None:
        scratch = np.empty((batch, *y_size, *weight.shape[2:], weight.shape[1]), grad_y.dtype)
    F.linear_backward_input(_rows(grad_y), _weight_matrix(weight), out=_matrix(scratch))
    return col2im(scratch, image_size, stride, padding, out=out)


def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    out: Array | None = None,
    scratch: Array | None = None,
) -> Array:
    """y = dL/dx of the convolution with this weight whose dL/dy is x, + b. (C9)

    ``output_padding``, below the stride, chooses among the sizes that this convolution takes to
    the size of x: (C8). ``scratch`` is for the patches.
    Shapes: x (B, in, H, W), weight (in, out, kh, kw), bias (out,); y (B, out, H_out, W_out).
    """
    _agree("the shape of bias", bias.shape, weight.shape[1:2])
    x_size, kernel_size = _images("x", x)[2:], weight.shape[2:]
    y_size = conv_transpose2d_size(x_size, kernel_size, stride, padding, output_padding)
    y = conv2d_backward_input(x, weight, y_size, stride, padding, out=out, scratch=scratch)
    y += bias[:, None, None]
    return y


def conv_transpose2d_backward_parameters(
    grad_y: Array,
    x: Array,
    kernel_size: Size,
    stride: Size = 1,
    padding: Size = 0,
    out: tuple[Array | None, Array | None] = (None, None),
    patches: Array | None = None,
) -> tuple[Array, Array]:
    """dL/dW = xᵀ P, where the rows of P are the patches of grad_y (C10); dL/db, as (C6) (C11).

    ``patches`` are those of grad_y, where ``conv_transpose2d_backward_input`` has left them.
    Shapes: grad_y (B, out, H_out, W_out), x (B, in, H, W); returns (in, out, kh, kw) and (out,).
    """
    patches = im2col(grad_y, kernel_size, stride, padding) if patches is None else patches
    _agree("the size of x", _images("x", x)[2:], patches.shape[1:3])
    grad_matrix = _rows(x).T @ _matrix(patches)
    return _weight(grad_matrix, patches, out=out[0]), np.sum(_rows(grad_y), axis=0, out=out[1])


def conv_transpose2d_backward_input(
    grad_y: Array,
    weight: Array,
    stride: Size = 1,
    padding: Size = 0,
    out: Array | None = None,
    scratch: Array | None = None,
) -> Array:
    """dL/dx = P Wᵀ, where the rows of P are the patches of grad_y: its convolution. (C12)

    Leaves the patches in ``scratch``. ``out`` must have its channels last in memory.
    Shapes: grad_y (B, out, H_out, W_out), weight (in, out, kh, kw); returns (B, in, H, W).
    """
    _agree("the channels of grad_y", _images("grad_y", grad_y)[1:2], weight.shape[1:2])
    patches = im2col(grad_y, weight.shape[2:], stride, padding, out=scratch)
    grad_x = _result(patches, weight) if out is None else out
    np.matmul(_matrix(patches), _weight_matrix(weight).T, out=_rows_of(grad_x))
    return grad_x


def max_pool2d(x: Array, kernel_size: Size, stride: Size, out: Array | None = None) -> Array:
    """y = the largest number of each patch, channel by channel; NaN where it has one. (C13)

    Shapes: x (B, C, H, W); y (B, C, H_out, W_out), with H_out and W_out by (C1).
    """
    places = _pool_places(x, kernel_size, stride)
    y = np.positive(next(places), out=out)
    for seen in places:
        np.maximum(y, seen, out=y)
    return y


def max_pool2d_backward(
    grad_y: Array, x: Array, kernel_size: Size, stride: Size, out: Array | None = None
) -> Array:
    """dL/dx: the pixel that was copied to y gets grad_y, the others 0. (C14)

    As in PyTorch it is the first of equal ones in the order of reading, and the last NaN.
    Shapes: grad_y (B, C, H_out, W_out), x (B, C, H, W); returns (B, C, H, W).
    """
    _agree(
        "the size of grad_y",
        grad_y.shape[2:],
        conv2d_size(_images("x", x)[2:], kernel_size, stride),
    )
    largest = np.full_like(grad_y, -np.inf)
    winner = np.zeros_like(grad_y, np.intp)
    for n, seen in enumerate(_pool_places(x, kernel_size, stride)):
        larger = (seen > largest) | np.isnan(seen)
        np.copyto(largest, seen, where=larger)
        np.copyto(winner, n, where=larger)
    grad_x = np.empty_like(x) if out is None else out
    grad_x[...] = 0
    for n, place in enumerate(_pool_places(grad_x, kernel_size, stride)):
        np.add(place, grad_y, out=place, where=winner == n)
    return grad_x


def tanh(x: Array, out: Array | None = None) -> Array:
    """y = tanh(x), elementwise. (C15)"""
    return np.tanh(x, out=out)


def tanh_backward(grad_y: Array, y: Array, out: Array | None = None) -> Array:
    """dL/dx = grad_y (1 - y²). (C16) ``out`` must not be ``grad_y`` or ``y``."""
    grad_x = np.square(y, out=out)
    np.subtract(1, grad_x, out=grad_x)
    grad_x *= grad_y
    return grad_x


# Sizes


def conv2d_size(image_size: Size, kernel_size: Size, stride: Size = 1, padding: Size = 0) -> Pair:
    """H_out = floor((H + 2 padding - kh) / stride) + 1, and W_out. (C1)

    Also that of ``max_pool2d``. Raises ValueError if the kernel is larger than image and padding.
    """
    image_size, kernel_size, stride, padding = _settings(image_size, kernel_size, stride, padding)
    padded = [n + 2 * p for n, p in zip(image_size, padding, strict=True)]
    if padded[0] < kernel_size[0] or padded[1] < kernel_size[1]:
        raise ValueError(
            f"a kernel of {_by(kernel_size)} is larger than an image of {_by(image_size)} with "
            f"padding {_by(padding)}"
        )
    height, width = ((n - k) // s + 1 for n, k, s in zip(padded, kernel_size, stride, strict=True))
    return height, width


def conv_transpose2d_size(
    image_size: Size,
    kernel_size: Size,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
) -> Pair:
    """H_out = (H - 1) stride - 2 padding + kh + output_padding, and W_out. (C8)

    Raises ValueError if nothing is left, or if an output_padding is not below its stride.
    """
    image_size, kernel_size, stride, padding = _settings(image_size, kernel_size, stride, padding)
    output_padding = _pair("output_padding", output_padding, least=0)
    if output_padding[0] >= stride[0] or output_padding[1] >= stride[1]:
        raise ValueError(
            f"output_padding {_by(output_padding)} must be below the stride {_by(stride)}"
        )
    settings = zip(image_size, kernel_size, stride, padding, output_padding, strict=True)
    height, width = ((n - 1) * s - 2 * p + k + o for n, k, s, p, o in settings)
    if height < 1 or width < 1:
        raise ValueError(
            f"padding {_by(padding)} leaves nothing of an image of {_by(image_size)} and a kernel "
            f"of {_by(kernel_size)}: the result would be {_by((height, width))}"
        )
    return height, width


def _settings(image_size: Size, kernel_size: Size, stride: Size, padding: Size) -> tuple[Pair, ...]:
    return (
        _pair("image size", image_size),
        _pair("kernel_size", kernel_size),
        _pair("stride", stride),
        _pair("padding", padding, least=0),
    )


def _pair(name: str, value: Size, least: int = 1) -> Pair:
    """A number stands for two of it."""
    pair = tuple(value) if isinstance(value, Sequence) else (value, value)
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in pair)
    if len(pair) != 2 or not whole or min(pair) < least:
        raise ValueError(
            f"{name} must be a whole number of at least {least}, or a pair of them, got {value!r}"
        )
    return pair[0], pair[1]


def _by(size: Pair) -> str:
    return f"{size[0]} x {size[1]}"


# Places


def _places(
    image_size: Size, kernel_size: Size, stride: Size, padding: Size
) -> Iterator[tuple[tuple[int, slice, slice], ...]]:
    """Each place of the kernel, in the order of reading: its row u and column v.

    With u, which positions of the kernel see a pixel of the image there, and which pixels these
    are; the same with v. The other positions see padding there.
    """

    def along(n: int, k: int, s: int, p: int) -> Iterator[tuple[int, slice, slice]]:
        positions = (n + 2 * p - k) // s + 1
        for u in range(k):  # position i sees pixel s i + u - p, if that is one of 0 ... n - 1
            first = max(0, -((u - p) // s))
            end = max(first, min(positions, (n - 1 + p - u) // s + 1))
            start = s * first + u - p
            yield u, slice(first, end), slice(start, start + s * (end - first), s)

    settings = _settings(image_size, kernel_size, stride, padding)
    return product(*(along(*of_axis) for of_axis in zip(*settings, strict=True)))


def _pool_places(x: Array, kernel_size: Size, stride: Size) -> Iterator[Array]:
    """What each place of the kernel sees: views of x, (B, C, H_out, W_out)."""
    _, _, *image_size = _images("x", x)
    conv2d_size(image_size, kernel_size, stride)  # raises if there is no position
    places = _places(image_size, kernel_size, stride, 0)
    return (x[:, :, rows, columns] for (_, _, rows), (_, _, columns) in places)


# Arrays as matrices


def _images(name: str, x: Array) -> tuple[int, ...]:
    if x.ndim != 4:
        raise ValueError(f"{name} must have the shape (B, C, H, W), got {x.shape}")
    return x.shape


def _agree(name: str, given: Sequence[int], expected: Sequence[int]) -> None:
    if tuple(given) != tuple(expected):
        raise ValueError(f"{name} must be {tuple(expected)}, got {tuple(given)}")


def _result(patches: Array, weight: Array) -> Array:
    """Memory for an image with a pixel for each patch, and a channel for each row of weight."""
    batch, height, width, *_ = patches.shape
    return channels_last((batch, len(weight), height, width), patches.dtype)


def _matrix(patches: Array) -> Array:
    """One patch per row."""
    return patches.reshape(-1, np.prod(patches.shape[3:]))


def _weight_matrix(weight: Array) -> Array:
    """(n, C, kh, kw) as (n, kh kw C): the order of the numbers in a patch."""
    return weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)


def _weight(matrix: Array, patches: Array, out: Array | None) -> Array:
    """The way back: (n, kh kw C) as (n, C, kh, kw)."""
    weight = matrix.reshape(-1, *patches.shape[3:]).transpose(0, 3, 1, 2)
    return np.positive(weight, out=out, order="C")


def _rows(images: Array) -> Array:
    """One pixel per row, (B H W, C): a view where the channels are last in memory."""
    return images.transpose(0, 2, 3, 1).reshape(-1, images.shape[1])


def _rows_of(out: Array) -> Array:
    if not out.transpose(0, 2, 3, 1).flags.c_contiguous:
        raise ValueError("out must have its channels last in memory, as channels_last allocates")
    return _rows(out)
