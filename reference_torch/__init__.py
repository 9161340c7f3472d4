"""The same variational autoencoder in PyTorch: the reference that numpyvae is proven against."""

from .model import TorchVAE

__all__ = ["TorchVAE"]
