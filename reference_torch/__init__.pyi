from .proof.parity import Comparison as Comparison
from .proof.parity import model_parity as model_parity
from .twin.carrying import to_numpy as to_numpy
from .twin.carrying import to_torch as to_torch
from .twin.model import TorchVAE as TorchVAE
from .twin.network import TorchConvolutional as TorchConvolutional
from .twin.network import TorchConvolutionalAutoencoder as TorchConvolutionalAutoencoder
from .twin.network import TorchFullyConnected as TorchFullyConnected
