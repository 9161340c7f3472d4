"""Right solutions are right, however they are written; wrong ones are not, however they look."""

import pytest

LAYERS = """
g = {}
def layer(name, grad_y, x):
    g[name + ".weight"], g[name + ".bias"] = linear_backward_parameters(grad_y, x)
    return linear_backward_input(grad_y, w[name + ".weight"])
"""
MODEL = f"""{LAYERS}
d = bernoulli_cross_entropy_backward(a["logits"], x)
if reconstruction == "mse":
    d = sigmoid_backward(squared_error_backward(a["y"], x), a["y"])
d = relu_backward(layer("decoder3", d, a["h4"]), a["h4"])
d = relu_backward(layer("decoder2", d, a["h3"]), a["h3"])
d = layer("decoder1", d, a["z"])
mean, log_var = reparameterize_backward(d, a["log_var"], eps)
more_mean, more_log_var = kl_divergence_backward(beta, a["mean"], a["log_var"])
d = layer("mean", mean + more_mean, a["h2"])
d += layer("log_var", log_var + more_log_var, a["h2"])
d = relu_backward(layer("encoder2", relu_backward(d, a["h2"]), a["h1"]), a["h1"])
layer("encoder1", d, x)
"""
RIGHT = {
    "linear_backward_parameters": (
        "return grad_y.T @ x, grad_y.sum(axis=0)",
        'return np.einsum("bo,bi->oi", grad_y, x), np.einsum("bo->o", grad_y)',
        # every multiplication a Python float's
        "w = np.zeros((grad_y.shape[1], x.shape[1]), x.dtype)\n"
        "b = np.zeros(grad_y.shape[1], x.dtype)\n"
        "for o in range(len(w)):\n"
        "    b[o] = sum(float(row[o]) for row in grad_y)\n"
        "    for i in range(x.shape[1]):\n"
        "        w[o, i] = sum(float(g[o]) * float(r[i]) for g, r in zip(grad_y, x))\n"
        "return w, b",
        # image by image
        "w = sum(np.outer(g, r) for g, r in zip(grad_y, x))\n"
        "return w, np.ones(len(x), x.dtype) @ grad_y",
        # the bias as one more column of ones
        "ones = np.ones((len(x), 1), x.dtype)\n"
        "both = np.hstack([x, ones]).T.dot(grad_y).T\n"
        "return both[:, :-1].copy(), both[:, -1].copy()",
    ),
    "linear_backward_input": (
        "return grad_y @ weight",
        "return (weight.T @ grad_y.T).T",
        "return np.tensordot(grad_y, weight, 1)",
        "return np.stack([sum(g * row for g, row in zip(gs, weight)) for gs in grad_y])",
        "return (grad_y[:, :, None] * weight).sum(axis=1)",
        # a slow one
        "import time; time.sleep(0.001)\nreturn np.dot(grad_y, weight)",
    ),
    "relu_backward": (
        "return np.where(y > 0, grad_y, 0).astype(y.dtype)",
        "return grad_y * np.sign(y)",
        "grad = grad_y.copy()\ngrad[y == 0] = 0\nreturn grad",
        "return np.heaviside(y, 0) * grad_y",
        "return np.array([[float(g) if v > 0 else 0.0 for g, v in zip(gs, vs)] "
        "for gs, vs in zip(grad_y, y)], dtype=y.dtype)",
        "return np.multiply(grad_y, y != 0)",
    ),
    "sigmoid_backward": (
        "return grad_y * y * (1 - y)",
        "return grad_y * (y - y**2)",
        "return grad_y * (0.25 - (y - 0.5) ** 2)",
        "g, y64 = grad_y.astype(np.longdouble), y.astype(np.longdouble)\n"
        "return (g * y64 * (1 - y64)).astype(y.dtype)",
        "odds = 1 / y - 1\nreturn np.where(y > 0, grad_y * odds / (1 + odds) ** 2, 0)",
        "return np.array([[float(g) * float(v) * (1 - float(v)) for g, v in zip(*rows)] "
        "for rows in zip(grad_y, y)], y.dtype)",
    ),
    "squared_error_backward": (
        "return 2 * (y - x)",
        "return 2 * y - 2 * x",
        "d = y - x\nreturn d + d",
        "return ((y - x + 1) ** 2 - (y - x - 1) ** 2) / 2",
        "return -2 * np.subtract(x, y)",
    ),
    "bernoulli_cross_entropy_backward": (
        "return 1 / (1 + np.exp(-logits)) - x",
        "return (np.tanh(logits / 2) + 1) / 2 - x",
        "e = np.exp(-np.abs(logits))\nreturn np.where(logits > 0, 1, e) / (1 + e) - x",
        "return np.exp(-np.logaddexp(0, -logits)) - x",
        "import math\n"
        "def sigmoid(v):\n"
        "    return 1 / (1 + math.exp(-v)) if v > 0 else math.exp(v) / (1 + math.exp(v))\n"
        "s = [[sigmoid(float(v)) for v in row] for row in logits]\n"
        "return np.array(s, logits.dtype) - x",
        "s = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))\nreturn (1 - x) * s - x * (1 - s)",
    ),
    "reparameterize_backward": (
        "return grad_z.copy(), grad_z * eps * np.exp(log_var / 2) / 2",
        "return 1 * grad_z, 0.5 * grad_z * np.sqrt(np.exp(log_var)) * eps",
        "return +grad_z, (np.exp(log_var) ** 0.5 * eps / 2) * grad_z",
        "std = np.exp2(log_var * 0.7213475204444817)\n"
        "return np.array(grad_z), grad_z * std * eps / 2",
        "import math\n"
        "r = np.empty_like(eps)\n"
        "for k in np.ndindex(r.shape):\n"
        "    r[k] = float(grad_z[k]) * float(eps[k]) * math.exp(float(log_var[k]) / 2) / 2\n"
        "return grad_z * np.ones_like(eps), r",
        "z = np.exp(0.5 * log_var) * eps\nreturn np.add(grad_z, 0), np.multiply(grad_z, z) * 0.5",
    ),
    "kl_divergence_backward": (
        "return grad_kl * mean, grad_kl * (np.exp(log_var) - 1) / 2",
        "return mean * grad_kl, np.expm1(log_var) * (grad_kl / 2)",
        "return grad_kl * mean, 0.5 * grad_kl * np.exp(log_var) - 0.5 * grad_kl",
        "h = log_var / 2\nreturn np.multiply(grad_kl, mean), grad_kl * np.exp(h) * np.sinh(h)",
        "import math\n"
        "r = [[grad_kl * math.expm1(v) / 2 for v in row] for row in log_var.tolist()]\n"
        "return np.full_like(mean, grad_kl) * mean, np.array(r, mean.dtype)",
    ),
    "backward": (
        MODEL + "return g",
        # image by image
        "total = {name: np.zeros_like(p) for name, p in w.items()}\n"
        "batch, every, noise = x, a, eps\n"
        "for k in range(len(batch)):\n"
        "    x, eps = batch[k:k + 1], noise[k:k + 1]\n"
        "    a = {name: h[k:k + 1] for name, h in every.items()}\n"
        + "".join(f"    {line}\n" for line in MODEL.splitlines())
        + "    total = {name: p + g[name] for name, p in total.items()}\n"
        "return total",
        # with a forward pass of its own, and more than is asked for
        "a = dict(a)\n"
        "a['y'] = 0.5 + 0.5 * np.tanh(a['logits'] / 2)\n" + MODEL + "return {'x': None, **g}",
    ),
    "adam_step": (
        # the paper's
        "m[...] = betas[0] * m + (1 - betas[0]) * g\n"
        "v[...] = betas[1] * v + (1 - betas[1]) * g**2\n"
        "p -= lr * weight_decay * p\n"
        "p -= lr * (m / (1 - betas[0]**t)) / (np.sqrt(v / (1 - betas[1]**t)) + eps)",
        # (A1) to (A7)
        "b1, b2 = betas\n"
        "m *= b1; m += g\n"
        "v *= b2; v += g * g\n"
        "r = ((1 - b2**t) / (1 - b2)) ** 0.5\n"
        "p *= 1 - lr * weight_decay\n"
        "p -= lr * r * (1 - b1) / (1 - b1**t) * m / (np.sqrt(v) + r * eps)",
        # number by number
        "import math\n"
        "b1, b2 = betas\n"
        "for k in range(len(p)):\n"
        "    m[k] += (1 - b1) * (float(g[k]) - float(m[k]))\n"
        "    v[k] += (1 - b2) * (float(g[k]) ** 2 - float(v[k]))\n"
        "    step = float(m[k]) / (1 - b1**t) / (math.sqrt(float(v[k]) / (1 - b2**t)) + eps)\n"
        "    p[k] = float(p[k]) - lr * (step + weight_decay * float(p[k]))",
        # all settings in the dtype of p
        "(b1, b2), one = np.array(betas, p.dtype), p.dtype.type(1)\n"
        "np.multiply(m, b1, out=m); np.add(m, (one - b1) * g, out=m)\n"
        "np.multiply(v, b2, out=v); np.add(v, (one - b2) * np.square(g), out=v)\n"
        "c1, c2 = one - b1**t, one - b2**t\n"
        "np.copyto(p, p - lr * weight_decay * p - lr / c1 * m / (np.sqrt(v) / np.sqrt(c2) + eps))",
        # the root of v is kept
        "v[...] = np.hypot(betas[1] ** 0.5 * v, (1 - betas[1]) ** 0.5 * g)\n"
        "m[...] = m + (1 - betas[0]) * (g - m)\n"
        "p[:] = p * (1 - lr * weight_decay) - lr * m / (1 - betas[0]**t) / (\n"
        "    v / (1 - betas[1]**t) ** 0.5 + eps)",
    ),
    "log_weights_backward": (
        "g = grad_log_w\n"
        "half = np.full(log_var.shape, g.sum(1)[:, None] / 2, log_var.dtype)\n"
        "return 0 - g, np.einsum('bk,bkj->bkj', -g, z), half",
        "per_sample = [[-g * v for g, v in zip(gs, vs)] for gs, vs in zip(grad_log_w, z)]\n"
        "once = (grad_log_w @ np.ones((z.shape[1], z.shape[2]), z.dtype)) / 2\n"
        "return np.negative(grad_log_w), np.array(per_sample), once",
    ),
    "log_mean_exp_backward": (
        "d = log_w[:, :, None] - log_w[:, None]\nreturn grad_bound / np.exp(-d).sum(2)",
        "total = np.logaddexp.reduce(log_w, axis=1, keepdims=True)\n"
        "return grad_bound * np.exp(log_w - total)",
    ),
    "iwae_backward_z": (
        "w = np.exp(log_w - np.logaddexp.reduce(log_w, 1)[:, None])\n"
        "return np.einsum('bk,bkj->bkj', w, slope + z)",
        "grad, direct_z, _ = log_weights_backward(log_mean_exp_backward(-1.0, log_w), z, z[:, 0])\n"
        "return grad[:, :, None] * slope + direct_z",
    ),
    "dreg_backward": (
        "w = log_mean_exp_backward(1.0, log_w)[:, :, None]\n"
        "std = np.exp(log_var / 2)[:, None]\n"
        "d = w * w * (slope + z - eps / std)\n"
        "return d.sum(1), (d * eps * std / 2).sum(1)",
        # another one that is right on average: a little of the bound's own gradient in it
        "w = log_mean_exp_backward(1.0, log_w)[:, :, None]\n"
        "std = np.exp(log_var / 2)[:, None]\n"
        "both = [(w * w * (slope + z - eps / std), 0), (w * (slope + z), 0.5)]\n"
        "mean, log_var = zip(*((d.sum(1), (d * eps * std / 2).sum(1) - q) for d, q in both))\n"
        "return 0.9 * mean[0] + 0.1 * mean[1], 0.9 * log_var[0] + 0.1 * log_var[1]",
    ),
}
KEEPING = """
import sys
KEPT = {}
def kept(x):
    return KEPT.setdefault((sys._getframe(1).f_code.co_name, x.shape, x.dtype), x.copy())
"""
ADAM = RIGHT["adam_step"][0]
FOR_THESE = "It is right for usual arguments, and wrong for these: "
KEPT_NOISE = """\
w = log_mean_exp_backward(1.0, log_w)[:, :, None]
std = np.exp(log_var / 2)[:, None]
d = w * w * (slope + z - np.random.standard_normal(eps.shape) / std)
return d.sum(1), (d * eps * std / 2).sum(1)"""
AGAIN = "Called again with the same arguments, it gives another result."
CLIPPED = "were never larger than 5: is it clipped?"
FLOAT32 = "does something in it become float32"
ROWS = "It is the mean over the rows of what it should be"
# By exercise: what is written, and what is said of it; "" is a bare "off by". The n-th of each make
# a file.
WRONG = {
    "linear_backward_parameters": (
        # what came first in this shape, and no other
        ("x = kept(x)\nreturn grad_y.T @ x, grad_y.sum(0)", FOR_THESE + "other numbers"),
        ("w = kept(grad_y.T @ x)\nw[...] = grad_y.T @ x\nreturn w, grad_y.sum(0)", "A later call"),
        ("return grad_y[:64].T @ x[:64], grad_y[:64].sum(0)", FOR_THESE + "130 rows"),
        ("return np.clip(grad_y.T @ x, -5, 5), grad_y.sum(0)", "It is never larger than 5"),
        ("return grad_y.T @ x, grad_y.sum(0) + 1e-9", "or a small one added?"),
    ),
    "linear_backward_input": (
        ("y = grad_y @ weight\nreturn y * (np.random.random(y.shape) > 0.01)", AGAIN),
        ("return np.squeeze(grad_y @ weight)", "is an axis of size 1 squeezed away?"),
        ("y = grad_y @ weight\nreturn y * (abs(y) > 1e-12)", FOR_THESE + "gradients of 1e-20"),
        ("return np.matrix(grad_y) @ weight", "grad_x is a matrix, and should be a plain NumPy"),
        ("return grad_y @ np.clip(weight, -5, 5)", f"if weight {CLIPPED}"),
    ),
    "relu_backward": (
        ("return grad_y * (y > 1e-8)", FOR_THESE + "y of 1e-20"),
        ("return np.where(y > 0, grad_y, 0.01 * grad_y)", "leaky"),
        ("return np.ma.masked_array(grad_y * (y > 0))", "grad_x is a MaskedArray"),
        ("return grad_y * (y > 0) + 0j", "grad_x is an array of complex128"),
        ("return abs(grad_y) * (y > 0)", "lost the sign"),
    ),
    "sigmoid_backward": (
        ("y = np.clip(y, 1e-6, 1 - 1e-6)\nreturn grad_y * y * (1 - y)", FOR_THESE + "y from 0 to"),
        ("return 1.000001 * grad_y * y * (1 - y)", "It is 1.000001 times what it should be: is"),
        ("return grad_y[::-1] * y * (1 - y)", "if the rows of grad_y were in reverse order"),
        ("return grad_y / 4", ""),
        ("return (grad_y * y * (1 - y)).mean() + 0 * y", "mean over all entries"),
    ),
    "squared_error_backward": (
        ("return (2 * (y - x)).astype(np.float32).astype(y.dtype)", FLOAT32),
        ("return 2 * (y - x).mean(0) + 0 * y", ROWS),
        ("return 2 * (y - x)[::-1]", "Its rows are in reverse order."),
        ("return np.sign(y - x)", "the derivative of |y - x|"),
        ("return 2 * np.clip(y - x, -2, 2)", "It is never larger than 4"),
    ),
    "bernoulli_cross_entropy_backward": (
        ("return 1 / (1 + np.exp(-np.clip(logits, -5, 5))) - x", f"if logits {CLIPPED}"),
        ("return 1 / (1 + np.exp(-logits)) - (x > 0.5)", "any grey"),
        ("y = 1 / (1 + np.exp(-logits))\nreturn (y - x) / (y * (1 - y))", "This is dL/dy"),
        ("return (1 / (1 + np.exp(-logits)) - x).astype(object)", "is an array of object"),
        ("return np.tanh(logits) - x", ""),
    ),
    "reparameterize_backward": (
        (
            "eps = kept(eps)\nreturn +grad_z, grad_z * eps * np.exp(log_var / 2) / 2",
            "other numbers",
        ),
        (
            "v = np.clip(log_var, -4, 4)\nreturn +grad_z, grad_z * eps * np.exp(v / 2) / 2",
            "if log_var were never larger than 4",
        ),
        ("return +grad_z, grad_z * np.clip(eps, -3, 3) * np.exp(log_var / 2) / 2", "than 3"),
        ("return +grad_z, grad_z * eps * np.log1p(np.exp(log_var)) / 2", ""),
        ("return +grad_z, grad_z * eps * np.exp(log_var / 2) / 2 * (log_var < 99)", "to the ends"),
    ),
    "kl_divergence_backward": (
        ("b = min(grad_kl, 0.9)\nreturn b * mean, b * np.expm1(log_var) / 2", "64 rows"),
        (
            "return grad_kl * mean, grad_kl * np.expm1(np.minimum(log_var, 20)) / 2",
            "log_var were never larger than 20",
        ),
        ("return grad_kl * mean, -grad_kl * np.expm1(-log_var) / 2", "The sign in the exponent"),
        ("return grad_kl * mean, grad_kl * np.maximum(np.expm1(log_var), 0) / 2", ""),
        (
            "b = grad_kl\nreturn b * mean.mean(1, keepdims=True), b * np.expm1(log_var) / 2",
            "columns",
        ),
    ),
    "backward": (
        ("beta = beta or 1.0\n" + MODEL + "return g", FOR_THESE + "beta 0, eps 0"),
        (MODEL + "return {n: p.clip(-5, 5) for n, p in g.items()}", "It is never larger than 5"),
        (MODEL + "return {n: p.astype('f').astype(p.dtype) for n, p in g.items()}", FLOAT32),
        (
            MODEL + "for n, p in g.items():\n    p *= (len(x) != 64)\nreturn g",
            FOR_THESE + "64 rows",
        ),
        (MODEL + "return g | {'encoder1.bias': 0 * g['encoder1.bias']}", "It is 0 everywhere."),
    ),
    "adam_step": (
        (f"KEPT['t'] = t = KEPT.get('t', 0) + 1\n{ADAM}", AGAIN),
        (ADAM.replace("(m / (1 - betas[0]**t))", "g"), "this is RMSprop"),
        (f"g = g * (abs(g) > 1e-12)\n{ADAM}", FOR_THESE + "gradients of 1e-20"),
        (f"t = min(t, 100)\n{ADAM}", FOR_THESE + "PyTorch's defaults"),
        (f"eps = max(eps, 1e-6)\n{ADAM}", FOR_THESE + "PyTorch's defaults"),
    ),
    "log_mean_exp_backward": (
        (
            "w = np.exp(np.clip(log_w, -5, 5))\nreturn grad_bound * w / w.sum(1)[:, None]",
            "is it clipped?",
        ),
        (
            "w = np.exp(log_w) + 1e-8\nreturn grad_bound * w / w.sum(1)[:, None]",
            "or a small one added?",
        ),
    ),
    "dreg_backward": (
        # right on average for one sample only: its weight is 1
        (
            "d = slope + z - eps / np.exp(log_var / 2)[:, None]\n"
            "return d.sum(1), (d * eps * np.exp(log_var / 2)[:, None] / 2).sum(1)",
            "standard errors away",
        ),
        ("return 0 * log_var, 0 * log_var", "It is 0 everywhere."),
        (KEPT_NOISE, AGAIN),
    ),
}


@pytest.mark.parametrize("way", range(max(map(len, RIGHT.values()))))
def test_right_solutions_are_right(graded, written, way):
    text = "".join(written(n, bodies[way]) for n, bodies in RIGHT.items() if way < len(bodies))
    verdicts = graded(text)
    wrong = {name: verdict for name, verdict in verdicts.items() if verdict[0] == "wrong"}
    assert not wrong


@pytest.mark.parametrize("way", range(5))
def test_wrong_solutions_are_wrong_and_hints_make_sense(graded, written, caplog, way):
    mistakes = {name: bodies[way] for name, bodies in WRONG.items() if way < len(bodies)}
    text = KEEPING + "".join(written(name, body) for name, (body, _) in mistakes.items())
    with caplog.at_level("DEBUG", "reference_torch"):
        verdicts = graded(text)
    assert not caplog.records
    for name, (_, said) in mistakes.items():
        state, remarks = verdicts[name]
        assert state == "wrong"
        if said:
            assert any(said in remark for remark in remarks), remarks
        else:
            assert [" is off by " in remarks[0], len(remarks)] == [True, 2], remarks
