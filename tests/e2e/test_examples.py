"""
The examples, run as their readers would: what they print and what is served at the end.

The first needs a package index; without one it says so and is skipped. The second needs nothing.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.envoy,
    pytest.mark.timeout(600),
]

EXAMPLES = Path(__file__).parents[2] / "examples"
ENDS_WITHIN_SECONDS = 420.0


def run(example: str, temporary: Path) -> "subprocess.CompletedProcess[str]":
    """Run an example as in its README; what it keeps for a while goes to *temporary*."""
    return subprocess.run(
        [sys.executable, str(EXAMPLES / example / "run.py")],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=ENDS_WITHIN_SECONDS,
        check=False,
    )


def processes_below(folder: Path) -> list[str]:
    """Return the command lines of all processes that name *folder*."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


def test_a_web_application_from_an_index_is_rolled_out(tmp_path: Path) -> None:
    """Eleven lines of a file and the commands of the README: the new version is what is served."""
    lines = (EXAMPLES / "01-web-app-from-pypi" / "tidegate.yaml").read_text().splitlines()

    done = run("01-web-app-from-pypi", tmp_path)

    if "can't be fetched" in done.stdout:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stdout
    assert len(lines) == 11
    assert re.findall(r"^served: (\S+)$", done.stdout, re.MULTILINE) == ["0.65.2", "0.65.5"]
    assert processes_below(tmp_path) == []


def test_a_document_is_rolled_out_and_a_harmful_one_put_back(tmp_path: Path) -> None:
    """Everyone hears the second document, and again after the third was caught by its metrics."""
    done = run("02-config", tmp_path)

    assert done.returncode == 0, done.stdout
    heard = re.findall(r"^heard: (.+)$", done.stdout, re.MULTILINE)
    assert heard == ["{'good day': 4}"] * 2
    assert "harm proven: errors," in done.stdout
    assert processes_below(tmp_path) == []
