"""Convolutions by hand: right solutions are right, and mistakes get the hint that they must get."""

import pytest

SOLUTION = """\
import numpy as np


def conv2d_backward_parameters(grad_y, x, kernel_size, stride, padding):
    (_, _, rows, columns), (kh, kw) = grad_y.shape, kernel_size
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    grad_weight = np.zeros((grad_y.shape[1], x.shape[1], kh, kw), x.dtype)
    for i in range(rows):
        for j in range(columns):
            top, left = stride * i, stride * j
            seen = x[:, :, top : top + kh, left : left + kw]
            grad_weight += np.einsum("bo,bcuv->ocuv", grad_y[:, :, i, j], seen)
    return grad_weight, grad_y.sum(axis=(0, 2, 3))


def conv2d_backward_input(grad_y, weight, image_size, stride, padding):
    (batch, _, rows, columns), (_, n_in, kh, kw) = grad_y.shape, weight.shape
    height, width = image_size
    grad_x = np.zeros((batch, n_in, height + 2 * padding, width + 2 * padding), weight.dtype)
    for i in range(rows):
        for j in range(columns):
            top, left = stride * i, stride * j
            part = np.einsum("bo,ocuv->bcuv", grad_y[:, :, i, j], weight)
            grad_x[:, :, top : top + kh, left : left + kw] += part
    return grad_x[:, :, padding : padding + height, padding : padding + width].copy()


def max_pool2d_backward(grad_y, x, kernel_size, stride):
    grad_x, (kh, kw) = np.zeros_like(x), kernel_size
    for place in np.ndindex(grad_y.shape):
        image, channel, i, j = place
        top, left = stride * i, stride * j
        seen = x[image, channel, top : top + kh, left : left + kw]
        largest = np.argmax(seen)  # the first, or the first NaN
        if np.isnan(seen).any():
            largest = np.flatnonzero(np.isnan(seen))[-1]
        u, v = np.unravel_index(largest, seen.shape)
        grad_x[image, channel, top + u, left + v] += grad_y[place]
    return grad_x
"""
POOL = """\
def max_pool2d_backward(grad_y, x, kernel_size, stride):
    grad_x, (kh, kw) = np.zeros_like(x), kernel_size
    for place in np.ndindex(grad_y.shape):
        image, channel, i, j = place
        top, left = stride * i, stride * j
        there = image, channel, slice(top, top + kh), slice(left, left + kw)
        seen = x[there]
        equal = seen == seen.max()
        {}
    return grad_x
"""
PARAMETERS, INPUT = "conv2d_backward_parameters", "conv2d_backward_input"
MISTAKES = [
    (PARAMETERS, "return grad_weight,", "return grad_weight[:, :, ::-1, ::-1].copy(),", "flipped"),
    (PARAMETERS, "= stride * i, stride * j", "= i, j", "The stride is missing"),
    (
        PARAMETERS,
        "(padding, padding), (padding, padding)",
        "(0, 2 * padding), (0, 2 * padding)",
        "The padding lies at the lower and right end alone.",
    ),
    (
        PARAMETERS,
        "return grad_weight,",
        "return grad_weight / (rows * columns),",
        "It is a mean over the positions",
    ),
    (PARAMETERS, "sum(axis=(0, 2, 3))", "sum(axis=0)", "The sum is over the images alone."),
    (
        PARAMETERS,
        "grad_y.sum(axis=(0, 2, 3))",
        "grad_y.mean(axis=(2, 3)).sum(axis=0)",
        "It is a mean over the positions",
    ),
    (PARAMETERS, "grad_weight +=", "grad_weight -=", "The sign is wrong."),
    (INPUT, "+= part", "= part", "with += and not ="),
    (INPUT, "j], weight)", "j], weight[:, :, ::-1, ::-1])", "flipped"),
    (
        INPUT,
        "padding : padding + height, padding : padding + width",
        ":height, :width",
        "The padding is cut off at the lower and right side alone.",
    ),
    (
        INPUT,
        "padding : padding + height, padding : padding + width",
        "2 * padding :, 2 * padding :",
        "The padding is cut off at the upper and left side alone.",
    ),
    (INPUT, "= stride * i, stride * j\n            part", "= i, j\n            part", "The stride"),
]


def test_right_solutions_are_right(graded):
    verdicts = graded(SOLUTION)
    for name in (PARAMETERS, INPUT, "max_pool2d_backward"):
        assert verdicts[name] == ("right", ()), name


@pytest.mark.parametrize(("name", "right", "wrong", "hint"), MISTAKES)
def test_a_mistake_gets_its_hint(graded, name, right, wrong, hint):
    function = next(part for part in SOLUTION.split("\n\n\n") if part.startswith(f"def {name}("))
    assert function.count(right) == 1
    state, remarks = graded("import numpy as np\n" + function.replace(right, wrong))[name]
    assert state == "wrong"
    assert any(hint in remark for remark in remarks), remarks


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("grad_x[there] += equal * grad_y[place]", "Each of several equal numbers gets the whole"),
        ("grad_x[there] += equal / equal.sum() * grad_y[place]", "Equal numbers share"),
        ("grad_x[there][equal] = grad_y[place]", "a pixel may be the largest of several"),
        (
            "grad_x[there].flat[np.argmax(seen)] += grad_y[place]",
            "It is right for usual arguments, and wrong for these: NaN among the numbers.",
        ),
    ],
)
def test_a_mistake_in_a_pool_gets_its_hint(graded, line, hint):
    _, remarks = graded("import numpy as np\n" + POOL.format(line))["max_pool2d_backward"]
    assert any(hint in remark for remark in remarks), remarks
