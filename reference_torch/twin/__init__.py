"""The same model in PyTorch, its training, and what is carried between the two."""
