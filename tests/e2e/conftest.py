"""A site of its own for every test that starts real servers, and the one lab that several look at."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from readme_lab import RanLab, run_lab
from running_site import Site


@pytest.fixture(scope="session")
def readme_lab(tmp_path_factory: pytest.TempPathFactory) -> RanLab:
    """Return the lab of the README's five minutes, run to its end."""
    state = tmp_path_factory.mktemp("lab")
    return run_lab({**os.environ, "XDG_STATE_HOME": str(state)})


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Return an empty site; servers, proxies and shops that were started on it end with the test."""
    made = Site(folder=tmp_path)
    made.faults.mkdir()
    yield made
    await made.close()
