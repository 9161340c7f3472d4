"""The article's claims, redone: train, measure, draw, and say what held."""
