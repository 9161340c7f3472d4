"""What the tests of the data share."""

import pytest

from numpyvae import InputError, load_dataset


@pytest.fixture(autouse=True)
def _no_data_folder(monkeypatch):
    monkeypatch.delenv("NUMPYVAE_DATA", raising=False)


@pytest.fixture
def refused():
    """refused(match, *args): load_dataset(*args) is an InputError of one line; returns it."""

    def refused(match: str, *args) -> str:
        with pytest.raises(InputError, match=match) as caught:
            load_dataset(*args)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refused


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """For hypothesis, whose examples may share a folder."""
    return tmp_path_factory.mktemp("damaged")
