"""A variational autoencoder in NumPy, its backward pass derived by hand."""

from .data import Dataset, load_dataset
from .errors import InputError
from .model import VAE, Loss
from .optim import Adam

__all__ = ["VAE", "Adam", "Dataset", "InputError", "Loss", "load_dataset"]
