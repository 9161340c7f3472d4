"""The proof: losses and gradients held against PyTorch's, and mistakes that must be caught."""
