"""Mistakes of learners: each is caught, the first wrong array is named, and hints are right."""

import re

import pytest

from reference_torch.grading.exercises import OPERATIONS

OPERATION_NAMES = [exercise.name for exercise in OPERATIONS]
SOLUTIONS = """\
import numpy as np


def linear_backward_parameters(grad_y, x):
    return grad_y.T @ x, grad_y.sum(axis=0)


def linear_backward_input(grad_y, weight):
    return grad_y @ weight


def relu_backward(grad_y, y):
    return grad_y * (y > 0)


def sigmoid_backward(grad_y, y):
    return grad_y * y * (1 - y)


def squared_error_backward(y, x):
    return 2 * (y - x)


def bernoulli_cross_entropy_backward(logits, x):
    return 1 / (1 + np.exp(-logits)) - x


def reparameterize_backward(grad_z, log_var, eps):
    return grad_z.copy(), grad_z * eps * np.exp(log_var / 2) / 2


def kl_divergence_backward(grad_kl, mean, log_var):
    return grad_kl * mean, grad_kl * (np.exp(log_var) - 1) / 2


def backward(w, a, x, eps, beta, reconstruction):
    g = {}

    def layer(name, grad_y, x):
        g[name + ".weight"], g[name + ".bias"] = linear_backward_parameters(grad_y, x)
        return linear_backward_input(grad_y, w[name + ".weight"])

    if reconstruction == "bce":
        logits = bernoulli_cross_entropy_backward(a["logits"], x)
    else:
        y = squared_error_backward(a["y"], x)
        logits = sigmoid_backward(y, a["y"])
    h4 = layer("decoder3", logits, a["h4"])
    a4 = relu_backward(h4, a["h4"])
    h3 = layer("decoder2", a4, a["h3"])
    a3 = relu_backward(h3, a["h3"])
    z = layer("decoder1", a3, a["z"])
    z_mean, z_log_var = reparameterize_backward(z, a["log_var"], eps)
    kl_mean, kl_log_var = kl_divergence_backward(beta, a["mean"], a["log_var"])
    mean, log_var = z_mean + kl_mean, z_log_var + kl_log_var
    h2 = layer("mean", mean, a["h2"]) + layer("log_var", log_var, a["h2"])
    a2 = relu_backward(h2, a["h2"])
    h1 = layer("encoder2", a2, a["h1"])
    a1 = relu_backward(h1, a["h1"])
    layer("encoder1", a1, x)
    return g


def adam_step(p, g, m, v, t, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    p -= lr * weight_decay * p
    p -= lr * m_hat / (np.sqrt(v_hat) + eps)


def log_weights_backward(grad_log_w, z, log_var):
    summed = grad_log_w.sum(axis=1, keepdims=True)
    return -grad_log_w, -grad_log_w[:, :, None] * z, 0.5 * summed * np.ones_like(log_var)


def log_mean_exp_backward(grad_bound, log_w):
    w = np.exp(log_w - log_w.max(axis=1, keepdims=True))
    return grad_bound * w / w.sum(axis=1, keepdims=True)


def iwae_backward_z(log_w, slope, z):
    w = -log_mean_exp_backward(-1.0, log_w)[:, :, None]
    return w * (slope + z)


def dreg_backward(log_w, slope, z, log_var, eps):
    w = -log_mean_exp_backward(-1.0, log_w)[:, :, None]
    std = np.exp(0.5 * log_var)[:, None]
    grad_z = w**2 * (slope + z - eps / std)
    grad_log_var = 0.5 * grad_z * eps * std
    return grad_z.sum(axis=1), grad_log_var.sum(axis=1)
"""
# What is right  ->  what is written instead, in the solution above; below it the first wrong array
# (or another remark) and the hint, or - where there is none.
MISTAKES = """
linear_backward_parameters
    grad_y.T @ x  ->  x.T @ grad_y
        grad_weight: It is transposed.
    grad_y.T @ x  ->  grad_y.T @ x / len(x)
        grad_weight: a mean over the batch
    grad_y.T @ x  ->  grad_y[:, :, None] * x[:, None]
        grad_weight: over the batch is missing
    grad_y.sum(axis=0)  ->  grad_y
        grad_bias: over the batch is missing
    sum(axis=0)  ->  sum(axis=0, keepdims=True)
        grad_bias: keepdims
    sum(axis=0)  ->  sum(axis=1)
        grad_bias: the outputs, axis 1
    sum(axis=0)  ->  sum()
        grad_bias is a float64: -
    sum(axis=0)  ->  mean(axis=0)
        grad_bias: a mean over the batch
    grad_y.sum(axis=0)  ->  0 * grad_y[0]
        grad_bias: It is 0 everywhere.
    grad_y.T @ x, grad_y.sum(axis=0)  ->  grad_y.sum(axis=0), grad_y.T @ x
        grad_weight: exchanged
linear_backward_input
    grad_y @ weight  ->  (grad_y @ weight).T
        grad_x: It is transposed.
    grad_y @ weight  ->  grad_y @ weight + weight[0]
        grad_x: -
    grad_y @ weight  ->  -grad_y @ weight
        grad_x: The sign is wrong.
    grad_y @ weight  ->  (grad_y @ weight)[:, :, None]
        grad_x: shape
relu_backward
    y > 0  ->  y >= 0
        grad_x: always true
    * (y > 0)  ->  + 0
        grad_x: is y missing
    y > 0  ->  grad_y > 0
        grad_x: which unit was on
    (y > 0)  ->  y
        grad_x: and not y
    grad_y * (y > 0)  ->  (y > 0)
        grad_x: is grad_y missing?
    y > 0  ->  y <= 0
        grad_x: -
sigmoid_backward
    grad_y * y  ->  y
        grad_a: is grad_y missing?
    return  ->  y = 1 / (1 + np.exp(-y)); return
        grad_a: already
    * (1 - y)  ->
        grad_a: 1 - y is missing
    grad_y * y  ->  grad_y
        grad_a: factor y is missing
    y * (1 - y)  ->  (1 - y**2)
        grad_a: tanh
    1 - y  ->  y - 1
        grad_a: sign
squared_error_backward
    2 *   ->
        grad_y: a factor 2 is missing
    y - x  ->  x - y
        grad_y: The sign is wrong.
    2 * (y - x)  ->  0 * y
        grad_y: It is 0 everywhere.
    y - x)  ->  y - x) / len(y)
        grad_y: a mean over the batch
    y - x)  ->  y - x) / y.shape[1]
        grad_y: a mean over the columns
    y - x)  ->  y - x) / y.size
        grad_y: a mean over all entries
    y - x  ->  y
        grad_y: is x missing?
    2 * (y - x)  ->  (y - x)**2
        grad_y: the squared error itself
    2 *  ->  -4 *
        grad_y: a factor -1/2 is missing
bernoulli_cross_entropy_backward
    1 / (1 + np.exp(-logits)) - x  ->  logits - x
        grad_logits: The sigmoid is missing
    1 / (1 + np.exp(-logits))  ->  np.exp(logits) / (1 + np.exp(logits))
        grad_logits: overflows
    -logits  ->  logits
        grad_logits: -
    - x  ->
        grad_logits: is x missing?
    return 1 / (1 + np.exp(-logits)) - x
    ->  y = 1 / (1 + np.exp(-logits)); return y * (1 - y) * (y - x)
        grad_logits: counted twice
    return 1 / (1 + np.exp(-logits)) - x  ->  y = 1 / (1 + np.exp(-logits)); return y * (1 - y) - x
        grad_logits: not the sigmoid's slope
    return 1 / (1 + np.exp(-logits)) - x  ->  return x - 1 / (1 + np.exp(-logits))
        grad_logits: sign
    - x  ->  + np.nan
        grad_logits: -
reparameterize_backward
    np.exp(log_var / 2) / 2  ->  np.exp(log_var)
        grad_log_var: exp(log_var) as the standard deviation
    log_var / 2)  ->  log_var)
        grad_log_var: its root, exp(log_var / 2)
    log_var / 2  ->  -log_var / 2
        grad_log_var: exponent
    ) / 2  ->  )
        grad_log_var: a factor 1/2 is missing
    np.exp(log_var / 2)  ->  log_var
        grad_log_var: again
    * eps   ->
        grad_log_var: is eps missing?
    grad_z * eps  ->  eps
        grad_log_var: is grad_z missing?
    * np.exp(log_var / 2)  ->
        grad_log_var: if log_var were 0
    * eps * np.exp(log_var / 2) / 2  ->  * np.exp(log_var / 2)
        grad_log_var: 1/2, are missing
    grad_z.copy()  ->  grad_z * eps
        grad_mean: eps does not multiply
kl_divergence_backward
    grad_kl * mean  ->  mean
        grad_mean: is grad_kl missing?
    grad_kl * mean  ->  2 * grad_kl * mean
        grad_mean: a factor 1/2 is missing
    grad_kl * mean  ->  mean / grad_kl
        grad_mean: -
    (np.exp(log_var) - 1)  ->  np.exp(log_var)
        grad_log_var: the -1 missing
    ) / 2  ->  )
        grad_log_var: a factor 1/2 is missing
    np.exp(log_var) - 1  ->  1 - np.exp(log_var)
        grad_log_var: sign
    log_var) -  ->  log_var / 2) -
        grad_log_var: and not its root
    (np.exp(log_var) - 1) / 2  ->  np.exp(log_var)
        grad_log_var: Both the 1/2 and the -1
    (np.exp(log_var) - 1) / 2  ->  (np.exp(log_var) / 2 - 1)
        grad_log_var: belongs to the -1
    - 1)  ->  - 1 - log_var)
        grad_log_var: own formula
    grad_kl * (  ->  (
        grad_log_var: is grad_kl missing?
backward
    sigmoid_backward(y, a["y"])  ->  y
        at logits, (B8): the sigmoid's derivative forgotten
    sigmoid_backward(y, a["y"])  ->  sigmoid_backward(y, a["logits"])
        at logits, (B8): the logits given to
    squared_error_backward(a["y"], x)  ->  squared_error_backward(x, a["y"])
        at y, (B9): sign is wrong
    squared_error_backward(a["y"], x)  ->  a["y"] - x
        at y, (B9): a factor 2
    squared_error_backward(a["y"], x)  ->  squared_error_backward(a["logits"], x)
        at y, (B9): -
    bernoulli_cross_entropy_backward(a["logits"], x)  ->  a["logits"] - x
        at logits, (B10): -
    bernoulli_cross_entropy_backward(a["logits"], x)
    ->  sigmoid_backward(bernoulli_cross_entropy_backward(a["logits"], x), 1 / (1 +
    np.exp(-a["logits"])))
        of decoder3.weight, (B2): counted twice
    logits, a["h4"])  ->  logits, relu_backward(a["h4"], a["h1"]))
        of decoder3.weight, (B2): -
    relu_backward(h4, a["h4"])  ->  h4
        at a4, (B6): ReLU forgotten at h4
    relu_backward(h3, a["h3"])  ->  h3
        at a3, (B6): ReLU forgotten in
    relu_backward(h2, a["h2"])  ->  h2
        at a2, (B6): ReLU forgotten at h2
    relu_backward(h1, a["h1"])  ->  h1
        at a1, (B6): ReLU forgotten at h1
    (h4, a["h4"])  ->  (h4, a["h1"])
        at a4, (B6): mask from the wrong layer
    (h3, a["h3"])  ->  (h3, a["h2"])
        at a3, (B6): h3 with the mask of h2
    (h2, a["h2"])  ->  (h2, a["h3"])
        at a2, (B6): h2 with the mask of h3
    (h1, a["h1"])  ->  (h1, a["h4"])
        at a1, (B6): h1 with the mask of h4
    (h4, a["h4"])  ->  (h4, h4)
        at a4, (B6): a mask from the gradient
    a3, a["z"]  ->  a3, a["mean"]
        of decoder1.weight, (B2): mean in place of z
    eps)  ->  eps * eps)
        at log_var, through z, (B12): -
    reparameterize_backward(z, a["log_var"], eps)  ->  z, z * eps * np.exp(a["log_var"] / 2)
        at log_var, through z, (B12): a missing 1/2 in z's path
    reparameterize_backward(z, a["log_var"], eps)  ->  z, z * eps * np.exp(a["log_var"]) / 2
        at log_var, through z, (B12): -
    z_mean + kl_mean  ->  z_mean
        at mean, (B15): KL's path into mean forgotten
    z_log_var + kl_log_var  ->  z_log_var
        at log_var, (B16): KL's path into log_var forgotten
    z_log_var + kl_log_var  ->  kl_log_var
        at log_var, (B16): z's path into log_var forgotten
    z_mean + kl_mean  ->  kl_mean
        at mean, (B15): z's path into mean forgotten
    z_mean + kl_mean  ->  z_mean - kl_mean
        at mean, (B15): minus on the KL's path into mean
    z_log_var + kl_log_var  ->  z_log_var - kl_log_var
        at log_var, (B16): minus on the KL's path into log_var
    kl_divergence_backward(beta, a["mean"], a["log_var"])
    ->  (-part for part in kl_divergence_backward(beta, a["mean"], a["log_var"]))
        at mean, (B15): a minus on the KL's path into mean and
    z_mean + kl_mean  ->  z_mean + kl_mean + kl_mean
        of mean.weight, (B2): path into mean counts twice
    z_log_var + kl_log_var  ->  z_log_var + 2 * kl_log_var
        at log_var, (B16): path into log_var counts twice
    z_mean + kl_mean, z_log_var + kl_log_var  ->  z_mean + kl_log_var, z_log_var + kl_mean
        at mean, (B15): two gradients exchanged
    (beta,  ->  (1.0,
        at mean, through the KL, (B13): beta missing in the backward pass
    (beta,  ->  (beta / len(x),
        at mean, through the KL, (B13): divided by the number of images
    (beta,  ->  (beta**2,
        at mean, through the KL, (B13): beta counted twice
    (beta,  ->  (-beta,
        at mean, through the KL, (B13): a minus on the KL's path
    (beta, a["mean"]  ->  (beta, a["z"]
        at mean, through the KL, (B13): -
    layer("mean", mean, a["h2"]) + layer("log_var", log_var, a["h2"])
    ->  layer("log_var", mean, a["h2"]) + layer("mean", log_var, a["h2"])
        of mean.weight, (B2): heads exchanged
    + layer("log_var", log_var, a["h2"])  ->  ; layer("log_var", log_var, a["h2"])
        at h2, (B17): only one head's
    layer("mean", mean, a["h2"]) +  ->  layer("mean", mean, a["h2"]); h2 =
        at h2, (B17): only log_var's
    layer("log_var", log_var, a["h2"])
    ->  layer("log_var", log_var, a["h2"]) * 0 + log_var @ w["mean.weight"]
        at h2, (B17): the weight of mean for both
    layer("mean", mean, a["h2"]) +
    ->  layer("mean", mean, a["h2"]) * 0 + mean @ w["log_var.weight"] +
        at h2, (B17): the weight of log_var for both
    layer("encoder2", a2, a["h1"])  ->  layer("encoder2", h2, a["h1"])
        of encoder2.weight, (B2): ReLU forgotten at h2
    w[name +  ->  w[name.replace('encoder2', 'decoder2') +
        Line 9: -
    = linear_backward_parameters(grad_y, x)
    ->  = (d / len(x) for d in linear_backward_parameters(grad_y, x))
        of decoder3.weight, (B2): a mean over the batch
adam_step
    m_hat / (np  ->  m / (np
        p after step 1: bias correction of m
    m / (1 - beta1**t), v / (1 - beta2**t)  ->  m, v
        p after step 1: no bias correction
    lr * weight_decay * p  ->  0
        p after step 1: is weight_decay missing?
    lr * weight_decay  ->  weight_decay
        p after step 1: not scaled by the learning rate
    np.sqrt(v_hat) + eps  ->  np.sqrt(v_hat + eps)
        p after step 1: eps is inside the square root
    **t  ->  **(t + 1)
        p after step 1: steps are counted from 2
    **t  ->  * t
        p after step 2: multiplied by t
    (1 - beta2) * g**2  ->  g**2
        p after step 1: 1 - beta2 is missing
    (1 - beta2) * g**2  ->  (1 - beta2) * g
        p after step 1: not squared
    p -= lr * m_hat  ->  p += lr * m_hat
        p after step 1: up the gradient
    np.sqrt(v_hat)  ->  v_hat
        p after step 1: square root is missing
    + eps  ->
        p after step 1: is eps missing?
    p -= lr * m_hat  ->  p = p - lr * m_hat
        It leaves p as it was: -
    p -= lr * weight_decay * p
    ->  p -= lr * m_hat / (np.sqrt(v_hat) + eps); p -= lr * weight_decay * p; return
        p after step 1: The decay comes after the step
    beta1, beta2 = betas  ->  beta2, beta1 = betas
        p after step 2: exchanged
    beta1, beta2 = betas  ->  beta1, beta2 = betas; g = g + weight_decay * p; weight_decay = 0
        p after step 1: L2 instead
    p -= lr * weight  ->  p += lr * weight
        p after step 1: makes p larger
    p -= lr * m_hat  ->  p -= m_hat
        p after step 1: lr is missing in the step
log_weights_backward
    return -grad_log_w  ->  return grad_log_w
        grad_reconstruction: The sign is wrong.
    return -grad_log_w  ->  return -np.ones_like(grad_log_w)
        grad_reconstruction: grad_log_w is missing
    None] * z  ->  None] * z**2 / 2
        grad_z: -
    None] * z  ->  None] * np.ones_like(z)
        grad_z: is -z
    None] * z  ->  None] * z / np.exp(log_var)[:, None]
        grad_z: the prior's variance is 1
    0.5 * summed  ->  summed
        grad_log_var: a factor 1/2 is missing
    .sum(axis=1, keepdims=True)  ->  .mean(axis=1, keepdims=True)
        grad_log_var: so their gradients add up
    0.5 * summed  ->  -0.5
        grad_log_var: Here it is any gradient
    summed * np.ones_like(log_var)  ->  summed * log_var
        grad_log_var: and not log_var / 2
    summed * np.ones_like(log_var)  ->  summed * np.exp(log_var)
        grad_log_var: without exp
    summed * np.ones_like(log_var)  ->  summed[:, :, None] * np.ones_like(z)
        grad_log_var: -
log_mean_exp_backward
    w / w.sum(axis=1, keepdims=True)  ->  np.ones_like(w) / w.shape[1]
        grad_log_w: a mean of logs
    w / w.sum(axis=1, keepdims=True)  ->  w
        grad_log_w: not normalized
    log_w - log_w.max(axis=1, keepdims=True)  ->  log_w
        grad_log_w: overflows
    w / w.sum(axis=1, keepdims=True)  ->  w / w.mean(axis=1, keepdims=True)
        grad_log_w: -
    w / w.sum(axis=1, keepdims=True)  ->  w / w.sum(axis=1, keepdims=True) / w.shape[1]
        grad_log_w: K is in the wrong place
    1, keepdims=True)  ->  0, keepdims=True)
        grad_log_w: of one image that compete
    log_w.max(axis=1, keepdims=True)  ->  log_w.max()
        grad_log_w: a largest of its own
    grad_bound * w / w.sum(axis=1, keepdims=True)  ->  w / w.sum(axis=1, keepdims=True)
        grad_log_w: is grad_bound missing?
iwae_backward_z
    w * (slope + z)  ->  w * slope
        grad_z: The prior's path is missing
    w * (slope + z)  ->  w * slope + z
        grad_z: it has the weight, too
    w * (slope + z)  ->  w * (slope - z)
        grad_z: stands in log w with a plus
    w * (slope + z)  ->  w**2 * (slope + z)
        grad_z: DReG, and not here
    w * (slope + z)  ->  slope + z
        grad_z: The weights are missing
    w * (slope + z)  ->  (slope + z) / w.shape[1]
        grad_z: a mean of logs
    w * (slope + z)  ->  w * (slope + z) / w.shape[1]
        grad_z: K is in the wrong place
    w * (slope + z)  ->  -w * (slope + z)
        grad_z: The sign is wrong.
    w * (slope + z)  ->  (w * (slope + z)).sum(axis=1)
        grad_z: -
dreg_backward
    w**2  ->  w
        grad_mean: sticking the landing
    grad_log_var.sum(axis=1)  ->  grad_log_var.sum(axis=1) - 0.5
        grad_log_var: is kept
    - eps / std  ->
        grad_mean: nothing cancels it any more
    w**2 * (slope + z - eps / std)  ->  w * (slope + z)
        grad_log_var: the direct -1/2
    grad_z.sum(axis=1)  ->  (w * (slope + z)).sum(axis=1)
        grad_mean is right on average, but its variance is 1 times: less noise
    slope + z  ->  slope
        grad_mean: The prior's path is missing
    z - eps  ->  z + eps
        grad_mean: The sign of eps / sigma
    eps / std  ->  eps * std
        grad_mean: has to be divided by it
    eps / std  ->  eps / std**2
        grad_mean: divided by its root
    .sum(axis=1)  ->  .mean(axis=1)
        grad_mean: their gradients add up
    w = -log_mean_exp_backward(-1.0, log_w)[:, :, None]  ->  w = np.exp(log_w)[:, :, None]
        grad_mean: not normalized
    w**2  ->  w.shape[1] ** -2.0
        grad_mean: the better one
    0.5 * grad_z * eps  ->  grad_z * eps
        grad_log_var: a factor 1/2 is missing
"""


def mistakes():
    """(function, right, wrong, remark, hint)"""
    function, change = "", []
    for line in MISTAKES.splitlines():
        match len(line) - len(line.lstrip()):
            case 0:
                function = line
            case 4:
                change.append(line.strip())
            case 8:
                right, wrong = re.split(r"\s*->\s*", " ".join(change))
                yield function, right, wrong, *line.strip().split(": ", 1)
                change = []


def only(name):
    """The solution of one exercise."""
    head, *functions = SOLUTIONS.split("\n\n\n")
    return head + next(f"\n\n\n{f}" for f in functions if f.startswith(f"def {name}("))


NO_HINTS = (
    r"The first wrong|It leaves|\w+ is a \w+, and|\(float|Wrong, in|.*(autograd finds|should have)"
    r"|Line \d+|ValueError"
)


@pytest.mark.parametrize(("function", "right", "wrong", "remark", "hint"), list(mistakes()))
def test_a_mistake_is_caught_named_and_explained(
    graded, caplog, function, right, wrong, remark, hint
):
    text = only(function)
    assert right in text
    with caplog.at_level("DEBUG", "reference_torch"):
        state, remarks = graded(text.replace(right, wrong))[function]
    assert state == "wrong"
    first = remarks[0].removeprefix("The first wrong array is the gradient ")
    assert first.startswith(remark), remarks
    hints = [remark for remark in remarks if not re.match(NO_HINTS, remark)]
    assert any(hint in given for given in hints) if hint != "-" else not hints, remarks
    assert not caplog.records  # nothing failed while a hint was looked for


@pytest.mark.parametrize(
    ("function", "body", "remark"),
    [
        ("linear_backward_parameters", "return grad_y.T @ x", "It returns a ndarray, and should"),
        ("linear_backward_input", "grad_y @ weight", "It returns None"),
        ("linear_backward_input", "return weight, grad_y", "a tuple, and should return grad_x."),
        ("linear_backward_input", "return 'x'", "grad_x is a str, and should be a plain"),
        ("linear_backward_input", "return ([[1], [1, 2]],)", "grad_x is a list, and should be"),
        ("linear_backward_input", "yield grad_y", "grad_x is a generator, and should be a plain"),
        ("linear_backward_input", "return grad_y.astype(float) @ weight", "grad_x is float64"),
        ("relu_backward", "grad_y *= y > 0; return grad_y", "It writes into its argument grad_y"),
        ("relu_backward", "return np.empty((0, 3))", "grad_x has the shape (0, 3)"),
        ("relu_backward", "raise SystemExit", "Line 4: raise SystemExit"),
        (
            "reparameterize_backward",
            "return grad_z, grad_z * eps * np.exp(log_var / 2) / 2",
            "grad_mean is its argument grad_z itself, or a part of it",
        ),
        (
            "reparameterize_backward",
            "return grad_z[:, ::-1][:, ::-1], grad_z * eps * np.exp(log_var / 2) / 2",
            "grad_mean is its argument grad_z itself, or a part of it",
        ),
        (
            "reparameterize_backward",
            "eps = np.random.standard_normal(eps.shape)\n"
            "return grad_z, grad_z * eps * np.exp(log_var / 2) / 2",
            "Called again with the same arguments, it gives another result.",
        ),
        ("bernoulli_cross_entropy_backward", "return x @ x", "Line 4: return x @ x"),
        ("backward", "return [x]", "It returns a list: return a dict"),
        ("backward", "return w | {'mean.bias': None}", "These are missing in what it returns"),
        ("backward", "return dict(w)", "decoder3.weight is off by"),
        ("backward", "return a['Y']", "Line 4: return a['Y']"),
        ("backward", "a['h3'] *= 2; return dict(w)", "It writes into its argument a"),
        ("backward", "w['extra'] = x; return dict(w)", "It writes into its argument w"),
        ("adam_step", "m += g; v += g; p -= lr * g; g *= 2", "It writes into its argument g,"),
        ("adam_step", "p = p - lr * g", "It leaves p as it was."),
        ("adam_step", "p -= lr * g", "It leaves m as it was."),
        ("adam_step", "p -= lr * g; m += g", "It leaves v as it was."),
    ],
)
def test_what_is_wrong_beside_the_numbers_is_said(graded, written, function, body, remark):
    state, remarks = graded(written(function, body))[function]
    assert state == "wrong"
    assert remark in remarks[0]


@pytest.mark.parametrize("value", ["np.inf", "np.nan", "1e-310", "1e300", "True", "2", "-1e39"])
def test_whatever_the_numbers_are_they_are_judged(graded, written, caplog, value):
    text = (
        written("squared_error_backward", f"return np.full_like(x, {value}, float)")
        + written("sigmoid_backward", f"return np.array({value})")
        + written("relu_backward", f"return np.full(3, {value})")
        + written(
            "backward", f"return {{n: np.full_like(p, {value}, float) for n, p in w.items()}}"
        )
    )
    with caplog.at_level("DEBUG", "reference_torch"):
        verdicts = graded(text)
    assert sum(state == "wrong" for state, _ in verdicts.values()) == 4
    assert not caplog.records


def test_an_error_while_looking_for_a_hint_leaves_the_verdict(graded, written, monkeypatch):
    monkeypatch.setattr("reference_torch.grading.grade.hint", lambda *_: 1 / 0)
    state, remarks = graded(written("squared_error_backward", "return y - x"))[
        "squared_error_backward"
    ]
    assert state == "wrong"
    assert remarks[0].startswith("grad_y is off by 50 %")


# Written out, without the functions of part 1
BY_FORMULA = """
import numpy as np

def backward(w, a, x, eps, beta, reconstruction):
    y = 1 / (1 + np.exp(-a["logits"]))
    grad = y - x
    if reconstruction == "mse":
        grad = 2 * grad * y * (1 - y)
    g = {}
    h = a["h4"]
    for layer, h in (("decoder3", a["h4"]), ("decoder2", a["h3"]), ("decoder1", a["z"])):
        g[f"{layer}.weight"] = np.einsum("ko,ki->oi", grad, h)
        g[f"{layer}.bias"] = np.add.reduce(grad)
        grad = np.dot(grad, w[f"{layer}.weight"])
        if layer != "decoder1":
            grad[h <= 0] = 0
    heads = {
        "mean": grad + beta * a["mean"],
        "log_var": 0.5 * grad * eps * np.exp(0.5 * a["log_var"])
        + 0.5 * beta * np.expm1(a["log_var"]),
    }
    for layer, head in heads.items():
        g[f"{layer}.weight"], g[f"{layer}.bias"] = np.matmul(head.T, a["h2"]), head.sum(0)
    grad = sum(np.tensordot(head, w[f"{layer}.weight"], 1) for layer, head in heads.items())
    for layer, h, h_in in (("encoder2", a["h2"], a["h1"]), ("encoder1", a["h1"], x)):
        grad = np.where(h > 0, grad, 0)
        g[f"{layer}.weight"], g[f"{layer}.bias"] = grad.T.dot(h_in), np.sum(grad, axis=0)
        grad = grad @ w[f"{layer}.weight"]
    return g
"""


@pytest.mark.parametrize(
    ("right", "wrong", "first"),
    [
        ("", "", None),
        ("2 * grad", "grad", "at y, (B9)"),
        ("grad[h <= 0] = 0", "pass", "at a4, (B6)"),
        ("beta * a", "a", "at mean, through the KL, (B13)"),
        ("0.5 * grad", "grad", "at log_var, through z, (B12)"),
        ("np.exp(0.5 * ", "np.exp(", "at log_var, through z, (B12)"),
        ("np.expm1", "np.exp", "at log_var, through the KL, (B14)"),
        ('head, w[f"{layer}.weight"]', 'head, w["mean.weight"]', "at h2, through log_var, (B4)"),
        ("np.where(h > 0, grad, 0)", "1 * grad", "at a2, (B6)"),
        ("np.add.reduce(grad)", "grad.mean(0)", "of decoder3.bias, (B3)"),
    ],
)
def test_the_first_wrong_array_is_named_in_code_of_any_style(graded, right, wrong, first):
    assert right in BY_FORMULA
    state, remarks = graded(BY_FORMULA.replace(right, wrong) if right else BY_FORMULA)["backward"]
    if first is None:
        assert (state, remarks) == ("right", ())
    else:
        assert remarks[0].startswith(f"The first wrong array is the gradient {first}"), remarks


def test_nothing_is_said_of_arrays_that_cannot_be_seen(graded):
    """Image by image, no array is a whole gradient."""
    text = (
        only("backward").replace("backward(w", "by_image(w")
        + """

def backward(w, a, x, eps, beta, reconstruction):
    g = dict.fromkeys(w, 0)
    for k in range(len(x)):
        part = {name: h[k : k + 1] for name, h in a.items()}
        one = by_image(w, part, x[k : k + 1], eps[k : k + 1], beta, reconstruction)
        g = {name: g[name] + one[name] for name in w}
    return g
"""
    )
    assert graded(text)["backward"] == ("right", ())
    state, remarks = graded(text.replace('relu_backward(h4, a["h4"])', "h4"))["backward"]
    assert state == "wrong"
    assert remarks[0].startswith("decoder2.weight is off by")


def test_the_functions_of_part_1_are_lent_to_part_2(graded):
    wrong = "".join(f"def {name}(*arguments): return 0\n" for name in OPERATION_NAMES)
    assert graded(wrong + only("backward"))["backward"] == ("right", ())


def test_right_solutions_are_right(graded):
    verdicts = graded(SOLUTIONS)
    names = [*OPERATION_NAMES, "backward", "adam_step"]
    assert {verdicts[name] for name in names} == {("right", ())}
