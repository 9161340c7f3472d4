"""Labels as numbers, and their names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyvae.data.labels import as_counted, as_labels, number_names
from numpyvae.errors import InputError


@pytest.mark.parametrize("most", [1, 255, 256, 70_000, 2**40])
def test_numbers_are_as_small_as_they_can_be(most):
    for labels in ([1, 0, most], np.array([[1], [0], [most]])):
        found = as_labels(labels, 3)
        assert found.dtype == np.min_scalar_type(most)
        assert found.tolist() == [1, 0, most]
    assert as_labels((True, 2, 255), 3).dtype == np.uint8


@pytest.mark.parametrize("kind", [str, object, "S"])
def test_names_are_text(kind):
    found = as_labels(np.array(["cat", "dog", "cat"], kind), 3)
    assert found.dtype.kind == "U"
    assert found.tolist() == ["cat", "dog", "cat"]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros(3, int), r"shape \(3,\) for 4 images"),
        (np.eye(4, dtype=int), r"shape \(4, 4\)"),
        (np.zeros(4), "float64: give whole numbers or names"),
        (["cat", 1.5, None, "cat"], "object: give"),
        (["cat", "dog"], r"shape \(2,\) for 4"),
        ([[1], [2, 3], [4], [5]], "labels cannot become a NumPy array"),
        (np.array(["\xe9".encode()] * 4), "give whole numbers or names"),
        (np.array([0, 1, 2, -1]), "from -1 to 2"),
        ([], r"shape \(0,\)"),
    ],
)
def test_other_labels_are_refused(labels, said):
    with pytest.raises(InputError, match=said):
        as_labels(labels, 4)


def test_names_that_are_whole_numbers_are_their_own_labels():
    labels, test_labels, names = number_names(np.array(["11", "2", "007"]), np.array(["300"]))
    assert (labels.tolist(), test_labels.tolist(), names) == ([11, 2, 7], [300], None)
    assert labels.dtype == np.uint16


def test_other_names_are_numbered_as_people_count():
    given = ["b", "a10", "a2", "B", "a2"]
    labels, none, names = number_names(np.array(given), None)
    assert (labels.tolist(), none) == ([3, 1, 0, 2, 0], None)
    assert names == ("a2", "a10", "B", "b")
    for given in (["7", "07", "8"], ["-1", "0", "1"], ["1", "2", "x"]):
        labels, test_labels, names = number_names(np.array(given), np.array(given[:1]))
        assert [names[label] for label in labels] == given
        assert names[test_labels[0]] == given[0]


def test_numbers_have_no_names_and_are_not_mixed_with_names():
    numbers, names = np.array([3, 4]), np.array(["a", "b"])
    assert number_names(numbers, None) == (numbers, None, None)
    assert number_names(None, None) == (None, None, None)
    with pytest.raises(InputError, match="give numbers for both, or names for both"):
        number_names(numbers, names)


@given(st.lists(st.text(), unique=True))
def test_any_names_can_be_sorted(names):
    assert len(sorted(names, key=as_counted)) == len(names)
    numbered = [f"a{n}" for n in range(200)]
    assert sorted(sorted(numbered), key=as_counted) == numbered
