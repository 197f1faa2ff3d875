"""`tidegate start`: start a rollout, or exactly the plan that was looked at, and follow it on demand."""

import re
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.plan import Plan
from tidegate.api.shapes.rollout import Rollout
from tidegate.cli.client import Client
from tidegate.cli.notation import parse_timeout
from tidegate.cli.proposing import (
    Changes,
    FileOption,
    Proposed,
    ServiceName,
    proposed,
    read_plan,
)
from tidegate.cli.session import Session
from tidegate.cli.watching import Until, Watching
from tidegate.errors import InvalidRequestError, RefusedError

_HASH: Final = re.compile(r"sha256:[0-9a-f]{4,64}")
_WHOLE_HASH: Final = len("sha256:") + 64


def start(
    session: Session,
    service: ServiceName = None,
    change: Changes = None,
    file: FileOption = None,
    plan: Annotated[
        str | None,
        typer.Option(
            metavar="HASH|FILE",
            help="Start only this plan: its hash (or the beginning), or a file of `plan -o`.",
        ),
    ] = None,
    emergency: Annotated[
        str | None,
        typer.Option(
            metavar="EMERGENCY", help="Start it under this authorised emergency, by a shorter plan."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Follow it until it ends or needs a person.")
    ] = False,
    timeout: Annotated[
        str | None, typer.Option(help="With --watch: stop following after so long, as 90s or 2h.")
    ] = None,
) -> int | None:
    """Start a rollout. It goes on by itself; nobody has to stay."""
    until = Until(state=None, timeout=parse_timeout(timeout))
    with session.connect() as client:
        asked = _asked(client, service, change, file, plan)
        body = {**asked.body(), "plan_hash": asked.plan_hash, "emergency": emergency}
        started = client.post("/v1/rollouts", Rollout, body)
        if watch:
            session.printer.note(f"rollout {started.id} {_how(started)}: {_what(started)}")
            return Watching(session, client, started.id, until).follow()
        session.printer.show(
            started, text=lambda: _started(started, client.url), names=[started.id]
        )
        return None


def _asked(
    client: Client,
    service: str | None,
    change: list[str] | None,
    file: Path | None,
    plan: str | None,
) -> Proposed:
    if plan is None:
        return proposed(service, change, file)
    if not _HASH.fullmatch(plan):
        if change or service or file:
            raise InvalidRequestError(
                "a saved plan says all of it",
                hint="leave the service, --change and -f out, or give a hash to --plan",
            )
        return read_plan(Path(plan))
    asked = proposed(service, change, file)
    whole = plan if len(plan) == _WHOLE_HASH else _whole_hash(client, asked, plan)
    return Proposed(service=asked.service, change=asked.change, plan_hash=whole)


def _whole_hash(client: Client, asked: Proposed, beginning: str) -> str:
    """Return the hash of the present plan, when it begins as was said."""
    now = client.post("/v1/plans", Plan, asked.body()).plan_hash
    if not now.startswith(beginning):
        raise RefusedError(
            f"the plan is {now} now, not {beginning}",
            hint="tidegate.yaml or the versions changed since the plan was made: plan again",
        )
    return now


def _how(rollout: Rollout) -> str:
    return "queued" if rollout.state == "planned" else "started"


def _started(rollout: Rollout, url: str) -> list[Text | str]:
    lines: list[Text | str] = [
        f"rollout {rollout.id} {_how(rollout)}: {_what(rollout)}",
        f"  now     {rollout.waiting_on.detail}",
    ]
    if rollout.is_install:
        lines.append("  then    it is installed: nothing was served before")
    else:
        steps = " -> ".join(
            f"{phase.name} {words.duration_words(phase.bake_seconds)}" for phase in rollout.phases
        )
        lines.append("  first   the way back is tried on internal traffic")
        lines.append(f"  then    {steps}")
    lines.append(
        f"Detached.  Follow: tidegate watch {rollout.id}   Stop: tidegate halt {rollout.id}"
        f"   Page: {url}/rollouts/{rollout.id}"
    )
    return lines


def _what(rollout: Rollout) -> str:
    return f"{rollout.service} {words.change_words(rollout.change)}, plan {rollout.plan}"
