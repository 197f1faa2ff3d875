"""How many worlds are lived through: a bounded part in every run, all of them with the full profile."""

import os
from collections.abc import Callable

import pytest

SHARES = 8
"""Into how many tests the seeds are parted, so that they can be spread over processes."""


@pytest.fixture
def is_full() -> bool:
    """Return whether everything is lived through."""
    return os.environ.get("TIDEGATE_TEST_PROFILE") == "full"


@pytest.fixture(params=range(SHARES))
def seeds(request: pytest.FixtureRequest, *, is_full: bool) -> Callable[[int, int], range]:
    """Return which seeds this test lives through, given the bounded and the full number of worlds."""

    def share(bounded: int, full: int) -> range:
        return range(request.param, full if is_full else bounded, SHARES)

    return share
