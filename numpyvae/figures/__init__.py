"""Pictures: the only room that draws with matplotlib.

Every function writes one PNG file at ``path``, in one step, replacing what was there, and raises
``InputError`` where that cannot be done. Images come as in ``numpyvae.data``: one row of
height * width pixels each, uint8 or floats in [0, 1]; ``image_shape`` is (height, width), or in
colour (height, width, 3), and a row has 3 numbers of each pixel.
"""

from ..errors import InputError

try:
    import matplotlib  # noqa: F401
except ValueError as error:  # of the environment's settings
    raise InputError(f"Matplotlib cannot start, by MPLBACKEND or its settings: {error}") from error
