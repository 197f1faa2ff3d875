"""What a past rollout showed, per period, target and signal: what a simulation replays."""

from pydantic import Field

from tidegate.api.shapes.base import Shape, WireInteger


class RecordedArm(Shape):
    """What one arm did in one period: requests, good events or answers; bad ones; answers per bucket."""

    total: WireInteger
    bad: WireInteger
    buckets: list[WireInteger]


class RecordedSignal(Shape):
    """One signal of one target in one period."""

    name: str
    kind: str
    candidate: RecordedArm
    baseline: RecordedArm
    bounds_ms: list[float] = Field(description="Upper bounds of the buckets but the last.")


class RecordedPeriod(Shape):
    """What one target did for some minutes."""

    target: str
    begins_seconds: float = Field(description="Since the rollout's start.")
    lasts_seconds: float
    set_bps: WireInteger = Field(description="The candidate's share at the time.")
    signals: list[RecordedSignal]


class Recording(Shape):
    """A rollout's ticks, added up to periods."""

    rollout: str
    service: str
    change: str
    ended: str = Field(description="Its state when it was recorded.")
    periods: list[RecordedPeriod]
