"""A training run on disk: one `.npz` file without pickle, read with suspicion, written whole.

The file holds

    header         JSON text: format, version, configuration, image shape, random state,
                   number of Adam steps, columns of the history, folder and identity of
                   the data, names of its labels, what it was trained with
    parameters     all parameters, one after the other, in the order of ``VAE.parameters``
    gradient_sum   Adam's two sums, in the same order
    square_sum
    history        one row per finished epoch
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from math import prod
from typing import Any

import numpy as np

from ..data.files import StrPath, user_path
from ..data.npz import read_npz, write_npz
from ..data.pixels import image_shape_of
from ..errors import InputError
from ..functional import Array
from ..networks import NETWORKS
from .config import Config
from .run import COLUMNS, LARGEST_LOSS, VECTORS, Run

FORMAT = "numpyvae checkpoint"
VERSION = 2
MOST_STEPS = 10**15
CHECKPOINT = "checkpoint.npz"  # its name in a run folder


def save_checkpoint(path: StrPath, run: Run) -> None:
    """Writes ``run`` to ``path``; a kill at any moment leaves the old file or the new one, whole.

    Raises:
        InputError: the file cannot be written.
        LossNotFiniteError: the run has broken down; it could not be loaded again.
    """
    run.check_finite()
    header = {
        "format": FORMAT,
        "version": VERSION,
        "config": asdict(run.config),
        "image_shape": run.image_shape,
        "rng": run.rng.bit_generator.state,
        "adam_steps": run.adam.steps,
        "columns": COLUMNS,
        "data_dir": run.data_dir,
        "label_names": run.label_names,
        "images": run.images,
        "trained_with": run.trained_with,
    }
    rows = [[row[column] for column in COLUMNS] for row in run.history]
    arrays = {
        "header": np.array(json.dumps(header)),
        **run.vectors(),
        "history": np.array(rows, np.float64).reshape(-1, len(COLUMNS)),
    }
    write_npz(path, arrays)


def load_checkpoint(path: StrPath) -> Run:
    """The run that ``save_checkpoint`` wrote to ``path``, a file or the run folder that holds it.

    Raises:
        InputError: the file is missing, damaged, of another kind or version, or contradicts itself.
    """
    path = user_path(path)
    if path.is_dir():
        path = path / CHECKPOINT
    arrays = read_npz(path, compressed=False)
    try:
        return _restore(arrays)
    except KeyError as error:
        raise InputError(f"{path} is no numpyvae checkpoint: it lacks {error}") from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{path} is no usable checkpoint: {error}") from error


def _restore(arrays: Mapping[str, Array]) -> Run:
    header = json.loads(str(arrays["header"]))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(f"its header does not say {FORMAT!r}")
    if header["version"] == 1:
        header, arrays = _from_version_1(header, arrays)
    if header["version"] != VERSION:
        raise InputError(f"its format is version {header['version']}, this program's {VERSION}")
    config = Config.from_json(header["config"])
    image_shape = image_shape_of(header["image_shape"])

    # The vectors are there already; the model is made only if its sizes are theirs.
    network = NETWORKS[config.network]
    shapes = network.parameter_shapes(*network.sizes_for(image_shape, config.hidden, config.z_dim))
    size = sum(prod(shape) for shape in shapes.values())
    for name in VECTORS:
        vector = arrays[name]
        if vector.shape != (size,) or vector.dtype != np.float32 or not np.isfinite(vector).all():
            raise InputError(f"{name} must be {size} finite float32 numbers, as its sizes ask for")
    if arrays["square_sum"].min() < 0:
        raise InputError("square_sum must not be negative")
    run = Run.start(config, image_shape)
    for name, vector in run.vectors().items():
        vector[...] = arrays[name]
    if type(header["adam_steps"]) is not int or not 0 <= header["adam_steps"] <= MOST_STEPS:
        raise InputError(f"adam_steps is {header['adam_steps']!r}")
    run.adam.steps = header["adam_steps"]
    _check_random_state(header["rng"])
    run.rng.bit_generator.state = header["rng"]
    run.data_dir, run.images = header["data_dir"], header.get("images")
    names, run.trained_with = header.get("label_names"), header.get("trained_with", [])
    for name, text in {"data_dir": run.data_dir, "images": run.images}.items():
        if not isinstance(text, str | None):
            raise InputError(f"its {name} is {text!r}")
    for name, texts in {"label_names": names or [], "trained_with": run.trained_with}.items():
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InputError(f"its {name} are {texts!r}")
    run.label_names = None if names is None else tuple(names)

    rows = arrays["history"]
    if header["columns"] != list(COLUMNS) or rows.shape[1:] != (len(COLUMNS),):
        raise InputError(f"its history must have the columns {', '.join(COLUMNS)}")
    epochs = np.arange(len(rows)) + 1
    if not (np.abs(rows) <= LARGEST_LOSS).all() or not np.array_equal(rows[:, 0], epochs):
        raise InputError("its history must be finite numbers, one row per epoch")
    run.history = [
        {"epoch": epoch, **dict(zip(COLUMNS[1:], map(float, row[1:]), strict=True))}
        for epoch, row in enumerate(rows, 1)
    ]
    return run


def _from_version_1(
    header: dict[str, Any], arrays: Mapping[str, Array]
) -> tuple[dict[str, Any], Mapping[str, Array]]:
    """Version 1 kept neither the folder of the data nor the lr of each epoch: the setting's."""
    history = np.insert(arrays["history"], -1, header["config"]["lr"], axis=1)
    columns = [*header["columns"][:-1], "lr", *header["columns"][-1:]]
    header |= {"version": VERSION, "data_dir": None, "columns": columns}
    return header, {**arrays, "history": history}


def _check_random_state(state: Mapping[str, Any]) -> None:
    """PCG64 steps from s to a s + inc, which visits every state if inc is odd, and some if not.

    From a state that it never leaves it would draw one number for ever, and a shuffle would wait
    for another.
    """
    bits = {"state": 128, "inc": 128, "has_uint32": 1, "uinteger": 32}
    numbers = {**state, **state.get("state", {})}
    if (
        state["bit_generator"] != "PCG64"
        or any(type(numbers[k]) is not int or not 0 <= numbers[k] < 1 << bits[k] for k in bits)
        or numbers["inc"] % 2 == 0
    ):
        raise ValueError("its random state is none that its generator can reach")
