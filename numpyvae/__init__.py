"""A variational autoencoder in NumPy, its backward pass derived by hand.

The rooms, in reading order; each imports only from those above it:

    errors         the ways in which a run can end early
    functional     every operation's forward pass, its backward pass right below
    convolution    the same of convolutions, for images as rows and columns of pixels
    flat           one vector, seen as many named arrays
    network        encoder and decoder, forward and backward
    convolutional  another network, of convolutions; networks has both by name
    reconstruction the reconstruction losses, a record each
    model          the variational autoencoder: noise, KL divergence, loss
    importance     the importance-weighted bound: several latent vectors per image
    optim          Adam
    data/          images: data sets by name or path; files read without trust, written whole
    figures/       pictures: the only room that draws
    training/      a run: settings, steps, epochs, checkpoint, folder
    evaluation/    what a trained model is worth in numbers, and its latent space
    experiments/   the article's claims, redone
    explore/       a run as a page that lives in the browser
    commands/      the command line

Public names stand in ``__init__.pyi``, and are loaded when they are asked for.
"""

import os

from .lazy import public_names

# After every product OpenBLAS's threads spin for 0.1 s, and keep a core from Adam's threads, unless
# this is set before NumPy is loaded: then for 2^17 cycles, which is from one product to the next.
# docs/speed.md has the measurements.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "17")

__version__ = "0.1.0"
__getattr__, __dir__ = public_names(__name__, __file__)
