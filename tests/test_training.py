"""The loop: what it measures, keeps and draws, and how it stops and goes on."""

import csv
import json
from dataclasses import asdict, replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae import VAE, Config, Dataset, InputError, load_checkpoint, train
from numpyvae.data.dataset import as_floats
from numpyvae.errors import LossNotFiniteError
from numpyvae.figures.images import read_image_grid
from numpyvae.training.folder import sample_latents
from numpyvae.training.loop import learning_rate
from numpyvae.training.run import COLUMNS, Run
from numpyvae.training.steps import numpy_trainer, visits

PICTURES = ["evolution.png", "loss.png", "reconstructions.png"]


def without_seconds(run: Run) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.history]


def assert_same_run(a: Run, b: Run) -> None:
    """Bit for bit, but for the time it took."""
    for name, vector in a.vectors().items():
        np.testing.assert_array_equal(vector, b.vectors()[name], err_msg=name)
    assert a.adam.steps == b.adam.steps
    assert a.rng.bit_generator.state == b.rng.bit_generator.state
    assert without_seconds(a) == without_seconds(b)
    assert a.config == b.config


class Interrupted(numpy_trainer):
    """A trainer that Ctrl-C stops in the middle of its second epoch."""

    epochs = 0

    def train_epoch(self, on_step):
        self.epochs += 1
        if self.epochs == 2:
            next(visits(self.data.train_images, self.run.config, self.run.rng, shuffled=True))
            self.run.vae.parameters.flat[:] = 0  # half an epoch's worth of changes
            raise KeyboardInterrupt
        return super().train_epoch(on_step)


def test_a_run_folder_holds_everything(tiny, tiny_config, tmp_path):
    run = train(tiny_config, tiny, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*PICTURES, "checkpoint.npz", "config.json", "history.csv", "samples"]
    )
    assert json.loads((tmp_path / "config.json").read_text())["z_dim"] == 2
    with open(tmp_path / "history.csv") as stream:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]
    assert rows == run.history
    assert tuple(rows[0]) == COLUMNS
    assert_same_run(load_checkpoint(tmp_path), run)


def test_the_sample_grids_show_the_same_latent_vectors(tiny, tiny_config, tmp_path):
    run = train(tiny_config, tiny, tmp_path)
    grids = [read_image_grid(p, (5, 4)) for p in sorted((tmp_path / "samples").iterdir())]
    assert [len(grid) for grid in grids] == [64] * 3
    last = run.vae.decode(sample_latents(tiny_config))
    np.testing.assert_array_equal(grids[-1], np.rint(last * 255).astype(np.uint8))
    assert not np.array_equal(grids[0], grids[1])


def test_losses_are_per_image_whatever_the_batch_size(tiny, tiny_config):
    """With lr 0 the model stays as it is, so an epoch's averages can be had in one batch."""
    for batch_size in (1, 16, 40):
        run = train(replace(tiny_config, lr=0.0, epochs=1, batch_size=batch_size), tiny)
        vae, row = run.vae, run.history[0]
        for part, images in (("train", tiny.train_images), ("val", tiny.test_images)):
            mean, log_var = vae.encode(as_floats(images))
            kl = 0.5 * np.sum(mean**2 + np.exp(log_var) - 1 - log_var) / len(images)
            assert row[f"{part}_kl"] == pytest.approx(kl, rel=1e-5)
            loss = row[f"{part}_reconstruction"] + row[f"{part}_kl"]
            assert row[f"{part}_loss"] == pytest.approx(loss, rel=1e-6)
        assert row["mean_of_means"] == pytest.approx(mean.mean(), rel=1e-4)
        assert row["mean_of_log_vars"] == pytest.approx(log_var.mean(), rel=1e-4)


def test_reconstruction_without_noise_is_the_squared_error_per_image(tiny, tiny_config):
    config = replace(tiny_config, lr=0.0, epochs=1, noise=False, beta=0.0)
    run = train(config, tiny)
    x = as_floats(tiny.test_images)
    error = np.sum((run.vae.decode(run.vae.encode(x)[0]) - x) ** 2) / len(x)
    assert run.history[0]["val_reconstruction"] == pytest.approx(error, rel=1e-5)
    assert run.history[0]["val_loss"] == run.history[0]["val_reconstruction"]


def test_training_is_deterministic_and_learns(tiny, tiny_config):
    a, b = (train(replace(tiny_config, epochs=20, lr=1e-2), tiny) for _ in range(2))
    assert_same_run(a, b)
    assert a.history[-1]["train_loss"] < 0.95 * a.history[0]["train_loss"]
    other = train(replace(tiny_config, seed=1), tiny)
    assert other.history[0]["train_loss"] != a.history[0]["train_loss"]


@pytest.mark.parametrize("first", [1, 2])
def test_a_resumed_run_ends_bit_for_bit_where_the_whole_run_ends(
    tiny, tiny_config, tmp_path, first
):
    config = replace(tiny_config, reconstruction="bce", binarize=True, beta=0.5)
    whole = train(config, tiny, tmp_path / "whole")
    train(replace(config, epochs=first), tiny, tmp_path / "parts")
    resumed = train(config, tiny, tmp_path / "parts", resume=True)
    assert_same_run(resumed, whole)
    assert_same_run(load_checkpoint(tmp_path / "parts"), whole)
    for name in ["reconstructions.png", "evolution.png", "samples/epoch-0003.png"]:
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_ctrl_c_keeps_the_last_finished_epoch_and_the_run_can_go_on(tiny, tiny_config, tmp_path):
    with pytest.raises(KeyboardInterrupt, match=r"interrupted in epoch 2; .* after epoch 1"):
        train(tiny_config, tiny, tmp_path / "stopped", make_trainer=Interrupted)
    assert len(load_checkpoint(tmp_path / "stopped").history) == 1
    assert all((tmp_path / "stopped" / name).exists() for name in PICTURES)
    resumed = train(tiny_config, tiny, tmp_path / "stopped", resume=True)
    assert_same_run(resumed, train(tiny_config, tiny))


def test_resuming_mends_texts_that_a_kill_left_behind_the_checkpoint(tiny, tiny_config, tmp_path):
    train(replace(tiny_config, epochs=2), tiny, tmp_path)
    (tmp_path / "history.csv").unlink()
    run = train(replace(tiny_config, epochs=2), tiny, tmp_path, resume=True)
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 1 + len(run.history) == 3
    train(tiny_config, tiny, tmp_path, resume=True)
    assert json.loads((tmp_path / "config.json").read_text())["epochs"] == 3


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_epoch(
    tiny, tiny_config, tmp_path
):
    class Exploding(numpy_trainer):
        def train_epoch(self, on_step):
            if self.run.history:
                self.run.vae.parameters["decoder3.bias"][:] = np.nan
            return super().train_epoch(on_step)

    with pytest.raises(LossNotFiniteError, match="the loss is nan in step 1 in epoch 2"):
        train(tiny_config, tiny, tmp_path, make_trainer=Exploding)
    kept = load_checkpoint(tmp_path)
    assert len(kept.history) == 1
    assert np.isfinite(kept.vae.parameters.flat).all()


def test_an_explosion_in_the_last_step_of_an_epoch_is_seen_in_validation(tiny, tiny_config):
    class Exploding(numpy_trainer):
        def train_epoch(self, on_step):
            averages = super().train_epoch(on_step)
            self.run.vae.parameters.flat[:] = np.inf
            return averages

    with pytest.raises(LossNotFiniteError, match="validation loss is not finite"):
        train(tiny_config, tiny, make_trainer=Exploding)


def test_what_cannot_be_started_or_resumed(tiny, tiny_config, tmp_path):
    with pytest.raises(InputError, match=r"no run in .* to resume"):
        train(tiny_config, tiny, tmp_path, resume=True)
    train(tiny_config, tiny, tmp_path)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    with pytest.raises(InputError, match="holds a run already"):
        train(tiny_config, tiny, tmp_path)
    with pytest.raises(InputError, match=r"has beta 1\.0, not 2\.0; seed 0, not 7"):
        train(replace(tiny_config, beta=2.0, seed=7), tiny, tmp_path, resume=True)
    with pytest.raises(InputError, match="has finished epoch 3 already"):
        train(replace(tiny_config, epochs=2), tiny, tmp_path, resume=True)
    with pytest.raises(InputError, match=r"images of \(5, 4\), tiny \(4, 5\)"):
        train(tiny_config, replace(tiny, image_shape=(4, 5)), tmp_path, resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the folder"):
        train(tiny_config, tiny, tmp_path / "file")
    assert (tmp_path / "checkpoint.npz").read_bytes() == before


def test_a_cosine_schedule_falls_to_zero_and_fixes_the_number_of_epochs(
    tiny, tiny_config, tmp_path
):
    config = replace(tiny_config, lr_schedule="cosine")
    rates = [learning_rate(replace(config, epochs=100), epoch) for epoch in range(1, 101)]
    assert rates[0] == config.lr
    assert rates[50] == pytest.approx(config.lr / 2)
    assert 0 < rates[-1] < 1e-3 * config.lr
    assert sorted(rates, reverse=True) == rates
    train(config, tiny, tmp_path)
    with pytest.raises(InputError, match="epochs 3, not 4"):
        train(replace(config, epochs=4), tiny, tmp_path, resume=True)


def test_the_schedule_reaches_adam(tiny, tiny_config):
    """Of two epochs the second has half the step size; with lr 0 nothing would move."""
    run = train(replace(tiny_config, epochs=2, lr_schedule="cosine"), tiny)
    assert run.adam.lr == tiny_config.lr / 2


def test_binarized_visits_draw_every_pixel_anew_with_its_value_as_probability(tiny_config):
    images = np.tile(np.array([0, 51, 204, 255], np.uint8), (4000, 1))
    config = replace(tiny_config, binarize=True, reconstruction="bce", batch_size=4000)
    rng = np.random.default_rng(0)
    first, second = (next(visits(images, config, rng))[0].copy() for _ in range(2))
    assert set(np.unique(first)) == {0, 1}
    np.testing.assert_allclose(first.mean(0), [0, 0.2, 0.8, 1], atol=0.03)
    assert not np.array_equal(first, second)


def test_noise_is_standard_normal_and_new_at_every_visit(tiny, tiny_config):
    config = replace(tiny_config, batch_size=40, z_dim=500)
    eps = [
        e.copy() for _, e in islice(visits(tiny.train_images, config, np.random.default_rng(0)), 1)
    ]
    again = [e.copy() for _, e in visits(tiny.train_images, config, np.random.default_rng(1))]
    assert abs(eps[0].mean()) < 0.03
    assert abs(eps[0].std() - 1) < 0.03
    assert not np.array_equal(eps[0], again[0])
    silent = [
        e
        for _, e in visits(
            tiny.train_images, replace(config, noise=False), np.random.default_rng(0)
        )
    ]
    assert not np.any(silent[0])


def test_validation_uses_the_same_noise_in_every_epoch_and_leaves_the_rng_alone(tiny, tiny_config):
    run = Run.start(tiny_config, tiny.image_shape)
    trainer = numpy_trainer(run, tiny)
    state = run.rng.bit_generator.state
    assert trainer.validate() == trainer.validate()
    assert run.rng.bit_generator.state == state


@given(st.integers(1, 60), st.integers(1, 60))
def test_every_image_is_visited_once_an_epoch(n, batch_size):
    images = np.arange(n, dtype=np.uint8)[:, None]
    config = Config(batch_size=batch_size, z_dim=1)
    batches = visits(images, config, np.random.default_rng(0), shuffled=True)
    seen = np.concatenate([np.rint(x[:, 0] * 255).astype(int) for x, _ in batches])
    assert sorted(seen) == list(range(n))


def test_a_model_trained_from_python_is_the_one_in_the_checkpoint(tiny, tiny_config, tmp_path):
    vae = train(tiny_config, tiny, tmp_path).vae
    assert isinstance(vae, VAE)
    z = sample_latents(tiny_config)
    np.testing.assert_array_equal(load_checkpoint(tmp_path).vae.decode(z), vae.decode(z))


def test_float_images_train_too(tiny, tiny_config):
    images = as_floats(tiny.train_images)
    floats = Dataset("tiny", images, None, as_floats(tiny.test_images), None, (5, 4))
    assert_same_run(train(tiny_config, floats), train(tiny_config, tiny))


@pytest.mark.parametrize(
    "setting",
    [
        *({"epochs": 0}, {"batch_size": 0}, {"z_dim": 0}, {"hidden": (0, 3)}, {"hidden": (3,)}),
        *({"lr": -1.0}, {"lr": float("nan")}, {"beta": float("inf")}, {"weight_decay": -0.1}),
        *({"seed": -1}, {"seed": 0.5}, {"epochs": 2.0}, {"dataset": 3}, {"noise": 1}),
        *({"reconstruction": "l1"}, {"lr_schedule": "linear"}, {"binarize": True}),
    ],
    ids=str,
)
def test_a_setting_out_of_range_is_named(setting):
    (name,) = setting
    with pytest.raises(InputError, match=name) as error:
        Config(**setting)
    assert "\n" not in str(error.value)


def test_settings_survive_json():
    config = Config(hidden=(3, 4), lr=1e-2)
    assert Config.from_json(json.loads(json.dumps(asdict(config)))) == config
    for broken in ({}, {**asdict(config), "more": 1}, {**asdict(config), "hidden": 3}, None):
        with pytest.raises(InputError):
            Config.from_json(broken)
