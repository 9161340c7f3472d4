"""The words of a benchmark."""

from reference_torch.speed.tables import crossover


def test_the_crossover_is_named():
    assert crossover({"1": 2.0, "2": 1.5}) == "NumPy is faster at every size"
    words = crossover({"1": 2.0, "2": 1.1, "4": 0.9})
    assert words == "the faster one changes between 2 and 4 from NumPy to PyTorch"
