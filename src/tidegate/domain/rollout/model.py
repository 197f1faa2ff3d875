"""
What is remembered of a rollout. Immutable: a change of it is a new one, made by `decide`'s callers.

What the outside says right now (exposure, members, counts) isn't remembered here but observed; what
was decided and why is in the ledger. Times are aware and UTC; durations are `timedelta`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.domain.access.model import DEFAULT_ORGANISATION, DEFAULT_PROJECT, Caller
from tidegate.domain.approvals.model import Binding
from tidegate.domain.emergency.model import EmergencyId
from tidegate.domain.plan.model import Change, ComponentSpec, Phase, Plan, TargetSpec
from tidegate.domain.quantities import Generation, Placement, RolloutId, ServiceName, Version
from tidegate.domain.rollout.machine import FINAL, Event, State, after


class ReasonCode(StrEnum):
    """Why a rollout waits. Stable: scripts may match on it."""

    STARTING = "starting"
    REHEARSING = "rehearsing"
    QUEUE = "queue"
    STOP_ORDER = "stop_order"
    DEBT = "debt"
    GATE = "gate"
    WINDOW = "window"
    APPROVAL = "approval"
    APPLYING = "applying"
    BAKE_TIME = "bake_time"
    WORKING_DAY = "working_day"
    MORE_EVIDENCE = "more_evidence"
    NO_DATA = "no_data"
    SUSPECTED_HARM = "suspected_harm"
    ALARM = "alarm"
    NOT_THIS_CHANGE = "not_this_change"
    STAGGER = "stagger"
    INCONCLUSIVE = "inconclusive"
    WITHDRAWING = "withdrawing"
    PERSON_AFTER_HALT = "person_after_halt"
    RECOVERING = "recovering"
    QUARANTINE = "quarantine"
    NOTHING = "nothing"


class WhoCanAct(StrEnum):
    """Who can end a wait."""

    NOBODY = "nobody"
    """Time or the world does; everyone may still halt."""
    APPROVER = "approver"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingOn:
    """What a rollout waits for, until when at the latest (or earliest end), and who can act."""

    reason: ReasonCode
    detail: str
    until: datetime | None
    who_can_act: WhoCanAct


class HaltCause(StrEnum):
    """What stopped a rollout."""

    HARM = "harm"
    PERSON = "person"
    NO_DATA = "no_data"
    NOT_APPLIED = "not_applied"
    ALARM = "alarm"
    """An alert or a report from outside, of page severity."""
    STOP_ORDER = "stop_order"
    """A stop order that withdraws."""
    GATE = "gate"
    """A gate that an emergency had put off turned red."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """A stop: why, by whom, when."""

    cause: HaltCause
    because: str
    by: str
    at: datetime


class Rehearsal(StrEnum):
    """How far the way back has been tried, on internal traffic only, before anyone is exposed."""

    NOT_TRIED = "not_tried"
    FORWARD = "forward"
    BACK = "back"
    PROVEN = "proven"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """
    One person's word on a phase, bound to what was seen: the plan's hash, the phase, the attempt.

    `is_yes` False is a rejection: the phase doesn't begin as long as it stands. `person` is who is
    counted, None where names are only claimed. `binding` holds the hashes of all else that it was a
    yes to, and after `expires_at` it is none. `approver` is who said it, to ask again whether they may.
    """

    by: str
    at: datetime
    phase_index: int
    attempt: int
    plan_hash: str
    comment: str
    person: str | None = None
    is_yes: bool = True
    binding: Binding | None = None
    approver: Caller | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasePass:
    """The record that a phase was passed: what lets the next one begin."""

    phase_index: int
    attempt: int
    at: datetime
    certified: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """
    One change carried out by one plan.

    `revision` grows with every saved change and is what writers compare. `phase_index` is the phase
    being waited for, applied or baked. `generations` are the latest issued per target.
    `baselines` is what each placement served before, and goes back to. `bake_allowance` is how many
    times `bake_max` may pass before an undecided bake is inconclusive: each resume adds one.
    `suspected` is whether the present hold has seen likely harm: then more than the end of the hold's
    latest reason is needed to go on.
    `trips_before` is what the proxies' cut-offs stood at when the bake began. `is_return` marks a
    rollout that only brings back an earlier version. `emergency_id` names the emergency that this one is
    carried out under. `created_by_person` is the person who is counted as the proposer,
    `resumed_by_person` whoever let it go on last after a halt, `joined` the names behind changes
    that it was joined with, each with its person; and `policy_digest` the policy that was
    in force. `components` and `targets` are what the service's document said at the start; a later edit
    of it changes nothing here.
    """

    id: RolloutId
    service: ServiceName
    change: Change
    plan: Plan
    plan_hash: str
    baselines: tuple[tuple[Placement, Version], ...]
    state: State
    revision: int
    created_at: datetime
    created_by: str
    phase_index: int
    attempt: int
    state_since: datetime
    phase_since: datetime
    waiting_on: WaitingOn
    generations: tuple[tuple[str, Generation], ...] = ()
    rehearsal: Rehearsal = Rehearsal.NOT_TRIED
    rehearsal_since: datetime | None = None
    way_back_took: timedelta | None = None
    bake_allowance: int = 1
    trips_before: int = 0
    passes: tuple[PhasePass, ...] = ()
    approvals: tuple[Approval, ...] = ()
    halt: Halt | None = None
    finished_at: datetime | None = None
    settled: bool = False
    is_return: bool = False
    suspected: bool = False
    components: tuple[ComponentSpec, ...] = ()
    targets: tuple[TargetSpec, ...] = ()
    organisation: str = DEFAULT_ORGANISATION
    project: str = DEFAULT_PROJECT
    created_by_person: str | None = None
    resumed_by_person: str | None = None
    joined: tuple[tuple[str, str | None], ...] = ()
    emergency_id: EmergencyId | None = None
    policy_digest: str = ""

    @property
    def phase(self) -> Phase:
        """The phase that is being waited for, applied or baked."""
        return self.plan.phases[self.phase_index]

    @property
    def is_final(self) -> bool:
        """Whether the rollout is over."""
        return self.state in FINAL

    @property
    def is_install(self) -> bool:
        """Whether nothing was served before: the change itself becomes the baseline."""
        return not self.is_return and all(
            version == self.change.version_of(placement.component)
            for placement, version in self.baselines
        )

    def baseline_of(self, placement: Placement) -> Version:
        """Return what *placement* served before this rollout."""
        return dict(self.baselines)[placement]

    def generation_on(self, target: str) -> Generation:
        """Return the latest generation issued for *target* under this rollout, 0 if none."""
        return dict(self.generations).get(target, Generation(0))

    def moved(self, event: Event, *, at: datetime) -> "Rollout":
        """
        Return this rollout after *event*.

        Raises:
            IllegalTransitionError: the present state can't take *event*.
        """
        state = after(self.state, event)
        return replace(
            self,
            state=state,
            state_since=at if state is not self.state else self.state_since,
            finished_at=at if state in FINAL else self.finished_at,
            suspected=self.suspected and state is State.HELD,
        )

    def waiting(self, waiting_on: WaitingOn) -> "Rollout":
        """Return this rollout waiting for *waiting_on*; suspicion is kept as long as it is held."""
        suspects = waiting_on.reason is ReasonCode.SUSPECTED_HARM
        return replace(self, waiting_on=waiting_on, suspected=self.suspected or suspects)
