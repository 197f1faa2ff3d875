"""Emergencies as lines of text."""

from datetime import datetime

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.emergencies import (
    Debt,
    Debts,
    Drill,
    DrillRun,
    Emergencies,
    Emergency,
    EmergencyApproved,
    EmergencyDeclared,
    Part,
    Protocol,
    Report,
    Treatment,
)
from tidegate.cli.text.columns import Cell, columns
from tidegate.cli.text.times import TimeFormat, write_instant


def declared_lines(declared: EmergencyDeclared, *, times: TimeFormat) -> list[Text | str]:
    """Return what was declared, what it makes of the plan, and who must agree."""
    emergency = declared.emergency
    return [
        f"EMERGENCY {emergency.id}  {emergency.type}: {emergency.service} {_change(emergency)}",
        protocol_line(emergency.protocol, missing=emergency.persons_missing),
        *treatment_lines(declared.treatment),
        f"  expires      {write_instant(emergency.expires_at, now=emergency.as_of, form=times)}",
        *_next(emergency),
    ]


def treatment_lines(treatment: Treatment) -> list[Text | str]:
    """Return what is shortened, out of band and unchanged."""
    bakes = (
        f"bakes {words.duration_words(treatment.routine_bake_seconds)} in all"
        f" -> {words.duration_words(treatment.shortened_bake_seconds)}"
    )
    return [
        f"  shortened    {bakes}{_parts(treatment.shortened)}",
        f"  out of band  {_parts(treatment.out_of_band).removeprefix('; ') or 'nothing'}",
        f"  unchanged    {_parts(treatment.unchanged).removeprefix('; ')}",
    ]


def approved_lines(approved: EmergencyApproved, *, times: TimeFormat) -> list[Text | str]:
    """Return what a yes did."""
    emergency = approved.emergency
    lines: list[Text | str] = [
        f"emergency {emergency.id}: {words.list_words(emergency.agreed)} agreed"
    ]
    if approved.started is not None:
        started = approved.started.id
        lines.append(f"rollout {started} started.  Follow: tidegate watch {started}")
    elif approved.not_started:
        lines.append(f"it is authorised and wasn't started: {approved.not_started}")
        lines += _next(emergency)
    else:
        lines += _next(emergency)
    return lines


def emergency_table(found: Emergencies, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per emergency."""
    if not found.emergencies:
        return ["no emergencies"]
    rows: list[list[Cell]] = [
        ["EMERGENCY", "TYPE", "STATE", "SERVICE", "CHANGE", "INCIDENT", "BY", "SINCE", "EXPIRES"]
    ]
    rows += [
        [
            one.id,
            one.type,
            one.state,
            one.service,
            _change(one),
            one.incident,
            one.declared_by,
            write_instant(one.declared_at, now=found.as_of, form=times),
            write_instant(one.expires_at, now=found.as_of, form=times),
        ]
        for one in found.emergencies
    ]
    return [*columns(rows)]


def emergency_lines(emergency: Emergency, *, times: TimeFormat) -> list[Text | str]:
    """Return all that is to be known of one emergency."""

    def when(at: datetime) -> str:
        return write_instant(at, now=emergency.as_of, form=times)

    facts = ", ".join(
        f"{name} = {value}{' (claimed)' if name in emergency.claimed else ''}"
        for name, value in emergency.facts.items()
    )
    lines: list[Text | str] = [
        f"EMERGENCY {emergency.id}  {emergency.type}, {emergency.state}",
        f"  change    {emergency.service} {_change(emergency)}",
        f"  incident  {emergency.incident}: {emergency.reason}",
        f"  facts     {facts}",
        f"  criteria  {emergency.protocol.criteria}",
        f"  declared  by {emergency.declared_by}, {when(emergency.declared_at)}",
        f"  agreed    {words.list_words(emergency.agreed) or 'nobody yet'}",
        f"  expires   {when(emergency.expires_at)}",
    ]
    if emergency.rollouts:
        lines.append(f"  rollouts  {', '.join(emergency.rollouts)}")
    if emergency.closed_at is not None:
        lines.append(
            f"  closed    by {emergency.closed_by}, {when(emergency.closed_at)}: {emergency.closing}"
        )
    return [*lines, *_next(emergency)]


def report_lines(report: Report, *, times: TimeFormat) -> list[Text | str]:
    """Return the report of an emergency."""
    emergency = report.emergency
    lines = emergency_lines(emergency, times=times)
    for run in report.runs:
        lines += [
            f"Rollout {run.rollout}: {words.state_words(run.state)}, by {run.started_by}",
            f"  took {words.duration_words(run.took_seconds)}; its bakes"
            f" {words.duration_words(run.shortened_bake_seconds)} instead of"
            f" {words.duration_words(run.routine_bake_seconds)}",
            *(f"  {change}" for change in run.changes),
        ]
    lines.append("Debts:" if report.debts else "Debts: none")
    lines += _debt_rows(report.debts, now=emergency.as_of, times=times)
    lines.append("Timeline:")
    lines += columns(
        [
            [
                f"  {write_instant(one.at, now=emergency.as_of, form=times)}",
                one.actor,
                one.rule,
                one.rollout,
                one.because,
            ]
            for one in report.timeline
        ]
    )
    if report.is_cut:
        lines.append("  and more: tidegate rollout log ROLLOUT")
    return lines


def drill_lines(drill: Drill, *, times: TimeFormat) -> list[Text | str]:
    """Return what a drill showed, and what would be in the way of a real emergency."""
    last = (
        "never before"
        if drill.last_at is None
        else f"last {write_instant(drill.last_at, now=drill.at, form=times)}"
    )
    return [
        f"DRILL  {drill.type} with {drill.service} ({last}). Nothing was started.",
        protocol_line(drill.protocol, missing=0),
        *(f"  {step}" for step in drill.told),
        *treatment_lines(drill.treatment),
        f"  a good change  {_run_words(drill.healthy)}",
        f"  +2 pp errors   {_run_words(drill.harmful)}",
        *([] if drill.problems else ["nothing would be in the way"]),
        *(f"IN THE WAY  {problem}" for problem in drill.problems),
    ]


def _run_words(run: DrillRun) -> str:
    return f"{run.ending} in {run.phase} after {words.duration_words(run.took_seconds)}"


def debt_table(found: Debts, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per debt."""
    if not found.debts:
        return ["no debts"]
    return _debt_rows(found.debts, now=found.as_of, times=times)


def waived_lines(debt: Debt) -> list[Text | str]:
    """Return whether a debt is given up, or whose word is missing."""
    if debt.state == "waived":
        return [f"debt {debt.id} is given up"]
    said = words.list_words(word.person for word in debt.waivers)
    return [
        f"debt {debt.id} is still owed: {said} said that it may be given up",
        f'A second person has to say so: tidegate debt waive {debt.id} --reason ".."',
    ]


def _debt_rows(debts: list[Debt], *, now: datetime, times: TimeFormat) -> list[Text | str]:
    if not debts:
        return []
    rows: list[list[Cell]] = [["DEBT", "GATE", "SERVICE", "STATE", "DUE", "OWNER", "BECAUSE"]]
    rows += [
        [
            debt.id,
            debt.gate,
            debt.service,
            "overdue" if debt.is_overdue else debt.state,
            write_instant(debt.due_at, now=now, form=times),
            debt.owner,
            debt.because,
        ]
        for debt in debts
    ]
    return [*columns(rows)]


def protocol_line(protocol: Protocol, *, missing: int) -> str:
    """Return who must agree and how much faster it goes."""
    who = f" from {{{', '.join(protocol.authorise)}}}" if protocol.authorise else ""
    more = f"; {missing} more needed" if missing else ""
    return (
        f"Protocol {protocol.type}@{protocol.version}: bakes / {protocol.divide_by:g}"
        f" (min {words.duration_words(protocol.floor_seconds)}),"
        f" {protocol.persons} persons{who}{more}"
    )


def _next(emergency: Emergency) -> list[Text | str]:
    if emergency.state == "declared":
        return [
            f"{emergency.persons_missing} more must agree, not {emergency.declared_by}:"
            f" tidegate emergency approve {emergency.id}"
        ]
    if emergency.state == "authorised" and not emergency.rollouts:
        changes = " ".join(f"--change {name}={to}" for name, to in emergency.change.items())
        return [f"Start: tidegate start {emergency.service} {changes} --emergency {emergency.id}"]
    return []


def _change(emergency: Emergency) -> str:
    return " ".join(f"{name}={to}" for name, to in emergency.change.items())


def _parts(parts: list[Part]) -> str:
    return "".join(f"; {part.what}: {part.detail}" for part in parts)
