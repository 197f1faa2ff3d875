"""
A declared emergency and the debts that it leaves. Only the types.

An emergency goes faster and never blind: bakes are shorter, some gates run beside instead of before.
What was put off is owed: each debt has an owner and a time, and when it is overdue normal work waits.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from tidegate.domain.access.model import DEFAULT_ORGANISATION
from tidegate.domain.emergency.protocol import EmergencyProtocol
from tidegate.domain.gates.model import GateSpec
from tidegate.domain.plan.model import Change
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.alarms import AlarmId, Severity

EmergencyId = NewType("EmergencyId", str)
DebtId = NewType("DebtId", str)


class DebtState(StrEnum):
    """How a debt stands."""

    OPEN = "open"
    SETTLED = "settled"
    """Its gate turned green about the very change."""
    FAILED = "failed"
    """Its gate turned red: the rollout was halted, or an alarm was raised when it was over."""
    WAIVED = "waived"
    """Two people gave it up by name, with a reason."""


UNPAID = frozenset({DebtState.OPEN, DebtState.FAILED})
"""States in which a debt still asks for something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What one person said about an emergency or a debt: yes, and why."""

    by: str
    person: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """
    One gate that an emergency put off: whose it is to settle, and until when.

    `spec` is the gate itself, which is asked until the debt is settled, also when the rollout is over,
    and `change_digest` the change that it must be green about. `waivers` are the words of people that
    it may be given up. `reminded_at` is when it was said that it is overdue, `alarmed_at` when an
    alarm was raised because it failed and its rollout was over.
    """

    id: DebtId
    emergency_id: EmergencyId
    rollout_id: RolloutId | None
    service: ServiceName
    project: str
    gate: str
    owner: str
    due_at: datetime
    state: DebtState
    because: str
    changed_at: datetime
    organisation: str = DEFAULT_ORGANISATION
    spec: GateSpec | None = None
    change_digest: str = ""
    opened_at: datetime | None = None
    waivers: tuple[Word, ...] = ()
    reminded_at: datetime | None = None
    alarmed_at: datetime | None = None

    @property
    def is_unpaid(self) -> bool:
        """Whether it still asks for something."""
        return self.state in UNPAID

    def is_overdue(self, now: datetime) -> bool:
        """Return whether it blocks normal work at *now*."""
        return self.is_unpaid and now >= self.due_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """
    One emergency: a change of a service that shall go faster than its plan, and who says so.

    `versions` are the components' versions as they were asked for, `change` what they resolved to when
    it was declared: nothing else can be started under it. `claimed` are the facts that the declarer
    gave and `measured` those that the server knew, both as literals by name. `known_alarms` were active
    then and are what it is about. `protocol` is the one that was in force; a later edit of the policy
    changes nothing here. `declared_person` is who is counted, `declarer_counts` whether the declaration
    is one of the words that the protocol asks for. After `expires_at` nothing can be started under it;
    what runs goes on. `document_json` is the service's document, for a start as soon as it is
    authorised; empty when somebody starts it by hand. `told_from` is the ledger's number of its first
    entry.
    """

    id: EmergencyId
    service: ServiceName
    organisation: str
    project: str
    versions: tuple[tuple[str, str], ...]
    change: Change
    change_digest: str
    incident: str
    claimed: tuple[tuple[str, str], ...]
    measured: tuple[tuple[str, str], ...]
    known_alarms: tuple[tuple[AlarmId, Severity], ...]
    reason: str
    protocol: EmergencyProtocol
    declared_by: str
    declared_person: str
    declared_at: datetime
    declarer_counts: bool
    expires_at: datetime
    approvals: tuple[Word, ...] = ()
    authorised_at: datetime | None = None
    rollouts: tuple[RolloutId, ...] = ()
    document_json: str = ""
    told_from: int = 0
    closed_at: datetime | None = None
    closed_by: str = ""
    closing: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it hasn't been closed."""
        return self.closed_at is None
