"""A variational autoencoder in NumPy, its backward pass derived by hand.

The rooms, in reading order; each imports only from those above it:

    functional     every operation's forward pass, its backward pass right below
    convolution    the same of convolutions, for images as rows and columns of pixels
    flat           one vector, seen as many named arrays
    network        encoder and decoder, forward and backward
    reconstruction the reconstruction losses, a record each
    model          the variational autoencoder: noise, KL divergence, loss
    importance     the importance-weighted bound: several latent vectors per image
    optim          Adam
    errors         the ways in which a run can end early
    data/          images: data sets by name or path; files read without trust, written whole
    figures/       pictures: the only room that draws
    training/      a run: settings, steps, epochs, checkpoint, folder
    evaluation/    what a trained model is worth in numbers, and its latent space
    experiments/   the article's claims, redone
    explore/       a run as a page that lives in the browser
    commands/      the command line
"""

import os

# After every product OpenBLAS's threads spin for 0.1 s, and keep a core from Adam's threads, unless
# this is set before NumPy is loaded: then for 2^17 cycles, which is from one product to the next.
# docs/speed.md has the measurements.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "17")

TYPE_CHECKING = False  # typing has it, too, but takes its time to load
if TYPE_CHECKING:
    from . import convolution, functional, importance
    from .data.dataset import Dataset, as_floats
    from .data.loading import load_dataset
    from .errors import InputError, InputWarning, LossNotFiniteError
    from .evaluation.evaluate import Evaluation, evaluate
    from .evaluation.latent import (
        draw_interpolation,
        draw_latent_space,
        draw_manifold,
        draw_traversal,
        interpolate,
        reconstruct,
        sample_label,
        traverse,
    )
    from .evaluation.likelihood import encode
    from .flat import FlatArrays
    from .importance import IWAE
    from .model import VAE, Loss
    from .network import FullyConnected
    from .optim import Adam
    from .training.checkpoint import load_checkpoint, save_checkpoint
    from .training.config import Config
    from .training.folder import draw_images, draw_loss, draw_reconstructions, draw_samples
    from .training.loop import train
    from .training.run import Run
    from .training.weights import load_weights, save_weights

__version__ = "0.1.0"
__all__ = [
    "IWAE",
    "VAE",
    "Adam",
    "Config",
    "Dataset",
    "Evaluation",
    "FlatArrays",
    "FullyConnected",
    "InputError",
    "InputWarning",
    "Loss",
    "LossNotFiniteError",
    "Run",
    "as_floats",
    "convolution",
    "draw_images",
    "draw_interpolation",
    "draw_latent_space",
    "draw_loss",
    "draw_manifold",
    "draw_reconstructions",
    "draw_samples",
    "draw_traversal",
    "encode",
    "evaluate",
    "functional",
    "importance",
    "interpolate",
    "load_checkpoint",
    "load_dataset",
    "load_weights",
    "reconstruct",
    "sample_label",
    "save_checkpoint",
    "save_weights",
    "train",
    "traverse",
]

_HOME = {
    "Adam": "optim",
    "Config": "training.config",
    "Dataset": "data.dataset",
    "Evaluation": "evaluation.evaluate",
    "FlatArrays": "flat",
    "FullyConnected": "network",
    "IWAE": "importance",
    "InputError": "errors",
    "InputWarning": "errors",
    "Loss": "model",
    "LossNotFiniteError": "errors",
    "Run": "training.run",
    "VAE": "model",
    "as_floats": "data.dataset",
    "draw_images": "training.folder",
    "draw_interpolation": "evaluation.latent",
    "draw_latent_space": "evaluation.latent",
    "draw_loss": "training.folder",
    "draw_manifold": "evaluation.latent",
    "draw_reconstructions": "training.folder",
    "draw_samples": "training.folder",
    "draw_traversal": "evaluation.latent",
    "encode": "evaluation.likelihood",
    "evaluate": "evaluation.evaluate",
    "interpolate": "evaluation.latent",
    "load_checkpoint": "training.checkpoint",
    "load_dataset": "data.loading",
    "load_weights": "training.weights",
    "reconstruct": "evaluation.latent",
    "sample_label": "evaluation.latent",
    "save_checkpoint": "training.checkpoint",
    "save_weights": "training.weights",
    "train": "training.loop",
    "traverse": "evaluation.latent",
}

if not TYPE_CHECKING:

    def __getattr__(name):
        """Loads a public name when it is asked for: a command can say its help without NumPy."""
        from importlib import import_module

        if name in _HOME:
            return getattr(import_module(f".{_HOME[name]}", __name__), name)
        if name in __all__:
            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
