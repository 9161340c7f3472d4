"""What the tests of pictures share."""

import matplotlib.figure
import pytest


@pytest.fixture
def drawn(monkeypatch):
    """Catches the figures that are saved."""
    figures = []
    save = matplotlib.figure.Figure.savefig

    def savefig(figure, *arguments, **options):
        figures.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", savefig)
    return figures
