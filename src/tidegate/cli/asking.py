"""What several commands ask of the server, in one place each."""

import re
from typing import Any, Final

from tidegate.api.shapes.evidence import Evidence
from tidegate.api.shapes.rollout import Rollout
from tidegate.cli.client import Client
from tidegate.cli.notation import parse_at
from tidegate.errors import NotFoundError

BEGINNING: Final = "1970-01-01T00:00:00Z"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}")


def rollout_path(name: str, *parts: str) -> str:
    """
    Return the path of a rollout in the API.

    Raises:
        NotFoundError: *name* can't be anything's name. It must not lead elsewhere in the API.
    """
    return "/".join(("/v1/rollouts", path_part(name, "rollout and no service"), *parts))


def path_part(name: str, what: str) -> str:
    """Return *name* as one part of a path. Raises NotFoundError when it can't be the name of *what*."""
    if not _NAME.fullmatch(name):
        raise NotFoundError(
            f"there is no {what} {name!r}", hint="`tidegate status` lists what there is"
        )
    return name


def get_rollout(client: Client, name: str) -> Rollout:
    """Return a rollout as its targets serve it now."""
    return client.get(rollout_path(name), Rollout, observe=True)


def get_evidence(client: Client, name: str, *, points: bool = False) -> Evidence:
    """Return what a rollout's signals have shown; with *points* also how it came about."""
    path = rollout_path(name, "evidence")
    if points:
        return client.get(path, Evidence, since=BEGINNING)
    return client.get(path, Evidence)


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
