"""The lab as the README's newcomer runs it, once for all tests that look at it."""

import json
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tidegate.lab.live import FOUND_FILE

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class RanLab:
    """A lab that has ended: what it printed, what it found, and the folder that was its own."""

    printed: str
    document: dict[str, Any]
    folder: Path


def five_minutes() -> list[str]:
    """Return the commands of the README's block, the first of which is the lab."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- five-minutes.*?-->\n```console\n(.*?)```", text, re.DOTALL)
    assert block is not None, "the README has lost its five-minute block"
    return [line.removeprefix("$ ") for line in block.group(1).splitlines()]


def typed(command: str, environment: dict[str, str]) -> str:
    """Run a command of the block as it is typed; return what it printed."""
    done = subprocess.run(
        shlex.split(command),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_lab(environment: dict[str, str]) -> RanLab:
    """Run the lab of the block in *environment*, which says where its folder is (XDG_STATE_HOME)."""
    printed = typed(five_minutes()[0], environment)
    folder = Path(environment["XDG_STATE_HOME"]) / "tidegate" / "lab"
    document = json.loads((folder / FOUND_FILE).read_text(encoding="utf-8"))
    return RanLab(printed=printed, document=document, folder=folder)
