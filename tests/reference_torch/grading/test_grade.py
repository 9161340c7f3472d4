"""The grader: right is right, and a file that cannot be graded is one line."""

import os
import re
from pathlib import Path

import pytest
from exercises import by_hand

from reference_torch.__main__ import main
from reference_torch.grading.exercises import EXERCISES

EXERCISES_FILE = Path(by_hand.__file__)
SOLUTIONS = """
import numpy as np
from numpyvae import VAE, Adam, FullyConnected
from numpyvae.convolution import *
from numpyvae.flat import FlatArrays
from numpyvae.functional import *
from numpyvae.importance import log_mean_exp_backward, log_weights_backward


def backward(w, a, x, eps, beta, reconstruction):
    sizes = x.shape[1], *w["encoder2.weight"].shape[::-1], eps.shape[1]
    vae = VAE(FullyConnected(*sizes, x.dtype), reconstruction)
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


def iwae_backward_z(log_w, slope, z):
    weights, direct_z, _ = log_weights_backward(log_mean_exp_backward(-1.0, log_w), z, z[:, 0])
    return weights[:, :, None] * slope + direct_z


def dreg_backward(log_w, slope, z, log_var, eps):
    w = -log_mean_exp_backward(-1.0, log_w)[:, :, None]
    grad_z = w**2 * (slope + z - eps * np.exp(-0.5 * log_var)[:, None])
    log_var = np.broadcast_to(log_var[:, None], z.shape)
    mean, log_var = reparameterize_backward(grad_z, log_var, eps)
    return mean.sum(1), log_var.sum(1)
"""


# No ReLU at h3, and nothing after it
MODEL_WITHOUT_A_RELU = """
def backward(w, a, x, eps, beta, reconstruction):
    g = {name: 0 * array for name, array in w.items()}

    def layer(name, grad_y, x):
        g[name + ".weight"], g[name + ".bias"] = linear_backward_parameters(grad_y, x)
        return linear_backward_input(grad_y, w[name + ".weight"])

    if reconstruction == "bce":
        grad = bernoulli_cross_entropy_backward(a["logits"], x)
    else:
        grad = sigmoid_backward(squared_error_backward(a["y"], x), a["y"])
    h4 = layer("decoder3", grad, a["h4"])
    h3 = layer("decoder2", relu_backward(h4, a["h4"]), a["h3"])
    layer("decoder1", h3, a["z"])
    return g
"""


# The weights only once
STICKING_THE_LANDING = """
def dreg_backward(log_w, slope, z, log_var, eps):
    w, std = log_mean_exp_backward(1.0, log_w)[:, :, None], np.exp(log_var / 2)[:, None]
    grad_z = w * (slope + z - eps / std)
    return grad_z.sum(1), (grad_z * eps * std / 2).sum(1)
"""


def test_nothing_is_written_yet(call):
    status, shown, _ = call(main, f"grade {EXERCISES_FILE}")
    assert status == 1
    assert shown.count("not yet written") == len(EXERCISES)
    assert shown.endswith("0 of 17 right.\n")


def test_the_solutions_are_the_source(call, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(SOLUTIONS)
    status, shown, _ = call(main, f"grade {file}")
    assert status == 0
    assert shown.count(" right\n") == len(EXERCISES)


def test_the_page_shows_what_the_grader_says(call, tmp_path):
    text = EXERCISES_FILE.read_text()
    for body in (
        "return x.T @ grad_y, grad_y.sum(0)",
        "return grad_y @ weight",
        "grad_y *= y > 0\n    return grad_y",
        "return grad_y * y(1 - y)",
    ):
        text = text.replace("raise NotImplementedError", body, 1)
    (tmp_path / "mine.py").write_text(text)
    _, shown, _ = call(main, f"grade {tmp_path / 'mine.py'}")
    page = (EXERCISES_FILE.parents[1] / "exercises.md").read_text()
    operations, model, estimate = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    assert shown.startswith(operations)
    text = f"import numpy as np\n{MODEL_WITHOUT_A_RELU}{STICKING_THE_LANDING}"
    (tmp_path / "mine.py").write_text(text)
    _, shown, _ = call(main, f"grade {tmp_path / 'mine.py'}")
    assert model in shown
    assert estimate in shown


def test_an_error_in_one_function_leaves_the_others_graded(graded, written):
    text = written("relu_backward", "return undefined") + written(
        "squared_error_backward", "return 2 * (y - x)"
    )
    verdicts = graded(text)
    assert verdicts["squared_error_backward"] == ("right", ())
    state, remarks = verdicts["relu_backward"]
    assert state == "wrong"
    assert remarks == (
        "Line 4: return undefined",
        "NameError: name 'undefined' is not defined",
    )


def test_the_line_of_an_error_is_the_innermost_of_the_file(graded, written):
    text = "def helper(): return 1 / 0\n\n" + written("relu_backward", "return helper()")
    assert graded(text)["relu_backward"][1][0] == "Line 1: def helper(): return 1 / 0"


def test_the_line_of_an_error_is_that_of_the_file_as_it_is_now(graded, written):
    for name in ("undefined", "another"):
        remarks = graded(written("relu_backward", f"return {name}"))["relu_backward"][1]
        assert remarks[0] == f"Line 4: return {name}"


def test_a_changed_signature_is_named(graded):
    state, remarks = graded("def relu_backward(grad): return grad")["relu_backward"]
    assert state == "wrong"
    assert "unexpected keyword argument" in remarks[0]
    assert "Is its signature still that of docs/exercises/by_hand.py?" in remarks[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "mine.py: copy docs/exercises/by_hand.py to begin"),
        ("x = 1", "none of the functions"),
        ("x = 1\ndef f(:\n", "Line 2 is no valid Python: invalid syntax def f"),
        ("x = 1\ny = x / 0", "Line 2: y = x / 0 ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(0)", "Line 2: sys.exit"),
        (b"\xff", "Line 1 is no valid Python: (unicode error)"),
        (b"x = '\0'", "cannot be run"),
    ],
)
def test_a_file_that_cannot_be_graded_is_one_line(own_folder, assert_mistake, text, message):
    file = own_folder / "mine.py"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert_mistake(main, f"grade {file}", message)


def test_a_pipe_is_refused_and_not_waited_for(own_folder, assert_mistake):
    os.mkfifo("mine.py")
    assert_mistake(main, "grade mine.py", "cannot read mine.py, ")


def test_the_help_says_that_the_file_is_run(call):
    assert "grading runs it" in call(main, "grade --help")[1]
