"""Emergencies as they are shown."""

from datetime import datetime

from tidegate.api.shapes import emergencies as shapes
from tidegate.api.showing.rollout import show_rollout
from tidegate.domain.emergency.authority import persons_agreed, persons_missing
from tidegate.domain.emergency.model import Debt, Emergency, Word
from tidegate.domain.emergency.protocol import EmergencyProtocol
from tidegate.domain.emergency.shorten import Shortened, Treatment
from tidegate.usecases.emergencies import Declared
from tidegate.usecases.emergency_close import Report, RunReport
from tidegate.usecases.emergency_commands import Approved
from tidegate.usecases.emergency_drill import Drill
from tidegate.usecases.simulation.runs import Run as SimulatedRun


def show_emergency(emergency: Emergency, *, now: datetime) -> shapes.Emergency:
    """Return *emergency* as it is shown."""
    return shapes.Emergency(
        id=emergency.id,
        type=emergency.protocol.type,
        state=state_of(emergency, now),
        service=emergency.service,
        change=dict(emergency.versions),
        change_digest=emergency.change_digest,
        incident=emergency.incident,
        facts=dict(sorted((*emergency.claimed, *emergency.measured))),
        claimed=[name for name, _ in emergency.claimed],
        reason=emergency.reason,
        protocol=show_protocol(emergency.protocol),
        declared_by=emergency.declared_by,
        declared_at=emergency.declared_at,
        agreed=[*persons_agreed(emergency)],
        approvals=[show_word(word) for word in emergency.approvals],
        persons_missing=persons_missing(emergency),
        authorised_at=emergency.authorised_at,
        expires_at=emergency.expires_at,
        starts_at_once=bool(emergency.document_json),
        rollouts=[*emergency.rollouts],
        closed_at=emergency.closed_at,
        closed_by=emergency.closed_by,
        closing=emergency.closing,
        as_of=now,
    )


def state_of(emergency: Emergency, now: datetime) -> str:
    """Return how *emergency* stands at *now*, in one word."""
    if not emergency.is_open:
        return "closed"
    if now >= emergency.expires_at:
        return "expired"
    return "declared" if emergency.authorised_at is None else "authorised"


def show_word(word: Word) -> shapes.Word:
    """Return one person's word."""
    return shapes.Word(by=word.by, person=word.person, at=word.at, reason=word.reason)


def show_protocol(protocol: EmergencyProtocol) -> shapes.Protocol:
    """Return *protocol* as it is shown."""
    plan = protocol.plan
    return shapes.Protocol(
        type=protocol.type,
        version=protocol.version,
        criteria=protocol.criteria,
        declare=[*protocol.declare],
        authorise=[*protocol.authorise],
        persons=protocol.persons,
        divide_by=protocol.divide_by,
        floor_seconds=protocol.floor.total_seconds(),
        out_of_band=[*protocol.out_of_band],
        never_skip=[*protocol.never_skip],
        expires_seconds=protocol.expires_after.total_seconds(),
        debts_due_seconds=protocol.debt_due.total_seconds(),
        tests=protocol.tests,
        plan="" if plan is None else f"{plan.id} {plan.version}",
    )


def show_treatment(shortened: Shortened) -> shapes.Treatment:
    """Return what becomes of the plan."""

    def parts(treatment: Treatment) -> list[shapes.Part]:
        return [
            shapes.Part(what=one.what, detail=one.detail)
            for one in shortened.differences
            if one.treatment is treatment
        ]

    return shapes.Treatment(
        shortened=parts(Treatment.SHORTENED),
        out_of_band=parts(Treatment.OUT_OF_BAND),
        unchanged=parts(Treatment.UNCHANGED),
        routine_bake_seconds=shortened.routine.total_seconds(),
        shortened_bake_seconds=shortened.shortened.total_seconds(),
    )


def show_declared(declared: Declared, *, now: datetime) -> shapes.EmergencyDeclared:
    """Return a declaration with what it makes of the plan."""
    return shapes.EmergencyDeclared(
        emergency=show_emergency(declared.emergency, now=now),
        treatment=show_treatment(declared.shortened),
    )


def show_approved(approved: Approved, *, now: datetime) -> shapes.EmergencyApproved:
    """Return an emergency after a yes, with what it started."""
    started = approved.started
    return shapes.EmergencyApproved(
        emergency=show_emergency(approved.emergency, now=now),
        started=None if started is None else show_rollout(started, now=now),
        not_started=approved.not_started,
    )


def show_debt(debt: Debt, *, now: datetime) -> shapes.Debt:
    """Return *debt* as it is shown."""
    return shapes.Debt(
        id=debt.id,
        emergency=debt.emergency_id,
        rollout=debt.rollout_id,
        service=debt.service,
        project=debt.project,
        gate=debt.gate,
        owner=debt.owner,
        due_at=debt.due_at,
        state=debt.state.value,
        is_overdue=debt.is_overdue(now),
        because=debt.because,
        changed_at=debt.changed_at,
        waivers=[show_word(word) for word in debt.waivers],
    )


def show_report(report: Report, *, now: datetime) -> shapes.Report:
    """Return the report of an emergency as it is shown."""
    return shapes.Report(
        emergency=show_emergency(report.emergency, now=now),
        runs=[_run(run) for run in report.runs],
        debts=[show_debt(debt, now=now) for debt in report.debts],
        timeline=[
            shapes.Told(
                number=entry.number,
                at=entry.at,
                actor=entry.actor,
                rule=entry.rule,
                because=entry.because,
                rollout=entry.rollout_id,
            )
            for entry in report.timeline
        ],
        is_cut=report.is_cut,
    )


def _run(run: RunReport) -> shapes.Run:
    rollout = run.rollout
    return shapes.Run(
        rollout=rollout.id,
        state=rollout.state.value,
        started_by=rollout.created_by,
        started_at=rollout.created_at,
        finished_at=rollout.finished_at,
        took_seconds=run.took.total_seconds(),
        routine_bake_seconds=run.routine.total_seconds(),
        shortened_bake_seconds=run.shortened.total_seconds(),
        changes=[*run.changes],
    )


def show_drill(drill: Drill) -> shapes.Drill:
    """Return what a drill showed."""
    record = drill.record
    return shapes.Drill(
        service=record.service,
        type=record.type,
        at=record.at,
        by=record.by,
        problems=[*drill.problems],
        told=[*drill.told],
        protocol=show_protocol(drill.protocol),
        treatment=show_treatment(drill.shortened),
        healthy=_drill_run(drill.healthy),
        harmful=_drill_run(drill.harmful),
        last_at=None if drill.last is None else drill.last.at,
    )


def _drill_run(run: SimulatedRun) -> shapes.DrillRun:
    return shapes.DrillRun(
        ending=run.ending.value,
        phase=run.phase,
        took_seconds=run.took.total_seconds(),
        because=run.because,
    )
