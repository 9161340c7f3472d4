"""``python -m reference_torch export`` and ``import``: weights as PyTorch's own .pt files."""

import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any

import torch

from numpyvae import Config, InputError, Run
from numpyvae.commands.weights import Export, Import
from numpyvae.data.files import reading, replacing
from numpyvae.data.pixels import ImageShape
from numpyvae.errors import say
from numpyvae.functional import Array
from numpyvae.training.weights import run_with_weights

from .carrying import to_array, to_torch


def save_state_dict(run: Run, path: Path) -> None:
    """Writes what ``TorchVAE.load_state_dict`` takes."""
    with replacing(path) as stream:
        torch.save(to_torch(run.vae).state_dict(), stream)


def load_state_dict(
    path: Path,
    config: Config | None = None,
    image_shape: ImageShape | None = None,
    names: Path | None = None,
) -> Run:
    """A run, before its first epoch, with the weights of a file; nothing in it is executed.

    Of a training's checkpoint, the state_dict() in it is taken.

    Raises:
        InputError: the file is missing, damaged or holds something else.
    """
    try:
        with reading(path) as stream, warnings.catch_warnings(action="ignore"):
            state = _unpickled(stream)
    except UnpicklingError as error:
        raise InputError(f"cannot read {path}: it holds more than weights") from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
            say(f"of {path} the entry {key} is taken, and nothing else")
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise InputError(f"{path} does not hold a state_dict(): names and tensors")
    weights = {str(name): _as_array(tensor, name, path) for name, tensor in state.items()}
    return run_with_weights(weights, path, config, image_shape, names)


def _unpickled(stream: IO[bytes]) -> Any:
    try:
        return torch.load(stream, "cpu", weights_only=True)
    except (UnpicklingError, OSError, MemoryError):
        raise
    except Exception as error:  # what is damaged makes PyTorch raise nearly anything
        raise ValueError(error) from error


def _as_array(tensor: torch.Tensor, name: str, path: Path) -> Array:
    """A tensor of floats as float32, or as float64 if it is.

    Raises:
        InputError: it is of another kind, or one number that is seen as many.
    """
    special = tensor.is_nested or tensor.is_quantized or tensor.is_meta
    if special or tensor.layout != torch.strided or not tensor.is_floating_point():
        raise InputError(f"{name} in {path} must be a plain tensor of floats")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise InputError(f"{name} in {path} has fewer numbers than its shape {tuple(tensor.shape)}")
    return to_array(tensor if tensor.dtype == torch.float64 else tensor.float())


EXPORT = Export(".pt", save_state_dict)
IMPORT = Import(".pt", load_state_dict)
