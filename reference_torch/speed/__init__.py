"""How fast NumPy and PyTorch are on this machine."""
