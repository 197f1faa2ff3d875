"""How every gate of a rollout stands, for whoever looks: with its evidence and what was submitted for it."""

from dataclasses import dataclass

from tidegate.documents.canonical import change_digest
from tidegate.documents.gate_kinds import GATE_KINDS
from tidegate.domain.gates.model import GateEvidence, GateSeen, gate_seen
from tidegate.domain.rollout.model import Rollout
from tidegate.usecases.gate_records import (
    SubmittedNote,
    binding_of,
    standing_evidence,
    submitted_for,
)
from tidegate.usecases.gates import gates_in_question
from tidegate.usecases.outside import Outside


@dataclass(frozen=True, slots=True, kw_only=True)
class GateStanding:
    """
    One gate of a rollout.

    `seen` is how it stands, `evidence` the answer that it stands by. `in_question` is whether it has a
    say now, `submitted` what was given to it about this very change, `takes_documents` whether it
    judges such documents at all.
    """

    seen: GateSeen
    evidence: GateEvidence | None
    in_question: bool
    submitted: tuple[SubmittedNote, ...]
    takes_documents: bool


def gate_standings(outside: Outside, rollout: Rollout) -> tuple[GateStanding, ...]:
    """Return how the gates of *rollout* stand now, in the order of its plan."""
    now = outside.clock.now()
    asked = {spec.name for spec in gates_in_question(rollout)}
    digest = change_digest(rollout.change)
    found = []
    with outside.store.begin(read_only=True) as transaction:
        for spec in rollout.plan.gates:
            evidence = standing_evidence(transaction, rollout, spec)
            kind = GATE_KINDS.get(spec.kind)
            found.append(
                GateStanding(
                    seen=gate_seen(spec, evidence, now, bound_to=binding_of(rollout, spec)),
                    evidence=evidence,
                    in_question=spec.name in asked,
                    submitted=submitted_for(
                        transaction, rollout.service, spec.submitted_to, digest
                    ),
                    takes_documents=kind is not None and kind.takes_documents,
                )
            )
    return tuple(found)
