"""Derivatives by central differences, to hold hand-derived ones against."""

from collections.abc import Callable

import numpy as np

STEP = 1e-5  # in float64: truncation about STEP², rounding about 1e-16 / STEP


def central_differences(loss: Callable[[], float], x: np.ndarray) -> np.ndarray:
    """d loss / d x, element by element: x is changed in place, and put back."""
    derivative = np.empty_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + STEP
        above = loss()
        x[index] = value - STEP
        below = loss()
        x[index] = value
        derivative[index] = (above - below) / (2 * STEP)
    return derivative


def assert_gradient(
    gradient: np.ndarray, loss: Callable[[], float], x: np.ndarray, name: str = ""
) -> None:
    """`gradient` has the shape of x and is d loss / d x. loss() reads x anew at every call."""
    atol = 1e-8 * (1 + abs(loss()))  # the loss's own rounding error, divided by STEP
    numeric = central_differences(loss, x)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=atol, err_msg=name, strict=True)


def assert_vjp(
    forward: Callable[[], np.ndarray],
    backward: Callable[[np.ndarray], tuple[np.ndarray, ...]],
    inputs: tuple[np.ndarray, ...],
    rng: np.random.Generator,
) -> None:
    """The vector-Jacobian product: backward(grad_y) is the gradient of <grad_y, forward()>.

    forward() reads the inputs anew at every call; backward returns one gradient for each.
    """
    grad_y = np.asarray(rng.standard_normal(np.shape(forward())))
    gradients = backward(grad_y)
    for i, (x, gradient) in enumerate(zip(inputs, gradients, strict=True)):
        assert_gradient(gradient, lambda: float(np.vdot(grad_y, forward())), x, f"input {i}")
