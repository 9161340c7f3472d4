"""flat.py: names and one vector, two views of the same numbers."""

import copy
import pickle

import numpy as np
import pytest

from numpyvae.flat import FlatArrays


@pytest.fixture
def arrays() -> FlatArrays:
    arrays = FlatArrays({"a": (2, 3), "b": (), "c": (4,)}, np.float32)
    arrays.flat[:] = np.arange(11)
    return arrays


def test_all_arrays_lie_in_one_vector_in_order(arrays):
    assert [(name, view.shape) for name, view in arrays.items()] == [
        ("a", (2, 3)),
        ("b", ()),
        ("c", (4,)),
    ]
    in_order = np.concatenate([view.ravel() for view in arrays.values()])
    np.testing.assert_array_equal(in_order, np.arange(11))
    assert arrays.flat.dtype == np.float32
    assert all(np.shares_memory(view, arrays.flat) for view in arrays.values())
    arrays["c"][1] = -1
    assert arrays.flat.tolist().index(-1) == 8


def test_arrays_can_be_assigned_and_changed_by_name(arrays):
    """As in plain gradient descent, by hand."""
    flat = arrays.flat
    for name in arrays:
        arrays[name] -= np.float32(1)
    arrays["c"] = [1, 2, 3, 4]
    assert arrays.flat is flat
    assert flat.tolist() == [-1, 0, 1, 2, 3, 4, 5, 1, 2, 3, 4]
    with pytest.raises(KeyError):
        arrays["nothing"] = 0
    with pytest.raises(ValueError, match="broadcast"):
        arrays["c"] = [1, 2, 3]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_a_copy_is_whole_and_a_copy(arrays, copied):
    other = copied(arrays)
    np.testing.assert_array_equal(other.flat, arrays.flat)
    other["b"] = -1
    assert other.flat[6] == -1
    assert arrays.flat[6] == 6
    assert all(np.shares_memory(view, other.flat) for view in other.values())
    assert [view.shape for view in other.values()] == [(2, 3), (), (4,)]


def test_a_shallow_copy_shares_the_vector(arrays):
    copy.copy(arrays)["b"] = -1
    assert arrays["b"] == -1


def test_arrays_say_what_they_are(arrays):
    assert repr(arrays) == "<FlatArrays, 11 numbers of float32: a (2, 3), b (), c (4,)>"
