"""What several commands ask of the server, in one place each."""

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from tidegate.api.shapes.evidence import Evidence
from tidegate.api.shapes.rollout import Rollout
from tidegate.cli.client import Client
from tidegate.cli.notation import parse_at


def rollout_path(name: str, *parts: str) -> str:
    """Return the path of a rollout in the API; *name* can't lead anywhere else."""
    return str(PurePosixPath("/v1/rollouts", quote(name, safe=""), *parts))


def get_rollout(client: Client, name: str) -> Rollout:
    """Return a rollout as its targets serve it now."""
    return client.get(rollout_path(name), Rollout, observe=True)


def get_evidence(client: Client, name: str) -> Evidence:
    """Return what a rollout's signals have shown."""
    return client.get(rollout_path(name, "evidence"), Evidence)


def command_body(*, reason: str, at: str | None, seen: Rollout | None = None) -> dict[str, Any]:
    """
    Return the body of a command.

    Args:
        reason: What the person says.
        at: `PHASE@REVISION` as it was written, or None.
        seen: What was shown to the person: the command holds for that and nothing newer.
    """
    given = parse_at(at)
    if given is None and seen is not None:
        given = {"phase": seen.at.phase, "revision": seen.at.revision}
    return {"reason": reason, "at": given}
