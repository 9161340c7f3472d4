"""The words of a benchmark."""

from reference_torch.speed.contenders import DEFAULT, NUMPY, PARTS, PRODUCTS
from reference_torch.speed.tables import crossover, step_table


def test_the_crossover_is_named():
    assert crossover({"1": 2.0, "2": 1.5}) == "NumPy is faster at every size"
    words = crossover({"1": 2.0, "2": 1.1, "4": 0.9})
    assert words == "the faster one changes between 2 and 4 from NumPy to PyTorch"


def test_a_slow_spell_that_meets_all_changes_no_ratio():
    """Three of eight turns take twice as long: quartile and ratios are those of the rest."""
    spell = [1, 1, 2, 2, 2, 1, 1, 1]
    rounds = {PRODUCTS: [2.0 * s for s in spell], NUMPY: [4.0 * s for s in spell]}
    rounds |= {DEFAULT: [5.0 * s for s in spell]} | dict.fromkeys(PARTS, [1.0] * 8)
    lines = step_table({"64": rounds}, "2 threads").splitlines()
    assert lines[0].split("step")[1].split() == [
        *("quartile", "median", "lowest", "highest"),
        *("times", "NumPy"),
    ]
    of = {line[:34].strip(): line[34:].split() for line in lines[1:4]}
    assert of[DEFAULT] == ["5.00", "5.00", "5.00", "10.00", "1.25", "(1.25", "to", "1.25)"]
    assert "share of products 50%" in lines[4]


def test_the_spread_of_ratios_is_that_of_turns():
    rounds = {PRODUCTS: [1.0] * 5, NUMPY: [2.0] * 5, DEFAULT: [1.0, 2.0, 3.0, 4.0, 5.0]}
    rounds |= dict.fromkeys(PARTS, [1.0] * 5)
    row = step_table({"64": rounds}, "2 threads").splitlines()[3]
    figures = row[34:].split()
    assert figures == ["2.00", "3.00", "1.00", "5.00", "1.50", "(1.00", "to", "2.00)"]
