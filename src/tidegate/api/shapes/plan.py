"""What a start would do, and what it can be expected to show."""

from pydantic import Field

from tidegate.api.shapes.base import Asked, Instant, Shape
from tidegate.api.shapes.rollout import ComponentChange, Phase


class Finding(Shape):
    """What a rule says about the document. Errors forbid a start."""

    rule: str
    severity: str
    message: str
    fix: str
    place: str = Field(description="file:line:column where the text is known, else empty.")


class Traffic(Shape):
    """
    How much the service is used, and where that is known from.

    `requests_per_second` and `error_rate` are the means of the week, all targets together.
    `hours_known` is how many of the 168 hours of the week were seen of the target that is known least;
    the others take the mean. `assumed` is true below a day of them, and where somebody only said so.
    """

    requests_per_second: float
    error_rate: float
    source: str
    hours_known: int = 0
    assumed: bool = True


class SignalForecast(Shape):
    """
    What a bake can be expected to show of one gate signal; null: can't be said.

    `rules_out` and `tolerated` are in the unit, as in evidence. `power` is the chance that a candidate
    worse by what is tolerated is halted within the bake, `proof_needs_seconds` how long the proof takes.
    """

    name: str
    kind: str
    unit: str
    tolerated: float
    rules_out: float | None
    enough: bool | None
    power: float | None
    proof_needs_seconds: float | None
    why_unknown: str = Field(description="What isn't known, empty where all is.")


class FaultForecast(Shape):
    """How soon a fault of `excess` more errors (an absolute share) is halted; null: not foreseen."""

    excess: float
    halted_after_seconds: float | None
    failed_requests: float | None


class Alternative(Shape):
    """A share of the traffic at which a bake of that length would do."""

    weight_bps: int
    bake_seconds: float


class PhaseForecast(Shape):
    """
    What one phase can be expected to show; null: can't be said.

    `rules_out_errors` is the smallest excess of failed requests (an absolute share) that its bake
    excludes, `tolerated_errors` what is demanded, `enough` whether that is within it.
    `seconds_to_halt` and `failed_before_halt` are about a fault of `typical_fault`.
    """

    number: int = Field(description="Counted from 1.")
    begins_at: Instant | None = Field(
        default=None, description="If all goes well and nobody has to be waited for."
    )
    ends_at: Instant | None = None
    people: float | None = Field(
        default=None, description="Who met the candidate by then, at most."
    )
    power: float | None = Field(default=None, description="The least of the gate signals.")
    weak: bool = Field(default=False, description="The bake can't prove what is demanded.")
    signals: list[SignalForecast] = Field(default_factory=list)
    faults: list[FaultForecast] = Field(default_factory=list)
    alternative: Alternative | None = None
    coverage_needs_seconds: float | None = None
    candidate_requests_per_second: float | None
    tolerated_errors: float | None
    rules_out_errors: float | None
    enough: bool | None
    bake_needed_seconds: float | None
    seconds_to_halt: float | None
    failed_before_halt: float | None


class Forecast(Shape):
    """The whole plan, foreseen. `traffic` is null where nobody knows."""

    traffic: Traffic | None
    bakes_seconds: float = Field(description="All bakes together: the least time it takes.")
    typical_fault: float = Field(description="An absolute share of requests.")
    begins_at: Instant | None = None
    ends_at: Instant | None = None
    weakest_phase: int | None = Field(default=None, description="Counted from 1.")
    way_back_seconds: float | None = Field(
        default=None, description="What the way back took in its latest rehearsal or use."
    )
    phases: list[PhaseForecast]


class PlannedGate(Shape):
    """One gate that must be green: before the start, or before the named phases (none named: all)."""

    name: str
    kind: str
    moment: str = Field(description="before_start or before_phase.")
    phases: list[str]
    lasts_seconds: float = Field(description="How long an answer of it is good.")
    settings: dict[str, object]


class Plan(Shape):
    """What starting would do. Nothing has been changed."""

    service: str
    change: dict[str, ComponentChange] = Field(description="By component.")
    plan: str
    plan_hash: str
    is_install: bool = Field(description="Nothing is served yet: there is nothing to compare with.")
    quarantine_seconds: float
    recovery: str = Field(description="What follows a halt for harm: rollback or hold.")
    phases: list[Phase]
    forecast: Forecast
    findings: list[Finding]
    gates: list[PlannedGate] = Field(default_factory=list)
    gates_not_configured: list[str] = Field(
        default_factory=list, description="Kinds of gates that nothing asks for in this plan."
    )
    notes: list[str] = Field(
        default_factory=list, description="What is different in this start, in words."
    )


class MakePlan(Asked):
    """A service (a resolved document, or a known name) and the versions its components shall have."""

    service: dict[str, object] | str
    change: dict[str, str] = Field(min_length=1, max_length=100)
    requests_per_second: float | None = Field(
        default=None, gt=0, le=1e9, description="Traffic to foresee with, where none is known."
    )
    error_rate: float = Field(default=0.001, ge=0, lt=1, description="With `requests_per_second`.")
