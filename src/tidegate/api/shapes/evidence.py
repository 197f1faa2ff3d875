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
    0.05 percentage points), `relative` a share of the baseline's value. `ruled_out` is the least harm
    that is excluded so far with 95 % confidence, null while nothing is.
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
