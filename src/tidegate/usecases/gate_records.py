"""
What is on file about gates: answers, what was submitted for them, and wishes to ask them again.

An answer is filed twice in one transaction: as the latest about the change, which debts and reports look
at, and at the place of the very question, which decisions look at. So two rollouts of one change that
ask different things (staging and production) don't take one another's answers away.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tidegate.documents.canonical import change_digest, digest_of
from tidegate.domain.gates.model import GateEvidence, GateMoment, GateSpec
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.gate import GateDocument
from tidegate.ports.store import Transaction
from tidegate.usecases.shelves import GATE_EVIDENCE, Shelf, evidence_place


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedNote:
    """That a document was submitted: its name, the digest of its bytes, their number, when, by whom."""

    name: str
    digest: str
    size: int
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """All that was submitted for one gate of a service about one change, oldest first."""

    service: ServiceName
    gate: str
    change_digest: str
    notes: tuple[SubmittedNote, ...]

    @property
    def latest_at(self) -> datetime:
        """When the newest was submitted."""
        return self.notes[-1].at


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptContent:
    """The bytes of a document, by their digest."""

    digest: str
    base64: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAgain:
    """Somebody's wish that the gates of a rollout are asked at once."""

    rollout_id: RolloutId
    by: str
    at: datetime


SUBMITTED: Final = Shelf(
    kind="gate_documents",
    type=Submitted,
    id_of=lambda one: evidence_place(one.service, one.gate, one.change_digest),
    at=lambda one: one.latest_at,
    is_open=lambda _: True,
    service_of=lambda one: one.service,
)

CONTENTS: Final = Shelf(
    kind="gate_content",
    type=KeptContent,
    id_of=lambda one: one.digest,
    at=lambda one: one.at,
    is_open=lambda _: False,
    service_of=lambda _: None,
)

ASK_AGAIN: Final = Shelf(
    kind="gate_wish",
    type=AskAgain,
    id_of=lambda one: str(one.rollout_id),
    at=lambda one: one.at,
    is_open=lambda _: False,
    service_of=lambda _: None,
)

BOUND_EVIDENCE: Final = Shelf(
    kind="gate_answer",
    type=GateEvidence,
    id_of=lambda one: _bound_place(one.service, one.gate, one.change_digest, one.bound_to),
    at=lambda one: one.measured_at,
    is_open=lambda _: False,
    service_of=lambda one: one.service,
)


def binding_of(rollout: Rollout, spec: GateSpec) -> str:
    """
    Return the digest of what the gate *spec* of *rollout* is asked now, but for the change itself.

    An answer about another plan, with other settings, or before another phase is no answer.
    """
    by_phase = spec.moment is GateMoment.BEFORE_PHASE and not spec.is_deferred
    return digest_of(
        {
            "gate": spec.name,
            "kind": spec.kind,
            "settings": spec.settings_json,
            "plan": rollout.plan_hash,
            "phase": rollout.phase.name if by_phase else "",
        }
    )


def file_evidence(transaction: Transaction, evidence: GateEvidence) -> None:
    """File an answer at both of its places."""
    GATE_EVIDENCE.put(transaction, evidence)
    BOUND_EVIDENCE.put(transaction, evidence)


def standing_evidence(
    transaction: Transaction, rollout: Rollout, spec: GateSpec
) -> GateEvidence | None:
    """Return the latest answer to what the gate *spec* of *rollout* is asked now."""
    digest = change_digest(rollout.change)
    place = _bound_place(rollout.service, spec.name, digest, binding_of(rollout, spec))
    return BOUND_EVIDENCE.get(transaction, place)


def submitted_for(
    transaction: Transaction, service: ServiceName, gate: str, change: str
) -> tuple[SubmittedNote, ...]:
    """Return what was submitted for a gate about the change of that digest, oldest first."""
    found = SUBMITTED.get(transaction, evidence_place(service, gate, change))
    return () if found is None else found.notes


def documents_for(
    transaction: Transaction, service: ServiceName, gate: str, change: str
) -> tuple[GateDocument, ...]:
    """Return what was submitted for a gate about a change, with its bytes, oldest first."""
    documents = []
    for note in submitted_for(transaction, service, gate, change):
        kept = CONTENTS.get(transaction, note.digest)
        assert kept is not None, f"{note.digest} was noted and not kept"
        documents.append(
            GateDocument(
                id=note.digest,
                gate=gate,
                service=service,
                change_digest=change,
                name=note.name,
                content=base64.b64decode(kept.base64),
                digest=note.digest,
                submitted_at=note.at,
                by=note.by,
            )
        )
    return tuple(documents)


def _bound_place(service: ServiceName, gate: str, change: str, bound_to: str) -> str:
    return f"{evidence_place(service, gate, change)}/{bound_to}"
