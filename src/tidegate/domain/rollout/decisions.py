"""
What may be observed of a rollout, and everything that can be decided about it. Only the types.

Each decision is a value that says what to do and why; `decide` chooses one, `usecases.step` carries it
out. An `Observation` is all that a decision may depend on, and is what the ledger stores.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from tidegate.domain.approvals.model import VoidApproval
from tidegate.domain.calendar.seen import ALWAYS_OPEN, CalendarSeen
from tidegate.domain.emergency.model import Debt
from tidegate.domain.gates.model import GateSeen
from tidegate.domain.health.evidence import Evidence
from tidegate.domain.quantities import (
    FULL_WEIGHT_BPS,
    Exposure,
    Generation,
    Placement,
    RolloutId,
    Version,
)
from tidegate.domain.rollout.alarms import Alarm
from tidegate.domain.rollout.model import (
    Approval,
    HaltCause,
    PhasePass,
    Rehearsal,
    Rollout,
    WaitingOn,
)
from tidegate.domain.rollout.stagger import Neighbour
from tidegate.domain.stops.model import Queued, StopOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One placement as it was observed, beside what this rollout wants there."""

    placement: Placement
    exposure: Exposure
    generation: Generation
    settled: bool
    why_not: str
    serving: Version | None
    candidate: Version | None
    stopped_at_generation: Generation | None
    trips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """
    The rollout that ended last at a placement: what an answer from before that end would show.

    `replaced` is what everyone was served there until then, None where that is so still. `may_lag_until` is
    when the target will have had the time that it may take to serve what it is told.
    """

    placement: Placement
    rollout_id: RolloutId
    generation: Generation
    replaced: Version | None
    may_lag_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """
    All that a decision may depend on. If it isn't a field, it isn't an input.

    `alarms` are those that are active and concern the rollout; `neighbours` the other rollouts that expose
    something, known only while this one waits to raise its own exposure. `stop_orders` are those in force
    that cover a placement of it. `gates` are those of the phase that is waited for, and all deferred
    ones. `void_approvals` don't count now. `debts` are overdue and block it. `queued` says who is before
    it in the queue, `ended` what those left who were before it. `is_reviewed` is whether a gate of kind
    review is green.
    """

    now: datetime
    rollout: Rollout
    placements: tuple[Seen, ...]
    evidence: Evidence
    alarms: tuple[Alarm, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    stop_orders: tuple[StopOrder, ...] = ()
    gates: tuple[GateSeen, ...] = ()
    calendar: CalendarSeen = ALWAYS_OPEN
    void_approvals: tuple[VoidApproval, ...] = ()
    debts: tuple[Debt, ...] = ()
    queued: Queued | None = None
    ended: tuple[Ended, ...] = ()
    is_reviewed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """The turn of a queued rollout has come: it takes its targets."""

    rule: str
    because: str
    action: Literal["begin"] = "begin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A queued rollout has become needless: it ends without having moved anything."""

    rule: str
    because: str
    action: Literal["drop"] = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Change nothing; say what is waited for."""

    rule: str
    because: str
    waiting_on: WaitingOn
    action: Literal["hold"] = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearse:
    """Try the way back on internal traffic: open to internal users, close again, note that it worked."""

    rule: str
    because: str
    to: Rehearsal
    action: Literal["rehearse"] = "rehearse"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterPhase:
    """Raise exposure to what the waited-for phase allows. The only decision that raises."""

    rule: str
    because: str
    evidence_of: PhasePass | None
    approvals: tuple[Approval, ...]
    action: Literal["enter_phase"] = "enter_phase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reapply:
    """Say again to the targets what was said: they don't serve it yet."""

    rule: str
    because: str
    waiting_on: WaitingOn
    action: Literal["reapply"] = "reapply"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartBake:
    """Every placement serves what was asked: the bake begins."""

    rule: str
    because: str
    trips: int
    action: Literal["start_bake"] = "start_bake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Freeze the bake until its cause is gone, or a person has looked."""

    rule: str
    because: str
    waiting_on: WaitingOn
    action: Literal["pause"] = "pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpause:
    """The cause of the pause is gone."""

    rule: str
    because: str
    action: Literal["unpause"] = "unpause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """The phase is passed; the next one may be waited for."""

    rule: str
    because: str
    passed: PhasePass
    action: Literal["advance"] = "advance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """The last phase is passed: the candidate is the new baseline."""

    rule: str
    because: str
    passed: PhasePass
    action: Literal["complete"] = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltNow:
    """Withdraw the candidate at once; exposure only falls from here."""

    rule: str
    because: str
    cause: HaltCause
    action: Literal["halt"] = "halt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """A target still shows exposure after a stop: say it again."""

    rule: str
    because: str
    waiting_on: WaitingOn
    action: Literal["withdraw"] = "withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRecovery:
    """Bring everything back to what was served before."""

    rule: str
    because: str
    action: Literal["start_recovery"] = "start_recovery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """Take away what serves nobody any more."""

    rule: str
    because: str
    waiting_on: WaitingOn
    action: Literal["retire"] = "retire"


@dataclass(frozen=True, slots=True, kw_only=True)
class BringBack:
    """Serve the earlier version to everyone: the move of a return."""

    rule: str
    because: str
    waiting_on: WaitingOn
    action: Literal["bring_back"] = "bring_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishRecovery:
    """Everything serves again what it served before, and was seen to."""

    rule: str
    because: str
    action: Literal["finish_recovery"] = "finish_recovery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """The quarantine is over: what completed is now the last known good."""

    rule: str
    because: str
    action: Literal["settle"] = "settle"


Decision = (
    Begin
    | Drop
    | Hold
    | Rehearse
    | EnterPhase
    | Reapply
    | StartBake
    | Pause
    | Unpause
    | Advance
    | Complete
    | HaltNow
    | Withdraw
    | StartRecovery
    | Retire
    | BringBack
    | FinishRecovery
    | Settle
)


FULL_EXPOSURE: Final = Exposure(internal=True, weight_bps=FULL_WEIGHT_BPS)
