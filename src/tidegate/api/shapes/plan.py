"""What a start would do, and what it can be expected to show."""

from pydantic import Field

from tidegate.api.shapes.base import Asked, Shape
from tidegate.api.shapes.rollout import ComponentChange, Phase


class Finding(Shape):
    """What a rule says about the document. Errors forbid a start."""

    rule: str
    severity: str
    message: str
    fix: str
    place: str = Field(description="file:line:column where the text is known, else empty.")


class Traffic(Shape):
    """How much the service is used, and where that is known from."""

    requests_per_second: float
    error_rate: float
    source: str


class PhaseForecast(Shape):
    """
    What one phase can be expected to show; null: can't be said.

    `rules_out_errors` is the smallest excess of failed requests (an absolute share) that its bake
    excludes, `tolerated_errors` what is demanded, `enough` whether that is within it.
    `seconds_to_halt` and `failed_before_halt` are about a fault of `typical_fault`.
    """

    number: int = Field(description="Counted from 1.")
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
    phases: list[PhaseForecast]


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


class MakePlan(Asked):
    """A service (a resolved document, or a known name) and the versions its components shall have."""

    service: dict[str, object] | str
    change: dict[str, str] = Field(min_length=1, max_length=100)
    requests_per_second: float | None = Field(
        default=None, gt=0, le=1e9, description="Traffic to foresee with, where none is known."
    )
    error_rate: float = Field(default=0.001, ge=0, lt=1, description="With `requests_per_second`.")
