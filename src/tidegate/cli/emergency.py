"""`tidegate emergency`: going faster than the plan when it must be, never alone and never blind."""

from typing import Annotated

import typer

from tidegate.api.shapes.emergencies import (
    Drill,
    Emergencies,
    Emergency,
    EmergencyApproved,
    EmergencyDeclared,
    Report,
)
from tidegate.cli import exit_codes
from tidegate.cli.commanding import Reason
from tidegate.cli.found import need_rollout
from tidegate.cli.notation import parse_facts
from tidegate.cli.proposing import Changes, FileOption, ServiceName, proposed
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.emergencies import (
    approved_lines,
    declared_lines,
    drill_lines,
    emergency_lines,
    emergency_table,
    report_lines,
)

app = typer.Typer(
    help="Emergencies: declare, approve, list, show, report, close, drill.",
    no_args_is_help=True,
)

EmergencyName = Annotated[
    str, typer.Argument(metavar="EMERGENCY", help="Its id, or a service (its latest).")
]


def declare(
    session: Session,
    service: ServiceName = None,
    change: Changes = None,
    file: FileOption = None,
    type_: Annotated[
        str, typer.Option("--type", help="Its type: security, outage, data-loss, or the policy's.")
    ] = "",
    incident: Annotated[str, typer.Option(help="The incident's id, as INC-431.")] = "",
    fact: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A fact for the type's criteria, as cve.score=9.8 or severity=sev1; may be repeated.",
        ),
    ] = None,
    reason: Reason = "",
    start: Annotated[
        bool, typer.Option("--start", help="Start it as soon as enough persons agreed.")
    ] = False,
) -> None:
    """
    Declare that a change must go faster than its plan. Somebody else must agree before it can start.

    Refused unless the criteria of the type are met; what isn't known isn't met.
    """
    asked = proposed(service, change, file)
    body = {
        **asked.body(),
        "type": type_,
        "incident": incident,
        "facts": parse_facts(fact or []),
        "reason": reason,
        "start": start,
    }
    with session.connect() as client:
        declared = client.post("/v1/emergencies", EmergencyDeclared, body)
    session.printer.show(
        declared,
        text=lambda: declared_lines(declared, times=session.times),
        names=[declared.emergency.id],
    )


def approve(session: Session, emergency: EmergencyName, reason: Reason = "") -> None:
    """Agree to an emergency that somebody else declared. The last yes needed authorises it."""
    with session.connect() as client:
        approved = client.post(
            f"/v1/emergencies/{emergency}/approve", EmergencyApproved, {"reason": reason}
        )
    session.printer.show(
        approved,
        text=lambda: approved_lines(approved, times=session.times),
        names=[approved.emergency.id],
    )


def list_(
    session: Session,
    all: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
) -> None:
    """List emergencies that aren't closed."""
    with session.connect() as client:
        found = client.get("/v1/emergencies", Emergencies, all=all)
    session.printer.show(
        found,
        text=lambda: emergency_table(found, times=session.times),
        names=[one.id for one in found.emergencies],
        rows=found.emergencies,
    )


def show(session: Session, emergency: EmergencyName) -> None:
    """Show one emergency: why, by whom, who is missing, until when."""
    with session.connect() as client:
        found = client.get(f"/v1/emergencies/{emergency}", Emergency)
    session.printer.show(
        found, text=lambda: emergency_lines(found, times=session.times), names=[found.id]
    )


def report(session: Session, emergency: EmergencyName) -> None:
    """Report on an emergency: what went faster, what it took, who did it, what is owed."""
    with session.connect() as client:
        found = client.get(f"/v1/emergencies/{emergency}/report", Report)
    session.printer.show(
        found,
        text=lambda: report_lines(found, times=session.times),
        names=[found.emergency.id],
        rows=found.timeline,
    )


def close(session: Session, emergency: EmergencyName, reason: Reason = "") -> None:
    """Close an emergency, with what was learned. Refused while anything of it runs or is owed."""
    with session.connect() as client:
        closed = client.post(f"/v1/emergencies/{emergency}/close", Emergency, {"reason": reason})
    session.printer.show(
        closed, text=lambda: emergency_lines(closed, times=session.times), names=[closed.id]
    )


def drill(
    session: Session,
    type_: Annotated[
        str, typer.Argument(metavar="TYPE", help="security, outage, data-loss, or the policy's.")
    ] = "security",
    service: Annotated[
        str | None, typer.Option("--service", metavar="SERVICE", help="With which service.")
    ] = None,
) -> int:
    """
    Walk an emergency in memory: who, what goes faster, what would happen. Nothing is started.

    Ends with 3 when something would be in the way of a real one.
    """
    body = {"service": need_rollout(service), "type": type_}
    with session.connect() as client:
        held = client.post("/v1/emergencies/drills", Drill, body)
    session.printer.show(
        held, text=lambda: drill_lines(held, times=session.times), names=[held.type]
    )
    return exit_codes.NEEDS_PERSON if held.problems else exit_codes.DONE


app.command("declare")(with_session(declare))
app.command("approve")(with_session(approve))
app.command("list")(with_session(list_))
app.command("show")(with_session(show))
app.command("report")(with_session(report))
app.command("close")(with_session(close))
app.command("drill")(with_session(drill))
