"""`tidegate gate`: how the gates of a rollout stand, asking them again, giving one what it judges."""

import base64
import gzip
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tidegate.api.shapes.gates import EvidenceSubmitted, Gate, Gates
from tidegate.cli import exit_codes
from tidegate.cli.asking import path_part, rollout_path
from tidegate.cli.client import Client
from tidegate.cli.commanding import RolloutName
from tidegate.cli.found import need_rollout
from tidegate.cli.notation import parse_changes, parse_timeout
from tidegate.cli.proposing import Changes
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.gates import gate_view, submitted_lines
from tidegate.errors import InvalidRequestError

LARGEST_FILE: Final = 1024 * 1024
ANSWERS_WITHIN: Final = "30s"
LOOK_EVERY_SECONDS: Final = 0.3

app = typer.Typer(help="Gates: list, check, submit.", no_args_is_help=True)


def list_(session: Session, rollout: RolloutName = None) -> int:
    """Show every gate of a rollout: state, reason, expiry, what to do. Exits with 6 if one holds it."""
    with session.connect() as client:
        found = client.get(rollout_path(need_rollout(rollout), "gates"), Gates)
    return _show(session, found)


def check(
    session: Session,
    rollout: RolloutName = None,
    within: Annotated[
        str, typer.Option("--within", metavar="TIME", help="How long to wait for the answers.")
    ] = ANSWERS_WITHIN,
) -> int:
    """Ask the gates of a rollout again now and wait for what they say. Exits with 6 if one holds it."""
    patience = parse_timeout(within)
    assert patience is not None, "it has a default"
    with session.connect() as client:
        path = rollout_path(need_rollout(rollout), "gates")
        before = client.post(f"{path}/check", Gates, {})
        found = _answered(client, path, before, patience.total_seconds())
    return _show(session, found)


def submit(
    session: Session,
    service: Annotated[str, typer.Argument(help="The service.")],
    gate: Annotated[str, typer.Argument(help="The gate, by the name in `gates:`.")],
    file: Annotated[Path, typer.Argument(help="What it judges: a report, a scan, a statement.")],
    change: Changes = None,
) -> None:
    """Give a gate a document about a change; without --change about the one that moves the service now."""
    body: dict[str, Any] = {
        "change": parse_changes(change or []),
        "name": file.name,
        "content": base64.b64encode(gzip.compress(_content(file), mtime=0)).decode("ascii"),
        "packed": True,
    }
    path = f"/v1/services/{path_part(service, 'service')}/evidence/{path_part(gate, 'gate')}"
    with session.connect() as client:
        given = client.post(path, EvidenceSubmitted, body)
    session.printer.show(given, text=lambda: submitted_lines(given), names=[given.document.digest])


def _answered(client: Client, path: str, before: Gates, seconds: float) -> Gates:
    """Return the gates once each that has a say was asked since *before*, or the time is over."""
    found = client.get(path, Gates)
    for _ in range(round(seconds / LOOK_EVERY_SECONDS)):
        if not any(_is_old(gate, before) for gate in found.gates):
            break
        time.sleep(LOOK_EVERY_SECONDS)
        found = client.get(path, Gates)
    return found


def _is_old(gate: Gate, before: Gates) -> bool:
    measured_at = gate.measured_at
    return gate.in_question and (measured_at is None or measured_at < before.as_of)


def _show(session: Session, found: Gates) -> int:
    session.printer.show(
        found,
        text=lambda: gate_view(found, times=session.times),
        names=[gate.name for gate in found.gates],
        rows=found.gates,
    )
    return exit_codes.DONE if found.all_green else exit_codes.REFUSED


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as exc:
        raise InvalidRequestError(
            f"{path} can't be read: {(exc.strerror or str(exc)).lower()}",
            hint="name a file that you may read",
        ) from exc
    if len(content) > LARGEST_FILE:
        raise InvalidRequestError(
            f"{path} is larger than {LARGEST_FILE} bytes",
            hint="leave out of it what no gate reads, or submit it in parts",
        )
    return content


app.command("list")(with_session(list_))
app.command("check")(with_session(check))
app.command("submit")(with_session(submit))
