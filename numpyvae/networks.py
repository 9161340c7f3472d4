"""The networks by name: whatever depends on which one a run has asks this table."""

from __future__ import annotations

from typing import Literal

from .convolutional import Convolutional
from .network import FullyConnected, Network

NetworkName = Literal["fully-connected", "conv"]
NETWORKS: dict[NetworkName, type[Network]] = {
    "fully-connected": FullyConnected,
    "conv": Convolutional,
}
