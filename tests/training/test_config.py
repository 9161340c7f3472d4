"""Settings: out of range they are named, and JSON keeps them."""

import json
from dataclasses import asdict

import pytest

from numpyvae import Config, InputError


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


def test_digits_get_more_epochs_by_default():
    assert (Config().epochs, Config("mnist").epochs, Config(epochs=3).epochs) == (60, 10, 3)
