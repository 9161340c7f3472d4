"""Weights in and out of a run, in files that others read: named arrays, as in PyTorch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ..convolutional import ConvolutionalAutoencoder
from ..data.files import StrPath, reading, replacing, user_path
from ..data.pixels import RGB, ImageShape, image_shape_of
from ..errors import InputError, say
from ..functional import Array
from ..networks import NETWORKS, NetworkName
from .config import Config
from .names import renamed
from .run import Run

BY_SHAPES: dict[tuple[int, bool], NetworkName] = {  # a weight's axes, less one; heads or none
    (1, True): "fully-connected",
    (3, True): "conv",
    (3, False): "conv-autoencoder",
}
METADATA = "numpyvae"  # the settings' place in a file's metadata


def save_weights(run: Run, path: StrPath) -> None:
    """Writes the weights of a run as a safetensors file, with the names and shapes of PyTorch.

    ``TorchVAE(...).load_state_dict(safetensors.torch.load_file(path))`` reads it. The settings are
    in its metadata, so ``load_weights`` needs no more. Adam's state and the history are left out.

    Raises:
        InputError: the file cannot be written.
    """
    from safetensors.numpy import save

    settings = {"config": asdict(run.config), "image_shape": run.image_shape}
    content = save(dict(run.vae.parameters), {METADATA: json.dumps(settings)})
    with replacing(path) as stream:
        stream.write(content)


def load_weights(
    path: StrPath,
    config: Config | None = None,
    image_shape: ImageShape | None = None,
    names: StrPath | None = None,
) -> Run:
    """A run, before its first epoch, with the weights of a safetensors file.

    Args:
        path: the file, of ``save_weights`` or another program's.
        config: the settings, whose sizes are taken from the weights; by default those in the file,
            or else ``Config``'s own.
        image_shape: (height, width), to which the weights say whether there is colour; by default
            that in the file, or else a square.
        names: a file that says which of its names is which of ours, see ``names.renamed``.

    Raises:
        InputError: a file is missing or damaged, holds another model, or its names do not fit.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with reading(path), safe_open(user_path(path), "numpy") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            known = (file.metadata() or {}).get(METADATA)
    except (SafetensorError, TypeError, AttributeError) as error:  # such as a dtype NumPy lacks
        raise InputError(f"cannot read {path}, damaged or of another kind: {error}") from error
    if known is not None:
        try:
            settings = json.loads(known)
            config = config or Config.from_json(settings["config"])
            image_shape = image_shape or image_shape_of(settings["image_shape"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"the settings in {path} make no sense: {error}") from error
    return run_with_weights(weights, path, config, image_shape, names)


def run_with_weights(
    weights: Mapping[str, Array],
    path: StrPath,
    config: Config | None = None,
    image_shape: ImageShape | None = None,
    names: StrPath | None = None,
) -> Run:
    """A run, before its first epoch, with such weights, from the file ``path``.

    What DataParallel and torch.compile put before all names is taken off, and said.

    Raises:
        InputError: names, shapes or values are not those of a model.
    """
    for prefix in ("_orig_mod.", "module."):
        if weights and all(name.startswith(prefix) for name in weights):
            say(f"the names in {path} are taken without the {prefix} before them")
            weights = {name.removeprefix(prefix): weight for name, weight in weights.items()}
    if names is not None:
        weights = renamed(weights, path, names)
    shapes = {name: weight.shape for name, weight in weights.items()}
    try:
        h1, *inputs = shapes["encoder1.weight"]
        h2, *_ = shapes["encoder2.weight"]
        network = BY_SHAPES[len(inputs), "mean.weight" in shapes]
        z_dim, _ = shapes.get("mean.weight", (0, 0))
    except (KeyError, ValueError):
        raise InputError(
            f"{path} lacks a matrix encoder1.weight or mean.weight, or kernels of convolutions; "
            "--names says which of its names is which"
        ) from None
    if image_shape is None and len(inputs) > 1:
        raise InputError(f"{path} does not say for which images its convolutions are: their size")
    image_shape = image_shape_of(image_shape or (math.isqrt(inputs[0]),) * 2)
    height, width, *_ = image_shape
    if inputs[0] == RGB * (1 if len(inputs) > 1 else height * width):
        image_shape = (height, width, RGB)
    if network == "fully-connected" and [math.prod(image_shape)] != inputs:
        raise InputError(f"{path} is for images of {inputs[0]} pixels, which is not {image_shape}")
    kind = NETWORKS[network]
    settings: dict[str, Any] = {"network": network, "hidden": (h1, h2), "z_dim": z_dim}
    if network == "conv-autoencoder":
        z_dim = ConvolutionalAutoencoder.code_size(image_shape, (h1, h2))
        settings |= {"z_dim": z_dim, "noise": False, "beta": 0.0}
    expected = kind.parameter_shapes(*kind.sizes_for(image_shape, (h1, h2), z_dim))
    for name in {**expected, **shapes}:
        if shapes.get(name) != expected.get(name):
            raise InputError(
                f"{path} has {name} of shape {shapes.get(name)}, not {expected.get(name)}"
            )
    with np.errstate(over="ignore"):
        for name, weight in weights.items():
            if weight.dtype.kind != "f" or not np.isfinite(weight.astype(np.float32)).all():
                raise InputError(f"{name} in {path} must be finite floats, in float32 too")
    run = Run.start(replace(config or Config(), **settings), image_shape)
    for name, weight in weights.items():
        run.vae.parameters[name] = weight
    return run
