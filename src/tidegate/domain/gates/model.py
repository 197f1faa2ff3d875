"""
A gate: a question that must have a green answer, not too old, before exposure rises.

What it asks and of whom is in its settings, which its driver reads; the answer is kept as evidence
that expires. Rule: no answer, an old answer and an unclear answer are all not green. A gate never
stands in the way of a move down.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.domain.quantities import ServiceName


class GateMoment(StrEnum):
    """When a gate must be green."""

    BEFORE_START = "before_start"
    """Before anything of the change is served to anyone, internal users included."""
    BEFORE_PHASE = "before_phase"
    """Before every phase, or before those that it names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSpec:
    """
    One gate of a plan.

    `kind` chooses the driver, `settings_json` (canonical JSON) is its business. `lasts` is how long
    an answer is good. `phases` are the names of the phases before which it must be green; empty
    means all, and it counts only for BEFORE_PHASE. `is_deferred` marks a gate that an emergency put
    out of band: it runs at once and doesn't hold, but turning red halts. `reads` names the gate whose
    submitted documents it judges, empty for its own.
    """

    name: str
    kind: str
    moment: GateMoment
    settings_json: str
    lasts: timedelta
    phases: tuple[str, ...] = ()
    is_deferred: bool = False
    reads: str = ""

    @property
    def submitted_to(self) -> str:
        """The name under which the documents that it judges are submitted."""
        return self.reads or self.name


class GateVerdict(StrEnum):
    """What a gate's driver found."""

    GREEN = "green"
    RED = "red"
    UNKNOWN = "unknown"
    """It couldn't be told: nothing was submitted, or what should know can't be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateEvidence:
    """
    One answer of a gate, for the ledger and for auditors.

    `change_digest` says about which bundle of versions it is. `facts` are what was measured, as
    text by name. `documents` are the digests of what was submitted and read for it. `by` is the
    driver's name with its version of the rule. `bound_to` is the digest of all else that the question
    was about: the plan, the gate's settings, the phase.
    """

    id: str
    gate: str
    kind: str
    service: ServiceName
    change_digest: str
    verdict: GateVerdict
    because: str
    facts: tuple[tuple[str, str], ...]
    documents: tuple[str, ...]
    measured_at: datetime
    expires_at: datetime
    by: str
    bound_to: str = ""


class GateState(StrEnum):
    """How a gate stands now."""

    GREEN = "green"
    RED = "red"
    MISSING = "missing"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSeen:
    """How a gate stood when a decision was made; part of the observation."""

    spec: GateSpec
    state: GateState
    because: str
    evidence_id: str | None
    expires_at: datetime | None

    @property
    def is_green(self) -> bool:
        """Whether it lets exposure rise."""
        return self.state is GateState.GREEN


def gate_seen(
    spec: GateSpec, evidence: GateEvidence | None, now: datetime, *, bound_to: str
) -> GateSeen:
    """
    Return how the gate *spec* stands at *now* by its latest *evidence* about this very change.

    Only an answer to the question as it is asked now counts: one that is bound to anything but
    *bound_to* was about another plan, phase or setting.
    """
    if evidence is None or evidence.bound_to != bound_to:
        return GateSeen(
            spec=spec,
            state=GateState.MISSING,
            because="it hasn't been answered yet",
            evidence_id=None,
            expires_at=None,
        )
    state = GateState(evidence.verdict.value)
    because = evidence.because
    if now >= evidence.expires_at:
        state = GateState.EXPIRED
        because = f"its answer is too old (was {evidence.verdict.value}: {evidence.because})"
    elif now < evidence.measured_at:
        state = GateState.EXPIRED
        because = "its answer is from later than now: a clock was set back"
    return GateSeen(
        spec=spec,
        state=state,
        because=because,
        evidence_id=evidence.id,
        expires_at=evidence.expires_at,
    )
