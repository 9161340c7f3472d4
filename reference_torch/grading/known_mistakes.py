# ruff: noqa: ARG005  # formulas take all arguments and may forget some: that is the mistake
"""Typical mistakes of learners, each with a hint: in formulas, and in the lines of the source.

The deliberate errors of the proof are known mistakes, too; these are the others.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import numpy as np

from numpyvae import VAE, FullyConnected
from numpyvae import convolution as C
from numpyvae import functional as F
from numpyvae.functional import Array

from ..proof.deliberate_errors import Change, DeliberateError


def _weights(log_w: Array, axis: int | None = 1, largest: Any = None) -> Array:
    """The weights, normalized: each is exp(log_w) / the sum of all."""
    if largest is None:
        largest = np.max(log_w, axis=axis, keepdims=True)
    w: Array = np.exp(log_w - largest)
    return w / np.sum(w, axis=axis, keepdims=True)


def _estimate(
    index: int,
    w: Array,
    path: Array,
    log_var: Array,
    eps: Array,
    direct_log_var: float = 0.0,
    by: Callable[..., Array] = np.sum,
) -> Array:
    """The gradient at mean (index 0) or log_var (1), from weights and the path through z."""
    grad_z = w[:, :, None] * path
    if index == 0:
        return by(grad_z, axis=1)
    return by(grad_z * eps * np.exp(log_var / 2)[:, None] / 2, axis=1) + direct_log_var


def _log_q(log_var: Array, eps: Array) -> Array:
    """Minus log q's slope at z."""
    return -eps / np.exp(log_var / 2)[:, None]


# Of the mean or log_var, by ``index``
DREG_FORMULAS: tuple[tuple[Callable[..., Array], str], ...] = (
    (
        lambda i, log_w, slope, z, log_var, eps: _estimate(
            i, _weights(log_w), slope + z + _log_q(log_var, eps), log_var, eps
        ),
        "The weights stand there once: that is sticking the landing, right for one sample and "
        "biased for more. z moves the weights, too, and that makes w̃ into w̃², (I10).",
    ),
    (
        lambda i, log_w, slope, z, log_var, eps: _estimate(
            i, _weights(log_w) ** 2, slope + z + _log_q(log_var, eps), log_var, eps, -0.5
        ),
        "The -1/2, log q's direct path into log_var, is kept: in w̃² it is contained already.",
    ),
    (
        lambda i, log_w, slope, z, log_var, eps: _estimate(
            i, _weights(log_w) ** 2, slope + z, log_var, eps
        ),
        "log q's path through z, -eps / sigma, is missing: without its direct paths, nothing "
        "cancels it any more.",
    ),
    (
        lambda i, log_w, slope, z, log_var, eps: _estimate(
            i, _weights(log_w) ** 2, slope + z, log_var, eps, -0.5
        ),
        "These are the IWAE's paths with squared weights. The square belongs to the other form: "
        "log q's path through z, -eps / sigma, and no direct -1/2.",
    ),
    (
        lambda i, log_w, slope, z, log_var, eps: _estimate(
            i, _weights(log_w) ** 2, slope + _log_q(log_var, eps), log_var, eps
        ),
        "The prior's path is missing: log p(z) pulls every z towards 0, (I5).",
    ),
    (
        lambda i, log_w, slope, z, log_var, eps: _estimate(
            i, _weights(log_w), slope + z, log_var, eps
        ),
        "This is the path through z of the bound's own gradient, to which the direct -1/2 belongs.",
    ),
    (
        lambda i, log_w, slope, z, log_var, eps: _estimate(
            i, _weights(log_w) ** 2, slope + z - _log_q(log_var, eps), log_var, eps
        ),
        "The sign of eps / sigma is wrong: log q stands in log w with a minus, and its slope at z "
        "is -eps / sigma.",
    ),
    (
        lambda i, log_w, slope, z, log_var, eps: _estimate(
            i,
            _weights(log_w) ** 2,
            slope + z - eps * np.exp(log_var / 2)[:, None],
            log_var,
            eps,
        ),
        "eps is multiplied by sigma, and has to be divided by it.",
    ),
    (
        lambda i, log_w, slope, z, log_var, eps: _estimate(
            i,
            _weights(log_w) ** 2,
            slope + z + _log_q(2 * log_var, eps),
            log_var,
            eps,
        ),
        "exp(log_var) is the variance; eps is divided by its root, exp(log_var / 2).",
    ),
    (
        lambda i, log_w, slope, z, log_var, eps: _estimate(
            i, _weights(log_w) ** 2, slope + z + _log_q(log_var, eps), log_var, eps, by=np.mean
        ),
        "It is a mean over the K samples. They share one mean and one log_var: their gradients "
        "add up.",
    ),
    (
        lambda i, log_w, slope, z, log_var, eps: _estimate(
            i, np.exp(2 * log_w), slope + z + _log_q(log_var, eps), log_var, eps
        ),
        "The weights are not normalized: those of an image add up to 1.",
    ),
    (
        lambda i, log_w, slope, z, log_var, eps: _estimate(
            i,
            np.full_like(log_w, log_w.shape[1] ** -2.0),
            slope + z + _log_q(log_var, eps),
            log_var,
            eps,
        ),
        "All samples have the same weight: the better one has the larger.",
    ),
)


Pair = tuple[int, int]


def patches_at_stride_1(x: Array, kernel_size: Pair, stride: int, padding: int) -> Array:
    """As many patches as there should be, but next to each other."""
    rows, columns = C.conv2d_size(x.shape[2:], kernel_size, stride, padding)
    return C.im2col(x, kernel_size, 1, padding)[:, :rows, :columns]


def padded_at_the_end(x: Array, padding: int) -> Array:
    return np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding)))


def grad_weight_of(grad_y: Array, patches: Array) -> Array:
    return np.einsum("koij,kijuvc->ocuv", grad_y, patches)


def grad_patches_of(grad_y: Array, weight: Array) -> Array:
    return np.einsum("koij,ocuv->kijuvc", grad_y, weight)


def put_back(
    grad_patches: Array, image_size: Pair, stride: int, padding: int, add: bool = True, cut: int = 0
) -> Array:
    """``col2im`` by position of the kernel; ``cut``: where the image begins in what is padded."""
    batch, rows, columns, *kernel, channels = grad_patches.shape
    height, width = image_size
    size = (
        max(height + 2 * padding, stride * rows + kernel[0]),
        max(width + 2 * padding, stride * columns + kernel[1]),
    )
    padded = np.zeros((batch, *size, channels), grad_patches.dtype)
    for i, j in np.ndindex(rows, columns):
        place = padded[:, stride * i :, stride * j :][:, : kernel[0], : kernel[1]]
        place[...] = place * add + grad_patches[:, i, j]
    return padded[:, cut:, cut:][:, :height, :width].transpose(0, 3, 1, 2)


def pooled_back(
    grad_y: Array, x: Array, kernel_size: Pair, stride: int, add: bool = True, share: bool = False
) -> Array:
    """Every number that is the largest of its patch gets the gradient, or its share of that."""
    grad_x = np.zeros_like(x)
    for i, j in np.ndindex(grad_y.shape[2:]):
        there = np.s_[
            :,
            :,
            stride * i : stride * i + kernel_size[0],
            stride * j : stride * j + kernel_size[1],
        ]
        largest = x[there] == x[there].max(axis=(2, 3), keepdims=True)
        part = largest / largest.sum(axis=(2, 3), keepdims=True) if share else largest
        part = part * grad_y[:, :, i, j, None, None]
        grad_x[there] = grad_x[there] + part if add else np.where(largest, part, grad_x[there])
    return grad_x


# By function and result: what is found instead, from the function's arguments; and the hint
FORMULAS: dict[tuple[str, str], tuple[tuple[Callable[..., Array], str], ...]] = {
    ("linear_backward_parameters", "grad_bias"): (
        (
            lambda grad_y, x: grad_y.sum(axis=1),
            "The sum is over the outputs, axis 1. b was copied to every image: sum over these.",
        ),
    ),
    ("relu_backward", "grad_x"): (
        (
            lambda grad_y, y: grad_y,
            "Units that are off let the gradient through: is y missing, or is it y >= 0, which is "
            "always true? Where a unit is on, y > 0.",
        ),
        (
            lambda grad_y, y: grad_y * (grad_y > 0),
            "Here grad_y decides where the gradient passes; it is y that says which unit was on.",
        ),
        (lambda grad_y, y: grad_y * y, "The slope is 1 where y > 0, and not y."),
        (
            lambda grad_y, y: np.where(y > 0, grad_y, 0.01 * grad_y),
            "This is the leaky ReLU's: here, a unit that is off lets nothing through.",
        ),
        (lambda grad_y, y: abs(grad_y) * (y > 0), "It has lost the sign of grad_y."),
    ),
    ("sigmoid_backward", "grad_a"): (
        (
            lambda grad_y, y: grad_y * F.sigmoid(y) * (1 - F.sigmoid(y)),
            "The sigmoid is taken of y, which is a sigmoid already.",
        ),
        (lambda grad_y, y: grad_y * y, "The factor 1 - y is missing."),
        (lambda grad_y, y: grad_y * (1 - y), "The factor y is missing."),
        (lambda grad_y, y: grad_y * (1 - y**2), "1 - y² is the slope of tanh."),
    ),
    ("conv2d_backward_parameters", "grad_weight"): (
        (
            lambda grad_y, x, kernel_size, stride, padding: grad_weight_of(
                grad_y, C.im2col(x, kernel_size, stride, padding)
            )[:, :, ::-1, ::-1],
            "The kernel is flipped, upside down and left to right. Here it is not: place (u, v) of "
            "the kernel sees the pixel (s i + u - p, s j + v - p).",
        ),
        (
            lambda grad_y, x, kernel_size, stride, padding: grad_weight_of(
                grad_y, patches_at_stride_1(x, kernel_size, stride, padding)
            ),
            "The stride is missing: position (i, j) sees the pixels from (s i - p, s j - p) on.",
        ),
        (
            lambda grad_y, x, kernel_size, stride, padding: grad_weight_of(
                grad_y, C.im2col(padded_at_the_end(x, padding), kernel_size, stride)
            ),
            "The padding lies at the lower and right end alone. It lies at all four sides.",
        ),
        (
            lambda grad_y, x, kernel_size, stride, padding: (
                grad_weight_of(grad_y, C.im2col(x, kernel_size, stride, padding))
                / (grad_y.shape[2] * grad_y.shape[3])
            ),
            "It is a mean over the positions of the kernel; in a sum, each of them counts whole.",
        ),
    ),
    ("conv2d_backward_parameters", "grad_bias"): (
        (
            lambda grad_y, x, kernel_size, stride, padding: grad_y.sum(axis=0),
            "The sum is over the images alone. b was added at every position, too: sum over these.",
        ),
        (
            lambda grad_y, x, kernel_size, stride, padding: grad_y.mean(axis=(2, 3)).sum(axis=0),
            "It is a mean over the positions of the kernel; in a sum, each of them counts whole.",
        ),
    ),
    ("conv2d_backward_input", "grad_x"): (
        (
            lambda grad_y, weight, image_size, stride, padding: put_back(
                grad_patches_of(grad_y, weight), image_size, stride, padding, add=False, cut=padding
            ),
            "Where patches overlap, a pixel has several copies, and keeps the gradient of one of "
            "them: add them, with += and not =.",
        ),
        (
            lambda grad_y, weight, image_size, stride, padding: C.conv2d_backward_input(
                grad_y, weight[:, :, ::-1, ::-1], image_size, stride, padding
            ),
            "The kernel is flipped, upside down and left to right. Written as a convolution this "
            "gradient has a flipped kernel, written with patches it has not.",
        ),
        (
            lambda grad_y, weight, image_size, stride, padding: put_back(
                grad_patches_of(grad_y, weight), image_size, stride, padding, cut=2 * padding
            ),
            "The padding is cut off at the upper and left side alone. It lies at all four sides.",
        ),
        (
            lambda grad_y, weight, image_size, stride, padding: put_back(
                grad_patches_of(grad_y, weight), image_size, stride, padding
            ),
            "The padding is cut off at the lower and right side alone. It lies at all four sides.",
        ),
        (
            lambda grad_y, weight, image_size, stride, padding: put_back(
                grad_patches_of(grad_y, weight), image_size, 1, padding, cut=padding
            ),
            "The stride is missing: position (i, j) sees the pixels from (s i - p, s j - p) on.",
        ),
    ),
    ("max_pool2d_backward", "grad_x"): (
        (
            lambda grad_y, x, kernel_size, stride: pooled_back(
                grad_y, x, kernel_size, stride, add=False
            ),
            "Where patches overlap, a pixel may be the largest of several: add their gradients, "
            "with += and not =.",
        ),
        (
            lambda grad_y, x, kernel_size, stride: pooled_back(
                grad_y, x, kernel_size, stride, share=True
            ),
            "Equal numbers share the gradient. In PyTorch the first of them gets all of it.",
        ),
        (
            pooled_back,
            "Each of several equal numbers gets the whole gradient, which comes back more than "
            "once. The first of them gets it, as in PyTorch.",
        ),
    ),
    ("squared_error_backward", "grad_y"): (
        (
            lambda y, x: np.sign(y - x),
            "This is the derivative of |y - x|; that of (y - x)² grows with y - x.",
        ),
        (lambda y, x: (y - x) ** 2, "This is the squared error itself, and not its derivative."),
    ),
    ("bernoulli_cross_entropy_backward", "grad_logits"): (
        (
            lambda logits, x: F.sigmoid(logits) - (x > 0.5),
            "x may be any grey from 0 to 1, and is rounded to black or white.",
        ),
        (
            lambda logits, x: (
                (F.sigmoid(logits) - x) / (F.sigmoid(logits) * (1 - F.sigmoid(logits)))
            ),
            "This is dL/dy, where y is the sigmoid of the logits: the sigmoid's slope is missing.",
        ),
        (
            lambda logits, x: logits - x,
            "The sigmoid is missing: the derivative of log(1 + exp(a)) is not a.",
        ),
        (
            lambda logits, x: np.exp(logits) / (1 + np.exp(logits)) - x,
            "exp(logits) overflows where a logit is large, and infinity / infinity is nan. Divide "
            "both parts of the fraction by exp(logits).",
        ),
        (
            lambda logits, x: F.sigmoid(logits) * (1 - F.sigmoid(logits)) - x,
            "The derivative of log(1 + exp(a)) is the sigmoid itself, not the sigmoid's slope.",
        ),
    ),
    ("reparameterize_backward", "grad_mean"): (
        (lambda grad_z, log_var, eps: grad_z * eps, "eps does not multiply the mean in (M1)."),
    ),
    ("reparameterize_backward", "grad_log_var"): (
        (
            lambda grad_z, log_var, eps: grad_z * eps * np.exp(log_var) / 2,
            "exp(log_var) is the variance; the noise is scaled by its root, exp(log_var / 2).",
        ),
        (
            lambda grad_z, log_var, eps: grad_z * eps * np.exp(-log_var / 2) / 2,
            "The sign in the exponent is wrong.",
        ),
        (
            lambda grad_z, log_var, eps: grad_z * eps * log_var / 2,
            "The derivative of exp(log_var / 2) contains exp(log_var / 2) again.",
        ),
        (
            lambda grad_z, log_var, eps: grad_z * np.exp(log_var / 2),
            "Both eps and the inner derivative, 1/2, are missing.",
        ),
    ),
    ("kl_divergence_backward", "grad_log_var"): (
        (
            lambda grad_kl, mean, log_var: -grad_kl * np.expm1(-log_var) / 2,
            "The sign in the exponent is wrong.",
        ),
        (
            lambda grad_kl, mean, log_var: grad_kl * np.expm1(log_var / 2) / 2,
            "The KL divergence contains the variance, exp(log_var), and not its root.",
        ),
        (
            lambda grad_kl, mean, log_var: grad_kl * np.exp(log_var),
            "Both the 1/2 and the -1 are missing.",
        ),
        (
            lambda grad_kl, mean, log_var: grad_kl * (np.exp(log_var) / 2 - 1),
            "The 1/2 belongs to the -1 as well.",
        ),
        (
            lambda grad_kl, mean, log_var: grad_kl * (np.exp(log_var) - 1 - log_var) / 2,
            "This is the KL divergence's own formula: the derivative of -log_var is -1.",
        ),
    ),
    ("log_weights_backward", "grad_reconstruction"): (
        (
            lambda grad_log_w, z, log_var: -np.ones_like(grad_log_w),
            "This is the derivative of log w itself: the chain rule's grad_log_w is missing.",
        ),
    ),
    ("log_weights_backward", "grad_z"): (
        (
            lambda grad_log_w, z, log_var: -grad_log_w[:, :, None] * np.ones_like(z),
            "The derivative of -z²/2 is -z.",
        ),
        (
            lambda grad_log_w, z, log_var: -grad_log_w[:, :, None] * z * np.exp(-log_var)[:, None],
            "That is log q's form: the prior's variance is 1.",
        ),
    ),
    ("log_weights_backward", "grad_log_var"): (
        (
            lambda grad_log_w, z, log_var: -0.5 * np.ones_like(log_var),
            "-1/2 is what comes of it when grad_log_w adds up to -1. Here it is any gradient.",
        ),
        (
            lambda grad_log_w, z, log_var: (
                0.5 * np.mean(grad_log_w, axis=1, keepdims=True) * np.ones_like(log_var)
            ),
            "It is a mean over the K samples. They share one log_var, so their gradients add up.",
        ),
        (
            lambda grad_log_w, z, log_var: 0.5 * np.sum(grad_log_w, 1, keepdims=True) * log_var,
            "log_var stands in (I1) as it is: its derivative is 1/2, and not log_var / 2.",
        ),
        (
            lambda grad_log_w, z, log_var: (
                0.5 * np.sum(grad_log_w, 1, keepdims=True) * np.exp(log_var)
            ),
            "log_var stands in (I1) as it is, without exp: its derivative is 1/2.",
        ),
    ),
    ("log_mean_exp_backward", "grad_log_w"): (
        (
            lambda grad_bound, log_w: grad_bound * np.ones_like(log_w) / log_w.shape[1],
            "This is the gradient of a mean of logs, the ELBO: all samples have the same weight. "
            "In the logarithm of a mean, the better sample has the larger one.",
        ),
        (
            lambda grad_bound, log_w: grad_bound * np.exp(log_w - log_w.max(1, keepdims=True)),
            "The weights are not normalized: those of an image add up to 1.",
        ),
        (
            lambda grad_bound, log_w: grad_bound * np.exp(log_w),
            "The weights are not normalized: those of an image add up to 1.",
        ),
        (
            lambda grad_bound, log_w: grad_bound * _weights(log_w) / log_w.shape[1],
            "K is in the wrong place: 1/K is inside the logarithm, so it is a constant, log 1/K, "
            "and has no gradient.",
        ),
        (
            lambda grad_bound, log_w: grad_bound * _weights(log_w, axis=0),
            "The weights are normalized over the images, axis 0: it is the samples of one image "
            "that compete.",
        ),
        (
            lambda grad_bound, log_w: grad_bound * _weights(log_w, axis=None),
            "The weights are normalized over all images: it is the samples of one image that "
            "compete.",
        ),
        (
            lambda grad_bound, log_w: grad_bound * np.exp(log_w) / np.exp(log_w).sum(1)[:, None],
            "exp(log_w) overflows, or all of an image's become 0, and 0/0 and infinity/infinity "
            "are nan. Take the image's largest log-weight out first, as in (I2).",
        ),
        (
            lambda grad_bound, log_w: grad_bound * _weights(log_w, largest=log_w.max()),
            "The largest of all images' log-weights is taken out, so that every weight of another "
            "image may become 0. Each image has a largest of its own.",
        ),
        (
            lambda grad_bound, log_w: (
                grad_bound
                * (w := _weights(log_w))
                * (1 + log_w - np.sum(w * log_w, axis=1, keepdims=True))
            ),
            "The weights are a derivative already; differentiated again, as a factor of log_w, "
            "they add a gradient that does not belong there.",
        ),
        (
            lambda grad_bound, log_w: grad_bound * _weights(log_w) ** 2,
            "The weights are squared. That is for the encoder's gradient in DReG, and not here.",
        ),
    ),
    ("iwae_backward_z", "grad_z"): (
        (
            lambda log_w, slope, z: (slope + z) / log_w.shape[1],
            "This is the gradient of a mean of logs, the ELBO: all samples have the same weight.",
        ),
        (
            lambda log_w, slope, z: slope + z,
            "The weights are missing: each sample's gradient is multiplied by its own.",
        ),
        (
            lambda log_w, slope, z: np.exp(log_w)[:, :, None] * (slope + z),
            "The weights are not normalized: those of an image add up to 1.",
        ),
        (
            lambda log_w, slope, z: _weights(log_w)[:, :, None] * slope,
            "The prior's path is missing: log p(z) pulls every z towards 0, (I5).",
        ),
        (
            lambda log_w, slope, z: _weights(log_w)[:, :, None] * slope + z,
            "The prior's path, z, is inside log w as well: it has the weight, too.",
        ),
        (
            lambda log_w, slope, z: _weights(log_w)[:, :, None] * (slope - z),
            "The sign of the prior's path is wrong: log p(z) stands in log w with a plus, and "
            "is -z²/2.",
        ),
        (
            lambda log_w, slope, z: _weights(log_w)[:, :, None] ** 2 * (slope + z),
            "The weights are squared. That is for the encoder's gradient in DReG, and not here.",
        ),
        (
            lambda log_w, slope, z: _weights(log_w)[:, :, None] * (slope + z) / log_w.shape[1],
            "K is in the wrong place: the normalized weights have no 1/K any more.",
        ),
        (
            lambda log_w, slope, z: (
                (np.exp(log_w) / np.exp(log_w).sum(1)[:, None])[:, :, None] * (slope + z)
            ),
            "exp(log_w) overflows, or all of an image's become 0. Take the image's largest "
            "log-weight out first, as in (I2).",
        ),
    ),
    **{
        ("dreg_backward", name): tuple(
            (partial(formula, index), hint) for formula, hint in DREG_FORMULAS
        )
        for index, name in enumerate(("grad_mean", "grad_log_var"))
    },
}


# Adam as in the paper, and what is written instead of one or more of its lines
ADAM = """\
m = beta1 * m + (1 - beta1) * g
v = beta2 * v + (1 - beta2) * g**2
m_hat = m / (1 - beta1**t)
v_hat = v / (1 - beta2**t)
p = p - lr * weight_decay * p
p = p - lr * m_hat / (sqrt(v_hat) + eps)
"""
_, _, _, _, DECAY, STEP = ADAM.splitlines()
Changes = tuple[tuple[str, str], ...]


def _wrong_adam(hint: str, *changes: tuple[str, str]) -> tuple[str, Changes]:
    return hint, changes


ADAM_MISTAKES = (
    _wrong_adam("p moves up the gradient.", ("- lr * m_hat", "+ lr * m_hat")),
    _wrong_adam("lr is missing in the step.", ("- lr * m_hat", "- m_hat")),
    _wrong_adam(
        "There is no bias correction of m: as v does, m starts at 0.",
        ("m / (1 - beta1**t)", "m"),
    ),
    _wrong_adam(
        "There is no bias correction of v: as m does, v starts at 0.",
        ("v / (1 - beta2**t)", "v"),
    ),
    _wrong_adam(
        "There is no bias correction: m and v start at 0.",
        ("m / (1 - beta1**t)", "m"),
        ("v / (1 - beta2**t)", "v"),
    ),
    _wrong_adam(
        "The factor 1 - beta1 is missing: as an average, m takes (1 - beta1) g; as the sum (A1), "
        "it needs (A4).",
        ("(1 - beta1) * g", "g"),
    ),
    _wrong_adam(
        "The factor 1 - beta2 is missing: as an average, v takes (1 - beta2) g²; as the sum (A2), "
        "it needs (A3).",
        ("(1 - beta2) * g", "g"),
    ),
    _wrong_adam(
        "The powers are wrong: it is 1 - beta^t, and not (1 - beta)^t.",
        ("(1 - beta1**t)", "(1 - beta1)**t"),
        ("(1 - beta2**t)", "(1 - beta2)**t"),
    ),
    _wrong_adam(
        "beta is multiplied by t in the bias correction, and not raised to it.",
        ("beta1**t", "beta1 * t"),
        ("beta2**t", "beta2 * t"),
    ),
    *(
        _wrong_adam(
            f"t is off by one: the steps are counted from {first}.",
            ("beta1**t", f"beta1**({t})"),
            ("beta2**t", f"beta2**({t})"),
        )
        for first, t in ((2, "t + 1"), (0, "t - 1"))
    ),
    _wrong_adam(
        "The bias correction is that of the first step at every step: t is missing.",
        ("beta1**t", "beta1"),
        ("beta2**t", "beta2"),
    ),
    _wrong_adam(
        "beta1 and beta2 are exchanged.",
        (ADAM, ADAM.replace("beta1", "beta3").replace("beta2", "beta1").replace("beta3", "beta2")),
    ),
    _wrong_adam(
        "beta1 and beta2 are exchanged in the bias correction.",
        ("beta1**t", "beta3**t"),
        ("beta2**t", "beta1**t"),
        ("beta3**t", "beta2**t"),
    ),
    *(
        _wrong_adam(f"{one} stands where {other} belongs.", (ADAM, ADAM.replace(other, one)))
        for one, other in (("beta1", "beta2"), ("beta2", "beta1"))
    ),
    *(
        _wrong_adam(
            "eps is inside the square root, where it is added to the square.",
            ("sqrt(v_hat) + eps", s),
        )
        for s in ("sqrt(v_hat + eps)", "sqrt((v + eps) / (1 - beta2**t))", "sqrt(v_hat + eps**2)")
    ),
    *(
        _wrong_adam(
            "eps is added to what the bias correction comes after: it belongs to the root of v̂, "
            "in (A7) as r eps, (A5).",
            ("sqrt(v_hat) + eps", f"sqrt(v_hat) + eps / sqrt({factor})"),
        )
        for factor in ("1 - beta2**t", "(1 - beta2**t) / (1 - beta2)")
    ),
    *(
        _wrong_adam("eps is outside the brackets: it is added to the root of v̂.", (STEP, step))
        for step in (
            "p = p - lr * m_hat / sqrt(v_hat) + eps",
            "p = p - (lr * m_hat / sqrt(v_hat) + eps)",
            "p = p - lr * (m_hat / sqrt(v_hat) + eps)",
        )
    ),
    _wrong_adam(
        "The square root is missing: the gradient is divided by the root of the average of its "
        "squares.",
        ("sqrt(v_hat)", "v_hat"),
    ),
    _wrong_adam(
        "The bias correction of v comes after the root, and belongs under it.",
        ("sqrt(v_hat)", "sqrt(v) / (1 - beta2**t)"),
    ),
    _wrong_adam("The gradient is not squared for v: v averages g², m averages g.", ("g**2", "g")),
    _wrong_adam("v averages m², and should average g².", ("g**2", "m**2")),
    _wrong_adam(
        "The decay comes after the step. It makes the old p smaller: before the step, or in one "
        "line with it.",
        (f"{DECAY}\n{STEP}", f"{STEP}\n{DECAY}"),
    ),
    _wrong_adam(
        "Only the decay reaches p. `p = p - ...` gives the name to a new array; `p -= ...` writes "
        "into this one.",
        (STEP, ""),
    ),
    _wrong_adam("The weight decay makes p larger.", ("- lr * weight_decay", "+ lr * weight_decay")),
    _wrong_adam(
        "The weight decay is not scaled by the learning rate: a step removes lr weight_decay p.",
        ("lr * weight_decay", "weight_decay"),
    ),
    _wrong_adam(
        "This is L2 instead of decoupled weight decay: added to the gradient, the decay is divided "
        "by the root of v̂ like the rest of it.",
        (DECAY, ""),
        (ADAM.splitlines()[0], f"g = g + weight_decay * p\n{ADAM.splitlines()[0]}"),
    ),
    _wrong_adam(
        "This is AMSGrad, whose v never becomes smaller.",
        ("v = beta2 * v + (1 - beta2) * g**2", "v = maximum(v, beta2 * v + (1 - beta2) * g**2)"),
    ),
    _wrong_adam(
        "This is Nesterov's momentum, as in NAdam.",
        ("m / (1 - beta1**t)", "(beta1 * m + (1 - beta1) * g) / (1 - beta1**t)"),
    ),
    _wrong_adam("m plays no part: this is RMSprop.", ("m / (1 - beta1**t)", "g")),
    _wrong_adam(
        "v is a sum without decay: this is AdaGrad's.",
        ("beta2 * v + (1 - beta2) * g", "v + g"),
    ),
)


def adam_path(lines: str, given: Mapping[str, Any], kept: Collection[int]) -> list[Array]:
    """p after the kept steps, where Adam is these lines."""
    code = compile(lines, "Adam", "exec")
    zeros = np.zeros_like(given["p"])
    names = {**given, "m": zeros, "v": zeros, "sqrt": np.sqrt, "maximum": np.maximum}
    names["beta1"], names["beta2"] = given["betas"]
    path = []
    for names["t"], names["g"] in enumerate(given["g"], 1):
        exec(code, names)
        if names["t"] in kept:
            path.append(names["p"])
    return path


def _error(where: Any, name: str, explanation: str, *changes: tuple[str, str]) -> DeliberateError:
    lines = tuple(Change(where, right, wrong) for right, wrong in changes)
    return DeliberateError(name, explanation, lines, caught=())


def _gradient(n: int) -> str:
    """The source's name for the gradient at h1, h2, h3 or h4."""
    return "grad_h2" if n == 2 else f'grad["h{n}"]'


def _relu(n: int) -> str:
    """The source's line for the ReLU of h1, h2, h3 or h4."""
    return f'F.relu_backward({_gradient(n)}, a["h{n}"], out=grad["a{n}"])'


HEADS = (
    'self._linear_backward("mean", grad_mean, a["h2"], out=grad["h2"])',
    'grad_h2 += self._linear_backward("log_var", grad_log_var, a["h2"], out=self._scratch["h2"])',
)
KL = ("grad_mean += kl_mean", "grad_log_var += kl_log_var")
MORE_ERRORS = (
    *(
        _error(
            FullyConnected,
            f"ReLU forgotten at h{n}",
            "A unit that is off lets no gradient through.",
            (_relu(n), f'grad["a{n}"][...] = {_gradient(n)}'),
        )
        for n in (4, 2, 1)
    ),
    *(
        _error(
            FullyConnected,
            f"the ReLU of h{n} with the mask of h{other}",
            "The two are equally wide, so the wrong mask fits without complaint.",
            (_relu(n), _relu(n).replace(f'a["h{n}"]', f'a["h{other}"]')),
        )
        for n, other in ((3, 2), (2, 3), (1, 4))
    ),
    *(
        _error(
            FullyConnected,
            f"the ReLU of h{n} with a mask from the gradient",
            "The activation says which units were on, not the gradient.",
            (_relu(n), _relu(n).replace(f'a["h{n}"]', _gradient(n))),
        )
        for n in (4, 3, 2, 1)
    ),
    _error(
        FullyConnected,
        "mean in place of z",
        "The decoder's input is z, so its first weight's gradient takes z.",
        ('grad["a3"], a["z"]', 'grad["a3"], a["mean"]'),
    ),
    _error(
        VAE,
        "the logits given to the sigmoid's backward pass",
        "(B8) takes the sigmoid's output, y.",
        ('F.sigmoid_backward(grad["y"], a["y"]', 'F.sigmoid_backward(grad["y"], a["logits"]'),
    ),
    _error(
        FullyConnected,
        "the two heads exchanged",
        "mean's gradient belongs to the layer mean, log_var's to the layer log_var.",
        (HEADS[0], HEADS[0].replace("grad_mean", "grad_log_var")),
        (HEADS[1], HEADS[1].replace("grad_log_var", "grad_mean")),
    ),
    *(
        _error(
            FullyConnected,
            f"the weight of {head} for both parts of h2's gradient",
            "Each head's gradient comes back through its own weight.",
            (HEADS[0], f"{HEADS[0]}\ngrad_h2[...] = grad_mean @ {weight}"),
            (
                HEADS[1],
                f"{HEADS[1].replace('grad_h2 += ', '')}\ngrad_h2 += grad_log_var @ {weight}",
            ),
        )
        for head in ("mean", "log_var")
        for weight in [f'self.parameters["{head}.weight"]']
    ),
    _error(
        FullyConnected,
        "only log_var's gradient reaches h2",
        "mean and log_var are both computed from h2, so its gradient is the sum of two.",
        (HEADS[1], HEADS[1].replace("+=", "=")),
    ),
    *(
        _error(
            VAE,
            f"a minus on the KL's path into {names}",
            "The loss contains the KL divergence with a plus.",
            *((line, line.replace("+=", "-=")) for line in lines),
        )
        for names, lines in (("mean and log_var", KL), ("mean", KL[:1]), ("log_var", KL[1:]))
    ),
    *(
        _error(
            VAE,
            f"the KL's path into {names} counts twice",
            "It is added once, and (B14) has a 1/2.",
            *((line, f"{line}; {line}") for line in lines),
        )
        for names, lines in (("mean and log_var", KL), ("mean", KL[:1]), ("log_var", KL[1:]))
    ),
    _error(
        VAE,
        "z's path into mean forgotten",
        "Without it, mean learns nothing from the reconstruction.",
        (KL[0], "grad_mean[...] = kl_mean"),
    ),
    _error(
        VAE,
        "the KL's two gradients exchanged",
        "(B13) belongs to mean, (B14) to log_var.",
        (KL[0], "grad_mean += kl_log_var"),
        (KL[1], "grad_log_var += kl_mean"),
    ),
    _error(
        VAE,
        "beta divided by the number of images",
        "The loss is a sum over the images, and so is the KL divergence in it.",
        ("F.kl_divergence_backward(beta,", "F.kl_divergence_backward(beta / len(x),"),
    ),
    _error(
        VAE,
        "beta counted twice",
        "kl_divergence_backward has multiplied by it already.",
        ("F.kl_divergence_backward(beta,", "F.kl_divergence_backward(beta * beta,"),
    ),
)
