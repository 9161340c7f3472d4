"""What all pictures share."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from numpyvae.errors import InputError
from numpyvae.figures.curves import loss_curves
from numpyvae.figures.images import reconstructions
from numpyvae.figures.style import save
from numpyvae.training.run import COLUMNS


def test_drawing_does_without_pyplot_and_a_matplotlibrc_changes_nothing(tmp_path):
    """Pyplot has global state, and with ``text.usetex`` a picture would need LaTeX."""
    code = (
        "import sys, numpy as np\n"
        "from numpyvae.figures.images import reconstructions\n"
        "images = np.zeros((2, 4))\n"
        "reconstructions(images, images, images, (2, 2), 'changed.png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nlines.linewidth: 9\n")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    images = np.zeros((2, 4))
    reconstructions(images, images, images, (2, 2), tmp_path / "plain.png")
    assert (tmp_path / "changed.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


def test_a_notebook_shows_a_figure_as_its_file_is(tmp_path, monkeypatch):
    display = pytest.importorskip("IPython.display")
    shown = []
    monkeypatch.setattr(display, "display", shown.append)
    figure = loss_curves([dict.fromkeys(COLUMNS, 1.0)], tmp_path / "loss.png")
    figure._ipython_display_()
    assert shown[0].data == (tmp_path / "loss.png").read_bytes()


def test_threads_that_draw_leave_the_callers_settings_alone():
    history = [dict.fromkeys(COLUMNS, 1.0) | {"epoch": n} for n in (1, 2, 3)]
    with matplotlib.rc_context({"lines.linewidth": 7.0, "font.size": 5.0}):
        before = dict(matplotlib.rcParams)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: loss_curves(history), range(16)))
        assert dict(matplotlib.rcParams) == before


def test_other_kinds_of_pictures_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"x.jpg must end in .png, .svg, .pdf"):
        save(Figure(), tmp_path / "x.jpg")
    assert not list(tmp_path.iterdir())
