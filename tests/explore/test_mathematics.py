"""The page's mathematics in JavaScript gives numpyvae's numbers, its mistakes the book's."""

import numpy as np
import pytest

from numpyvae import IWAE, VAE, Adam, FullyConnected
from numpyvae import functional as F
from numpyvae.explore.page import MATHEMATICS, source
from reference_torch.proof.deliberate_errors import ERRORS

EXACT = {"rtol": 1e-12, "atol": 1e-12}
SINGLE = {"rtol": 2e-4, "atol": 2e-4}
CASES = [  # sizes, images, beta
    ((1, 1, 1, 1), 1, 1.0),
    ((12, 9, 9, 4), 7, 0.7),
    *(
        (tuple(map(int, rng.integers(1, 30, 4))), int(rng.integers(1, 12)), rng.uniform(0, 3))
        for rng in map(np.random.default_rng, range(6))
    ),
]


def problem(sizes, images, reconstruction, dtype=np.float64, seed=0):
    """A model of these sizes, images and noise for it."""
    vae = VAE(FullyConnected(*sizes, dtype, seed), reconstruction)
    vae.parameters.flat[...] *= 2
    rng = np.random.default_rng(seed)
    x = rng.random((images, sizes[0])).astype(dtype)
    return vae, x, rng.standard_normal((images, sizes[3])).astype(dtype)


def asked(vae, x, eps, beta, **more):
    """The same for JavaScript."""
    return {
        "sizes": vae.network.sizes,
        "reconstruction": vae.reconstruction,
        "parameters": vae.parameters.flat.tolist(),
        "x": x.tolist(),
        "eps": eps.tolist(),
        "beta": beta,
        "single": vae.dtype == np.float32,
        **more,
    }


def wrong(found, vae, x, eps, beta, tolerance=EXACT):
    """The names of all losses and arrays in which JavaScript differs from numpyvae."""
    loss = vae.forward(x, eps, beta)
    gradients = vae.backward()
    expected = {
        **loss._asdict(),
        **{f"a.{name}": array for name, array in vae.activations.items()},
        **{f"grad.{name}": array for name, array in vae.activation_gradients.items()},
        **gradients,
        "x": vae.input_gradient(),
    }
    given = {
        **found["loss"],
        **{f"a.{name}": array for name, array in found["activations"].items()},
        **{f"grad.{name}": array for name, array in found["activation_gradients"].items()},
        **found["gradients"],
        "x": found["x"],
    }
    assert found["names"] == list(gradients)
    return [
        name
        for name, array in expected.items()
        if not np.allclose(np.array(given[name], float), np.ravel(array), **tolerance)
    ]


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
@pytest.mark.parametrize(("sizes", "images", "beta"), CASES)
def test_every_loss_activation_and_gradient(mathematics, sizes, images, beta, reconstruction):
    for dtype, tolerance in ((np.float64, EXACT), (np.float32, SINGLE)):
        given = (*problem(sizes, images, reconstruction, dtype), beta)
        assert not wrong(mathematics.call("differentiate", asked(*given)), *given, tolerance)


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_extreme_logits_and_variances(mathematics, reconstruction):
    vae, x, eps = problem((6, 5, 4, 3), 3, reconstruction)
    vae.parameters["decoder3.bias"] = [800, -800, 40, -40, 1e-9, 0]
    vae.parameters["log_var.bias"] = [-60, 12, 1e-9]
    found = mathematics.call("differentiate", asked(vae, x, eps, 1.0))
    assert not wrong(found, vae, x, eps, 1.0, {"rtol": 1e-12})


def trained(vae, batches, beta, settings):
    adam = Adam(vae.parameters, **settings)
    losses = []
    for x, eps in batches:
        losses.append(vae.forward(x, eps, beta).total)
        adam.step(vae.backward())
    return losses


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_fifty_steps_of_adam(mathematics, reconstruction):
    settings = {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}
    batches = [problem((12, 9, 7, 3), 5 - seed % 2, "mse", seed=seed)[1:] for seed in range(50)]
    vae, *_ = problem((12, 9, 7, 3), 1, reconstruction)
    question = asked(vae, *batches[0], 0.7, settings=settings)
    question["batches"] = [[x.tolist(), eps.tolist()] for x, eps in batches]
    found = mathematics.call("train", question)
    losses = trained(vae, batches, 0.7, settings)
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-12)
    np.testing.assert_allclose(found["parameters"], vae.parameters.flat, **EXACT)


# Other estimators of the same gradient


def score_function(vae, x, eps, beta):
    """Its gradients, with numpyvae's own pieces."""
    vae.forward(x, eps, beta)
    vae.backward()
    a = vae.activations
    losses = vae.reconstruction_loss(a["logits"], x, a.get("y"))[:, None]
    kl_mean, kl_log_var = F.kl_divergence_backward(beta, a["mean"], a["log_var"])
    grad_mean = losses * eps / np.exp(a["log_var"] / 2) + kl_mean
    grad_log_var = losses * (eps**2 - 1) / 2 + kl_log_var
    vae.network.encoder_backward(x, grad_mean, grad_log_var)
    return vae.gradients


def of_one_sample(bound):
    def gradients(vae, x, eps, beta):
        iwae = IWAE(vae.network, vae.reconstruction, samples=1, bound=bound)
        iwae.forward(x, eps, beta)
        return iwae.backward()

    return gradients


def exact(vae, x, eps, beta):
    vae.forward(x, eps, beta)
    return vae.backward()


ESTIMATORS = {  # by numpyvae; with one sample, dreg is sticking the landing
    "exact KL": (exact, 0.7),
    "sampled KL": (of_one_sample("importance"), 1),
    "sampled KL, sticking the landing": (of_one_sample("dreg"), 1),
    "exact KL, score function": (score_function, 0.7),
}


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_estimator_is_numpyvae_s(mathematics, estimator, reconstruction):
    assert mathematics.call("() => Object.keys(ESTIMATORS)") == list(ESTIMATORS)
    gradients, beta = ESTIMATORS[estimator]
    vae, x, eps = problem((12, 9, 7, 4), 7, reconstruction)
    found = mathematics.call("estimate", asked(vae, x, eps, beta, estimator=estimator))
    for name, gradient in gradients(vae, x, eps, beta).items():
        np.testing.assert_allclose(found[name], gradient.ravel(), **EXACT)


def averaged(mathematics, step, draws, beta=0.7):
    vae, x, _ = problem((6, 5, 4, 2), 2, "mse")
    noise = np.random.default_rng(1).standard_normal((draws, 2, 2))
    question = asked(vae, x, noise[0], beta, draws=noise.tolist(), step=step)
    return vae, x, noise, mathematics.call("average", question)


def test_the_average_and_the_spread_are_numpy_s(mathematics):
    last = mathematics.call("lines_of_steps", "mse").index(
        'self._linear_backward_parameters("encoder1"'
    )
    vae, x, noise, found = averaged(mathematics, last, 50)
    for estimator in ("exact KL", "exact KL, score function"):
        gradients, beta = ESTIMATORS[estimator]
        drawn = [gradients(vae, x, eps, beta)["encoder1.weight"].ravel().copy() for eps in noise]
        mean, deviation = found[estimator][0]
        np.testing.assert_allclose(mean, np.mean(drawn, axis=0), **EXACT)
        np.testing.assert_allclose(deviation, np.std(drawn, axis=0, ddof=1), **EXACT)


@pytest.mark.parametrize("line", ["grad_mean +=", "grad_log_var +="])
def test_all_estimators_have_one_mean_and_each_its_noise(mathematics, line):
    lines = mathematics.call("lines_of_steps", "mse")
    [step] = [i for i, text in enumerate(lines) if text.startswith(line)]
    draws = 20_000
    *_, found = averaged(mathematics, step, draws)
    (expected, spread), *others = (np.array(found[name][0]) for name in ESTIMATORS)
    for mean, deviation in others:
        error = np.sqrt((spread**2 + deviation**2) / draws)
        assert (abs(mean - expected) < 4 * error).all()
    assert (others[-1][1] > 1.2 * spread).any()  # the score function's


# The book's mistakes


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.name)
def test_a_mistake_spoils_the_arrays_that_it_should_and_no_other(mathematics, error):
    vae, x, eps = problem((12, 9, 9, 4), 7, error.reconstruction)
    found = mathematics.call("compare", asked(vae, x, eps, 0.7, mistake=error.name))
    caught = () if error.in_adam else error.caught
    assert {name for name, size in found.items() if size} == set(caught)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.name)
def test_a_mistake_gives_the_numbers_that_the_same_mistake_gives_in_numpyvae(mathematics, error):
    if error.name == "noise drawn anew in the backward pass":
        pytest.skip("its noise is another one each time")
    vae, x, eps = problem((12, 9, 9, 4), 7, error.reconstruction)
    settings = {"lr": 0.01, "weight_decay": 0.1}
    question = asked(vae, x, eps, 0.7, settings=settings, mistake=error.name)
    question["batches"] = [[x.tolist(), eps.tolist()]] * 3
    right = trained(
        problem((12, 9, 9, 4), 7, error.reconstruction)[0], [(x, eps)] * 3, 0.7, settings
    )
    found, after = (mathematics.call(name, question) for name in ("differentiate", "train"))
    with error.applied():
        assert not wrong(found, vae, x, eps, 0.7)
        losses = trained(vae, [(x, eps)] * 3, 0.7, settings)
    np.testing.assert_allclose(after["losses"], losses, rtol=1e-12)
    np.testing.assert_allclose(after["parameters"], vae.parameters.flat, **EXACT)
    assert error.in_adam <= (losses != right)


def test_the_page_has_the_mistakes_of_the_book(mathematics):
    assert mathematics.call("() => Object.keys(MISTAKES)") == [error.name for error in ERRORS]


# The proof of the proof: broken JavaScript is caught

BREAKS = [  # a line of the page's mathematics, and what a slip makes of it
    ("y[row + o] += bias[o]", "y[row + o] += bias[0]"),
    ("y[i] > 0 ? grad_y[i] : 0", "grad_y[i]"),
    ("Math.exp(log_var[i] / 2) * eps[i]", "Math.exp(log_var[i]) * eps[i]"),
    ("Math.exp(log_var[i] / 2)) / 2", "Math.exp(log_var[i] / 2))"),
    ("0.5 * (mean[i] ** 2", "(mean[i] ** 2"),
    ("0.5 * grad_kl * Math.expm1", "grad_kl * Math.expm1"),
    ("Math.log1p(Math.exp(-Math.abs(a)))", "Math.log1p(Math.exp(a))"),
    ("add(grad.mean, kl_mean);", ""),
    ("add(grad.log_var, kl_log_var);", ""),
    ("add(grad.h2, this._linear", "(this._linear"),
    ("reconstruction + beta * kl", "reconstruction + kl"),
    ("return add(through_encoder, this.through_loss())", "return through_encoder"),
    ("const k3 = k + 3 < n ? 3 : 0;", "const k3 = 0;"),
    ("s13 += q * w3", "s13 += p * w3"),
    ("q0 * w0 + q1", "p0 * w0 + q1"),
]
ESTIMATOR_BREAKS = [
    ("* Math.exp(log_var[i] / 2) - 1)) / 2;", "* Math.exp(log_var[i] / 2))) / 2;"),
    ("grad_kl * (z[i] - eps[i] / std)", "grad_kl * (z[i] + eps[i] / std)"),
    ("(of_image * (eps[i] ** 2 - 1)) / 2", "(of_image * eps[i] ** 2) / 2"),
]
ADAM_BREAKS = [
    ("v[i] + g[i] * g[i]", "v[i] + Math.abs(g[i])"),
    ("1 - this.lr * this.weight_decay", "1 - this.weight_decay"),
    ("(this.lr * r * (1 - beta1)) / (1 - beta1 ** this.steps)", "this.lr * r * (1 - beta1)"),
    ("this.eps * r", "this.eps"),
]


def broken(right, slip):
    text = source(MATHEMATICS)
    assert right in text, right
    return text.replace(right, slip, 1)


@pytest.mark.parametrize(("right", "slip"), BREAKS)
def test_a_slip_in_the_javascript_is_caught(make_mathematics, right, slip):
    engine = make_mathematics(broken(right, slip))
    found = []
    for reconstruction in ("mse", "bce"):
        vae, x, eps = problem((12, 9, 7, 4), 7, reconstruction)
        vae.parameters["decoder3.bias"][0] = 800
        found += wrong(engine.call("differentiate", asked(vae, x, eps, 0.7)), vae, x, eps, 0.7)
    assert found


@pytest.mark.parametrize(("right", "slip"), ADAM_BREAKS)
def test_a_slip_in_adam_is_caught(make_mathematics, right, slip):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        test_fifty_steps_of_adam(make_mathematics(broken(right, slip)), "mse")


@pytest.mark.parametrize(("right", "slip"), ESTIMATOR_BREAKS)
def test_a_slip_in_an_estimator_is_caught(make_mathematics, right, slip):
    engine = make_mathematics(broken(right, slip))
    caught = 0
    for estimator in ESTIMATORS:
        try:
            test_an_estimator_is_numpyvae_s(engine, estimator, "mse")
        except AssertionError:
            caught += 1
    assert caught == 1
