"""The loop: how a run goes, stops and goes on."""

import signal
from dataclasses import replace

import numpy as np
import pytest

from numpyvae import VAE, Dataset, InputError, evaluate, load_checkpoint, save_checkpoint, train
from numpyvae.data.dataset import as_floats
from numpyvae.errors import LossNotFiniteError
from numpyvae.training import folder, loop
from numpyvae.training.loop import learning_rate
from numpyvae.training.pictures import sample_latents
from numpyvae.training.steps import NumpyStepper, StepwiseTrainer, visits

pytestmark = pytest.mark.usefixtures("unrendered")


def test_training_is_deterministic_and_learns(assert_same_run, tiny, tiny_config):
    a, b = (train(replace(tiny_config, epochs=20, lr=1e-2), tiny) for _ in range(2))
    assert_same_run(a, b)
    assert a.history[-1]["train_loss"] < 0.95 * a.history[0]["train_loss"]
    other = train(replace(tiny_config, seed=1), tiny)
    assert other.history[0]["train_loss"] != a.history[0]["train_loss"]


@pytest.mark.parametrize(
    ("first", "changes"), [(1, {"beta": 0.5}), (2, {"beta": 0.5}), (1, {"importance_samples": 3})]
)
def test_a_resumed_run_ends_bit_for_bit_where_the_whole_run_ends(
    assert_same_run, tiny, tiny_config, tmp_path, first, changes
):
    config = replace(tiny_config, reconstruction="bce", binarize=True, **changes)
    whole = train(config, tiny, tmp_path / "whole")
    train(replace(config, epochs=first), tiny, tmp_path / "parts")
    resumed = train(config, tiny, tmp_path / "parts", resume=True)
    assert_same_run(resumed, whole)
    assert_same_run(load_checkpoint(tmp_path / "parts"), whole)
    for name in ["reconstructions.png", "evolution.png", "samples/epoch-0003.png"]:
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def trainer(changed):
    """Trains as NumPy does, but for what ``changed``, a subclass of StepwiseTrainer, does."""
    return lambda run, data: changed(run, data, NumpyStepper(run.vae, run.adam))


class Interrupted(StepwiseTrainer):
    """Ctrl-C stops it in the middle of its second epoch."""

    def train_epoch(self, on_step):
        if self.run.history:
            next(visits(self.data.train_images, self.run.config, self.run.rng, shuffled=True))
            self.run.vae.parameters.flat[:] = 0  # half an epoch's worth of changes
            raise KeyboardInterrupt
        return super().train_epoch(on_step)


class Exploding(StepwiseTrainer):
    """It loses its footing before the second epoch."""

    def train_epoch(self, on_step):
        if self.run.history:
            self.run.vae.parameters["decoder3.bias"][:] = np.nan
        return super().train_epoch(on_step)


class ExplodingLast(StepwiseTrainer):
    """It does so in the last step of an epoch."""

    def train_epoch(self, on_step):
        averages = super().train_epoch(on_step)
        self.run.vae.parameters.flat[:] = np.inf
        return averages


def test_ctrl_c_keeps_the_last_finished_epoch_and_the_run_can_go_on(
    assert_same_run, tiny, tiny_config, tmp_path
):
    with pytest.raises(KeyboardInterrupt, match=r"interrupted in epoch 2; .* after epoch 1"):
        train(tiny_config, tiny, tmp_path / "stopped", make_trainer=trainer(Interrupted))
    assert len(load_checkpoint(tmp_path / "stopped").history) == 1
    assert (tmp_path / "stopped" / "loss.png").exists()
    resumed = train(tiny_config, tiny, tmp_path / "stopped", resume=True)
    assert_same_run(resumed, train(tiny_config, tiny))


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_epoch(
    tiny, tiny_config, tmp_path
):
    with pytest.raises(LossNotFiniteError, match="the loss is nan in step 1 in epoch 2"):
        train(tiny_config, tiny, tmp_path, make_trainer=trainer(Exploding))
    kept = load_checkpoint(tmp_path)
    assert len(kept.history) == 1
    assert np.isfinite(kept.vae.parameters.flat).all()


def test_an_explosion_in_the_last_step_of_an_epoch_is_seen_in_validation(tiny, tiny_config):
    with pytest.raises(LossNotFiniteError, match="validation loss is not finite"):
        train(tiny_config, tiny, make_trainer=trainer(ExplodingLast))


@pytest.mark.parametrize("beta", [1e18, 1e20])
def test_adams_sums_overflow_before_the_loss_does_and_stop_the_run_too(
    tiny, tiny_config, tmp_path, beta
):
    config = replace(tiny_config, beta=beta, epochs=30)
    overflowed = "a gradient's square overflowed: square_sum is not finite in epoch"
    with pytest.raises(LossNotFiniteError, match=rf"{overflowed} .* after epoch \d+"):
        train(config, tiny, tmp_path)
    kept = load_checkpoint(tmp_path)
    assert np.isfinite(kept.adam.square_sum).all()


class InterruptedFirst(StepwiseTrainer):
    """Ctrl-C stops it before its first step."""

    def train_epoch(self, _):
        raise KeyboardInterrupt


def test_a_run_stopped_in_its_first_epoch_can_go_on(assert_same_run, tiny, tiny_config, tmp_path):
    with pytest.raises(KeyboardInterrupt, match=r"interrupted in epoch 1; .* after epoch 0"):
        train(tiny_config, tiny, tmp_path, make_trainer=trainer(InterruptedFirst))
    resumed = train(tiny_config, tiny, tmp_path, resume=True)
    assert_same_run(resumed, train(tiny_config, tiny))


def test_ctrl_c_at_the_pictures_says_that_training_is_done(
    tiny, tiny_config, tmp_path, monkeypatch
):
    def pressed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "draw_pictures", pressed)  # pressed again while they are drawn again
    with pytest.raises(KeyboardInterrupt, match=r"interrupted after epoch 3; .* after epoch 3"):
        train(tiny_config, tiny, tmp_path)


def test_ctrl_c_waits_until_checkpoint_and_history_agree(tiny, tiny_config, tmp_path, monkeypatch):
    def pressed(path, run):
        save_checkpoint(path, run)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(folder, "save_checkpoint", pressed)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config, tiny, tmp_path)
    monkeypatch.undo()
    run = train(replace(tiny_config, epochs=1), tiny, tmp_path, resume=True)
    monkeypatch.setattr(folder, "save_checkpoint", pressed)
    with pytest.raises(KeyboardInterrupt):
        folder.keep_run(run, tmp_path)
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 2


def test_settings_and_data_must_name_the_same_data_set(tiny, tiny_config, tmp_path):
    with pytest.raises(InputError, match="the settings name the data set digits, the data tiny"):
        train(replace(tiny_config, dataset="digits"), tiny, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_cosine_schedule_falls_to_zero(tiny_config):
    config = replace(tiny_config, lr_schedule="cosine")
    rates = [learning_rate(replace(config, epochs=100), epoch) for epoch in range(1, 101)]
    assert rates[0] == config.lr
    assert rates[50] == pytest.approx(config.lr / 2)
    assert 0 < rates[-1] < 1e-3 * config.lr
    assert sorted(rates, reverse=True) == rates


def test_the_schedule_reaches_adam(tiny, tiny_config):
    """Of two epochs the second has half the step size; with lr 0 nothing would move."""
    run = train(replace(tiny_config, epochs=2, lr_schedule="cosine"), tiny)
    assert run.adam.lr == tiny_config.lr / 2


def test_a_model_trained_from_python_is_the_one_in_the_checkpoint(tiny, tiny_config, tmp_path):
    vae = train(tiny_config, tiny, tmp_path).vae
    assert isinstance(vae, VAE)
    z = sample_latents(tiny_config)
    np.testing.assert_array_equal(load_checkpoint(tmp_path).vae.decode(z), vae.decode(z))


def test_float_images_train_too(assert_same_run, tiny, tiny_config):
    images = as_floats(tiny.train_images)
    floats = Dataset("tiny", images, None, as_floats(tiny.test_images), None, (5, 4))
    assert_same_run(train(tiny_config, floats), train(tiny_config, tiny))


def test_epochs_and_step_size_may_change_and_the_history_remembers(tiny, tiny_config, tmp_path):
    train(replace(tiny_config, lr_schedule="cosine"), tiny, tmp_path)
    more = replace(tiny_config, epochs=5, lr=0.01, lr_schedule="constant")
    run = train(more, tiny, tmp_path, resume=True)
    rates = [learning_rate(replace(tiny_config, lr_schedule="cosine"), n) for n in (1, 2, 3)]
    assert [row["lr"] for row in run.history] == [*rates, 0.01, 0.01]
    assert load_checkpoint(tmp_path).config == more


def test_a_run_in_memory_goes_on_and_stays_as_it_is(assert_same_run, tiny, tiny_config, tmp_path):
    short = train(replace(tiny_config, epochs=2), tiny)
    run = train(tiny_config, tiny, tmp_path / "kept", run=short)
    assert_same_run(run, train(tiny_config, tiny))
    assert_same_run(short, train(replace(tiny_config, epochs=2), tiny))
    assert_same_run(load_checkpoint(tmp_path / "kept"), run)
    with pytest.raises(InputError, match="the run has beta"):
        train(replace(tiny_config, beta=3.0), tiny, run=short)
    for wrong in ({"out": None}, {"out": tmp_path / "kept", "run": short}):
        with pytest.raises(InputError, match="resume means the run in the folder out"):
            train(tiny_config, tiny, resume=True, **wrong)


@pytest.mark.parametrize(
    "changes",
    [{}, {"reconstruction": "bce", "importance_samples": 5}, {"noise": False, "beta": 0.0}],
)
def test_numpy_may_be_told_to_raise(assert_same_run, tiny, tiny_config, tmp_path, changes):
    """A sum of squares that underflows, and importance weights that do, are no errors."""
    images = tiny.train_images.copy()
    images[:, :10] = 0
    data = replace(tiny, train_images=images, test_images=tiny.test_images // 100)
    config = replace(tiny_config, lr=0.02, epochs=60, **changes)
    with np.errstate(all="raise"):
        run = train(config, data, tmp_path)
        evaluate(run, data, images=12, importance_samples=3)
    assert_same_run(run, train(config, data))
