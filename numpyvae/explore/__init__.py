"""A trained network and its backward pass as one HTML page, alive in a browser."""
