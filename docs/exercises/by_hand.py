"""Write it yourself: the backward pass of a variational autoencoder, by hand, in NumPy.

Copy this file, fill in the functions from top to bottom, and have them graded as often as you like:

    python -m reference_torch grade FILE

docs/exercises.md says how to work; a number such as (B2) is that of an equation in
docs/backward.md, (A1) one in docs/adam.md, (I1) one in docs/importance.md, (C2) one in
docs/convolution.md. Some rules hold everywhere:

- Return new arrays and leave the arguments as they are. (Part 3 is different.)
- A gradient has the shape and the dtype of what it is the gradient of.
- L is the loss: summed over pixels or latent units, and summed over the B images of the batch.
- grad_y stands for dL/dy.
"""

from collections.abc import Mapping

import numpy as np  # noqa: F401  # for your lines

from numpyvae.functional import Array

# Part 1: one operation at a time


def linear_backward_parameters(grad_y: Array, x: Array) -> tuple[Array, Array]:
    """dL/dW (B2) and dL/db (B3), where y = x Wᵀ + b. (B1)

    Shapes: grad_y (B, out), x (B, in); returns (out, in) and (out,).
    """
    raise NotImplementedError


def linear_backward_input(grad_y: Array, weight: Array) -> Array:
    """dL/dx (B4), where y = x Wᵀ + b and weight is W.

    Shapes: grad_y (B, out), weight (out, in); returns (B, in).
    """
    raise NotImplementedError


def relu_backward(grad_y: Array, y: Array) -> Array:
    """dL/dx (B6), where y = max(x, 0). (B5)

    You are given y, not x. Shapes: all (B, n).
    """
    raise NotImplementedError


def sigmoid_backward(grad_y: Array, y: Array) -> Array:
    """dL/da (B8), where y = 1 / (1 + exp(-a)). (B7)

    You are given y, not a. Shapes: all (B, n).
    """
    raise NotImplementedError


def squared_error_backward(y: Array, x: Array) -> Array:
    """dL/dy (B9), where L is the sum of (y - x)² (M3) over pixels and images.

    Shapes: all (B, n).
    """
    raise NotImplementedError


def bernoulli_cross_entropy_backward(logits: Array, x: Array) -> Array:
    """dL/dlogits (B10), where L is the sum of the cross-entropy over pixels and images.

    With a = logits, a pixel costs log(1 + exp(a)) - x a. (M4) Shapes: all (B, n).
    """
    raise NotImplementedError


def reparameterize_backward(grad_z: Array, log_var: Array, eps: Array) -> tuple[Array, Array]:
    """dL/dmean (B11) and dL/dlog_var (B12), where z = mean + exp(log_var / 2) eps. (M1)

    Shapes: all (B, z).
    """
    raise NotImplementedError


def kl_divergence_backward(grad_kl: float, mean: Array, log_var: Array) -> tuple[Array, Array]:
    """dL/dmean (B13) and dL/dlog_var (B14), where KL is the KL divergence of each image. (M2)

    That is 1/2 of the sum of mean² + exp(log_var) - 1 - log_var over the latent units. grad_kl
    is dL/dKL, one number, the same for all images.
    Shapes: mean and log_var (B, z); returns (B, z) twice.
    """
    raise NotImplementedError


# Part 2: the whole model


def backward(
    w: Mapping[str, Array],
    a: Mapping[str, Array],
    x: Array,
    eps: Array,
    beta: float,
    reconstruction: str,
) -> dict[str, Array]:
    """d total / d parameter, by the parameter's name, for the model of docs/model.md.

    Call the functions above: the grader puts right ones in their place, so that a mistake of
    theirs is not counted here again. Two gradients that meet are added: (B15), (B16), (B17).

    You return the parameters' gradients only. The grader sees all other arrays that your lines
    compute, and names the first gradient that is missing among them: at "h4", say, or at "a4",
    which is "h4" before its ReLU.

    Args:
        w: the parameters: "encoder1.weight", "encoder1.bias", and so on for the layers encoder1,
            encoder2, mean, log_var, decoder1, decoder2, decoder3.
        a: what the forward pass left behind: "h1", "h2", "mean", "log_var", "z", "h3", "h4",
            "logits", and "y" where the reconstruction is "mse".
        x, eps, beta: images (B, x_dim), noise (B, z_dim), and the weight of the KL divergence.
        reconstruction: "mse" for the squared error, "bce" for the cross-entropy.

    Returns: an array of the parameter's shape for each name in w.
    """
    raise NotImplementedError


# Part 3: Adam


def adam_step(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> None:
    """One step of Adam with decoupled weight decay, written into p: (A7) or the paper's formulas.

    This one changes p, m and v in place and returns nothing. t counts the steps from 1. m and v
    are as you left them the step before, and zeros before the first. Only p is graded, so keep
    the paper's averages in them or the sums (A1) and (A2), as you like.
    Shapes: p, g, m and v (n,).
    """
    raise NotImplementedError


# Part 4: a tighter bound


def log_weights_backward(grad_log_w: Array, z: Array, log_var: Array) -> tuple[Array, Array, Array]:
    """dL/dreconstruction (I4), dL/dz (I5) and dL/dlog_var (I6), where log_w is (I1).

    For each sample, that is 1/2 of the sum of eps² - z² + log_var over the latent units, minus its
    reconstruction loss. z is held still for log_var, which an image's K samples share.
    Shapes: grad_log_w (B, K), z (B, K, z), log_var (B, z); returns (B, K), (B, K, z) and (B, z).
    """
    raise NotImplementedError


def log_mean_exp_backward(grad_bound: float, log_w: Array) -> Array:
    """dL/dlog_w (I3), where each image's bound is log 1/K sum_k exp(log_w). (I2)

    grad_bound is dL/dbound, one number, the same for all images. log_w may be -1000 or 1000.
    Shapes: (B, K).
    """
    raise NotImplementedError


def iwae_backward_z(log_w: Array, slope: Array, z: Array) -> Array:
    """dL/dz of every sample, where L is minus the sum of all images' bounds. (I3) to (I5)

    slope is what comes up through the decoder if it is given the gradient 1 at each sample's
    reconstruction loss: that loss's derivative with respect to the sample's own z.
    Shapes: log_w (B, K), slope and z (B, K, z); returns (B, K, z).
    """
    raise NotImplementedError


def dreg_backward(
    log_w: Array, slope: Array, z: Array, log_var: Array, eps: Array
) -> tuple[Array, Array]:
    """The doubly reparameterised gradient of L at mean and log_var, (I10), L as above.

    The rows are many draws of eps for one image. Graded is each result's mean over them, which must
    be that of the bound's own gradient, and its variance, which must be smaller.
    Shapes: log_w (B, K), slope, z and eps (B, K, z), log_var (B, z); returns (B, z) twice.
    """
    raise NotImplementedError


# Part 5: convolutions


def conv2d_backward_parameters(
    grad_y: Array, x: Array, kernel_size: tuple[int, int], stride: int, padding: int
) -> tuple[Array, Array]:
    """dL/dW (C5) and dL/db (C6), where y is the convolution of x with W, + b. (C4)

    x has ``padding`` zeros added at all four sides; the kernel moves on by ``stride``, down and to
    the right, as long as it fits: (C1).
    Shapes: grad_y (B, out, H_out, W_out), x (B, in, H, W); returns (out, in, kh, kw) and (out,).
    """
    raise NotImplementedError


def conv2d_backward_input(
    grad_y: Array, weight: Array, image_size: tuple[int, int], stride: int, padding: int
) -> Array:
    """dL/dx (C7), (C3), where y is the convolution of x with W, + b (C4), and weight is W.

    image_size is the height and width of x.
    Shapes: grad_y (B, out, H_out, W_out), weight (out, in, kh, kw); returns (B, in, H, W).
    """
    raise NotImplementedError


def max_pool2d_backward(
    grad_y: Array, x: Array, kernel_size: tuple[int, int], stride: int
) -> Array:
    """dL/dx (C14), where y is the largest number of each patch of x, channel by channel. (C13)

    Of equal numbers the first in the order of reading gets the gradient, and of NaN the last.
    Shapes: grad_y (B, C, H_out, W_out), x (B, C, H, W); returns (B, C, H, W).
    """
    raise NotImplementedError
