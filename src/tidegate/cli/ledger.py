"""
`tidegate ledger`: finding entries, handing the ledger out, and verifying it with or without a server.

Verifying needs nothing but the dump: the program that verifies must not have to trust the one that wrote.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Final

import typer

from tidegate.api.shapes.audit import FoundEntries, Heads, Witnesses
from tidegate.cli import exit_codes
from tidegate.cli.ledger_reading import verified_shape
from tidegate.cli.notation import parse_timeout
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.ledger import (
    found_lines,
    head_lines,
    key_lines,
    verified_lines,
    witness_lines,
)
from tidegate.documents.ledger.verify import verify_dump
from tidegate.errors import InvalidRequestError

app = typer.Typer(
    help="The ledger: query, export, verify, heads, key, witness.", no_args_is_help=True
)

FORMATS: Final = ("dump", "csv", "json")

Service = Annotated[str | None, typer.Option(help="Only entries of this service.")]
Since = Annotated[
    str | None, typer.Option(help="From then on: an instant (ISO 8601), or how long ago, as 24h.")
]
Until = Annotated[str | None, typer.Option(help="Before then: written as --since.")]
RolloutId = Annotated[str | None, typer.Option(help="Only entries of this rollout's id.")]
Actor = Annotated[str | None, typer.Option(help="Only what this name did.")]
Kind = Annotated[str | None, typer.Option(help="decision, command, evidence or refusal.")]
Rule = Annotated[str | None, typer.Option(help="Only this rule or verb.")]
Words = Annotated[
    str | None, typer.Option("--text", help="Only where this stands in the reason or the details.")
]


def query(
    session: Session,
    service: Service = None,
    rollout: RolloutId = None,
    actor: Actor = None,
    kind: Kind = None,
    rule: Rule = None,
    since: Since = None,
    until: Until = None,
    text: Words = None,
    before: Annotated[
        int | None, typer.Option(min=1, help="Only lower numbers: to go on behind a list.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
) -> None:
    """Find entries, newest first, that fit everything that is asked for."""
    with session.connect() as client:
        found = client.get(
            "/v1/ledger",
            FoundEntries,
            service=service,
            rollout=rollout,
            actor=actor,
            kind=kind,
            rule=rule,
            since=_instant(since, "--since"),
            until=_instant(until, "--until"),
            text=text,
            before=before,
            limit=limit,
        )
    session.printer.show(
        found,
        text=lambda: found_lines(found, times=session.times),
        names=[str(entry.number) for entry in found.entries],
        rows=found.entries,
    )


def export(
    session: Session,
    output: Annotated[
        str,
        typer.Option("-o", "--output", help="dump (for verify; always whole), csv or json."),
    ] = "dump",
    to: Annotated[
        Path | None, typer.Option("--to", help="A file to write. Default: standard output.")
    ] = None,
    service: Service = None,
    rollout: RolloutId = None,
    actor: Actor = None,
    kind: Kind = None,
    rule: Rule = None,
    since: Since = None,
    until: Until = None,
    text: Words = None,
) -> None:
    """Hand the ledger out: as a dump that anybody can verify, or as rows for auditors."""
    if output not in FORMATS:
        raise InvalidRequestError(f"no output {output!r}", hint=f"it can be: {', '.join(FORMATS)}")
    asked = {
        "service": service,
        "rollout": rollout,
        "actor": actor,
        "kind": kind,
        "rule": rule,
        "since": _instant(since, "--since"),
        "until": _instant(until, "--until"),
        "text": text,
    }
    if output == "dump" and any(asked.values()):
        raise InvalidRequestError(
            "a dump is always whole: a part of a chain proves nothing",
            hint="leave the filters out, or take -o csv",
        )
    with session.connect() as client, _target(to) as file:
        for chunk in client.download("/v1/ledger/export", format=output, **asked):
            file.write(chunk)


def verify(
    session: Session,
    dump: Annotated[
        Path | None,
        typer.Argument(help="A dump. Default: one is fetched from the server."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            help="A public key that you know from elsewhere, or a file with it. Repeatable.",
        ),
    ] = None,
    witness: Annotated[
        list[Path] | None,
        typer.Option("--witness", help="A file of heads that a witness kept. Repeatable."),
    ] = None,
) -> int | None:
    """
    Verify a dump without a server: chain, numbers, signatures, and what witnesses know.

    Exit code 0: it holds. 1: it doesn't, and the first bad entry is named.
    """
    trusted = [_key(one) for one in key or []]
    with ExitStack() as stack:
        if dump is None:
            lines: IO[bytes] = stack.enter_context(_fetched(session))
        else:
            lines = stack.enter_context(_opened(dump))
        heads = {str(path): stack.enter_context(_opened(path)) for path in witness or []}
        verified = verify_dump(lines, trusted=trusted, witnesses=heads)
    shown = verified_shape(verified)
    session.printer.show(
        shown, text=lambda: verified_lines(shown), names=["holds" if shown.holds else "broken"]
    )
    return exit_codes.DONE if verified.holds else exit_codes.ERROR


def heads(
    session: Session,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
) -> None:
    """List the latest signed heads."""
    with session.connect() as client:
        found = client.get("/v1/ledger/heads", Heads, limit=limit)
    session.printer.show(
        found,
        text=lambda: head_lines(found, times=session.times),
        names=[str(head.number) for head in found.heads],
        rows=found.heads,
    )


def key(session: Session) -> None:
    """Show the public keys that heads are signed with. Write them down elsewhere."""
    with session.connect() as client:
        found = client.get("/v1/ledger/heads", Heads, limit=1)
    session.printer.show(
        found,
        text=lambda: key_lines(found, times=session.times),
        names=[one.public for one in found.keys],
        rows=found.keys,
    )


def witness(session: Session) -> int | None:
    """
    Show who keeps heads elsewhere, and how far each of them is.

    Exit code 1 when one of them knows another history than this ledger.
    """
    with session.connect() as client:
        found = client.get("/v1/ledger/witnesses", Witnesses)
    session.printer.show(
        found,
        text=lambda: witness_lines(found, times=session.times),
        names=[one.name for one in found.witnesses],
        rows=found.witnesses,
    )
    return exit_codes.ERROR if any(one.conflict for one in found.witnesses) else exit_codes.DONE


app.command("query")(with_session(query))
app.command("export")(with_session(export))
app.command("verify")(with_session(verify))
app.command("heads")(with_session(heads))
app.command("key")(with_session(key))
app.command("witness")(with_session(witness))


def _instant(written: str | None, option: str) -> str | None:
    """Return an instant as the API takes it. A length of time is that long before now."""
    if written is None:
        return None
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        try:
            ago = parse_timeout(written)
        except InvalidRequestError as exc:
            raise InvalidRequestError(
                f"{option} must be an instant or how long ago, got {written!r}",
                hint="as in 2026-03-01T09:00:00Z, 2026-03-01 or 24h",
            ) from exc
        assert ago is not None, "only None gives None"
        at = datetime.now(UTC) - ago  # lint-skip: clock - the person's own "ago"
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).isoformat()


def _key(written: str) -> str:
    path = Path(written)
    if len(written) != 64 and path.is_file():
        with _opened(path) as file:
            return file.read(200).decode("ascii", "replace").strip()
    return written


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as exc:
        raise InvalidRequestError(
            f"{path} can't be read: {exc.strerror}", hint="give a file that is there"
        ) from exc
    with file:
        yield file


@contextmanager
def _fetched(session: Session) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        with session.connect() as client:
            for chunk in client.download("/v1/ledger/export", format="dump"):
                file.write(chunk)
        file.seek(0)
        yield file


@contextmanager
def _target(to: Path | None) -> Iterator[IO[bytes]]:
    if to is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        file = to.open("wb")
    except OSError as exc:
        raise InvalidRequestError(
            f"{to} can't be written: {exc.strerror}", hint="give a file in a folder of yours"
        ) from exc
    with file:
        yield file
