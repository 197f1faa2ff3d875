"""A site of its own for every test that starts real servers; all of it ends with the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from running_site import Site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Return an empty site; servers, proxies and shops that were started on it end with the test."""
    made = Site(folder=tmp_path)
    made.faults.mkdir()
    yield made
    await made.close()
