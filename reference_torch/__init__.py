"""The same variational autoencoder in PyTorch: the reference that numpyvae is proven against."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .twin.model import TorchVAE

__all__ = ["TorchVAE"]


def __getattr__(name: str) -> Any:
    """``TorchVAE``, loaded when asked for: so that the command can say that PyTorch is missing."""
    if name == "TorchVAE":
        from .twin.model import TorchVAE

        return TorchVAE
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
