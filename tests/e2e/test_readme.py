"""The README's five minutes, as a newcomer types them."""

import os
from pathlib import Path

import pytest
from readme_lab import RanLab, five_minutes, typed

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.envoy,
    pytest.mark.timeout(600),
]


def test_the_readme_s_five_minutes_work(readme_lab: RanLab, tmp_path: Path) -> None:
    """Each command of the block succeeds, in order, and the lab says what the README shows."""
    lab, *others = five_minutes()

    for command in others:
        typed(command, {**os.environ, "XDG_STATE_HOME": str(tmp_path)})

    assert lab == "./script/lab --once"
    assert "healthy  1.1.0: completed" in readme_lab.printed
    assert "harmful  1.2.0: rolled back" in readme_lab.printed
    assert ", 0 lost;" in readme_lab.printed
