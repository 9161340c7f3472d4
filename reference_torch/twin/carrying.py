"""Carries weights and Adam's state between numpyvae and PyTorch."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from numpyvae import VAE, Adam
from numpyvae.flat import FlatArrays
from numpyvae.functional import Array
from numpyvae.importance import IWAE
from numpyvae.network import Network

from .importance import TorchIWAE
from .model import TorchVAE
from .network import TWINS


def to_torch(vae: VAE, device: torch.device | str = "cpu") -> TorchVAE:
    """A PyTorch model with a copy of the weights of a NumPy one, in the same dtype."""
    network = TWINS[type(vae.network)](*vae.network.sizes)
    torch_vae = (
        TorchIWAE(network, vae.reconstruction, samples=vae.samples, bound=vae.bound)
        if isinstance(vae, IWAE)
        else TorchVAE(network, vae.reconstruction)
    )
    weights = {name: torch.tensor(array) for name, array in vae.parameters.items()}
    torch_vae.load_state_dict(weights, assign=True)
    return torch_vae.to(device)


def to_numpy(torch_vae: TorchVAE, vae: VAE | None = None) -> VAE:
    """A NumPy model with a copy of the weights of a PyTorch one: ``vae``, or else a new one."""
    if vae is None:
        make: Callable[..., Network] = {twin: kind for kind, twin in TWINS.items()}[
            type(torch_vae.network)
        ]
        weight = to_array(next(torch_vae.parameters()))
        network = make(*torch_vae.network.sizes, dtype=weight.dtype)
        vae = (
            IWAE(
                network,
                torch_vae.reconstruction,
                samples=torch_vae.samples,
                bound=torch_vae.bound,
            )
            if isinstance(torch_vae, TorchIWAE)
            else VAE(network, torch_vae.reconstruction)
        )
    for name, parameter in torch_vae.named_parameters():
        vae.parameters[name][...] = to_array(parameter)
    return vae


def adam_to_torch(adam: Adam, optimizer: Optimizer, torch_vae: TorchVAE) -> None:
    """Gives the state of a NumPy Adam to a ``torch.optim`` Adam or AdamW.

    Carries steps and moving averages. Learning rate, betas, eps and weight decay belong to the
    optimizer and stay as they are.
    """
    beta1, beta2 = adam.betas
    m = _by_name((1 - beta1) * adam.gradient_sum, adam.parameters)
    v = _by_name((1 - beta2) * adam.square_sum, adam.parameters)
    group = optimizer.param_groups[0]
    on_device = group.get("capturable") or group.get("fused")
    for name, parameter in torch_vae.named_parameters():
        optimizer.state[parameter] = {
            "step": torch.tensor(float(adam.steps), device=parameter.device if on_device else None),
            "exp_avg": torch.tensor(m[name], device=parameter.device),
            "exp_avg_sq": torch.tensor(v[name], device=parameter.device),
        }


def adam_to_numpy(optimizer: Optimizer, torch_vae: TorchVAE, adam: Adam) -> None:
    """Gives the state of a ``torch.optim`` Adam or AdamW to a NumPy Adam: the way back."""
    beta1, beta2 = adam.betas
    m = _by_name(np.zeros_like(adam.gradient_sum), adam.parameters)
    v = _by_name(np.zeros_like(adam.square_sum), adam.parameters)
    adam.steps = 0
    for name, parameter in torch_vae.named_parameters():
        state = optimizer.state.get(parameter)
        if state:  # an optimizer has none before its first step
            adam.steps = int(state["step"])
            m[name][...] = to_array(state["exp_avg"])
            v[name][...] = to_array(state["exp_avg_sq"])
    np.divide(m.flat, 1 - beta1, out=adam.gradient_sum)
    np.divide(v.flat, 1 - beta2, out=adam.square_sum)


def _by_name(vector: Array, like: FlatArrays) -> FlatArrays:
    """A copy of a vector, seen through the names of the parameters."""
    arrays = FlatArrays({name: array.shape for name, array in like.items()}, vector.dtype)
    arrays.flat[...] = vector
    return arrays


def to_array(tensor: Tensor) -> Array:
    return tensor.detach().cpu().numpy()
