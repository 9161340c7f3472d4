"""The exercises and their grader: right is right, and every hint is given where it belongs."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest
import torch

from numpyvae import functional as F
from numpyvae.commands.arguments import Parser, execute
from reference_torch.grading.exercises import EXERCISES, OPERATIONS
from reference_torch.grading.grade import DESCRIPTION, add_arguments, grade, run

EXERCISES_FILE = Path(__file__).parent.parent / "docs/exercises/by_hand.py"
NAMES = [exercise.name for exercise in EXERCISES]
OPERATION_NAMES = [exercise.name for exercise in OPERATIONS]

# The source's own functions, in the form of the exercises
SOLUTIONS = """
from numpyvae import VAE, Adam
from numpyvae.flat import FlatArrays
from numpyvae.functional import *


def backward(w, a, x, eps, beta, reconstruction):
    vae = VAE(x.shape[1], *w["encoder2.weight"].shape[::-1], eps.shape[1], reconstruction, x.dtype)
    for name, parameter in vae.parameters.items():
        parameter[...] = w[name]
    vae.forward(x, eps, beta)
    vae.activations.update(a)
    return dict(vae.backward())


def adam_step(p, g, m, v, t, lr, betas, eps, weight_decay):
    parameters = FlatArrays({"p": p.shape}, p.dtype)
    parameters.flat = p
    adam = Adam(parameters, lr, betas, eps, weight_decay)
    adam.gradient_sum, adam.square_sum, adam.steps = m, v, t - 1
    adam.step({"p": g})
"""
LAYERS = """
    g = {}
    def layer(name, grad_y, x):
        g[name + ".weight"], g[name + ".bias"] = linear_backward_parameters(grad_y, x)
        return linear_backward_input(grad_y, w[name + ".weight"])
"""


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def graded(tmp_path):
    """Grades a text: (state, remarks) by function."""

    def graded(text):
        file = tmp_path / "mine.py"
        file.write_text(text)
        return {v.name: (v.state, " ".join(v.remarks)) for v in grade(file)}

    return graded


def written(name, body):
    """A file with one function of the exercises, and that body."""
    function = getattr(exercises(), name)
    body = "\n".join(f"    {line}" for line in body.splitlines())
    head = "import numpy as np\nfrom numpyvae.functional import Array\n"
    return f"{head}def {name}({', '.join(inspect.signature(function).parameters)}):\n{body}\n"


def main(*arguments):
    """``python -m reference_torch grade``"""
    parser = Parser(prog="grade", description=DESCRIPTION)
    add_arguments(parser)
    parser.set_defaults(run=run)
    return execute(parser, arguments)


def exercises():
    spec = importlib.util.spec_from_file_location("by_hand", EXERCISES_FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The exercises


@pytest.mark.parametrize("name", OPERATION_NAMES)
def test_an_exercise_is_its_source_without_out_and_formula(name):
    exercise, source = getattr(exercises(), name), getattr(F, name)
    signature = inspect.signature(source)
    parameters = [p for p in signature.parameters.values() if p.name != "out"]
    assert inspect.signature(exercise) == signature.replace(parameters=parameters)

    def asked(function):
        first, *_ = function.__doc__.split("\n\n")
        return re.findall(r"dL/d\w+", first), set(re.findall(r"\(B\d+\)", first))

    results, equations = asked(source)
    assert asked(exercise)[0] == results
    assert equations <= asked(exercise)[1]


def test_the_file_has_the_graded_functions_in_their_order():
    module = exercises()
    defined = [name for name, _ in inspect.getmembers(module, inspect.isfunction)]
    assert sorted(defined) == sorted(NAMES)
    lines = [inspect.getsourcelines(getattr(module, name))[1] for name in NAMES]
    assert lines == sorted(lines)


def test_nothing_is_written_yet(capsys):
    assert main(str(EXERCISES_FILE)) == 1
    shown = capsys.readouterr().out
    assert shown.count("not yet written") == len(NAMES)
    assert shown.endswith("0 of 10 right.\n")


def test_the_solutions_are_the_source(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(SOLUTIONS)
    assert main(str(file)) == 0
    assert capsys.readouterr().out.count(" right\n") == len(NAMES)


def test_the_page_shows_what_the_grader_says(tmp_path, capsys):
    text = EXERCISES_FILE.read_text()
    for body in (
        "return x.T @ grad_y, grad_y.sum(0)",
        "return grad_y @ weight",
        "grad_y *= y > 0\n    return grad_y",
        "return grad_y * y(1 - y)",
    ):
        text = text.replace("raise NotImplementedError", body, 1)
    (tmp_path / "mine.py").write_text(text)
    main(str(tmp_path / "mine.py"))
    page = (EXERCISES_FILE.parents[1] / "exercises.md").read_text()
    example = re.search(r"```text\n(.*?)```", page, re.DOTALL)[1]
    assert capsys.readouterr().out.startswith(example)


# Hints


@pytest.mark.parametrize(
    ("name", "body", "hint"),
    [
        ("squared_error_backward", "return y - x", "a factor 2 is missing"),
        ("squared_error_backward", "return 2 * (x - y)", "The sign is wrong."),
        ("squared_error_backward", "return 0 * y", "It is 0 everywhere."),
        ("squared_error_backward", "return 2 * (y - x) / len(y)", "a mean over the batch"),
        ("squared_error_backward", "return 2 * (y - x) / y.shape[1]", "a mean over the columns"),
        ("squared_error_backward", "return 2 * (y - x) / y.size", "a mean over all entries"),
        ("linear_backward_parameters", "return x.T @ grad_y, grad_y.sum(0)", "It is transposed."),
        ("linear_backward_parameters", "return grad_y.T @ x, grad_y", "over the batch is missing"),
        (
            "linear_backward_parameters",
            "return (grad_y[:, :, None] * x[:, None]), grad_y.sum(0)",
            "The sum over the batch is missing",
        ),
        ("linear_backward_parameters", "return grad_y.sum(0), grad_y.T @ x", "are exchanged"),
        (
            "linear_backward_parameters",
            "return grad_y.T @ x",
            "It returns a ndarray, and should return grad_weight and grad_bias.",
        ),
        ("linear_backward_input", "return grad_y @ weight + weight[0]", "off by"),
        ("linear_backward_input", "return (grad_y @ weight).T", "It is transposed."),
        ("linear_backward_input", "grad_y @ weight", "It returns None"),
        ("linear_backward_input", "return weight, grad_y", "a tuple, and should return grad_x."),
        ("linear_backward_input", "return 'x'", "no array of numbers"),
        (
            "linear_backward_input",
            "return (grad_y @ weight)[:, :, None]",
            "has the shape (4, 3, 1)",
        ),
        ("linear_backward_input", "return grad_y.astype(float) @ weight", "is float64 where"),
        ("relu_backward", "return grad_y", "if y were 1: is y missing?"),
        ("relu_backward", "grad_y *= y > 0; return grad_y", "writes into its argument grad_y"),
        ("sigmoid_backward", "return y * (1 - y)", "if grad_y were 1: is grad_y missing?"),
        (
            "reparameterize_backward",
            "return grad_z, grad_z * np.exp(log_var / 2) / 2",
            "if eps were 1: is eps missing?",
        ),
        (
            "reparameterize_backward",
            "eps = np.random.standard_normal(eps.shape)\n"
            "return grad_z, grad_z * eps * np.exp(log_var / 2) / 2",
            "two different results",
        ),
        (
            "reparameterize_backward",
            "return grad_z, grad_z * eps * np.exp(log_var)",
            "a known mistake: exp(log_var) as the standard deviation.",
        ),
        (
            "kl_divergence_backward",
            "return mean, (np.exp(log_var) - 1) / 2",
            "if grad_kl were 1: is grad_kl missing?",
        ),
        (
            "kl_divergence_backward",
            "return grad_kl * mean, grad_kl * np.exp(log_var) / 2",
            "a known mistake: the -1 missing in the KL's path into log_var.",
        ),
        ("bernoulli_cross_entropy_backward", "return np.nan * x", "autograd finds"),
        ("bernoulli_cross_entropy_backward", "return x @ x", "Line 4: return x @ x ValueError:"),
        ("adam_step", "p = p - lr * g", "It leaves p as it was."),
        ("adam_step", "p -= lr * g", "It leaves m as it was."),
        ("adam_step", "raise NotImplementedError", ""),
    ],
)
def test_every_known_mistake_gets_its_hint(graded, name, body, hint):
    verdicts = graded(written(name, body))
    state, remarks = verdicts.pop(name)
    assert hint in remarks
    assert state == ("wrong" if hint else "not yet written")
    assert {remarks for _, remarks in verdicts.values()} == {"The file has no such function."}


ADAM = """\
m *= betas[0]; m += (1 - betas[0]) * g
v *= betas[1]; v += (1 - betas[1]) * g**2
m_hat, v_hat = m / (1 - betas[0]**t), v / (1 - betas[1]**t)
p -= lr * weight_decay * p + lr * m_hat / (np.sqrt(v_hat) + eps)"""


@pytest.mark.parametrize(
    ("right", "wrong", "hint"),
    [
        ("", "", ""),
        ("m / (1 - betas[0]**t), v / (1 - betas[1]**t)", "m, v", "no bias correction in Adam"),
        ("weight_decay * p", "0", "is weight_decay missing?"),
        ("lr * weight_decay", "weight_decay", "weight decay not scaled by the learning rate"),
        ("(np.sqrt(v_hat) + eps)", "np.sqrt(v_hat + eps)", "eps inside the square root"),
        ("**t", "**(t + 1)", "steps counted from 2"),
        ("(1 - betas[1]) * g**2", "g**2", "off by"),
    ],
)
def test_adam(graded, right, wrong, hint):
    assert right in ADAM
    state, remarks = graded(written("adam_step", ADAM.replace(right, wrong) if right else ADAM))[
        "adam_step"
    ]
    assert state == ("wrong" if hint else "right"), remarks
    assert hint in remarks


MODEL = (
    LAYERS
    + """
    if reconstruction == "bce":
        grad = bernoulli_cross_entropy_backward(a["logits"], x)
    else:
        grad = sigmoid_backward(squared_error_backward(a["y"], x), a["y"])
    grad = relu_backward(layer("decoder3", grad, a["h4"]), a["h4"])
    grad = relu_backward(layer("decoder2", grad, a["h3"]), a["h3"])
    mean, log_var = reparameterize_backward(layer("decoder1", grad, a["z"]), a["log_var"], eps)
    kl_mean, kl_log_var = kl_divergence_backward(beta, a["mean"], a["log_var"])
    grad = layer("mean", mean + kl_mean, a["h2"]) + layer("log_var", log_var + kl_log_var, a["h2"])
    grad = relu_backward(layer("encoder2", relu_backward(grad, a["h2"]), a["h1"]), a["h1"])
    layer("encoder1", grad, x)
    return g
"""
)


@pytest.mark.parametrize(
    ("right", "wrong", "hint", "first"),
    [
        ("", "", "", ""),
        (
            " + kl_log_var",
            "",
            "a known mistake: the KL's path into log_var forgotten.",
            "log_var.weight, log_var.bias, encoder2.weight, encoder2.bias, encoder1",
        ),
        ("(beta,", "(1.0,", "a known mistake: beta missing in the backward pass.", "mean.weight"),
        (
            ' + layer("log_var", log_var + kl_log_var, a["h2"])',
            '; layer("log_var", log_var + kl_log_var, a["h2"])',
            "only one head's gradient reaches h2",
            "encoder2.weight",
        ),
        (
            'relu_backward(layer("decoder2", grad, a["h3"]), a["h3"])',
            'layer("decoder2", grad, a["h3"])',
            "ReLU forgotten in the backward pass",
            "decoder1.weight",
        ),
        ('a["y"], x), a["y"]', 'a["Y"], x), a["y"]', "KeyError: 'Y'", ""),
        ("return g", "return list(g)", "It returns a list: return a dict", ""),
        ('layer("encoder1", grad, x)', "", "missing in what it returns: encoder1.weight", ""),
        ("return g", "a['h3'] *= 2; return g", "writes into its argument a", ""),
    ],
)
def test_the_whole_model(graded, right, wrong, hint, first):
    assert right in MODEL
    body = MODEL.replace(right, wrong) if right else MODEL
    text = f"def backward(w, a, x, eps, beta, reconstruction):{body}\n"
    # its own operations are all wrong, which is not counted again
    text += "".join(f"def {name}(*arguments): return 0\n" for name in OPERATION_NAMES)
    state, remarks = graded(text)["backward"]
    assert state == ("wrong" if hint else "right"), remarks
    assert hint in remarks
    if first:
        assert f"order of the backward pass: {first}" in remarks


# The file


def test_an_error_in_one_function_leaves_the_others_graded(graded):
    text = written("relu_backward", "return undefined") + written(
        "squared_error_backward", "return 2 * (y - x)"
    )
    verdicts = graded(text)
    assert verdicts["squared_error_backward"] == ("right", "")
    state, remarks = verdicts["relu_backward"]
    assert state == "wrong"
    assert remarks == "Line 4: return undefined NameError: name 'undefined' is not defined"


def test_the_line_of_an_error_is_the_innermost_of_the_file(graded):
    text = "def helper(): return 1 / 0\n\n" + written("relu_backward", "return helper()")
    assert graded(text)["relu_backward"][1].startswith("Line 1: def helper(): return 1 / 0 Zero")


def test_a_changed_signature_is_named(graded):
    state, remarks = graded("def relu_backward(grad): return grad")["relu_backward"]
    assert state == "wrong"
    assert "unexpected keyword argument" in remarks
    assert "Is its signature still that of docs/exercises/by_hand.py?" in remarks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no .*mine.py: copy docs/exercises/by_hand.py to begin"),
        ("x = 1", "none of the functions"),
        ("x = 1\ndef f(:\n", "Line 2 is no valid Python: .* def f"),
        ("x = 1\ny = x / 0", "Line 2: y = x / 0 ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(0)", "Line 2: sys.exit"),
        (b"\xff", "cannot be read as a Python file"),
        (b"x = '\0'", "cannot be run"),
    ],
)
def test_a_file_that_cannot_be_graded_is_one_line(tmp_path, capsys, text, message):
    file = tmp_path / "mine.py"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(str(file)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.search(message, shown.err)
    assert shown.err.count("\n") == 1


def test_the_help_says_that_the_file_is_run(capsys):
    with pytest.raises(SystemExit):
        main("--help")
    assert "grading runs it" in capsys.readouterr().out
