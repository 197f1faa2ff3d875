"""`tidegate plan`: what a start would do, and what its bakes can be expected to show. Changes nothing."""

import shlex
from pathlib import Path
from typing import Annotated, Final

import typer

from tidegate.api.shapes.plan import Plan
from tidegate.cli import exit_codes
from tidegate.cli.notation import parse_rate
from tidegate.cli.output import Format, yaml_text
from tidegate.cli.proposing import (
    Changes,
    FileOption,
    Proposed,
    ServiceName,
    document_of,
    proposed,
    save_plan,
)
from tidegate.cli.session import Session, is_format
from tidegate.cli.text.plan import plan_view, short_hash
from tidegate.errors import InvalidRequestError

PLAN_FILE_SUFFIX: Final = ".json"


def plan(
    session: Session,
    service: ServiceName = None,
    change: Changes = None,
    file: FileOption = None,
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            help="table, wide, json, jsonl, yaml, name; or FILE.json to save the plan for start.",
        ),
    ] = Format.TABLE.value,
    resolved: Annotated[
        bool,
        typer.Option(
            "--resolved", help="Print the file with every default filled in. Needs no server."
        ),
    ] = False,
    rate: Annotated[
        str | None,
        typer.Option(
            "--traffic",
            "--rate",
            metavar="REQ/S",
            help="Foresee with this traffic of the service, as 120/s, and not with what is known.",
        ),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 10 when there is a plan.")
    ] = False,
) -> int:
    """Show what a start would do: phases, exposure, bakes, what they can rule out, warnings."""
    saving = _saving(output)
    if resolved:
        _show_resolved(session, document_of(service, file))
        return exit_codes.DONE
    asked = proposed(service, change, file)
    with session.connect() as client:
        body = {**asked.body(), "requests_per_second": parse_rate(rate)}
        found = _placed(client.post("/v1/plans", Plan, body), asked)
    if saving is not None:
        save_plan(saving, asked, found.model_dump(mode="json"))
        session.printer.note(f"saved to {saving}")
    start_with = _start_with(asked, found, saving, file)
    printer = session.printer
    printer.show(
        found,
        text=lambda: plan_view(found, wide=printer.is_wide, start_with=start_with),
        names=[found.plan_hash],
    )
    if any(finding.severity == "error" for finding in found.findings):
        return exit_codes.REFUSED
    return exit_codes.PLAN_HAS_CHANGES if detailed_exitcode else exit_codes.DONE


def _placed(plan: Plan, asked: Proposed) -> Plan:
    """Return *plan* with its findings at their places in the file."""
    findings = [
        finding.model_copy(update={"place": asked.places.get(finding.message, finding.place)})
        for finding in plan.findings
    ]
    return plan.model_copy(update={"findings": findings})


def _saving(output: str) -> Path | None:
    if is_format(output):
        return None
    if not output.endswith(PLAN_FILE_SUFFIX):
        raise InvalidRequestError(
            f"no output {output!r}",
            hint=f"it can be: {', '.join(one.value for one in Format)}; or a file FILE.json",
        )
    return Path(output)


def _show_resolved(session: Session, document: dict[str, object]) -> None:
    session.printer.show(
        document,
        text=lambda: yaml_text(document).splitlines(),
        names=[str(document["service"])],
    )


def _start_with(asked: Proposed, plan: Plan, saved: Path | None, file: Path | None) -> str:
    if saved is not None:
        return f"tidegate start --plan {shlex.quote(str(saved))}"
    changes = " ".join(
        f"--change {shlex.quote(f'{component}={version}')}"
        for component, version in asked.change.items()
    )
    chosen = f" -f {shlex.quote(str(file))}" if file else ""
    return f"tidegate start {plan.service}{chosen} {changes} --plan {short_hash(plan.plan_hash)}"
