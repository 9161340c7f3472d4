"""Every hint is given where it belongs."""

import pytest

from reference_torch.grading.exercises import OPERATIONS

OPERATION_NAMES = [exercise.name for exercise in OPERATIONS]
LAYERS = """
    g = {}
    def layer(name, grad_y, x):
        g[name + ".weight"], g[name + ".bias"] = linear_backward_parameters(grad_y, x)
        return linear_backward_input(grad_y, w[name + ".weight"])
"""


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
def test_every_known_mistake_gets_its_hint(graded, written, name, body, hint):
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
def test_adam(graded, written, right, wrong, hint):
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
