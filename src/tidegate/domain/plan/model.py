"""
The resolved plan: everything a rollout will do, with every default filled in.

Rule: nothing here is optional sugar. What `tidegate.yaml` leaves out has been filled in by
`documents` before these types are made, so that what is shown, hashed and run is the same.
Reading and checking text is not done here; neither is deciding.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tidegate.domain.calendar.windows import DEFAULT_EXCEPTIONS, ExceptionBudget, Window
from tidegate.domain.gates.model import GateSpec
from tidegate.domain.quantities import (
    FULL_WEIGHT_BPS,
    NO_EXPOSURE,
    ComponentName,
    Environment,
    Exposure,
    Placement,
    ServiceName,
    TargetName,
    Version,
)


class SignalKind(StrEnum):
    """How a signal is judged."""

    ERRORS = "errors"
    """Bad events among requests; more is harm."""
    USAGE = "usage"
    """Good events against the assigned share of exposure; fewer is harm."""
    LATENCY = "latency"
    """A histogram; a heavier tail is harm."""
    TRAFFIC = "traffic"
    """Requests per arm against the configured weight; too few or too many is harm."""
    SATURATION = "saturation"
    """A gauge per member, such as memory; exposed members above the others is harm."""
    LIMIT = "limit"
    """One number of the whole target against a fixed limit; it has no arms and certifies nothing."""


class ToleranceUnit(StrEnum):
    """The unit a tolerance is written in: that of the signal itself."""

    RATE = "rate"
    """An absolute share: 0.05pp is 0.0005."""
    RELATIVE = "relative"
    """A share of the baseline's value: 20% is 0.2."""
    DURATION = "duration"
    """Milliseconds (latency): 20ms is 20.0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """The most harm of one signal that is still acceptable."""

    value: float
    unit: ToleranceUnit


class Counting(StrEnum):
    """What an errors signal counts."""

    EVENTS = "events"
    """Requests. Right while one user's trouble makes one bad request."""
    USERS = "users"
    """Different people per tick: one user's retries count once."""


class Noise(StrEnum):
    """How a signal's events scatter when nothing is wrong."""

    INDEPENDENT = "independent"
    """One event says nothing of the next, as with requests of many users."""
    CLUSTERED = "clustered"
    """In bursts: the test is calibrated on shards of the baseline that play candidate."""


class Effect(StrEnum):
    """What an alarm or a broken limit does to a rollout."""

    HALT = "halt"
    HOLD = "hold"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A fixed limit in the signal's own unit, and what crossing it does. `above` tells which side is bad."""

    value: float
    above: bool
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSpec:
    """
    One signal of the service and what is demanded of it.

    `gate` signals must be certified before a phase passes; the others can only hold or halt. A `shadow`
    signal is watched and judged, and its verdict does nothing. `new_in_shadow` lets a signal that is no
    gate begin so in the first rollout that has it. `limit` is set for limit signals only.
    `source` and `settings` are the signals driver's business (a URL, a query); the domain never reads them.
    """

    name: str
    kind: SignalKind
    gate: bool
    tolerance: Tolerance
    source: str
    settings: tuple[tuple[str, str], ...] = ()
    counting: Counting = Counting.EVENTS
    noise: Noise = Noise.INDEPENDENT
    shadow: bool = False
    new_in_shadow: bool = True
    limit: Limit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseSpec:
    """Proof that the changed path is really used: a count of the candidate that must reach a minimum."""

    name: str
    minimum_count: int
    source: str
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageSpec:
    """
    Which kinds of use a phase must have seen before it may pass.

    A cell is one combination of the labels `by` (region, client, feature path). Cells that hold at
    least `smallest_cell` of the baseline's use count. A cell is covered once the candidate served so
    much in it that a failure of the share `smallest_failure` would have shown; covered cells must hold
    `share` of all use, and at most `unseen` of the candidate's use may be of kinds never seen before.
    Each time zone with 5 % of the use must have had `busy_hours` of its local busy hours in the bake;
    `timezone_label` names the label that holds it, None takes the target's.
    """

    by: tuple[str, ...]
    smallest_cell: float
    smallest_failure: float
    share: float
    unseen: float
    busy_hours: int
    timezone_label: str | None
    source: str
    settings: tuple[tuple[str, str], ...] = ()


class Impact(StrEnum):
    """What a dependency's outage does to what needs it."""

    OUTAGE = "outage"
    DEGRADED = "degraded"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """That one node of a health model needs another, and how much."""

    node: str
    impact: Impact


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthNode:
    """
    One part of a service, or something it needs: which signals tell its state, and what it needs.

    A node named like another service of this system is that service.
    """

    name: str
    signals: tuple[str, ...] = ()
    needs: tuple[Dependency, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthModel:
    """The parts of a service and their dependencies; without cycles. Empty: only the service itself."""

    nodes: tuple[HealthNode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """Which alerts from outside concern the service (all labels must match) and what they do."""

    match: tuple[tuple[str, str], ...] = ()
    page: Effect = Effect.HALT
    ticket: Effect = Effect.HOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """
    How often the proof may be wrong.

    `alpha_halt` is shared by all attempts of a rollout, `beta` is per gate signal and phase.
    """

    alpha_halt: float
    alpha_hold: float
    beta: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a phase does to one placement: the exposure it has once the phase is applied."""

    placement: Placement
    exposure: Exposure


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """
    One step of exposure with its bake.

    `bake` is the least time that good data must have been watched; data that stays undecided until
    `bake_max` is inconclusive. `approvals` counts the people who must agree before the phase starts, each
    at most `approval_life` before it does; None: as long as the policy says. `demanded_by` is the rule of
    the policy that demands them, and with `unless_reviewed` a green review stands for them. `signals`
    holds the tolerances in force in this phase. It begins only while its `window` is open at every target
    that it moves; None is always. With a `working_day`, the hours of one, its bake must have had a whole
    one at each of them.
    """

    name: str
    ring: str
    moves: tuple[Move, ...]
    bake: timedelta
    bake_max: timedelta
    minimum_requests: int
    approvals: int
    approvers: str
    signals: tuple[SignalSpec, ...]
    exercises: tuple[ExerciseSpec, ...]
    coverage: CoverageSpec | None = None
    approval_life: timedelta | None = None
    window: Window | None = None
    working_day: Window | None = None
    unless_reviewed: bool = False
    demanded_by: str = ""

    @property
    def has_concurrent_baseline(self) -> bool:
        """Whether at least one placement of this phase serves both arms to ordinary users."""
        return any(0 < move.exposure.weight_bps < FULL_WEIGHT_BPS for move in self.moves)

    @property
    def exposes_users(self) -> bool:
        """Whether ordinary users meet the candidate in this phase."""
        return any(move.exposure.weight_bps > 0 for move in self.moves)


class Recovery(StrEnum):
    """What follows a halt for harm."""

    ROLLBACK = "rollback"
    """At once, back to what was served before."""
    HOLD = "hold"
    """Withdrawn and left for a person."""


class Supersede(StrEnum):
    """What a new change does when an earlier one still moves a target of it."""

    QUEUE = "queue"
    """It waits until that is over."""
    REPLACE = "replace"
    """What waits is dropped, and what moves is rolled back; then it begins."""
    BUNDLE = "bundle"
    """It is joined with what waits into one change, the newer version of each component."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    The whole way from nobody to everyone, and what happens when it goes wrong.

    `tick` is how often signals are read; data older than `stale_after` is stale; after
    `no_data_halt_after` without usable data the rollout is halted. `apply_within` bounds how long a
    target may take to serve what was asked. `quarantine` is how long the old version stays warm. In the
    first `warm_up` of a phase only gross harm counts and nothing is proven: caches are cold. Rollouts
    that touch the same things raise exposure at least `stagger` apart, so that they can be told apart.
    `gates` must be green before exposure rises. `supersede` is what it does to earlier changes that
    still move its targets. `exceptions` is how often the calendar may be passed over.
    """

    name: str
    phases: tuple[Phase, ...]
    budget: ErrorBudget
    recovery: Recovery
    tick: timedelta
    stale_after: timedelta
    no_data_halt_after: timedelta
    apply_within: timedelta
    quarantine: timedelta
    warm_up: timedelta = timedelta(0)
    stagger: timedelta = timedelta(0)
    alerts: AlertPolicy = AlertPolicy()
    health: HealthModel = HealthModel()
    gates: tuple[GateSpec, ...] = ()
    supersede: Supersede = Supersede.QUEUE
    exceptions: ExceptionBudget = DEFAULT_EXCEPTIONS

    def exposure_within(self, phase_index: int) -> dict[Placement, Exposure]:
        """
        Return the exposure of each placement that phases up to *phase_index* allow, in order of moves.

        Exposure never shrinks inside a plan, so the last move of a placement is its greatest.
        """
        allowed: dict[Placement, Exposure] = {}
        for phase in self.phases[: phase_index + 1]:
            for move in phase.moves:
                allowed[move.placement] = move.exposure
        return allowed

    def placements(self) -> tuple[Placement, ...]:
        """Return every placement the plan ever moves, in the order of its first move."""
        return tuple(self.exposure_within(len(self.phases) - 1))

    def exposure_of(self, placement: Placement, phase_index: int) -> Exposure:
        """Return what phases up to *phase_index* allow *placement*; nobody when it has not moved yet."""
        # The same as asking `exposure_within`, without making it for every placement at every look.
        for phase in reversed(self.phases[: phase_index + 1]):
            for move in phase.moves:
                if move.placement == placement:
                    return move.exposure
        return NO_EXPOSURE


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSpec:
    """
    One component of a service. `settings` is the driver's business, as canonical JSON text.

    `kind` is for people, reports and what a policy demands of a plan; no decision may depend on it.
    """

    name: ComponentName
    kind: str
    driver: str
    settings_json: str
    after: tuple[ComponentName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """One target of a service. `settings_json` is the driver's business, as canonical JSON text."""

    name: TargetName
    ring: str
    environment: Environment
    settings_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """A service as its resolved document describes it."""

    name: ServiceName
    owner: str
    tier: int
    components: tuple[ComponentSpec, ...]
    targets: tuple[TargetSpec, ...]
    plan: Plan

    def component(self, name: ComponentName) -> ComponentSpec:
        """Return the component called *name*; that it exists was checked when the document was read."""
        return next(component for component in self.components if component.name == name)

    def target(self, name: TargetName) -> TargetSpec:
        """Return the target called *name*; that it exists was checked when the document was read."""
        return next(target for target in self.targets if target.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentChange:
    """From which version to which one component goes. `before` differs per target only by error."""

    component: ComponentName
    to: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An immutable bundle of component versions, by digest."""

    components: tuple[ComponentChange, ...]

    def version_of(self, component: ComponentName) -> Version | None:
        """Return the version that *component* goes to, or None when the change leaves it alone."""
        return next((part.to for part in self.components if part.component == component), None)
