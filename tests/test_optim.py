"""optim.py: Adam by hand, against the paper's algorithm, and its promises."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from numpyvae import Adam, optim
from numpyvae.flat import FlatArrays


def parameters(values, dtype=np.float64):
    flat = FlatArrays({"p": np.shape(values)}, dtype)
    flat["p"][...] = values
    return flat


def paper(p, gradients, lr, betas, eps, weight_decay):
    """AdamW as Loshchilov and Hutter (2019) have it, the decay times lr as in PyTorch."""
    beta1, beta2 = betas
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        p = p - lr * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * p)
    return p


def test_two_steps_by_hand():
    p = parameters([1.0])
    adam = Adam(p, lr=0.1, betas=(0.9, 0.99), eps=0.5)
    adam.step({"p": np.array([2.0])})  # m̂ = 2, v̂ = 4: 1 - 0.1 * 2 / (2 + 0.5)
    assert p["p"][0] == pytest.approx(0.92, rel=1e-14)
    # m = 0.2 * 0.9 - 0.1 = 0.08, m̂ = 0.08 / 0.19 = 0.42105263
    # v = 0.04 * 0.99 + 0.01 = 0.0496, v̂ = 0.0496 / 0.0199 = 2.49246231, its root 1.57875340
    adam.step({"p": np.array([-1.0])})
    assert p["p"][0] == pytest.approx(0.92 - 0.1 * 0.42105263 / 2.07875340, rel=1e-8)


def test_weight_decay_is_apart_from_the_gradient():
    p = parameters([4.0])
    Adam(p, lr=0.1, eps=0.5, weight_decay=0.5).step({"p": np.array([2.0])})
    assert p["p"][0] == pytest.approx(4 - 0.1 * 0.5 * 4 - 0.1 * 2 / 2.5, rel=1e-14)


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.7), (0.0, 0.9), (0.9, 0.0)])
def test_many_steps_are_the_papers_algorithm(weight_decay, betas):
    size = 2 * optim.LEAST + 777
    rng = np.random.default_rng(0)
    start = rng.standard_normal(size)
    scale = 10.0 ** rng.uniform(-6, 3, size)  # from far below eps to far above
    gradients = [scale * rng.standard_normal(size) for _ in range(12)]
    p = parameters(start)
    adam = Adam(p, 0.01, betas, 1e-4, weight_decay)
    for g in gradients:
        adam.step({"p": g})
    expected = paper(start, gradients, 0.01, betas, 1e-4, weight_decay)
    np.testing.assert_allclose(p["p"], expected, rtol=1e-12, atol=1e-13)
    assert np.all(p["p"] != start)


def test_the_defaults_are_those_of_adam():
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(50), rng.standard_normal((30, 50)) * 1e-7
    p = parameters(start)
    adam = Adam(p)
    for g in gradients:
        adam.step({"p": g})
    expected = paper(start, gradients, 1e-3, (0.9, 0.999), 1e-8, 0.0)
    np.testing.assert_allclose(p["p"], expected, rtol=1e-13)


def test_single_precision_follows_and_stays_single():
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(500), rng.standard_normal((50, 500))
    p = parameters(start, np.float32)
    adam = Adam(p, lr=0.01, weight_decay=0.1)
    for g in gradients:
        adam.step({"p": g.astype(np.float32)})
    expected = paper(start, gradients, 0.01, (0.9, 0.999), 1e-8, 0.1)
    np.testing.assert_allclose(p["p"], expected, rtol=1e-5, atol=1e-6)
    assert {a.dtype for a in (p.flat, adam.gradient_sum, adam.square_sum)} == {np.dtype("float32")}


def test_zero_gradients_leave_all_but_the_decay():
    start = np.array([1.0, -2.0, 0.0])
    for weight_decay in (0.0, 0.5):
        p = parameters(start)
        adam = Adam(p, lr=0.1, weight_decay=weight_decay)
        for _ in range(3):
            adam.step({"p": np.zeros(3)})
        np.testing.assert_allclose(p["p"], start * (1 - 0.1 * weight_decay) ** 3, rtol=1e-15)


def test_gradients_go_by_name_in_any_order():
    shapes = {"a": (2, 3), "b": (), "c": (4,)}
    gradients = FlatArrays(shapes, np.float64)
    gradients.flat[:] = np.random.default_rng(0).standard_normal(11)
    swapped = FlatArrays({name: shapes[name] for name in ("c", "a", "b")}, np.float64)
    for name, gradient in gradients.items():
        swapped[name] = gradient
    results = []
    for given in (gradients, swapped, dict(swapped)):
        results.append(FlatArrays(shapes, np.float64))
        Adam(results[-1]).step(given)
    np.testing.assert_array_equal(results[0].flat, results[1].flat)
    np.testing.assert_array_equal(results[0].flat, results[2].flat)
    assert np.all(results[0].flat != 0)


def test_gradients_are_not_changed():
    gradients = parameters([1.0, 2.0])
    Adam(parameters([0.0, 0.0]), weight_decay=0.1).step(gradients)
    np.testing.assert_array_equal(gradients["p"], [1, 2])


@pytest.mark.parametrize(
    "gradients",
    [
        {},
        {"q": np.zeros(3)},
        {"p": np.zeros(3), "q": np.zeros(1)},
        {"p": np.zeros(2)},
        {"p": np.zeros((1, 3))},
    ],
)
def test_gradients_of_other_names_or_shapes_are_refused(gradients):
    p = parameters(np.ones(3))
    adam = Adam(p, weight_decay=0.1)
    with pytest.raises(ValueError, match=r"gradients must have the shapes \{'p': \(3,\)\}, got"):
        adam.step(gradients)
    np.testing.assert_array_equal(p["p"], np.ones(3))
    assert adam.steps == 0


@pytest.mark.parametrize("name", ["lr", "eps", "weight_decay"])
@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_settings_must_be_finite_and_not_negative(name, value):
    with pytest.raises(ValueError, match=f"{name} must be finite and at least 0, got {value}"):
        Adam(parameters([0.0]), **{name: value})


@pytest.mark.parametrize("betas", [(1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, np.nan)])
def test_betas_must_be_from_0_to_below_1(betas):
    with pytest.raises(ValueError, match="betas must be at least 0 and below 1, got"):
        Adam(parameters([0.0]), betas=betas)


def test_adam_says_what_it_is():
    settings = "lr 0.1, betas (0.9, 0.999), eps 1e-08, weight_decay 0"
    assert repr(Adam(parameters([0.0]), lr=0.1)) == f"<Adam {settings}, 0 steps taken>"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_that_decay_become_0_and_are_never_subnormal(dtype):
    """0.9 ** 9000 is less than the smallest number of either type."""
    p = parameters(np.ones(3), dtype)
    adam = Adam(p, betas=(0.9, 0.9))
    tiny = np.finfo(dtype).tiny
    for gradient in (np.array([1e-3, -1.0, 1e3], dtype), *[np.zeros(3, dtype)] * 9000):
        adam.step({"p": gradient})
        for moving_sum in (adam.gradient_sum, adam.square_sum):
            assert np.all((moving_sum == 0) | (np.abs(moving_sum) >= tiny))
    assert not adam.gradient_sum.any()
    assert not adam.square_sum.any()


def test_the_sweep_changes_no_bit_of_a_parameter(monkeypatch):
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(500), rng.standard_normal((2000, 500), np.float32)
    gradients *= rng.random((2000, 500)) < 0.002  # then most are 0 for hundreds of steps
    swept, expected = ends(monkeypatch, np.float32, start, gradients, weight_decay=0.01)
    assert np.sum(swept.gradient_sum == 0) > np.sum(expected.gradient_sum == 0)
    np.testing.assert_array_equal(swept.parameters.flat, expected.parameters.flat)


def ends(monkeypatch, dtype, start, gradients, **settings):
    """Adam after these gradients, with the sweep and without."""
    found = []
    for sweep in (optim.SWEEP, 10**9):
        monkeypatch.setattr(optim, "SWEEP", sweep)
        adam = Adam(parameters(start, dtype), **settings)
        for g in gradients:
            adam.step({"p": g})
        found.append(adam)
    return found


TINIEST = {np.float32: 1e-38, np.float64: 1e-308}  # about where normal numbers end


@pytest.mark.parametrize("dtype", TINIEST)
@pytest.mark.parametrize("seed", range(20))
def test_the_sweep_changes_nothing_whatever_the_settings(monkeypatch, dtype, seed):
    """Of 300 parameters, some 0 or tiny, with gradients of all sizes that stay, stop and return."""
    rng = np.random.default_rng(seed)
    lowest = np.log10(TINIEST[dtype])
    start = np.where(rng.random(300) < 0.2, 0, 10 ** rng.uniform(lowest / 2, 0, 300))
    sizes = 10 ** rng.uniform(lowest, 2, 300)
    runs = np.repeat(rng.random((7, 300)) < 0.5, 200, axis=0)  # 200 steps with them or without
    gradients = (rng.standard_normal(runs.shape) * sizes * runs).astype(dtype)
    settings = {
        "lr": 10 ** rng.uniform(-6, -1),
        "betas": tuple(1 - 10 ** rng.uniform(-3, -0.2, 2)),
        "eps": rng.choice([0, 1e-8, 10 ** rng.uniform(lowest, 0)]),
        "weight_decay": rng.choice([0, 0.01]),
    }
    with np.errstate(all="ignore"):  # with eps 0, a sum of squares that underflows divides by 0
        swept, expected = ends(monkeypatch, dtype, start, gradients, **settings)
    few_digits = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(swept.parameters["p"], expected.parameters["p"], few_digits, 0)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_threads_change_no_bit_and_end_with_their_block(n):
    size = 3 * optim.LEAST + 777
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(size), rng.standard_normal((3, size))
    alone, shared = (parameters(start, np.float32) for _ in range(2))
    adams = [Adam(p, weight_decay=0.1) for p in (alone, shared)]
    threads = threading.active_count()
    with adams[1].threads(n):
        for g in gradients.astype(np.float32):
            for adam in adams:
                adam.step({"p": g})
        assert (threading.active_count() > threads) == (n > 1)
    assert threading.active_count() == threads
    np.testing.assert_array_equal(alone.flat, shared.flat)


def test_what_no_thread_comes_to_is_done_by_the_calling_one(monkeypatch):
    monkeypatch.setattr(ThreadPoolExecutor, "submit", lambda *_: Future())  # that nobody begins
    p = parameters(np.zeros(5 * optim.LEAST), np.float32)
    with (adam := Adam(p)).threads(3):
        adam.step({"p": np.ones(5 * optim.LEAST, np.float32)})
    np.testing.assert_allclose(p.flat, -1e-3, rtol=1e-6)


def test_a_small_model_needs_no_other_thread(monkeypatch):
    monkeypatch.setattr(ThreadPoolExecutor, "submit", None)
    with (adam := Adam(p := parameters(np.ones(100)))).threads(2):
        adam.step({"p": np.ones(100)})
    assert np.all(p.flat < 1)


def test_what_fails_in_a_thread_fails_here(monkeypatch):
    monkeypatch.setattr(optim, "LEAST", 2)
    with (adam := Adam(parameters(np.ones(4)))).threads(2):
        adam.gradient_sum = adam.gradient_sum[:3]
        with pytest.raises(ValueError, match="broadcast"):
            adam.step({"p": np.ones(4)})


def test_threads_warn_of_what_their_caller_warns_of():
    p = parameters(np.ones(2 * optim.LEAST), np.float32)
    with np.errstate(over="ignore"), (adam := Adam(p)).threads(2):
        adam.step({"p": np.full(2 * optim.LEAST, 1e30, np.float32)})
    with adam.threads(2), pytest.warns(RuntimeWarning, match="overflow"):
        adam.step({"p": np.full(2 * optim.LEAST, 1e30, np.float32)})


@pytest.mark.parametrize("n", [1, 2])
def test_underflow_is_no_error_in_any_thread(n):
    p = parameters(np.ones(2 * optim.LEAST), np.float32)
    with np.errstate(all="raise"), (adam := Adam(p)).threads(n):
        adam.step({"p": np.full(2 * optim.LEAST, 1e-25, np.float32)})
    assert not adam.square_sum.any()
