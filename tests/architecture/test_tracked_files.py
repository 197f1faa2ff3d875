"""Nothing of the machine it was made on, and no address of a registry, is in the repository."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Written in parts, or this file would name what it forbids.
FOLDERS = ["work", "root", "home/[a-z]"]
HOSTS = [
    *("py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.(?:org|com)", "crates" + r"\.io"),
    *("docker" + r"\.io", "ghcr" + r"\.io", "quay" + r"\.io", "mcr" + r"\.microsoft\.com"),
]
FORBIDDEN = re.compile(rf"(?<![\w.}}*])/(?:{'|'.join(FOLDERS)})/|{'|'.join(HOSTS)}")
LOCKED = frozenset({"uv.lock"})
"""Made by a tool that has to name where packages come from."""


def repository_files() -> list[Path]:
    """Return the files that are, or are about to be, in the repository."""
    listed = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(["git", *listed], cwd=ROOT, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        pytest.skip("this is no git checkout, so what is in the repository can't be told")
    return [ROOT / name for name in done.stdout.split("\0") if name and name not in LOCKED]


@pytest.mark.skipif(shutil.which("git") is None, reason="git isn't installed")
def test_no_file_names_a_machine_or_a_registry() -> None:
    """What is published works elsewhere, and says nothing about where it was made."""
    found = []
    for path in repository_files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # not text, or deleted since
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(lines, 1)
            if FORBIDDEN.search(line)
        ]

    assert found == []


@pytest.mark.parametrize("text", ["/" + "work/x", "see https://py" + "pi.org/simple"])
def test_what_is_forbidden_would_be_found(text: str) -> None:
    """The check above could fail."""
    assert FORBIDDEN.search(text)
