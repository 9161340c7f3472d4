"""What a trained model is worth in numbers, and what its latent space looks like."""
