"""What the signals have shown of a rollout's phase."""

from pydantic import Field

from tidegate.api.shapes.base import Instant, Shape


class ArmCounts(Shape):
    """
    What one arm did in this phase.

    `bad` counts failed requests (errors) or slow ones (latency); null for usage. `share` is bad by
    total, null where that can't be said.
    """

    total: int
    bad: int | None
    share: float | None


class Signal(Shape):
    """
    One signal of both arms.

    `tolerated` and `ruled_out` are in the unit: `rate` is an absolute share of requests (0.0005 is
    0.05 percentage points), `relative` a share of the baseline's value, `duration` milliseconds.
    `ruled_out` is the least harm that is excluded so far with 95 % confidence, null while nothing is.
    `power_double` is the chance that a candidate twice as bad as the baseline would have been halted
    with what was seen, `power_twice_tolerated` that of one worse by twice the tolerance.
    `double_seen_in_seconds` is when the first is expected to reach 95 %, `proof_in_seconds` when the
    tolerance is expected to be ruled out; 0 for by now, null for never or where that can't be said.
    """

    name: str
    kind: str
    gate: bool
    shown: str = Field(description="PROVEN, PARTLY, CANNOT IN THIS BAKE, HARM or NO DATA.")
    quality: str
    quality_note: str
    unit: str
    tolerated: float
    ruled_out: float | None
    concurrent: bool
    candidate: ArmCounts
    baseline: ArmCounts
    power_double: float | None = None
    power_twice_tolerated: float | None = None
    double_seen_in_seconds: float | None = None
    proof_in_seconds: float | None = None
    shadow: bool = Field(default=False, description="Watched only: its verdict does nothing yet.")
    shadow_halts: int = 0
    value: float | None = Field(default=None, description="The latest one of a limit.")
    limit: float | None = None
    limit_is_upper: bool | None = None


class Exercise(Shape):
    """How often the changed path was used, of how often is needed."""

    name: str
    shown: str = Field(description="PROVEN or PARTLY.")
    count: int
    needed: int


class People(Shape):
    """How many different people each arm has served since the rollout began; an upper bound."""

    candidate: int
    baseline: int


class ExposureMet(Shape):
    """Whom the phase has met: requests of the candidate, hours of the day (UTC), targets of all."""

    requests: int
    requests_per_second: float | None
    hours_of_day: list[int]
    targets: int
    targets_count: int


class DataQuality(Shape):
    """
    How good the data is; null: can't be said.

    `candidate_share` is what the candidate got of the requests, `planned_share` what was told.
    `baseline_usual` is the service's error rate before the rollout; the baseline is clean while its own
    isn't clearly above it.
    """

    age_seconds: float | None
    candidate_share: float | None
    planned_share: float | None
    split_as_planned: bool | None
    baseline_rate: float | None
    baseline_usual: float | None
    baseline_clean: bool | None


class Coverage(Shape):
    """Which kinds of use the candidate has served enough of to show a failure in them."""

    cells: int
    covered: int
    uses_needed: int
    covered_share: float
    unseen_share: float
    missing: list[str] = Field(description="The largest kinds that aren't covered yet.")


class PointSignal(Shape):
    """One signal at one moment of a chart; counts are those since the phase began."""

    name: str
    shown: str
    ruled_out: float | None
    candidate: list[int] = Field(description="Total and bad.")
    baseline: list[int] = Field(description="Total and bad.")
    log_e_harm: float | None
    log_e_safe: float | None
    value: float | None = None


class Point(Shape):
    """What was known at one moment, for charts."""

    at: Instant
    attempt: int
    phase: int = Field(description="Counted from 1.")
    baked_seconds: float
    signals: list[PointSignal]


class Evidence(Shape):
    """
    All that is known of one phase of one attempt.

    `in_force` is false when it is of an earlier phase or attempt: then it passes nothing now.
    """

    attempt: int
    phase: int | None = Field(description="Counted from 1; null while nothing was watched.")
    phase_name: str
    in_force: bool
    ticks: int
    last_tick_at: Instant | None
    baked_seconds: float
    needed_seconds: float
    people: People | None = Field(description="Null where nobody can be told apart.")
    requests: int
    needed_requests: int
    verdict: str | None = Field(description="Null where no phase is in force.")
    reasons: list[str]
    signals: list[Signal]
    exercises: list[Exercise]
    warming: bool = Field(
        default=False, description="Caches are cold: only gross harm counts, nothing is proven yet."
    )
    exposure: ExposureMet | None = None
    data: DataQuality | None = None
    coverage: Coverage | None = Field(default=None, description="Null where none is asked for.")
    by_hour_of_week: bool = Field(
        default=False,
        description="Forecasts rest on the week's traffic, else on that of this phase.",
    )
    points: list[Point] = Field(
        default_factory=list, description="For charts, oldest first; only where `since` was given."
    )
