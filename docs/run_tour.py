"""Runs the tour from top to bottom in a clean kernel, and writes what it printed and drew into it.

python docs/run_tour.py
"""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

TOUR = Path(__file__).parent / "notebooks/tour.ipynb"


def executed(epochs: int | None = None) -> nbformat.NotebookNode:
    """The notebook after a run, of the training runs shortened to ``epochs`` where that is given.

    Raises:
        CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(TOUR, as_version=4)  # type: ignore[no-untyped-call]
    if epochs is not None:
        (cell,) = [cell for cell in notebook.cells if "epochs = 40" in cell.source]
        cell.source = cell.source.replace("epochs = 40", f"epochs = {epochs}")
    NotebookClient(notebook, kernel_name="python3", timeout=600, coalesce_streams=True).execute()
    return notebook


def main() -> None:
    notebook = executed()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when, which changes with every run
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("image/jpeg", None)  # of what is there as PNG
    nbformat.write(notebook, TOUR)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
