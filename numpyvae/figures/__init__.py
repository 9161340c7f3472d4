"""Pictures: the only room that draws with matplotlib.

Every function writes one PNG file at ``path``, in one step, replacing what was there, and raises
``InputError`` where that cannot be done. Images come as in ``numpyvae.data``: one row of
height * width pixels each, uint8 or floats in [0, 1]; ``image_shape`` is (height, width).
"""
