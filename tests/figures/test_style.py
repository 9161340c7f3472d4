"""What all pictures share."""

import subprocess
import sys


def test_drawing_does_without_pyplot_and_its_global_state(tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from numpyvae.figures.images import reconstructions\n"
        f"images = np.zeros((2, 4)); path = {str(tmp_path / 'picture.png')!r}\n"
        "reconstructions(images, images, images, (2, 2), path)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
