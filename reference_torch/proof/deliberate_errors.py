"""Deliberate errors in the forward pass, the backward pass and Adam: proof that the proof works.

Each is a change to a line of numpyvae, made in memory while ``applied()`` lasts. A model with most
of them still trains, which is why they go unnoticed.
"""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from inspect import getsource, unwrap
from types import FunctionType
from typing import Any, NamedTuple

from numpyvae import VAE, Adam, FullyConnected
from numpyvae import functional as F
from numpyvae.importance import Bound
from numpyvae.networks import NetworkName
from numpyvae.reconstruction import Reconstruction


class Change(NamedTuple):
    """In the source text of ``where``, a class or module, ``wrong`` takes the place of ``right``.

    The text is found by what it says: exactly one function of ``where`` contains it, once. A text
    of several lines is written without the indentation of its first line.
    """

    where: Any
    right: str
    wrong: str

    @property
    def function(self) -> Any:
        """The function that contains the right text."""
        return _function(self.where, self.right)


@dataclass(frozen=True)
class DeliberateError:
    """A mistake, and what it makes wrong.

    ``caught``: the names of all arrays that differ from PyTorch's, as ``model_parity`` calls
    them; for an error in Adam, of the parameters. ``consistent``: the backward pass is the right
    one for the wrong loss, so a gradient check, which knows no other loss, cannot see the error.
    ``public``: the same has been published in code or is a documented pitfall. ``samples``: the
    model is an ``IWAE`` with so many samples per image, and ``bound``. ``processes``: so many share
    out the batch. ``network``: the model's.
    """

    name: str
    explanation: str
    changes: tuple[Change, ...]
    caught: tuple[str, ...]
    consistent: bool = False
    public: bool = False
    reconstruction: Reconstruction = "mse"
    samples: int | None = None
    bound: Bound = "importance"
    processes: int | None = None
    network: NetworkName = "fully-connected"

    @property
    def in_adam(self) -> bool:
        return self.changes[0].where is Adam

    @contextmanager
    def applied(self) -> Iterator[None]:
        """While this lasts, numpyvae has the error."""
        right = {function: function.__code__ for function in self.sources()}
        try:
            for function, (_, wrong_source) in self.sources().items():
                namespace: dict[str, Any] = {}
                exec(wrong_source, function.__globals__, namespace)
                function.__code__ = unwrap(namespace[function.__name__]).__code__
            yield
        finally:
            for function, code in right.items():
                function.__code__ = code

    def sources(self) -> dict[Any, tuple[str, str]]:
        """The right and the wrong source text of each function that the error changes."""
        sources: dict[Any, tuple[str, str]] = {}
        for change in self.changes:
            right, wrong = sources.get(change.function) or (_source(change.function),) * 2
            sources[change.function] = right, _rewritten(wrong, change)
        return sources


@cache
def _source(function: Any) -> str:
    return textwrap.dedent(getsource(function))


@cache
def _function(where: Any, text: str) -> Any:
    def flat(lines: str) -> str:
        return "\n".join(line.strip() for line in lines.split("\n"))

    functions = [
        unwrap(function)
        for function in vars(where).values()
        if isinstance(function, FunctionType)
        and function.__module__ == getattr(where, "__module__", where.__name__)
    ]
    counts = {function: flat(_source(function)).count(flat(text)) for function in functions}
    if sum(counts.values()) != 1:
        where_found = {function.__name__: n for function, n in counts.items() if n}
        raise ValueError(f"{where.__name__} should contain once: {text}\nfound: {where_found}")
    return max(counts, key=counts.__getitem__)


def _rewritten(source: str, change: Change) -> str:
    first_line = change.right.split("\n")[0]
    before = source[: source.find(first_line)].split("\n")[-1]
    indent = before[: len(before) - len(before.lstrip())]
    right, wrong = (text.replace("\n", f"\n{indent}") for text in (change.right, change.wrong))
    return source.replace(right, wrong)


def _layers(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}.{kind}" for name in names for kind in ("weight", "bias"))


LAYERS = ("encoder1", "encoder2", "mean", "log_var", "decoder1", "decoder2", "decoder3")
PARAMETERS = _layers(*LAYERS)
BIASES = tuple(name for name in PARAMETERS if name.endswith("bias"))
WEIGHTS = tuple(name for name in PARAMETERS if name.endswith("weight"))
LATENT = ("mean", "log_var", "z")
# What lies before log_var or mean alone, and before both
LOG_VAR_PATH = ("x", "log_var", *_layers("encoder1", "encoder2", "log_var"))
MEAN_PATH = ("x", "mean", *_layers("encoder1", "encoder2", "mean"))
ENCODER = ("x", "mean", "log_var", *_layers("encoder1", "encoder2", "mean", "log_var"))
# What lies before layer decoder2's or decoder3's outputs
BEFORE_H4 = ("x", *LATENT, *_layers(*LAYERS[:6]))
BEFORE_H3 = ("x", *LATENT, *_layers(*LAYERS[:5]))
ALL_GRADIENTS = ("x", *LATENT, *PARAMETERS)

ERRORS = (
    # Wrong losses with the gradients that belong to them
    DeliberateError(
        "exp(log_var) as the standard deviation",
        "exp(log_var) is the variance; the noise must be scaled by its square root.",
        (
            Change(
                F,
                "z = np.multiply(log_var, 0.5, out=out)",
                "z = np.multiply(log_var, 1.0, out=out)",
            ),
            Change(
                F,
                "grad_log_var = np.multiply(log_var, 0.5, out=out[1])",
                "grad_log_var = np.multiply(log_var, 1.0, out=out[1])",
            ),
            Change(F, "grad_log_var *= 0.5\n", "grad_log_var *= 1.0\n"),
        ),
        ("total", "reconstruction", *ALL_GRADIENTS),
        consistent=True,
        public=True,
    ),
    DeliberateError(
        "mean instead of sum in the KL",
        "Averaging the KL over the latent units makes beta smaller by the factor z_dim.",
        (
            Change(F, "0.5 * np.sum(", "0.5 * np.mean("),
            Change(
                F,
                "grad_mean = np.multiply(mean, grad_kl, out=out[0])",
                "grad_kl /= mean.shape[1]\ngrad_mean = np.multiply(mean, grad_kl, out=out[0])",
            ),
        ),
        ("total", "kl", *ENCODER),
        consistent=True,
        public=True,
    ),
    DeliberateError(
        "mean instead of sum in the squared error",
        "Averaging over the pixels makes the KL weigh too much by the factor x_dim.",
        (
            Change(
                F,
                "return np.vecdot(difference, difference)",
                "return np.vecdot(difference, difference) / x.shape[1]",
            ),
            Change(F, "grad_y *= 2", "grad_y *= 2 / x.shape[1]"),
        ),
        ("total", "reconstruction", *ALL_GRADIENTS),
        consistent=True,
        public=True,
    ),
    DeliberateError(
        "a missing 1/2 in the KL",
        "Without the 1/2 in front, the KL weighs twice as much.",
        (
            Change(F, "0.5 * np.sum(", "1.0 * np.sum("),
            Change(
                F,
                "grad_mean = np.multiply(mean, grad_kl, out=out[0])",
                "grad_kl *= 2\ngrad_mean = np.multiply(mean, grad_kl, out=out[0])",
            ),
        ),
        ("total", "kl", *ENCODER),
        consistent=True,
    ),
    # Wrong losses only
    DeliberateError(
        "beta missing in the total",
        "The loss that is shown is not the one that is differentiated.",
        (Change(VAE, "reconstruction_sum + beta * kl_sum", "reconstruction_sum + kl_sum"),),
        ("total",),
    ),
    # Wrong gradients: latent variables
    DeliberateError(
        "noise drawn anew in the backward pass",
        "z depends on log_var through the noise of the forward pass; other noise belongs to "
        "another z.",
        (
            Change(
                F,
                "grad_log_var *= eps",
                "grad_log_var *= np.random.standard_normal(eps.shape)",
            ),
        ),
        LOG_VAR_PATH,
        public=True,
    ),
    DeliberateError(
        "a missing 1/2 in z's path into log_var",
        "The derivative of exp(log_var / 2) has a factor 1/2 from the inner derivative.",
        (Change(F, "grad_log_var *= 0.5\n", "grad_log_var *= 1.0\n"),),
        LOG_VAR_PATH,
    ),
    DeliberateError(
        "a missing 1/2 in the KL's path into log_var",
        "The 1/2 in front of the KL stays in its derivative.",
        (
            Change(
                F,
                "grad_log_var *= 0.5 * grad_kl",
                "grad_log_var *= grad_kl",
            ),
        ),
        LOG_VAR_PATH,
    ),
    DeliberateError(
        "the -1 missing in the KL's path into log_var",
        "The KL contains -log_var, too, whose derivative is -1.",
        (
            Change(
                F,
                "np.expm1(log_var, out=out[1])",
                "np.exp(log_var, out=out[1])",
            ),
        ),
        LOG_VAR_PATH,
    ),
    DeliberateError(
        "the KL's path into log_var forgotten",
        "log_var acts on the loss through z and through the KL: two paths, two gradients, added.",
        (Change(VAE, "grad_log_var += kl_log_var", ""),),
        LOG_VAR_PATH,
    ),
    DeliberateError(
        "z's path into log_var forgotten",
        "Without it, nothing keeps the variance from going to 1 everywhere.",
        (
            Change(
                VAE,
                "grad_log_var += kl_log_var",
                "grad_log_var[...] = kl_log_var",
            ),
        ),
        LOG_VAR_PATH,
    ),
    DeliberateError(
        "the KL's path into mean forgotten",
        "Without it, nothing pulls the means together, and the prior's samples miss them.",
        (Change(VAE, "grad_mean += kl_mean", ""),),
        MEAN_PATH,
    ),
    DeliberateError(
        "beta missing in the backward pass",
        "The KL's gradient has the same weight as the KL.",
        (Change(VAE, "F.kl_divergence_backward(beta,", "F.kl_divergence_backward(1.0,"),),
        ENCODER,
    ),
    DeliberateError(
        "only one head's gradient reaches h2",
        "mean and log_var are both computed from h2, so its gradient is the sum of two.",
        (
            Change(
                FullyConnected,
                'grad_h2 += self._linear_backward("log_var"',
                'self._linear_backward("log_var"',
            ),
        ),
        ("x", *_layers("encoder1", "encoder2")),
    ),
    # Wrong gradients: reconstruction
    DeliberateError(
        "the factor 2 missing in the squared error's gradient",
        "The derivative of (y - x)² is 2 (y - x). Adam cancels a factor of the whole gradient, so "
        "half of one term is twice the other: beta is doubled.",
        (Change(F, "grad_y *= 2", "grad_y *= 1"),),
        ALL_GRADIENTS,
    ),
    DeliberateError(
        "the sigmoid's derivative forgotten",
        "With cross-entropy it cancels; with the squared error it does not.",
        (
            Change(
                VAE,
                'F.sigmoid_backward(grad["y"], a["y"], out=grad["logits"])',
                'grad["logits"][...] = grad["y"]',
            ),
        ),
        ("x", *LATENT, *PARAMETERS),
    ),
    DeliberateError(
        "the sigmoid's derivative counted twice",
        "sigmoid(logits) - x is already the gradient with respect to the logits.",
        (
            Change(
                F,
                "grad_logits -= x",
                "grad_logits -= x\ngrad_logits *= sigmoid(logits) * (1 - sigmoid(logits))",
            ),
        ),
        ("x", *LATENT, *PARAMETERS),
        reconstruction="bce",
    ),
    DeliberateError(
        "x only as the encoder's input",
        "x is also what the reconstruction is compared with.",
        (
            Change(
                VAE,
                "return through_encoder + through_loss",
                "return through_encoder",
            ),
        ),
        ("x",),
    ),
    # Wrong gradients: layers
    DeliberateError(
        "ReLU's mask from the wrong layer",
        "Where h1 and h4 are equally wide, the wrong mask fits without complaint.",
        (
            Change(
                FullyConnected,
                'F.relu_backward(grad["h4"], a["h4"], out=grad["a4"])',
                'F.relu_backward(grad["h4"], a["h1"], out=grad["a4"])',
            ),
        ),
        BEFORE_H4,
    ),
    DeliberateError(
        "ReLU forgotten in the backward pass",
        "A unit that is off lets no gradient through.",
        (
            Change(
                FullyConnected,
                'F.relu_backward(grad["h3"], a["h3"], out=grad["a3"])',
                'grad["a3"][...] = grad["h3"]',
            ),
        ),
        BEFORE_H3,
    ),
    DeliberateError(
        "the bias gradients forgotten",
        "The biases stay as they were drawn.",
        (
            Change(
                F,
                "grad_bias = np.sum(grad_y, axis=0, out=out[1])",
                "grad_bias = np.multiply(0, grad_y[0], out=out[1])",
            ),
        ),
        BIASES,
    ),
    DeliberateError(
        "mean instead of sum in the bias gradients",
        "Every image of the batch contributes, to the biases as to the weights.",
        (
            Change(
                F,
                "grad_bias = np.sum(grad_y, axis=0, out=out[1])",
                "grad_bias = np.mean(grad_y, axis=0, out=out[1])",
            ),
        ),
        BIASES,
    ),
    DeliberateError(
        "a transposed weight gradient",
        "In a layer with as many inputs as outputs the shapes do not complain.",
        (
            Change(
                F,
                "grad_weight = np.matmul(grad_y.T, x, out=out[0])",
                "left, right = (x, grad_y) if x.shape == grad_y.shape else (grad_y, x)\n"
                "grad_weight = np.matmul(left.T, right, out=out[0])",
            ),
        ),
        ("encoder2.weight", "decoder2.weight"),
    ),
    DeliberateError(
        "a weight gradient from the layer's output",
        "A weight's gradient takes the layer's input; here it is given the output.",
        (
            Change(
                FullyConnected,
                'self._linear_backward("decoder2", grad["a4"], a["h3"], out=grad["h3"])',
                'self._linear_backward("decoder2", grad["a4"], a["h4"], out=grad["h3"])',
            ),
        ),
        ("decoder2.weight",),
    ),
    # Adam
    DeliberateError(
        "no bias correction in Adam",
        "Both averages start at 0. Uncorrected, Adam's first steps are about three times too "
        "large.",
        (
            Change(
                Adam,
                "r = math.sqrt((1 - beta2**self.steps) / (1 - beta2))",
                "r = math.sqrt(1 / (1 - beta2))",
            ),
            Change(
                Adam,
                "step_size = self.lr * r * (1 - beta1) / (1 - beta1**self.steps)",
                "step_size = self.lr * r * (1 - beta1)",
            ),
        ),
        PARAMETERS,
        public=True,
    ),
    DeliberateError(
        "steps counted from 2",
        "One step too many in the bias correction.",
        (Change(Adam, "self.steps += 1", "self.steps = max(self.steps, 1) + 1"),),
        PARAMETERS,
    ),
    DeliberateError(
        "L2 instead of decoupled weight decay",
        "Added to the gradient, the decay is divided by sqrt(v̂) like the rest of it.",
        (
            Change(
                Adam,
                "m *= beta1",
                "g = g + self.weight_decay * p\nm *= beta1",
            ),
            Change(Adam, "p *= decay", ""),
        ),
        PARAMETERS,
        public=True,
    ),
    DeliberateError(
        "weight decay not scaled by the learning rate",
        "torch.optim.AdamW removes lr weight_decay of a parameter per step.",
        (
            Change(
                Adam,
                "decay = 1 - self.lr * self.weight_decay",
                "decay = 1 - self.weight_decay",
            ),
        ),
        PARAMETERS,
    ),
    DeliberateError(
        "eps inside the square root",
        "sqrt(v̂ + eps) is at least sqrt(eps), 10 000 times larger than eps 1e-8.",
        (
            Change(
                Adam,
                "np.sqrt(v, out=update)\nupdate += eps",
                "np.sqrt(v + self.eps * r**2, out=update)",
            ),
        ),
        PARAMETERS,
        public=True,
    ),
    DeliberateError(
        "beta1 and beta2 exchanged",
        "The gradient is averaged over 1000 steps, its square over 10.",
        (Change(Adam, "beta1, beta2 = self.betas", "beta2, beta1 = self.betas"),),
        PARAMETERS,
    ),
)
