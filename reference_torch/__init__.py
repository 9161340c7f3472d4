"""The same variational autoencoder in PyTorch: the reference that numpyvae is proven against.

The rooms, in reading order; each imports only from those above it:

    twin/       the model in PyTorch, its training, on one process or several, what is carried over
    proof/      parity, gradcheck, side by side, deliberate errors
    grading/    exercises that the machine grades, with hints
    speed/      how long a training step takes, on either side
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .proof.parity import Comparison, model_parity
    from .twin.carrying import to_numpy, to_torch
    from .twin.model import TorchVAE
    from .twin.network import TorchFullyConnected

__all__ = ["Comparison", "TorchFullyConnected", "TorchVAE", "model_parity", "to_numpy", "to_torch"]

_HOME = {
    "Comparison": ".proof.parity",
    "TorchFullyConnected": ".twin.network",
    "TorchVAE": ".twin.model",
    "model_parity": ".proof.parity",
    "to_numpy": ".twin.carrying",
    "to_torch": ".twin.carrying",
}


def __getattr__(name: str) -> Any:
    """Loads a public name when asked for: so that the command can say that PyTorch is missing."""
    if name in _HOME:
        return getattr(import_module(_HOME[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
