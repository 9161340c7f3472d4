"""The networks by name: whatever depends on which one a run has asks this table."""

from __future__ import annotations

from typing import Literal

from .convolutional import Convolutional, ConvolutionalAutoencoder
from .network import FullyConnected, Network

NetworkName = Literal["fully-connected", "conv", "conv-autoencoder"]
NETWORKS: dict[NetworkName, type[Network]] = {
    "fully-connected": FullyConnected,
    "conv": Convolutional,
    "conv-autoencoder": ConvolutionalAutoencoder,
}
