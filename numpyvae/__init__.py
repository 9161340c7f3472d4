"""A variational autoencoder in NumPy, its backward pass derived by hand."""

from .checkpoint import Run, load_checkpoint, save_checkpoint
from .config import Config
from .data import Dataset, load_dataset
from .errors import InputError
from .model import VAE, Loss
from .optim import Adam
from .training import train

__all__ = [
    "VAE",
    "Adam",
    "Config",
    "Dataset",
    "InputError",
    "Loss",
    "Run",
    "load_checkpoint",
    "load_dataset",
    "save_checkpoint",
    "train",
]
