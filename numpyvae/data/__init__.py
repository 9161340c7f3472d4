"""Images: data sets by name or path, and files that are read without trust and written whole."""
