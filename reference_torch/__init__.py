"""The same variational autoencoder in PyTorch: the reference that numpyvae is proven against.

The rooms, in reading order; each imports only from those above it:

    twin/       the model in PyTorch, its training, on one process or several, what is carried over
    proof/      parity, gradcheck, side by side, deliberate errors
    grading/    exercises that the machine grades, with hints
    speed/      how long a training step takes, on either side
"""

from numpyvae.lazy import public_names

# So that the command can say that PyTorch is missing.
__getattr__, __dir__ = public_names(__name__, __file__)
