"""A run: its settings, its steps and epochs, its checkpoint and its folder."""
