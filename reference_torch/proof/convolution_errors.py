"""Deliberate errors in convolutions, as those in ``deliberate_errors``."""

from numpyvae import Convolutional, convolution

from .deliberate_errors import ALL_GRADIENTS, Change, DeliberateError

PATCHES_OF_X = "patches = im2col(x, kernel_size, stride, padding) if patches is None else patches"
CONVOLUTIONS = ("encoder1.weight", "encoder2.weight")
BEFORE_H1 = ("x", "encoder1.weight", "encoder1.bias")

CONVOLUTION_ERRORS = (
    DeliberateError(
        "= for += where patches overlap",
        "A pixel in several patches keeps what one of them says, and loses the others.",
        (
            Change(
                convolution, "pixels[:, rows, columns] += grad", "pixels[:, rows, columns] = grad"
            ),
        ),
        ("total", "reconstruction", *ALL_GRADIENTS),
        network="conv",
    ),
    DeliberateError(
        "the kernel flipped in its gradient",
        "Place (u, v) of the kernel is given what belongs to the opposite place.",
        (
            Change(
                convolution,
                "return _weight(grad_matrix, patches, out=out[0]), grad_bias",
                "grad_weight = _weight(grad_matrix, patches, out=out[0])\n"
                "grad_weight[...] = grad_weight[:, :, ::-1, ::-1].copy()\n"
                "return grad_weight, grad_bias",
            ),
        ),
        CONVOLUTIONS,
        network="conv",
    ),
    DeliberateError(
        "the kernel flipped on the way to the input",
        "The flip of the formula with a sum over the outputs is done, but patches need none.",
        (
            Change(
                Convolutional,
                'grad["a2"], weight, self._h1[:2]',
                'grad["a2"], weight[:, :, ::-1, ::-1], self._h1[:2]',
            ),
        ),
        BEFORE_H1,
        network="conv",
    ),
    DeliberateError(
        "the stride forgotten in the kernel's gradient",
        "The patches are taken next to each other, where the kernel went on by two pixels.",
        (
            Change(
                convolution,
                PATCHES_OF_X,
                "patches = im2col(x, kernel_size, 1, padding)\n"
                "patches = patches[:, : grad_y.shape[2], : grad_y.shape[3]]",
            ),
        ),
        CONVOLUTIONS,
        network="conv",
    ),
    DeliberateError(
        "the padding cut off at the wrong side",
        "The gradient of an image is off by a pixel, down and to the right.",
        (
            Change(
                Convolutional,
                'F.relu_backward(grad["h1"], a["h1"], out=grad["a1"])',
                'F.relu_backward(np.roll(grad["h1"], 1, (2, 3)), a["h1"], out=grad["a1"])',
            ),
        ),
        BEFORE_H1,
        network="conv",
    ),
    DeliberateError(
        "a mean over the positions in the bias",
        "The bias is added at every position, and its gradient is the sum over them.",
        (
            Change(
                convolution,
                "return _weight(grad_matrix, patches, out=out[0]), np.sum("
                "_rows(grad_y), axis=0, out=out[1])",
                "grad_bias = np.mean(grad_y, axis=(2, 3)).sum(axis=0)\n"
                "out[1][...] = grad_bias\n"
                "return _weight(grad_matrix, patches, out=out[0]), grad_bias",
            ),
        ),
        ("decoder2.bias", "decoder3.bias"),
        network="conv",
    ),
)
