"""The README's five minutes, as a newcomer types them."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.envoy,
    pytest.mark.timeout(600),
]

ROOT = Path(__file__).parents[2]


def five_minutes() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- five-minutes.*?-->\n```console\n(.*?)```", text, re.DOTALL)
    assert block is not None, "the README has lost its five-minute block"
    return [line.removeprefix("$ ") for line in block.group(1).splitlines()]


def test_the_readme_s_five_minutes_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command of the block succeeds, in order, and the lab says what the README shows."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    printed = ""
    for command in five_minutes():
        done = subprocess.run(
            shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed += done.stdout

    assert "healthy  1.1.0: completed" in printed
    assert "harmful  1.2.0: rolled back" in printed
    assert ", 0 lost;" in printed
