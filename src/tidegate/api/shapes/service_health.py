"""How well a service is: its health model with states and reasons, what its sources answer, its past."""

from typing import Literal

from pydantic import Field

from tidegate.api.shapes.base import Instant, Shape

State = Literal["healthy", "degraded", "unhealthy", "unknown"]


class NodeSignal(Shape):
    """A signal and what it says of its node. One in shadow is shown and does nothing."""

    name: str
    kind: str
    gate: bool
    shadow: bool
    health: State
    why: str


class NodeNeed(Shape):
    """A node that this one needs, and what its outage does here: outage, degraded or none."""

    node: str
    impact: Literal["outage", "degraded", "none"]


class Node(Shape):
    """
    One part of the service, or something it needs.

    `health` is its state with what it needs, `at_least` the trouble that is certain where that is
    unknown, `own_health` its state by itself. `supposed` is true for a state that was only asked about.
    """

    name: str
    health: State
    at_least: State
    because: list[str]
    own_health: State
    own_why: str
    supposed: bool
    signals: list[NodeSignal]
    needs: list[NodeNeed]


class ServiceHealth(Shape):
    """A service's state and why. `because` goes from the service down to what is wrong."""

    service: str
    at: Instant
    health: State
    because: list[str]
    explained_by: str | None = Field(
        description="The needed node that explains the service's trouble, null when none is known to."
    )
    rollouts: list[str] = Field(description="Those under way, whose evidence it rests on.")
    nodes: list[Node]


class Answer(Shape):
    """
    What the source of one signal gave at one target.

    `quality` is good, missing, stale, not_a_number or contradictory. `effect` says what this alone would
    do to a rollout, empty for nothing; `fix` what to do about it.
    """

    signal: str
    kind: str
    source: str
    component: str
    target: str
    gate: bool
    shadow: bool
    quality: str
    found: str
    value: float | None = Field(description="Of a limit, else null.")
    effect: str
    fix: str


class HealthTest(Shape):
    """What every source gave now, and the health that this makes."""

    health: ServiceHealth
    answers: list[Answer]


class SignalPast(Shape):
    """
    What one signal would have done to past rollouts, enforced alone.

    `false_halts` are those of `halted` that completed their plan all the same. A signal with 0
    `ticks` is new: nothing is known of it.
    """

    signal: str
    shadow: bool = Field(description="Whether it was in shadow in the service's latest rollout.")
    rollouts: int
    ticks: int
    halted: list[str]
    false_halts: list[str]


class SignalHistory(Shape):
    """The past of all signals of a service."""

    service: str
    signals: list[SignalPast]
