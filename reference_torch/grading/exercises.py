"""The exercises: what is to be written, what it is called with, and what is right."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as TF
from numpy.typing import DTypeLike
from torch import Tensor, nn
from torch.func import functional_call

from numpyvae import VAE, Adam
from numpyvae import functional as F
from numpyvae.flat import FlatArrays
from numpyvae.functional import Array
from numpyvae.network import FullyConnected
from numpyvae.reconstruction import Reconstruction

from ..twin.model import TorchVAE
from ..twin.network import TorchFullyConnected

# (B, in, out): with different sizes a transposition shows by its shape, with equal ones by its
# values; a size of 1 may be broadcast where it should not be.
SHAPES = ((4, 3, 5), (5, 1, 2), (1, 4, 1), (1, 1, 1), (3, 3, 3))
STEPS = 4  # of Adam
Arguments = dict[str, Any]
Results = dict[str, Array]


class Draw:
    """Random arguments: images, inputs and outputs in one of ``SHAPES``."""

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike) -> None:
        self.rows, self.n_in, self.n_out = shape
        self.dtype = np.dtype(dtype)
        self.rng = np.random.default_rng(shape)

    def normal(self, *shape: int) -> Array:
        return self.rng.standard_normal(shape).astype(self.dtype)

    def ins(self) -> Array:
        return self.normal(self.rows, self.n_in)

    def outs(self) -> Array:
        return self.normal(self.rows, self.n_out)

    def number(self) -> float:
        return float(self.rng.uniform(0.2, 0.8))

    def pixels(self) -> Array:
        return self.rng.uniform(0.1, 0.9, (self.rows, self.n_in)).astype(self.dtype)


class Exercise(NamedTuple):
    """A function to be written, and the names of its results.

    ``autograd`` and ``source`` find the results for the same arguments: the first is what grading
    compares with, the second only helps to recognise mistakes. ``draws`` make the arguments, and
    ``call`` gives them to the learner's function.
    """

    name: str
    results: tuple[str, ...]
    draws: tuple[Callable[[Draw], Arguments], ...]
    autograd: Callable[..., tuple[Tensor, ...]]
    source: Callable[..., Any]
    call: Callable[[Callable[..., Any], Arguments], Any] = lambda function, given: function(**given)


def operation(
    autograd: Callable[..., tuple[Tensor, ...]],
    results: tuple[str, ...],
    *draws: Callable[[Draw], Arguments],
) -> Exercise:
    name = autograd.__name__
    return Exercise(name, results, draws, autograd, lambda **given: getattr(F, name)(**given))


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


def draw_model(reconstruction: Reconstruction) -> Callable[[Draw], Arguments]:
    def arguments(draw: Draw) -> Arguments:
        sizes = draw.n_in, draw.n_out, draw.rows, draw.n_in
        vae = VAE(FullyConnected(*sizes, draw.dtype), reconstruction)
        for name, parameter in vae.parameters.items():
            # biases mostly above 0, so that units are on even in the smallest model
            parameter[...] = 0.5 * draw.normal(*parameter.shape) + 0.5 * name.endswith("bias")
        x, eps, beta = draw.pixels(), draw.ins(), draw.number()
        vae.forward(x, eps, beta)
        return {
            "w": dict(vae.parameters),
            "a": vae.activations,
            "x": x,
            "eps": eps,
            "beta": beta,
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
        "g": [draw.normal(n) for _ in range(STEPS)],  # one for each step
        "lr": 0.1,
        "betas": (0.7, 0.8),
        "eps": draw.number(),
        "weight_decay": draw.number(),
    }


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
    for p.grad in g:
        adam.step()
        path.append(p.detach().clone())
    return tuple(path)


def source_adam_step(p: Array, g: list[Array], **settings: Any) -> list[Array]:
    parameters = FlatArrays({"p": p.shape}, p.dtype)
    parameters.flat[...] = p
    adam = Adam(parameters, **settings)
    path = []
    for gradient in g:
        adam.step({"p": gradient})
        path.append(parameters.flat.copy())
    return path


def take_steps(step: Callable[..., Any], given: Arguments) -> list[Array]:
    """Steps the learner's Adam, which works in place; p after each step."""
    p = given["p"].copy()
    settings = {name: given[name] for name in ("lr", "betas", "eps", "weight_decay")}
    m, v = np.zeros_like(p), np.zeros_like(p)
    path = []
    for t, g in enumerate(given["g"], 1):
        before = {"p": p.copy(), "m": m.copy(), "v": v.copy()}
        step(p, g, m, v, t, **settings)
        for name, array in {"p": p, "m": m, "v": v}.items():
            if np.array_equal(array, before[name]):
                raise Mistake(
                    f"It leaves {name} as it was. `{name} = ...` gives the name to a new array, "
                    f"which is lost when the function ends; `{name} -= ...`, `{name} *= ...` and "
                    f"`{name}[...] = ...` write into the array that was given."
                )
        path.append(p.copy())
    return path


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
    ),
    operation(
        linear_backward_input,
        ("grad_x",),
        lambda draw: {"grad_y": draw.outs(), "weight": draw.normal(draw.n_out, draw.n_in)},
    ),
    operation(
        relu_backward,
        ("grad_x",),
        lambda draw: {"grad_y": draw.ins(), "y": np.maximum(draw.ins(), 0)},
    ),
    operation(
        sigmoid_backward,
        ("grad_a",),
        lambda draw: {"grad_y": draw.ins(), "y": draw.pixels()},
    ),
    operation(
        squared_error_backward,
        ("grad_y",),
        lambda draw: {"y": draw.pixels(), "x": draw.pixels()},
    ),
    operation(
        bernoulli_cross_entropy_backward,
        ("grad_logits",),
        lambda draw: {"logits": draw.ins(), "x": draw.pixels()},
        # where exp(logits) or exp(-logits) overflows
        lambda draw: {"logits": 1000 * np.sign(draw.ins()), "x": draw.pixels()},
    ),
    operation(
        reparameterize_backward,
        ("grad_mean", "grad_log_var"),
        lambda draw: {"grad_z": draw.ins(), "log_var": draw.ins(), "eps": draw.ins()},
    ),
    operation(
        kl_divergence_backward,
        ("grad_mean", "grad_log_var"),
        lambda draw: {"grad_kl": draw.number(), "mean": draw.ins(), "log_var": draw.ins()},
    ),
)
MODEL = Exercise(
    "backward",
    BACKWARD_ORDER,
    (draw_model("mse"), draw_model("bce")),
    backward,
    source_backward,
)
ADAM = Exercise(
    "adam_step",
    tuple(f"p after step {t}" for t in range(1, STEPS + 1)),
    (draw_adam,),
    adam_step,
    source_adam_step,
    take_steps,
)
EXERCISES = (*OPERATIONS, MODEL, ADAM)


class Mistake(Exception):
    """Something is wrong that needs no comparison of numbers; the message says what."""


def named_results(exercise: Exercise, returned: Any) -> Results:
    """What a function returned, by name."""
    names = exercise.results
    if returned is None:
        raise Mistake("It returns None: is there a return at its end?")
    if exercise is MODEL:
        if not isinstance(returned, Mapping):
            raise Mistake(f"It returns a {type(returned).__name__}: return a dict, by name.")
        missing = [name for name in names if returned.get(name) is None]
        if missing:
            raise Mistake(f"These are missing in what it returns: {', '.join(missing)}.")
        arrays = [returned[name] for name in names]
    elif len(names) == 1 and not isinstance(returned, tuple | list):
        arrays = [returned]
    elif isinstance(returned, tuple | list) and len(returned) == len(names):
        arrays = list(returned)
    else:
        kind = type(returned).__name__
        raise Mistake(f"It returns a {kind}, and should return {' and '.join(names)}.")
    results = {}
    for name, array in zip(names, arrays, strict=True):
        try:
            results[name] = np.asarray(array)
        except Exception:  # a list of lists of several lengths, a tensor that requires grad
            results[name] = np.array(None)
        if results[name].dtype.kind not in "biuf":
            raise Mistake(f"{name} is no array of numbers, but a {type(array).__name__}.")
    return results
