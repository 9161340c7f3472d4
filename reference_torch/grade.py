"""Grades backward functions that a learner wrote: against autograd, with hints."""

import argparse
import copy
import linecache
import math
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as TF
from numpy.typing import DTypeLike
from torch import Tensor, nn
from torch.func import functional_call

from numpyvae import VAE, Adam, InputError
from numpyvae import functional as F
from numpyvae.flat import FlatArrays
from numpyvae.functional import Array
from numpyvae.model import Reconstruction

from .deliberate_errors import ERRORS
from .model import TorchVAE
from .parity import Comparison, compare_to

DESCRIPTION = """\
Grade the functions that you wrote into a copy of docs/exercises/by_hand.py.

Each is called with random arrays of several shapes, in float64 and float32, and its results are
compared with what PyTorch's automatic differentiation finds. docs/exercises.md tells how to work.

FILE is a Python program, and grading runs it: grade only what you wrote or have read.

The exit status is 0 if all functions are right, 1 if any is wrong or not yet written, 2 if the
file cannot be read or has none of them.
"""

EXERCISES_FILE = "docs/exercises/by_hand.py"
# (B, in, out): with different sizes a transposition shows by its shape, with equal ones by its
# values; a size of 1 may be broadcast where it should not be.
SHAPES = ((4, 3, 5), (5, 1, 2), (1, 4, 1), (1, 1, 1), (3, 3, 3))
DTYPES = (np.float64, np.float32)
STEPS = 4  # of Adam

Arguments = dict[str, Any]
Results = dict[str, Array]


# The exercises


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
    draw: Callable[[Draw], Arguments],
) -> Exercise:
    name = autograd.__name__
    return Exercise(name, results, (draw,), autograd, lambda **given: getattr(F, name)(**given))


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


# The whole model


def draw_model(reconstruction: Reconstruction) -> Callable[[Draw], Arguments]:
    def arguments(draw: Draw) -> Arguments:
        sizes = draw.n_in, draw.n_out, draw.rows, draw.n_in
        vae = VAE(*sizes, reconstruction, draw.dtype)
        for name, parameter in vae.parameters.items():
            # biases mostly above 0, so that units are on even in the smallest model
            parameter[...] = 0.5 * draw.normal(*parameter.shape) + 0.5 * name.endswith("bias")
        x, eps, beta = draw.pixels(), draw.ins(), draw.number()
        vae.forward(x, eps, beta)
        if reconstruction == "bce":
            del vae.activations["y"]  # not computed
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
    model = TorchVAE(*_sizes(w), reconstruction)
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
    vae = VAE(*_sizes(w), reconstruction, x.dtype)
    for name, parameter in vae.parameters.items():
        parameter[...] = w[name]
    vae.forward(x, eps, beta)
    return vae.backward()


def _sizes(w: Mapping[str, Any]) -> tuple[int, int, int, int]:
    h_dim1, x_dim = w["encoder1.weight"].shape
    z_dim, h_dim2 = w["mean.weight"].shape
    return x_dim, h_dim1, h_dim2, z_dim


# Adam: its result is where p is after each of a few steps


def draw_adam(draw: Draw) -> Arguments:
    n = draw.rows * draw.n_in
    return {
        "p": draw.normal(n),
        "gradients": [draw.normal(n) for _ in range(STEPS)],
        "lr": 0.1,
        "betas": (0.7, 0.8),
        "eps": draw.number(),
        "weight_decay": draw.number(),
    }


def adam_step(
    p: Tensor,
    gradients: list[Tensor],
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> tuple[Tensor, ...]:
    p = nn.Parameter(p)
    adam = torch.optim.AdamW([p], lr, betas, eps, weight_decay)
    path = []
    for p.grad in gradients:
        adam.step()
        path.append(p.detach().clone())
    return (torch.stack(path),)


def source_adam_step(p: Array, gradients: list[Array], **settings: Any) -> Array:
    parameters = FlatArrays({"p": p.shape}, p.dtype)
    parameters.flat[...] = p
    adam = Adam(parameters, **settings)
    path = []
    for g in gradients:
        adam.step({"p": g})
        path.append(parameters.flat.copy())
    return np.stack(path)


def take_steps(step: Callable[..., Any], given: Arguments) -> Array:
    """Steps the learner's Adam, which works in place."""
    p, gradients = given["p"].copy(), given["gradients"]
    settings = {name: given[name] for name in ("lr", "betas", "eps", "weight_decay")}
    m, v = np.zeros_like(p), np.zeros_like(p)
    path = []
    for t, g in enumerate(gradients, 1):
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
    return np.stack(path)


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
ADAM = Exercise("adam_step", ("p",), (draw_adam,), adam_step, source_adam_step, take_steps)
EXERCISES = (*OPERATIONS, MODEL, ADAM)


# Grading


class Mistake(Exception):
    """Something is wrong that needs no comparison of numbers; the message says what."""


class Verdict(NamedTuple):
    """``state`` is "right", "wrong" or "not yet written"; ``remarks`` say what is wrong."""

    name: str
    state: str
    remarks: tuple[str, ...] = ()


class Case(NamedTuple):
    """One call of a learner's function, with the results of the two sides."""

    given: Arguments
    rows: int
    got: Results
    want: Results
    comparisons: list[Comparison]

    def __str__(self) -> str:
        arrays = {name: value for name, value in self.given.items() if hasattr(value, "shape")}
        shapes = ", ".join(f"{name} {value.shape}" for name, value in arrays.items())
        dtype = next(iter(arrays.values())).dtype
        return f"{dtype}, {shapes}"


def grade(path: Path) -> list[Verdict]:
    """Grades a learner's file.

    Raises:
        InputError: it cannot be read or run, or has none of the functions.
    """
    module = _load(path)
    if not any(hasattr(module, exercise.name) for exercise in EXERCISES):
        raise InputError(f"{path} has none of the functions of {EXERCISES_FILE}: copy that file")
    verdicts = [_verdict(exercise, module) for exercise in OPERATIONS]
    right_ones = {exercise.name: getattr(F, exercise.name) for exercise in OPERATIONS}
    with patch.dict(vars(module), right_ones):
        verdicts.append(_verdict(MODEL, module))
    return [*verdicts, _verdict(ADAM, module)]


def _verdict(exercise: Exercise, module: ModuleType) -> Verdict:
    function = getattr(module, exercise.name, None)
    if function is None:
        return Verdict(exercise.name, "not yet written", ("The file has no such function.",))
    try:
        cases = list(_cases(exercise, function))
        remarks = _judge(exercise, cases)
    except NotImplementedError:
        return Verdict(exercise.name, "not yet written")
    except Mistake as mistake:
        remarks = (str(mistake),)
    except (Exception, SystemExit) as error:
        remarks = _describe(error, str(module.__file__))
    return Verdict(exercise.name, "wrong" if remarks else "right", remarks)


def _cases(exercise: Exercise, function: Callable[..., Any]) -> Iterator[Case]:
    for shape in SHAPES:
        for dtype in DTYPES:
            for draw in exercise.draws:
                given = draw(Draw(shape, dtype))
                got = _results(exercise, _call(exercise, function, given))
                if not _same(got, _results(exercise, _call(exercise, function, given))):
                    raise Mistake(
                        "Called twice with the same arguments, it gives two different results. "
                        "Nothing in a backward pass is random: eps is the noise of the forward "
                        "pass, and is given."
                    )
                comparisons = compare_to(partial(_reference, exercise, given), got)
                want = {comparison.name: comparison.torch for comparison in comparisons}
                yield Case(given, shape[0], got, want, comparisons)


def _call(exercise: Exercise, function: Callable[..., Any], given: Arguments) -> Any:
    lent = copy.deepcopy(given)
    returned = copy.deepcopy(exercise.call(function, lent))
    changed = [name for name, value in given.items() if not _same(value, lent[name])]
    if changed:
        raise Mistake(
            f"It writes into its argument {changed[0]}, which others still need: make a new array."
        )
    return returned


def _results(exercise: Exercise, returned: Any) -> Results:
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
    results = {name: np.asarray(array) for name, array in zip(names, arrays, strict=True)}
    for name, array in results.items():
        if array.dtype.kind not in "biuf":
            raise Mistake(f"{name} is no array of numbers: {array!r}.")
    return results


def _reference(exercise: Exercise, given: Arguments) -> dict[str, Tensor]:
    results = exercise.autograd(**{name: _tensors(value) for name, value in given.items()})
    return dict(zip(exercise.results, results, strict=True))


def _tensors(value: Any) -> Any:
    """A value with all arrays in it as tensors; ``clone``, so that the copy is rounded, too."""
    if isinstance(value, np.ndarray):
        return torch.tensor(value).clone()
    if isinstance(value, dict):
        return {name: _tensors(part) for name, part in value.items()}
    return [_tensors(part) for part in value] if isinstance(value, list) else value


def _same(a: Any, b: Any) -> bool:
    """Whether two values are equal in every digit, all arrays in them included."""
    if isinstance(a, Mapping):
        return all(_same(a[name], b.get(name)) for name in a)
    if isinstance(a, list):
        return all(map(_same, a, b))
    return np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) else bool(a == b)


def _judge(exercise: Exercise, cases: list[Case]) -> tuple[str, ...]:
    """What is wrong, if anything is: the first wrong result, with a hint, then the others."""
    wrong = {
        name: [case for case in cases if not case.comparisons[i].agrees]
        for i, name in enumerate(exercise.results)
    }
    names = [name for name, failures in wrong.items() if failures]
    if names:
        name, failures = names[0], wrong[names[0]]
        remarks = _how_wrong(name, failures[0])
        if text := hint(exercise, name, failures):
            remarks.append(text)
        if exercise is MODEL:
            remarks.append(f"Wrong, in the order of the backward pass: {', '.join(names)}.")
            remarks.append("The mistake is before the first of these, after the last right one.")
        elif len(names) > 1:
            remarks += _how_wrong(names[1], wrong[names[1]][0])
            remarks += filter(None, [hint(exercise, names[1], wrong[names[1]])])
        return tuple(remarks)
    for case in cases:
        for name in exercise.results:
            if case.got[name].dtype != case.want[name].dtype:
                return (f"{name} is {case.got[name].dtype} where its arguments are {case}.",)
    return ()


def _how_wrong(name: str, case: Case) -> list[str]:
    got, want = case.got[name], case.want[name]
    if got.shape != want.shape:
        return [f"{name} has the shape {got.shape}, and should have {want.shape}.", f"({case})"]
    comparison = next(comparison for comparison in case.comparisons if comparison.name == name)
    with np.errstate(invalid="ignore"):
        distance = np.nan_to_num(np.abs(got - want), nan=np.inf)
    worst = np.unravel_index(np.argmax(distance), distance.shape)
    return [
        f"{name} is off by {100 * comparison.error:.3g} %: {got[worst]:.4g} at "
        f"{list(map(int, worst))}, where autograd finds {want[worst]:.4g}.",
        f"({case})",
    ]


# Hints


def hint(exercise: Exercise, name: str, cases: list[Case]) -> str | None:
    """The known mistake that explains all the wrong cases of a result, if there is one."""
    pairs = [(case.got[name], case.want[name]) for case in cases]
    if all(got.shape == want.shape[::-1] and _close(got.T, want) for got, want in pairs):
        return "It is transposed."
    if all(got.ndim > want.ndim and _close(got.sum(0), want) for got, want in pairs):
        return "The sum over the batch is missing."
    if text := _factor_hint(cases, [_factor(got, want) for got, want in pairs]):
        return text
    if len(exercise.results) == 2:
        first, second = exercise.results
        if all(
            _close(case.got[first], case.want[second])
            and _close(case.got[second], case.want[first])
            for case in cases
        ):
            return f"{first} and {second} are exchanged."

    def explained_by(**changed: float) -> bool:
        """Whether the source, with arguments filled with other numbers, finds the same."""
        for case in cases:
            others = {key: _filled(case.given[key], value) for key, value in changed.items()}
            result = _results(exercise, exercise.source(**{**case.given, **others}))
            if not _close(case.got[name], result[name]):
                return False
        return True

    for error in ERRORS:
        with error.applied():
            if explained_by():
                return f"This is a known mistake: {error.name}. {error.explanation}"
    for argument, value in cases[0].given.items():
        if isinstance(value, np.ndarray | float):
            for number in (1, 0):
                if explained_by(**{argument: number}):
                    return f"It would be right if {argument} were {number}: is {argument} missing?"
    return None


def _factor_hint(cases: list[Case], factors: list[float]) -> str | None:
    def all_are(values: list[float]) -> bool:
        return bool(np.allclose(factors, values, rtol=1e-3))

    if not np.any(factors):
        return "It is 0 everywhere."
    if all_are([-1.0] * len(factors)):
        return "The sign is wrong."
    if all_are(factors[:1] * len(factors)):
        missing = Fraction(1 / factors[0]).limit_denominator(8)
        what = f": a factor {missing} is missing" if np.isclose(missing * factors[0], 1) else ""
        return f"It is {factors[0]:.3g} times what it should be{what}."
    if all_are([1 / case.rows for case in cases]):
        return "It is a mean over the batch, and should be a sum."
    columns = [next(iter(case.want.values())).shape[-1] for case in cases]
    if all_are([1 / n for n in columns]):
        return "It is a mean over the columns; in a sum, each of them counts whole."
    if all_are([1 / (case.rows * n) for case, n in zip(cases, columns, strict=True)]):
        return "It is a mean over all entries; in a sum, each of them counts whole."
    return None


def _factor(got: Array, want: Array) -> float:
    """The number c for which got is c want, or nan."""
    if got.shape != want.shape or not want.any():
        return math.nan
    factor = float(np.vdot(got, want) / np.vdot(want, want))
    return factor if _close(got, factor * want) else math.nan


def _close(a: Array, b: Array) -> bool:
    """Whether the difference is small by norm: enough to recognise a mistake."""
    return a.shape == b.shape and bool(np.linalg.norm(a - b) <= 1e-3 * np.linalg.norm(b))


def _filled(value: Any, number: float) -> Any:
    return np.full_like(value, number) if isinstance(value, np.ndarray) else float(number)


# The learner's file


def _load(path: Path) -> ModuleType:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"there is no {path}: copy {EXERCISES_FILE} to begin") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a Python file: {error}") from None
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    try:
        exec(compile(text, str(path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{path} cannot be run. " + " ".join(_describe(error, str(path)))
        ) from None
    return module


def _describe(error: BaseException, path: str) -> tuple[str, ...]:
    """An error of the learner's code, with the line of the file where it arose."""
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError) and error.filename == path:
        return (f"Line {error.lineno} is no valid Python: {error.msg}", (error.text or "").strip())
    lines = [
        number
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == path
    ]
    if not lines:
        return (f"{what}. Is its signature still that of {EXERCISES_FILE}?",)
    return (f"Line {lines[-1]}: {linecache.getline(path, lines[-1]).strip()}", what)


# The command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="your functions; it is executed")


def run(file: Path) -> int:
    """Prints the verdicts; returns 0 if all are right, else 1."""
    verdicts = grade(file)
    for verdict in verdicts:
        print(f"{verdict.name:<33} {verdict.state}")
        for remark in verdict.remarks:
            print(textwrap.indent(textwrap.fill(remark, 84, break_on_hyphens=False), "    "))
    right = sum(verdict.state == "right" for verdict in verdicts)
    print(
        f"\n{right} of {len(verdicts)} right" + (": all done." if right == len(verdicts) else ".")
    )
    return 0 if right == len(verdicts) else 1
