"""What the tests share."""

import os

# Tests multiply small matrices, on two processes at once: more threads would only be in the way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shlex
import signal
import tracemalloc
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from numpyvae import Config, Dataset

# No deadline: how long one example takes says more about the machine than about the code.
settings.register_profile("numpyvae", deadline=None)
settings.load_profile("numpyvae")

# A shell starts background jobs with Ctrl-C ignored, and their children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Only a power cut shows what fsync is for, and tests wait for the disk thousands of times: what is
# left of it is that its descriptor must be open.
os.fsync = os.fstat

STEP = 1e-5  # of central differences in float64: truncation about STEP², rounding 1e-16 / STEP


@pytest.fixture(autouse=True)
def ctrl_c():
    """No test leaves Ctrl-C to do something else, which others would meet."""
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# Data


@pytest.fixture
def tiny() -> Dataset:
    """40 training and 12 test images of 5 x 4 random pixels."""
    images = np.random.default_rng(0).integers(0, 256, (52, 20), np.uint8)
    return Dataset("tiny", images[:40], None, images[40:], None, (5, 4))


@pytest.fixture
def tiny_config() -> Config:
    """A run of three epochs that takes no time; the last minibatch is smaller than the others."""
    return Config(dataset="tiny", epochs=3, batch_size=16, z_dim=2, hidden=(6, 5))


@pytest.fixture(scope="session")
def own_images():
    """own_images(folder) makes own.npz there: 60 images of 6 x 5 pixels, with labels.

    Some are bright at the top, the others at the bottom.
    """

    def own_images(folder: Path) -> None:
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 2, 60)
        bright = np.repeat([[1, 0], [0, 1]], [15, 15], axis=1)[labels]
        images = (bright * 200 + rng.integers(0, 55, (60, 30))).astype(np.uint8)
        np.savez(folder / "own.npz", images=images.reshape(60, 6, 5), labels=labels)

    return own_images


@pytest.fixture
def own_folder(own_images, tmp_path, monkeypatch) -> Path:
    """A working folder with images of one's own, own.npz."""
    own_images(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def unrendered_within():
    """``with unrendered_within(): ...``: files of figures hold the numbers that these show.

    Drawing takes most of a short training.
    """

    @contextmanager
    def unrendered_within():
        from processes import write_numbers

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("numpyvae.figures.style.Picture.savefig", write_numbers)
            yield

    return unrendered_within


@pytest.fixture
def unrendered(unrendered_within):
    """Files of figures hold the numbers that these show, throughout."""
    with unrendered_within():
        yield


# Commands


@pytest.fixture
def call(capsys):
    """call(main, line) -> (exit status, standard output, standard error) of a command."""

    def call(main: Callable[[list[str]], int], line: str) -> tuple[int, str, str]:
        try:
            status = main(shlex.split(line))
        except SystemExit as stop:  # argparse's own complaints and --help
            status = stop.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def assert_mistake(call):
    """assert_mistake(main, line, message): one line, status 2, nothing written or changed."""

    def state() -> dict[Path, int | None]:  # a lock that comes and goes changes a folder's time
        return {
            path: None if path.is_dir() else path.stat().st_mtime_ns
            for path in Path.cwd().rglob("*")
        }

    def assert_mistake(main: Callable[[list[str]], int], line: str, message: str) -> None:
        before = state()
        status, out, err = call(main, line)
        assert (status, out, err.count("\n")) == (2, "", 1), err
        assert message in err
        assert state() == before

    return assert_mistake


# Memory and damage


@pytest.fixture(scope="session")
def traced():
    """``with traced() as peak: ...``; then ``peak()`` is the most memory held, in bytes."""

    @contextmanager
    def traced():
        most = 0
        tracemalloc.start()
        try:
            yield lambda: most
        finally:
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()

    return traced


@pytest.fixture(scope="session")
def damaged():
    """damaged(data, whole): bytes cut short, or with up to three of them changed, or both."""

    def damaged(data, whole: bytes) -> bytes:
        content = bytearray(whole[: data.draw(st.integers(0, len(whole)) | st.just(len(whole)))])
        places = st.integers(0, min(40, len(content))) | st.integers(0, len(content))
        for _ in range(data.draw(st.integers(0, 3))):
            if content:
                place = min(data.draw(places), len(content) - 1)
                content[place] = data.draw(st.integers(0, 255))
        return bytes(content)

    return damaged


# Derivatives


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


@pytest.fixture(scope="session")
def assert_gradient():
    """assert_gradient(gradient, loss, x): it has the shape of x and is d loss / d x.

    loss() reads x anew at every call.
    """

    def assert_gradient(
        gradient: np.ndarray, loss: Callable[[], float], x: np.ndarray, name: str = ""
    ) -> None:
        atol = 1e-8 * (1 + abs(loss()))  # the loss's own rounding error, divided by STEP
        numeric = central_differences(loss, x)
        np.testing.assert_allclose(
            gradient, numeric, rtol=1e-6, atol=atol, err_msg=name, strict=True
        )

    return assert_gradient


@pytest.fixture(scope="session")
def assert_vjp(assert_gradient):
    """The vector-Jacobian product: backward(grad_y) is the gradient of <grad_y, forward()>.

    forward() reads the inputs anew at every call; backward returns one gradient for each.
    """

    def assert_vjp(forward, backward, inputs, rng):
        grad_y = np.asarray(rng.standard_normal(np.shape(forward())))
        gradients = backward(grad_y)
        for i, (x, gradient) in enumerate(zip(inputs, gradients, strict=True)):
            assert_gradient(gradient, lambda: float(np.vdot(grad_y, forward())), x, f"input {i}")

    return assert_vjp
