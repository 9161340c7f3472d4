"""The exercises: what is to be written, what it is called with, and what is right."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as TF
from numpy.typing import DTypeLike
from torch import Tensor, nn
from torch.func import functional_call

from numpyvae import VAE
from numpyvae import convolution as C
from numpyvae.functional import Array
from numpyvae.importance import log_weights
from numpyvae.network import FullyConnected
from numpyvae.reconstruction import Reconstruction

from ..twin.model import TorchVAE
from ..twin.network import TorchFullyConnected
from .known_mistakes import ADAM as ADAM_LINES
from .known_mistakes import adam_path
from .worker import STEPS, Arguments, Call, call, call_for_names, source, take_steps

# (B, in, out): with different sizes a transposition shows by its shape, with equal ones by its
# values; a size of 1 may be broadcast where it should not be.
SHAPES = ((4, 3, 5), (5, 1, 2), (1, 4, 1), (1, 1, 1), (3, 3, 3))
MANY_ROWS = ((64, 12, 9), (130, 4, 3))
EDGE_SHAPE = (8, 6, 5)
DRAWS = 2000  # of the noise, where a result need only be right on average
DTYPES = ("float64", "float32")


class Draw:
    """Random arguments, of a shape (B, in, out); another ``round`` draws other numbers."""

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike, round: int = 0) -> None:
        self.rows, self.n_in, self.n_out = shape
        self.dtype = np.dtype(dtype)
        self.rng = np.random.default_rng([*shape, round] if round else shape)

    def normal(self, *shape: int) -> Array:
        return self.rng.standard_normal(shape).astype(self.dtype)

    def uniform(self, low: float, high: float) -> Array:
        """Inputs between two numbers."""
        return self.rng.uniform(low, high, (self.rows, self.n_in)).astype(self.dtype)

    def some(self, *values: float) -> Array:
        """Inputs that are each one of these."""
        return self.rng.choice(values, (self.rows, self.n_in)).astype(self.dtype)

    def ins(self) -> Array:
        return self.normal(self.rows, self.n_in)

    def outs(self) -> Array:
        return self.normal(self.rows, self.n_out)

    def number(self) -> float:
        """Where the batch is the usual 64 it is 1, as beta usually is."""
        return 1.0 if self.rows == 64 else float(self.rng.uniform(0.2, 0.8))

    def pixels(self) -> Array:
        return self.uniform(0.1, 0.9)

    def to_the_end(self, float64: float, float32: float) -> Array:
        """Inputs as far from 0 on both sides as the dtype can follow."""
        end = float64 if self.dtype == np.float64 else float32
        return self.uniform(-end, end)


Draws = Callable[[Draw], Arguments]


class Problem(NamedTuple):
    """How the arguments of a call are drawn; ``edge`` says what is special about them."""

    draw: Draws
    shape: tuple[int, int, int]
    dtype: str
    round: int = 0
    edge: str = ""

    def arguments(self) -> Arguments:
        return self.draw(Draw(self.shape, self.dtype, self.round))


class Exercise(NamedTuple):
    """A function to be written, and the names of its results.

    ``autograd`` and ``source`` find the results for the same arguments: the first is what grading
    compares with, the second only helps to recognise mistakes. ``draws`` make usual arguments, and
    ``edges`` special ones, by what is special. ``call`` gives them to the learner's function.
    ``lent`` are the operations that it may call and need not have solved. ``estimated``: what the
    results need only be equal to on average, with less noise; a row is a draw.
    """

    name: str
    results: tuple[str, ...]
    draws: tuple[Draws, ...]
    autograd: Callable[..., tuple[Tensor, ...]]
    source: Callable[..., Any]
    edges: Mapping[str, Draws] = {}
    call: Call = call
    lent: tuple[str, ...] = ()
    estimated: Callable[..., tuple[Tensor, ...]] | None = None

    def problems(self) -> Iterator[Problem]:
        """All that the function is called with; two have the same shape and dtype."""
        for draw in self.draws:
            for dtype in DTYPES:
                for shape in SHAPES:
                    yield Problem(draw, shape, dtype)
            for shape, dtype in zip(MANY_ROWS, DTYPES, strict=True):
                yield Problem(draw, shape, dtype, edge=f"{shape[0]} rows")
            yield Problem(draw, SHAPES[0], "float64", 1, "other numbers in a shape it has had")
        for edge, draw in self.edges.items():
            for dtype in DTYPES:
                yield Problem(draw, EDGE_SHAPE, dtype, edge=edge)


def operation(
    autograd: Callable[..., tuple[Tensor, ...]],
    results: tuple[str, ...],
    draw: Draws,
    edges: Mapping[str, Draws] = {},
) -> Exercise:
    """An exercise that a function of the package solves, and that later ones are lent.

    Its results are proportional to what is called grad_..., whatever the size of that.
    """
    name = autograd.__name__

    def scaled(scale: float, draw: Draw, of: Draws = draw) -> Arguments:
        given = of(draw)
        return {n: value * scale if n.startswith("grad_") else value for n, value in given.items()}

    if any(argument.startswith("grad_") for argument in signature(autograd).parameters):
        sizes = {f"gradients of {scale:g}": partial(scaled, scale) for scale in (1e-20, 1e-8, 1e6)}
        edges = sizes | dict(edges)
    # looked up when it is called: a known mistake may have taken its place
    return Exercise(name, results, (draw,), autograd, lambda **given: source(name)(**given), edges)


def gradients(y: Tensor, inputs: list[Tensor], grad_y: Tensor | None = None) -> tuple[Tensor, ...]:
    """dL/d(input), from dL/dy; without it, y is the loss."""
    return torch.autograd.grad(y, inputs, grad_y)


def linear_backward_parameters(grad_y: Tensor, x: Tensor) -> tuple[Tensor, ...]:
    weight = x.new_zeros(grad_y.shape[1], x.shape[1], requires_grad=True)
    bias = x.new_zeros(grad_y.shape[1], requires_grad=True)
    return gradients(TF.linear(x, weight, bias), [weight, bias], grad_y)


def linear_backward_input(grad_y: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    x = weight.new_zeros(grad_y.shape[0], weight.shape[1], requires_grad=True)
    return gradients(TF.linear(x, weight), [x], grad_y)


def relu_backward(grad_y: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    x = y.requires_grad_()  # relu(y) is y
    return gradients(torch.relu(x), [x], grad_y)


def sigmoid_backward(grad_y: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    a = torch.logit(y).requires_grad_()
    return gradients(torch.sigmoid(a), [a], grad_y)


def reparameterize_backward(grad_z: Tensor, log_var: Tensor, eps: Tensor) -> tuple[Tensor, ...]:
    mean, log_var = torch.zeros_like(eps, requires_grad=True), log_var.requires_grad_()
    return gradients(mean + torch.exp(log_var / 2) * eps, [mean, log_var], grad_z)


def kl_divergence_backward(grad_kl: float, mean: Tensor, log_var: Tensor) -> tuple[Tensor, ...]:
    mean, log_var = mean.requires_grad_(), log_var.requires_grad_()
    kl = 0.5 * torch.sum(mean**2 + torch.exp(log_var) - 1 - log_var)
    return gradients(grad_kl * kl, [mean, log_var])


def squared_error_backward(y: Tensor, x: Tensor) -> tuple[Tensor, ...]:
    y = y.requires_grad_()
    return gradients(torch.sum((y - x) ** 2), [y])


def bernoulli_cross_entropy_backward(logits: Tensor, x: Tensor) -> tuple[Tensor, ...]:
    a = logits.requires_grad_()
    return gradients(TF.binary_cross_entropy_with_logits(a, x, reduction="sum"), [a])


def conv2d_backward_parameters(
    grad_y: Tensor, x: Tensor, kernel_size: tuple[int, int], stride: int, padding: int
) -> tuple[Tensor, ...]:
    n_out = grad_y.shape[1]
    weight = x.new_zeros(n_out, x.shape[1], *kernel_size, requires_grad=True)
    bias = x.new_zeros(n_out, requires_grad=True)
    return gradients(TF.conv2d(x, weight, bias, stride, padding), [weight, bias], grad_y)


def conv2d_backward_input(
    grad_y: Tensor, weight: Tensor, image_size: tuple[int, int], stride: int, padding: int
) -> tuple[Tensor, ...]:
    x = weight.new_zeros(len(grad_y), weight.shape[1], *image_size, requires_grad=True)
    return gradients(TF.conv2d(x, weight, None, stride, padding), [x], grad_y)


def max_pool2d_backward(
    grad_y: Tensor, x: Tensor, kernel_size: tuple[int, int], stride: int
) -> tuple[Tensor, ...]:
    x = x.requires_grad_()
    return gradients(TF.max_pool2d(x, kernel_size, stride), [x], grad_y)


class Window(NamedTuple):
    """How a convolution looks at its images."""

    image_size: tuple[int, int]
    kernel_size: tuple[int, int]
    stride: int
    padding: int

    def parameters(self, draw: Draw) -> Arguments:
        """Of ``conv2d_backward_parameters``."""
        size = C.conv2d_size(*self)
        return {
            "grad_y": draw.normal(draw.rows, draw.n_out, *size),
            "x": draw.normal(draw.rows, draw.n_in, *self.image_size),
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
        }

    def input(self, draw: Draw) -> Arguments:
        """Of ``conv2d_backward_input``."""
        size = C.conv2d_size(*self)
        return {
            "grad_y": draw.normal(draw.rows, draw.n_out, *size),
            "weight": draw.normal(draw.n_out, draw.n_in, *self.kernel_size),
            "image_size": self.image_size,
            "stride": self.stride,
            "padding": self.padding,
        }

    def pool(self, draw: Draw, largest: float = np.inf, nan: float = 0.0) -> Arguments:
        """Of ``max_pool2d_backward``: numbers up to ``largest``, and a share of NaN."""
        size = C.conv2d_size(self.image_size, self.kernel_size, self.stride)
        x = np.clip(draw.normal(draw.rows, draw.n_in, *self.image_size), None, largest)
        x[draw.rng.random(x.shape) < nan] = np.nan
        return {
            "grad_y": draw.normal(draw.rows, draw.n_in, *size),
            "x": x,
            "kernel_size": self.kernel_size,
            "stride": self.stride,
        }


# Sizes that the stride does not divide; patches that overlap
USUAL = Window((6, 7), (3, 2), stride=2, padding=1)
POOL = Window((5, 7), (2, 3), stride=2, padding=0)
WINDOWS = {
    "stride 1, no padding": Window((4, 5), (3, 2), stride=1, padding=0),
    "a kernel of one pixel": Window((3, 4), (1, 1), stride=1, padding=0),
    "a stride beyond the kernel": Window((8, 7), (2, 2), stride=3, padding=0),
    "more padding than kernel": Window((3, 2), (2, 2), stride=1, padding=3),
    "images of one pixel": Window((1, 1), (3, 3), stride=2, padding=1),
}


def draw_model(
    reconstruction: Reconstruction, beta: float | None = None, eps: float = 1.0, large: bool = False
) -> Draws:
    """Draws a model and what its forward pass leaves behind, for noise of a size ``eps``.

    ``large`` spreads log_var and the logits.
    """

    def arguments(draw: Draw) -> Arguments:
        sizes = draw.n_in, draw.n_out, (draw.rows - 1) % 8 + 1, min(draw.n_in, draw.n_out)
        vae = VAE(FullyConnected(*sizes, draw.dtype), reconstruction)
        for name, parameter in vae.parameters.items():
            # biases mostly above 0, so that units are on even in the smallest model
            parameter[...] = 0.5 * draw.normal(*parameter.shape) + 0.5 * name.endswith("bias")
        if large:
            vae.parameters["mean.bias"][...] *= 10
            vae.parameters["log_var.bias"][...] = np.linspace(-20, 12, sizes[-1])
            vae.parameters["decoder3.bias"][...] = np.linspace(-30, 30, sizes[0])
        x = draw.some(0, 0.1, 0.5, 0.9, 1) if large else draw.pixels()
        noise = eps * draw.normal(draw.rows, sizes[-1])
        given_beta = draw.number() if beta is None else beta
        vae.forward(x, noise, given_beta)
        return {
            "w": dict(vae.parameters),
            "a": vae.activations,
            "x": x,
            "eps": noise,
            "beta": given_beta,
            "reconstruction": reconstruction,
        }

    return arguments


def backward(
    w: dict[str, Tensor],
    a: dict[str, Tensor],  # noqa: ARG001  # autograd needs no help
    x: Tensor,
    eps: Tensor,
    beta: float,
    reconstruction: Reconstruction,
) -> tuple[Tensor, ...]:
    model = TorchVAE(TorchFullyConnected(*_sizes(w)), reconstruction)
    parameters = {name: w[name].requires_grad_() for name in BACKWARD_ORDER}
    loss = functional_call(model, parameters, (x, eps, beta))
    return gradients(loss.total, list(parameters.values()))


def source_backward(
    w: dict[str, Array],
    a: dict[str, Array],  # noqa: ARG001  # its own forward pass finds them again
    x: Array,
    eps: Array,
    beta: float,
    reconstruction: Reconstruction,
) -> Mapping[str, Array]:
    return source_model(w, x, eps, beta, reconstruction).gradients


def source_model(
    w: Mapping[str, Array], x: Array, eps: Array, beta: float, reconstruction: Reconstruction
) -> VAE:
    """The source's model after its forward and backward pass."""
    vae = VAE(FullyConnected(*_sizes(w), x.dtype), reconstruction)
    for name, parameter in vae.parameters.items():
        parameter[...] = w[name]
    vae.forward(x, eps, beta)
    vae.backward()
    return vae


def _sizes(w: Mapping[str, Any]) -> tuple[int, int, int, int]:
    h_dim1, x_dim = w["encoder1.weight"].shape
    z_dim, h_dim2 = w["mean.weight"].shape
    return x_dim, h_dim1, h_dim2, z_dim


def draw_adam(draw: Draw) -> Arguments:
    n = draw.rows * draw.n_in
    return {
        "p": draw.normal(n),
        "g": [draw.normal(n) for _ in range(4)],  # one for each step
        "lr": 0.1,
        "betas": (0.7, 0.8),
        "eps": draw.number(),
        "weight_decay": draw.number(),
    }


def without_decay(draw: Draw) -> Arguments:
    return draw_adam(draw) | {"weight_decay": 0.0}


def with_defaults(draw: Draw) -> Arguments:
    """PyTorch's, for many steps; gradients of all sizes that become smaller, some always 0."""
    n = draw.rows * draw.n_in
    sizes = 10 * np.exp(draw.normal(n)) * (np.arange(n) % 7 > 0)
    return {
        "p": draw.normal(n),
        "g": [(draw.normal(n) * sizes / (1 + t / 20)).astype(draw.dtype) for t in range(STEPS[-1])],
        "lr": 1e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.01,
    }


def with_tiny_gradients(size: float, draw: Draw) -> Arguments:
    """From p = 0, where the smallest of steps shows."""
    n = draw.rows * draw.n_in
    gradients = [size * draw.normal(n) for _ in range(20)]
    given = {"p": np.zeros(n, draw.dtype), "g": gradients, "weight_decay": 0.0}
    return with_defaults(draw) | given


def adam_step(
    p: Tensor,
    g: list[Tensor],
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> tuple[Tensor, ...]:
    p = nn.Parameter(p)
    adam = torch.optim.AdamW([p], lr, betas, eps, weight_decay)
    path = []
    for t, p.grad in enumerate(g, 1):
        adam.step()
        if t in STEPS:
            path.append(p.detach().clone())
    return tuple(path)


def source_adam_step(**given: Any) -> list[Array]:
    return adam_path(ADAM_LINES, given, STEPS)


def draw_log_weights(draw: Draw) -> Arguments:
    """What the backward passes of the importance-weighted bound are given: B images, K samples."""
    samples, z_dim = draw.n_in, draw.n_out
    return {
        "grad_log_w": draw.ins(),
        "log_w": 2 * draw.ins(),
        "slope": draw.normal(draw.rows, samples, z_dim),
        "z": draw.normal(draw.rows, samples, z_dim),
        "log_var": draw.outs(),
    }


def these(*names: str) -> Draws:
    return lambda draw: {name: draw_log_weights(draw)[name] for name in names}


def draw_bound(draw: Draw) -> Arguments:
    return {"grad_bound": -draw.number(), "log_w": 2 * draw.ins()}


def draw_samples(draw: Draw) -> Arguments:
    """Draws of z for one image, from a q near the posterior of a linear decoder, and log-weights.

    x is 0 and the decoder's output is z A, so that R is |z A|² / 2, and its slope z A Aᵀ.
    """
    samples, z_dim = draw.rows % 4 + 2, min(draw.n_in, 4)
    decoder = 0.5 * draw.normal(z_dim, z_dim + 1)
    precision = np.eye(z_dim, dtype=draw.dtype) + decoder @ decoder.T
    mean = 0.5 * draw.normal(1, z_dim)
    log_var = 0.2 * draw.normal(1, z_dim) - np.log(np.diag(precision))
    eps = draw.normal(DRAWS, samples, z_dim)
    z = mean + np.exp(log_var / 2) * eps
    reconstruction = 0.5 * np.sum((z @ decoder) ** 2, axis=2)
    return {
        "log_w": log_weights(reconstruction, z, log_var, eps),
        "slope": z @ (decoder @ decoder.T),
        "z": z,
        "log_var": np.repeat(log_var, DRAWS, axis=0),
        "eps": eps,
    }


def log_weights_backward(grad_log_w: Tensor, z: Tensor, log_var: Tensor) -> tuple[Tensor, ...]:
    reconstruction = torch.zeros_like(grad_log_w, requires_grad=True)
    z, log_var = z.requires_grad_(), log_var.requires_grad_()
    log_w = 0.5 * (log_var[:, None] - z**2).sum(2) - reconstruction
    return gradients(log_w, [reconstruction, z, log_var], grad_log_w)


def log_mean_exp_backward(grad_bound: float, log_w: Tensor) -> tuple[Tensor, ...]:
    log_w = log_w.requires_grad_()
    return gradients(grad_bound * torch.logsumexp(log_w, 1).sum(), [log_w])


def moving(log_w: Tensor, slope: Tensor, z: Tensor, log_ratio: Tensor) -> Tensor:
    """The loss, minus the bound, where z and what else of log w is given may move."""
    moved = log_ratio - (slope * z).sum(2) - 0.5 * z.square().sum(2)
    return -torch.logsumexp(log_w + moved - moved.detach(), 1).sum()


def iwae_backward_z(log_w: Tensor, slope: Tensor, z: Tensor) -> tuple[Tensor, ...]:
    z = z.requires_grad_()
    return gradients(moving(log_w, slope, z, torch.zeros_like(log_w)), [z])


def source_iwae_backward_z(log_w: Array, slope: Array, z: Array) -> Array:
    return -source("log_mean_exp_backward")(-1.0, log_w)[:, :, None] * (slope + z)


def dreg_backward(
    log_w: Tensor, slope: Tensor, z: Tensor, log_var: Tensor, eps: Tensor
) -> tuple[Tensor, ...]:
    """log q is a function of z alone, and z hears each weight once more."""
    z, std = z.requires_grad_(), torch.exp(log_var / 2)[:, None]
    center = (z - std * eps).detach()
    loss = moving(log_w, slope, z, 0.5 * ((z - center) / std).square().sum(2))
    [grad_z] = gradients(loss, [z])
    grad_z = grad_z * torch.softmax(log_w, 1)[:, :, None]
    mean, log_var = torch.zeros_like(log_var, requires_grad=True), log_var.requires_grad_()
    return gradients(mean[:, None] + torch.exp(log_var / 2)[:, None] * eps, [mean, log_var], grad_z)


def iwae_backward(
    log_w: Tensor, slope: Tensor, z: Tensor, log_var: Tensor, eps: Tensor
) -> tuple[Tensor, ...]:
    """The bound's own gradient."""
    std = torch.exp(log_var / 2)[:, None]
    mean, log_var = (z - std * eps)[:, 0].requires_grad_(), log_var.requires_grad_()
    moved = mean[:, None] + torch.exp(log_var / 2)[:, None] * eps
    loss = moving(log_w, slope, moved, 0.5 * log_var[:, None].expand_as(z).sum(2))
    return gradients(loss, [mean, log_var])


def source_dreg_backward(
    log_w: Array, slope: Array, z: Array, log_var: Array, eps: Array
) -> tuple[Array, Array]:
    w, std = np.exp(log_w - np.max(log_w, 1, keepdims=True)), np.exp(log_var / 2)[:, None]
    w /= w.sum(1, keepdims=True)
    grad_z = w[:, :, None] ** 2 * (slope + z - eps / std)
    return grad_z.sum(1), (grad_z * eps * std / 2).sum(1)


BACKWARD_ORDER = tuple(
    f"{layer}.{kind}"
    for layer in ("decoder3", "decoder2", "decoder1", "mean", "log_var", "encoder2", "encoder1")
    for kind in ("weight", "bias")
)
OPERATIONS = (
    operation(
        linear_backward_parameters,
        ("grad_weight", "grad_bias"),
        lambda draw: {"grad_y": draw.outs(), "x": draw.ins()},
        {"x to 1000": lambda draw: {"grad_y": draw.outs(), "x": draw.uniform(-1000, 1000)}},
    ),
    operation(
        linear_backward_input,
        ("grad_x",),
        lambda draw: {"grad_y": draw.outs(), "weight": draw.normal(draw.n_out, draw.n_in)},
        {
            "weights of 1000": lambda draw: {
                "grad_y": draw.outs(),
                "weight": 1000 * draw.normal(draw.n_out, draw.n_in),
            }
        },
    ),
    operation(
        relu_backward,
        ("grad_x",),
        lambda draw: {"grad_y": draw.ins(), "y": np.maximum(draw.ins(), 0)},
        {
            f"y of {size:g}": partial(
                lambda size, draw: {"grad_y": draw.ins(), "y": size * np.maximum(draw.ins(), 0)},
                size,
            )
            for size in (1e-20, 1e6)
        },
    ),
    operation(
        sigmoid_backward,
        ("grad_a",),
        lambda draw: {"grad_y": draw.ins(), "y": draw.pixels()},
        {
            "y from 0 to 1": lambda draw: {
                "grad_y": draw.ins(),
                "y": draw.some(0, 1e-12, 1e-9, 1e-5, 0.3, 0.5, 0.7, 1 - 1e-5, 1 - 1e-9, 1),
            }
        },
    ),
    operation(
        squared_error_backward,
        ("grad_y",),
        lambda draw: {"y": draw.pixels(), "x": draw.pixels()},
        {
            "black, white and grey": lambda draw: {
                "y": draw.some(0, 0.25, 0.5, 1),
                "x": draw.some(0, 0.25, 0.5, 1),
            },
            "values of 30": lambda draw: {"y": 30 * draw.ins(), "x": 30 * draw.ins()},
        },
    ),
    operation(
        bernoulli_cross_entropy_backward,
        ("grad_logits",),
        lambda draw: {"logits": draw.ins(), "x": draw.pixels()},
        {
            "logits to 30": lambda draw: {
                "logits": draw.uniform(-30, 30),
                "x": draw.some(0, 0.25, 0.5, 1),
            },
            # where exp(logits) or exp(-logits) overflows
            "logits of 1000": lambda draw: {
                "logits": 1000 * np.sign(draw.ins()),
                "x": draw.pixels(),
            },
        },
    ),
    operation(
        reparameterize_backward,
        ("grad_mean", "grad_log_var"),
        lambda draw: {"grad_z": draw.ins(), "log_var": draw.ins(), "eps": draw.ins()},
        {
            "log_var from -60 to 4": lambda draw: {
                "grad_z": draw.ins(),
                "log_var": draw.uniform(-60, 4),
                "eps": 3 * draw.ins(),
            },
            "log_var to the ends": lambda draw: {
                "grad_z": draw.ins(),
                "log_var": draw.to_the_end(700, 80),
                "eps": draw.ins(),
            },
        },
    ),
    operation(
        kl_divergence_backward,
        ("grad_mean", "grad_log_var"),
        lambda draw: {"grad_kl": draw.number(), "mean": draw.ins(), "log_var": draw.ins()},
        {
            "grad_kl 1": lambda draw: {"grad_kl": 1.0, "mean": draw.ins(), "log_var": draw.ins()},
            "grad_kl 0": lambda draw: {"grad_kl": 0.0, "mean": draw.ins(), "log_var": draw.ins()},
            "log_var from -60 to 4": lambda draw: {
                "grad_kl": 4.0,
                "mean": 1000 * draw.ins(),
                "log_var": draw.uniform(-60, 4),
            },
            # times 1e-170, so that its square is a number, too
            "log_var to the ends": lambda draw: {
                "grad_kl": 1.0 if draw.dtype == np.float32 else 1e-170,
                "mean": draw.ins(),
                "log_var": draw.to_the_end(700, 80),
            },
        },
    ),
)
LENT = tuple(operation.name for operation in OPERATIONS)
MODEL = Exercise(
    "backward",
    BACKWARD_ORDER,
    (draw_model("mse"), draw_model("bce")),
    backward,
    source_backward,
    {
        "beta 1": draw_model("mse", beta=1.0),
        "beta 0, eps 0": draw_model("bce", beta=0.0, eps=0.0),
        "beta 100": draw_model("bce", beta=100.0),
        "large log_var and logits, mse": draw_model("mse", large=True),
        "large log_var and logits": draw_model("bce", large=True),
    },
    call_for_names,
    LENT,
)
ADAM = Exercise(
    "adam_step",
    tuple(f"p after step {t}" for t in STEPS),
    (draw_adam,),
    adam_step,
    source_adam_step,
    {
        "no decay": without_decay,
        "PyTorch's defaults": with_defaults,
        "gradients of 1e-8": partial(with_tiny_gradients, 1e-8),
        "gradients of 1e-20": partial(with_tiny_gradients, 1e-20),
    },
    take_steps,
)
IMPORTANCE_OPERATIONS = (
    operation(
        log_weights_backward,
        ("grad_reconstruction", "grad_z", "grad_log_var"),
        these("grad_log_w", "z", "log_var"),
    ),
    operation(
        log_mean_exp_backward,
        ("grad_log_w",),
        draw_bound,
        {
            **{
                f"log-weights near {size:g}": partial(
                    lambda size, draw: {
                        "grad_bound": -1.0,
                        "log_w": (size + 2 * draw.ins()).astype(draw.dtype),
                    },
                    size,
                )
                for size in (-1000, 1000)
            },
            # each image's own largest must be taken out
            "images whose log-weights are far apart": lambda draw: {
                "grad_bound": -1.0,
                "log_w": draw.ins() + 1000 * np.arange(draw.rows, dtype=draw.dtype)[:, None],
            },
        },
    ),
)
LENT_LATER = (*LENT, *(operation.name for operation in IMPORTANCE_OPERATIONS))
IWAE_Z = Exercise(
    "iwae_backward_z",
    ("grad_z",),
    (these("log_w", "slope", "z"),),
    iwae_backward_z,
    source_iwae_backward_z,
    {
        "log-weights near -1000": lambda draw: (
            these("log_w", "slope", "z")(draw) | {"log_w": draw.ins() - draw.dtype.type(1000)}
        )
    },
    lent=LENT_LATER,
)
DREG = Exercise(
    "dreg_backward",
    ("grad_mean", "grad_log_var"),
    (draw_samples,),
    dreg_backward,
    source_dreg_backward,
    lent=LENT_LATER,
    estimated=iwae_backward,
)
CONVOLUTIONS = (
    operation(
        conv2d_backward_parameters,
        ("grad_weight", "grad_bias"),
        USUAL.parameters,
        {edge: window.parameters for edge, window in WINDOWS.items()},
    ),
    operation(
        conv2d_backward_input,
        ("grad_x",),
        USUAL.input,
        {edge: window.input for edge, window in WINDOWS.items()},
    ),
    operation(
        max_pool2d_backward,
        ("grad_x",),
        POOL.pool,
        {
            "patches that do not overlap": Window((4, 6), (2, 2), 2, 0).pool,
            "a stride beyond the kernel": Window((7, 8), (2, 2), 3, 0).pool,
            # Zeros, which stay equal where the reference's rounding is measured
            "equal numbers in a patch": lambda draw: POOL.pool(draw, largest=0.0),
            "NaN among the numbers": lambda draw: POOL.pool(draw, largest=0.0, nan=0.3),
        },
    ),
)
EXERCISES = (*OPERATIONS, MODEL, ADAM, *IMPORTANCE_OPERATIONS, IWAE_Z, DREG, *CONVOLUTIONS)
