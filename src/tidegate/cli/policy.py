"""`tidegate policy`: what an organisation says once for all of its services, in `tidegate-org.yaml`."""

import difflib
from pathlib import Path
from typing import Annotated, Final

import typer

from tidegate.api.shapes.policy import PolicyVersion, PolicyVersions
from tidegate.cli import exit_codes
from tidegate.cli.commanding import Yes
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.columns import Cell, columns
from tidegate.cli.text.times import write_instant
from tidegate.drivers.clock.system import SystemClock
from tidegate.errors import InvalidDocumentError

app = typer.Typer(help="Policy: show, history, validate, apply.", no_args_is_help=True)

FILE_NAME: Final = "tidegate-org.yaml"
MAX_BYTES: Final = 2_000_000

PolicyPath = Annotated[
    Path, typer.Argument(metavar="[FILE]", help="The file. Default: tidegate-org.yaml here.")
]


def show(session: Session) -> None:
    """Print the policy in force, to the letter as it was written."""
    with session.connect() as client:
        found = client.get("/v1/policy", PolicyVersion)
    text = found.text.rstrip("\n") if found.number else "# no policy is in force"
    session.printer.show(found, text=lambda: text.split("\n"), names=[found.digest])


def history(
    session: Session,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
) -> None:
    """List every version that was ever in force, newest first."""
    with session.connect() as client:
        found = client.get("/v1/policy/history", PolicyVersions, limit=limit)

    def text() -> list[str]:
        if not found.versions:
            return ["no policy was ever in force"]
        rows: list[list[Cell]] = [["VERSION", "DIGEST", "SINCE", "BY", "REASON"]]
        rows += [
            [
                str(one.number),
                one.digest[:19],
                "-"
                if one.at is None
                else write_instant(one.at, now=found.as_of, form=session.times),
                one.by if one.person in (None, one.by) else f"{one.by} ({one.person})",
                one.reason,
            ]
            for one in found.versions
        ]
        return [str(line) for line in columns(rows)]

    session.printer.show(
        found, text=text, names=[one.digest for one in found.versions], rows=found.versions
    )


def validate(session: Session, file: PolicyPath = Path(FILE_NAME)) -> int:
    """Check a policy file: shape, values and names. Tells all problems at once. Needs no server."""
    from tidegate.documents.policy_file import read_policy

    try:
        policy = read_policy(_read(file), file=str(file), today=SystemClock().now().date())
    except InvalidDocumentError as exc:
        lines = exc.message.splitlines()
        session.printer.show(
            {"file": str(file), "valid": False, "digest": "", "problems": lines},
            text=lambda: lines,
            names=[str(file)],
        )
        return exit_codes.USAGE
    counts = f"{len(policy.people)} people, {len(policy.programs)} programs"
    session.printer.show(
        {"file": str(file), "valid": True, "digest": policy.digest, "problems": []},
        text=lambda: [f"{file}: ok, organisation {policy.organisation}, {counts}"],
        names=[],
    )
    return exit_codes.DONE


def apply(
    session: Session,
    file: PolicyPath = Path(FILE_NAME),
    reason: Annotated[str, typer.Option(help="Why; needed, and stays in the ledger.")] = "",
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="DIGEST", help="Refuse when another policy is in force by now."
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """
    Put a policy file in force. Shows first what changes.

    Approvals given so far lapse, and you can't approve what it governs for 24 hours.
    """
    text = _read(file)
    with session.connect() as client:
        before = client.get("/v1/policy", PolicyVersion)
        for line in difflib.unified_diff(
            before.text.splitlines(), text.splitlines(), "in force", str(file), lineterm=""
        ):
            session.printer.note(line)
        session.confirm("Put it in force?", yes=yes)
        body = {"text": text, "at": before.digest if at is None else at, "reason": reason}
        after = client.post("/v1/policy", PolicyVersion, body)
    session.printer.show(
        after,
        text=lambda: [f"policy version {after.number} is in force: {after.digest}"],
        names=[after.digest],
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8")
    except OSError as exc:
        raise InvalidDocumentError(
            f"{path} can't be read: {(exc.strerror or str(exc)).lower()}",
            hint=f"name the file: tidegate policy apply path/to/{FILE_NAME}",
        ) from exc
    except UnicodeDecodeError as exc:
        raise InvalidDocumentError(f"{path} isn't UTF-8", hint="Save it as UTF-8.") from exc
    if len(content) > MAX_BYTES:
        raise InvalidDocumentError(
            f"{path} is larger than {MAX_BYTES} bytes", hint="Is it the right file?"
        )
    return text


app.command("show")(with_session(show))
app.command("history")(with_session(history))
app.command("validate")(with_session(validate))
app.command("apply")(with_session(apply))
