"""Gates as they are shown, with what there is to do about one that isn't green."""

from tidegate.api.shapes import gates as shapes
from tidegate.api.showing.rollout import component_change
from tidegate.domain.gates.model import GateState
from tidegate.domain.rollout.model import Rollout
from tidegate.usecases.gate_commands import EvidenceSubmitted
from tidegate.usecases.gate_records import Submitted, SubmittedNote
from tidegate.usecases.gate_standing import GateStanding, gate_standings
from tidegate.usecases.outside import Outside


def show_gates(outside: Outside, rollout: Rollout) -> shapes.Gates:
    """Return how the gates of *rollout* stand now."""
    standings = gate_standings(outside, rollout)
    holding = [one for one in standings if one.in_question and not one.seen.spec.is_deferred]
    return shapes.Gates(
        rollout=rollout.id,
        service=rollout.service,
        gates=[_gate(one, rollout) for one in standings],
        all_green=all(one.seen.is_green for one in holding),
        as_of=outside.clock.now(),
    )


def show_submitted(submitted: EvidenceSubmitted) -> shapes.EvidenceSubmitted:
    """Return what was submitted."""
    return shapes.EvidenceSubmitted(
        service=submitted.service,
        gate=submitted.gate,
        change={
            part.component: component_change("", part.to, None)
            for part in submitted.change.components
        },
        change_digest=submitted.change_digest,
        document=_document(submitted.note),
        is_asked_for=submitted.is_asked_for,
        rollouts=[*submitted.rollouts],
    )


def show_evidence_of_change(submitted: Submitted) -> shapes.EvidenceOfChange:
    """Return what was submitted about one change."""
    return shapes.EvidenceOfChange(
        change_digest=submitted.change_digest,
        documents=[_document(note) for note in submitted.notes],
    )


def _gate(standing: GateStanding, rollout: Rollout) -> shapes.Gate:
    seen, evidence = standing.seen, standing.evidence
    return shapes.Gate(
        name=seen.spec.name,
        kind=seen.spec.kind,
        moment=seen.spec.moment.value,
        phases=[*seen.spec.phases],
        deferred=seen.spec.is_deferred,
        in_question=standing.in_question,
        state=seen.state.value,
        because=seen.because,
        evidence=seen.evidence_id,
        facts=dict(evidence.facts) if evidence else {},
        measured_at=evidence.measured_at if evidence else None,
        expires_at=seen.expires_at,
        documents=[_document(note) for note in standing.submitted],
        what_to_do=_what_to_do(standing, rollout),
    )


def _what_to_do(standing: GateStanding, rollout: Rollout) -> str:
    seen = standing.seen
    if seen.is_green or not standing.in_question:
        return ""
    if standing.takes_documents and not standing.submitted:
        changes = " ".join(
            f"--change {part.component}={part.to.name}" for part in rollout.change.components
        )
        return f"tidegate gate submit {rollout.service} {seen.spec.submitted_to} FILE {changes}"
    if seen.state in (GateState.MISSING, GateState.EXPIRED):
        return "it is asked by itself; nothing is to be done"
    return f"mend what it says, then: tidegate gate check {rollout.id}"


def _document(note: SubmittedNote) -> shapes.Document:
    return shapes.Document(
        name=note.name,
        digest=note.digest,
        size=note.size,
        submitted_at=note.at,
        submitted_by=note.by,
    )
