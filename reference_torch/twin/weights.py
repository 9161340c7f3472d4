"""``python -m reference_torch export`` and ``import``: weights as PyTorch's own .pt files."""

from pathlib import Path
from pickle import UnpicklingError

import torch

from numpyvae import Config, InputError, Run
from numpyvae.commands.weights import Export, Import
from numpyvae.data.files import reading, replacing
from numpyvae.training.weights import run_with_weights

from .carrying import to_array, to_torch


def save_state_dict(run: Run, path: Path) -> None:
    """Writes what ``TorchVAE.load_state_dict`` takes."""
    with replacing(path) as stream:
        torch.save(to_torch(run.vae).state_dict(), stream)


def load_state_dict(path: Path, config: Config | None, image_shape: tuple[int, int] | None) -> Run:
    """A run, before its first epoch, with the weights of a file; nothing in it is executed.

    Raises:
        InputError: the file is missing, damaged or holds something else.
    """
    try:
        with reading(path) as stream:
            state = torch.load(stream, "cpu", weights_only=True)
    except UnpicklingError as error:
        raise InputError(f"cannot read {path}: it holds more than weights") from error
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise InputError(f"{path} does not hold a state_dict(): names and tensors")
    weights = {str(name): to_array(tensor.float()) for name, tensor in state.items()}
    return run_with_weights(weights, path, config, image_shape)


EXPORT = Export(".pt", save_state_dict)
IMPORT = Import(".pt", load_state_dict)
