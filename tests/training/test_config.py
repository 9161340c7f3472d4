"""Settings: out of range they are named, and JSON keeps them."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from numpyvae import Config, InputError


@pytest.mark.parametrize(
    "setting",
    [
        *({"epochs": 0}, {"batch_size": 0}, {"z_dim": 0}, {"hidden": (0, 3)}, {"hidden": (3,)}),
        *({"lr": -1.0}, {"lr": float("nan")}, {"beta": float("inf")}, {"weight_decay": -0.1}),
        *({"seed": -1}, {"seed": 0.5}, {"epochs": 2.0}, {"dataset": 3}, {"noise": 1}),
        *({"lr": True}, {"beta": "1"}, {"lr": 10**400}, {"z_dim": True}, {"epochs": "3"}),
        *({"hidden": "ab"}, {"hidden": 5}, {"batch_size": 10**25}, {"seed": 2**64}),
        *({"reconstruction": "l1"}, {"lr_schedule": "linear"}, {"binarize": True}),
        *({"patience": 0}, {"patience": 1.5}, {"patience": False}),
        *({"importance_samples": 0}, {"importance_samples": 1.5}, {"bound": "tight"}),
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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": False, "beta": 0.0}, "importance_samples needs noise"),
        ({"beta": 0.5}, "the importance-weighted bound needs beta 1, got 0.5"),
    ],
)
def test_importance_samples_refuse_what_they_cannot_use(settings, message):
    with pytest.raises(InputError, match=message):
        Config(importance_samples=5, **settings)
    Config(**settings)


def test_the_elbo_of_several_samples_may_have_another_beta():
    assert Config(importance_samples=5, bound="elbo", beta=0.5).beta == 0.5


def test_settings_from_before_importance_samples_are_a_plain_vae():
    old = asdict(Config())
    del old["importance_samples"], old["bound"], old["patience"], old["beta_warmup"]
    assert Config.from_json(old) == Config()


def test_digits_get_more_epochs_by_default():
    assert (Config().epochs, Config("mnist").epochs, Config(epochs=3).epochs) == (120, 10, 3)
    assert (Config().beta, Config("mnist").beta, Config(beta=0.0).beta) == (0.5, 1.0, 0.0)
    assert (Config(importance_samples=5).beta, Config(importance_samples=5, bound="elbo").beta) == (
        *(1.0, 0.5),
    )


def test_numbers_of_numpy_lists_and_paths_are_understood():
    config = Config(
        dataset=Path("own.npy"), lr=np.float64(0.5), beta=np.int8(1), z_dim=np.int64(3),
        hidden=[np.int32(4), 5], noise=np.bool_(False), epochs=7,
    )  # fmt: skip
    plain = Config("own.npy", lr=0.5, beta=1.0, z_dim=3, hidden=(4, 5), noise=False, epochs=7)
    assert repr(config) == repr(plain)
    assert json.loads(json.dumps(asdict(config)))["hidden"] == [4, 5]
