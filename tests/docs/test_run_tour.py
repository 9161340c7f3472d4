"""The tour runs from a clean kernel; the book shows what it printed and drew."""

import nbformat
import pytest
import run_tour


@pytest.fixture
def one_thread(monkeypatch):
    """A busy machine slows down many threads much more than one."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


@pytest.mark.usefixtures("one_thread")
def test_the_tour_runs_from_a_clean_kernel():
    notebook = run_tour.executed(epochs=2)
    printed = "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream"
    )
    assert printed.count("largest difference, relative") == 14
    assert "2/2" in printed
    assert "sample.png" in printed
    assert "rror" not in printed.replace("squared error", "")


def test_the_tour_in_the_book_shows_a_whole_run():
    notebook = nbformat.read(run_tour.TOUR, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 9
