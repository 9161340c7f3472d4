"""PyTorch trains what NumPy trains: the same runs, to go on with from either side."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from numpyvae import InputError, InputWarning, load_checkpoint, train
from numpyvae.errors import LossNotFiniteError
from numpyvae.training.run import COLUMNS
from reference_torch.twin.training import CpuTrainer, DeviceTrainer, trainer_on

pytestmark = pytest.mark.usefixtures("unrendered")

BINARY = {"reconstruction": "bce", "binarize": True}
IMPORTANCE = {**BINARY, "importance_samples": 5}
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_cuda)]


def on(device):
    """The trainer that keeps all on its device; on the CPU it records no CUDA graph."""
    return lambda run, data: DeviceTrainer(run, data, device)


def assert_close_runs(a, b, tolerance=1e-4):
    for name, vector in a.vectors().items():
        other = b.vectors()[name]
        assert np.linalg.norm(vector - other) <= tolerance * np.linalg.norm(other), name
    assert a.adam.steps == b.adam.steps
    for row_a, row_b in zip(a.history, b.history, strict=True):
        for column in set(COLUMNS) - {"seconds"}:
            assert row_a[column] == pytest.approx(row_b[column], rel=1e-4, abs=1e-5), column


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {**BINARY, "beta": 0.5},
        {"beta": 0.5, "beta_warmup": 2},
        IMPORTANCE,
        {**IMPORTANCE, "bound": "dreg"},
        {**IMPORTANCE, "bound": "elbo", "beta": 0.5},
    ],
)
def test_on_the_cpu_pytorch_and_numpy_train_alike(tiny, tiny_config, changes):
    """The same minibatches and noise: after nine steps float32 has hardly drifted."""
    config = replace(tiny_config, **changes)
    assert_close_runs(train(config, tiny, make_trainer=CpuTrainer), train(config, tiny))


@pytest.mark.parametrize("first", ["numpy", "torch"])
def test_either_side_goes_on_with_the_others_run(tiny, tiny_config, tmp_path, first):
    trainers = {"make_trainer": CpuTrainer}, {}
    one, other = trainers if first == "torch" else trainers[::-1]
    train(replace(tiny_config, epochs=1), tiny, tmp_path, **one)
    with pytest.warns(
        InputWarning, match=r"was trained with .* and goes on with .*: not to the bit"
    ):
        resumed = train(tiny_config, tiny, tmp_path, resume=True, **other)
    assert_close_runs(resumed, train(tiny_config, tiny))
    assert_close_runs(load_checkpoint(tmp_path), resumed, tolerance=0)


@pytest.mark.parametrize("device", DEVICES)
def test_a_step_on_the_device_is_the_step_of_the_cpu(tiny, tiny_config, device):
    """One batch that holds all images, without noise: then nothing is left to chance."""
    config = replace(tiny_config, batch_size=40, noise=False, beta_warmup=2)
    assert_close_runs(train(config, tiny, make_trainer=on(device)), train(config, tiny))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("changes", [{}, BINARY, IMPORTANCE])
def test_training_on_the_device_learns_and_is_deterministic(tiny, tiny_config, device, changes):
    """The batches and the noise are other ones than NumPy's, so the losses agree only roughly."""
    config = replace(tiny_config, epochs=20, lr=1e-2, **changes)
    a, b = (train(config, tiny, make_trainer=on(device)) for _ in range(2))
    np.testing.assert_array_equal(a.vae.parameters.flat, b.vae.parameters.flat)
    ours = train(config, tiny)
    assert a.adam.steps == ours.adam.steps == 60
    assert a.history[-1]["train_loss"] == pytest.approx(ours.history[-1]["train_loss"], rel=0.1)
    assert a.history[-1]["val_loss"] == pytest.approx(ours.history[-1]["val_loss"], rel=0.1)


def test_every_epoch_visits_every_image_once_in_a_new_order_with_new_noise_and_pixels(
    tiny, tiny_config, monkeypatch
):
    """On the CPU: a recorded graph does not call Python again."""
    epochs = []
    step = DeviceTrainer._step

    def spy(self, size):
        if self.position == 0:
            epochs.append((self.order.tolist(), self.noise.numpy().copy(), self.visited.clone()))
        step(self, size)
        assert self.position in (16, 32, 40)

    monkeypatch.setattr(DeviceTrainer, "_step", spy)
    config = replace(tiny_config, epochs=2, **IMPORTANCE)
    train(config, tiny, make_trainer=on("cpu"))
    (order, noise, pixels), (other_order, other_noise, other_pixels) = epochs
    assert sorted(order) == sorted(other_order) == list(range(40))
    assert order not in (sorted(order), other_order)
    assert abs(noise.std() - 1) < 0.3
    assert len(np.unique(noise)) == noise.size
    assert not np.array_equal(noise, other_noise)
    assert pixels.unique().tolist() == [0, 1]
    assert not torch.equal(pixels, other_pixels)
    probability = tiny.train_images / 255
    assert np.corrcoef(pixels.numpy().ravel(), probability.ravel())[0, 1] > 0.4


@pytest.mark.parametrize("device", DEVICES)
def test_a_run_goes_on_on_the_device_where_it_stopped(tiny, tiny_config, tmp_path, device):
    whole = train(tiny_config, tiny, make_trainer=on(device))
    train(replace(tiny_config, epochs=1), tiny, tmp_path, make_trainer=on(device))
    resumed = train(tiny_config, tiny, tmp_path, resume=True, make_trainer=on(device))
    assert_close_runs(resumed, whole, tolerance=1e-6)


@pytest.mark.parametrize("device", DEVICES)
def test_the_schedule_reaches_the_optimizer(tiny, tiny_config, device):
    config = replace(tiny_config, lr_schedule="cosine", noise=False, batch_size=40)
    ours = train(config, tiny)
    for trainer in (on(device), CpuTrainer):
        assert_close_runs(train(config, tiny, make_trainer=trainer), ours)


@pytest.mark.parametrize("make_trainer", [CpuTrainer, on("cpu")])
def test_a_loss_that_is_not_finite_names_its_step(tiny, tiny_config, tmp_path, make_trainer):
    with pytest.raises(LossNotFiniteError, match=r"the loss is \S+ in step 2 in epoch 1"):
        train(replace(tiny_config, lr=1e30), tiny, tmp_path, make_trainer=make_trainer)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_where_there_is_none_is_an_error():
    assert trainer_on("auto").func is CpuTrainer
    with pytest.raises(InputError, match="no CUDA device here: use --device cpu"):
        trainer_on("cuda")
    with pytest.raises(InputError, match="--compile is for CUDA"):
        trainer_on("cpu", compiled=True)


@needs_cuda
def test_no_step_waits_for_the_host(tiny, tiny_config):
    trainer = None

    def keep(run, data):
        nonlocal trainer
        trainer = DeviceTrainer(run, data, "cuda")
        return trainer

    train(replace(tiny_config, epochs=1), tiny, make_trainer=keep)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in trainer.steps:
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_cuda
def test_float32_is_float32_on_cuda():
    assert not torch.backends.cuda.matmul.allow_tf32
