"""
The command line as a script has it: a process of its own, without a terminal.

It finds its server by the state folder alone, as a user's would.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ENDS_WITHIN_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Said:
    """What one command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Return the document on standard output."""
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """Runs `tidegate` in *cwd* for the server of *state_dir*."""

    state_dir: Path
    cwd: Path

    def __call__(self, *arguments: str, **environment: str) -> Said:
        """Run one command; *environment* is added to what every command has."""
        done = subprocess.run(
            [sys.executable, "-m", "tidegate.cli.app", *arguments],
            cwd=self.cwd,
            env={**os.environ, "TIDEGATE_STATE_DIR": str(self.state_dir), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ENDS_WITHIN_SECONDS,
            check=False,
        )
        return Said(code=done.returncode, out=done.stdout, err=done.stderr)
