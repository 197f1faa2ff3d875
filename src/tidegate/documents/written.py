"""
The shape of `tidegate.yaml`: which keys there are, what each may hold, and its default.

Rule: one model per mapping of the file; every key has a description, since the published JSON Schema
is made from these models. Keys that depend on one another are checked when the file is resolved; what
a plan may not do is checked by `domain.plan.rules`. Defaults that depend on other keys (a plan on the
tier) are None here and filled in when the file is resolved.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from tidegate.documents.components import TAG_PREFIX, Component, Members, Text, Written
from tidegate.documents.notation import (
    Address,
    AdminAddress,
    AnyTolerance,
    Approval,
    Duration,
    Name,
    PackName,
    PlanName,
    Points,
    Relative,
    ShareOrInternal,
)


def _form(value: Any) -> str:
    """Return the tag of the form that *value* is written in; models count as mappings."""
    match value:
        case str() | int() | float():
            return f"{TAG_PREFIX}text"
        case list():
            return f"{TAG_PREFIX}list"
        case _:
            return f"{TAG_PREFIX}mapping"


_AsText: Final = Tag(f"{TAG_PREFIX}text")
_AsList: Final = Tag(f"{TAG_PREFIX}list")
_AsMapping: Final = Tag(f"{TAG_PREFIX}mapping")


class OwnEnvoy(Written):
    """An Envoy that the user runs; Tidegate only writes its routes."""

    admin: AdminAddress = Field(description="Admin address, or the path of its unix socket.")
    rds_dir: Text = Field(description="Folder that this Envoy reads its routes from.")


class TargetSettings(Written):
    """What of a component is different on one target."""

    listen: Address | None = Field(default=None, description="Where users connect on this target.")
    dir: Text | None = Field(default=None, description="Folder of the consumers on this target.")
    members: Members | None = Field(default=None, description="The consumers on this target.")
    internal: Members | None = Field(
        default=None, description="Consumers on this target that serve internal users only."
    )


class Target(Written):
    """One place that serves."""

    name: Name = Field(description="Its name.")
    ring: Name | None = Field(
        default=None, description="Its group; groups are taken in order of first appearance."
    )
    environment: Literal["lab", "staging", "production"] = Field(
        default="production", description="How much it matters."
    )
    timezone: Text | None = Field(default=None, description="IANA name, as Europe/Paris.")
    region: Text | None = Field(default=None, description="Where it stands, for people.")
    envoy: OwnEnvoy | None = Field(default=None, description="The user's own Envoy.")
    settings: TargetSettings | None = Field(
        default=None, description="What of a component is different here."
    )


class CounterKeys(Written):
    """Which counters a signal or exercise reads; which keys fit depends on the source."""

    source: Text | None = Field(
        default=None, description="Where to read it, when not from health.source."
    )
    query: Text | None = Field(
        default=None, description="PromQL over counters, with $arm (Prometheus)."
    )
    metric: Text | None = Field(default=None, description="Counter or histogram by name.")
    bad: Text | None = Field(default=None, description="Label matchers of the bad requests.")
    bad_metric: Text | None = Field(default=None, description="Counter of bad requests.")
    total_metric: Text | None = Field(default=None, description="Counter of all requests.")
    unit: Literal["seconds", "milliseconds"] | None = Field(
        default=None, description="Unit of a histogram whose name doesn't say it."
    )
    path: Annotated[str, Field(pattern=r"^/")] | None = Field(
        default=None, description="Path of the metrics page (OpenMetrics; default /metrics)."
    )
    arm_label: Text | None = Field(
        default=None, description="Label that tells the arms apart (Prometheus; default version)."
    )
    arm_value: Literal["version", "digest", "cluster", "members"] | None = Field(
        default=None, description="What that label holds (Prometheus)."
    )
    target_label: Text | None = Field(
        default=None, description="Label that names the target (Prometheus; default target)."
    )


class Signal(CounterKeys):
    """One measured series per arm and what is demanded of it."""

    name: Name = Field(description="Its name.")
    kind: Literal["errors", "usage", "latency"] = Field(description="How it is judged.")
    tolerate: AnyTolerance | None = Field(
        default=None, description="Most harm that is acceptable: 0.1pp (errors) or 5% (others)."
    )
    gate: bool | None = Field(
        default=None,
        description="Whether a phase needs its proof. Default: true for errors and usage.",
    )


class Exercise(CounterKeys):
    """Proof that the changed path is really used."""

    name: Name = Field(description="Its name.")
    min: int = Field(ge=1, description="Calls of the candidate before a phase may pass.")


class NoData(Written):
    """What happens without usable data; the rollout is held at once in any case."""

    halt_after: Duration = Field(description="How long it is held before it is halted.")


SignalEntry = Annotated[
    Annotated[PackName, _AsText] | Annotated[Signal, _AsMapping], Discriminator(_form)
]


class Health(Written):
    """What is measured to find harm."""

    source: Text | None = Field(
        default=None, description="envoy, openmetrics, or prometheus://host:port."
    )
    signals: Annotated[list[SignalEntry], Field(min_length=1, max_length=50)] = Field(
        default=["http"], description="Packs and single signals."
    )
    exercise: Annotated[list[Exercise], Field(max_length=50)] = Field(
        default_factory=list, description="Calls that must have happened before a phase may pass."
    )
    no_data: NoData | None = Field(default=None, description="What happens without data.")


class Tolerances(Written):
    """The most harm that is acceptable, by kind of signal."""

    errors: Points | None = Field(default=None, description="More failing requests.")
    usage: Relative | None = Field(default=None, description="Less usage.")
    latency: Relative | None = Field(default=None, description="Slower answers.")
    min_requests: int | None = Field(
        default=None, ge=0, le=1_000_000_000, description="Requests that a phase must have seen."
    )


class Prove(Tolerances):
    """How sure the proof must be."""

    alpha_halt: float | None = Field(
        default=None, gt=0, lt=1, description="Chance of a false halt per rollout."
    )
    alpha_hold: float | None = Field(
        default=None, gt=0, lt=1, description="Chance of a false hold per rollout."
    )
    beta: float | None = Field(
        default=None, gt=0, lt=1, description="Chance of a false pass per gate signal and phase."
    )


NameOrNames = Annotated[
    Annotated[Name, _AsText] | Annotated[list[Name], Field(min_length=1, max_length=1000), _AsList],
    Discriminator(_form),
]
ShareOrShares = Annotated[
    Annotated[ShareOrInternal, _AsText]
    | Annotated[list[ShareOrInternal], Field(min_length=1, max_length=100), _AsList],
    Discriminator(_form),
]


class WrittenPhase(Written):
    """One step of exposure with its bake."""

    name: Name = Field(description="Its name.")
    run: NameOrNames | None = Field(default=None, description="Components it moves; default all.")
    to: NameOrNames | None = Field(
        default=None, description="A ring, a target, or all (the default)."
    )
    traffic: ShareOrShares | None = Field(
        default=None,
        description="Share of everyone, several shares in turn, or internal; default 100%.",
    )
    bake: Duration = Field(description="Least time that good data must have been watched.")
    bake_max: Duration | None = Field(
        default=None, description="Undecided until then: held for a person. Default 3 x bake."
    )
    prove: Tolerances | None = Field(default=None, description="Tolerances of this phase.")
    one_at_a_time: bool = Field(default=False, description="One target after the other.")
    parallel: int | None = Field(
        default=None, ge=1, le=1000, description="So many targets at a time."
    )
    approve: Approval | None = Field(
        default=None, description="Who must agree before it starts: 1 of team-release."
    )


class WrittenPlan(Written):
    """The way from nobody to everyone."""

    name: Name | None = Field(default=None, description="Its name.")
    phases: Annotated[list[WrittenPhase], Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="The phases; default those of the plan for the tier."
    )
    recovery: Literal["rollback", "hold"] = Field(
        default="rollback", description="What follows a halt for harm."
    )
    tick: Duration | None = Field(default=None, description="How often signals are read.")
    stale_after: Duration | None = Field(default=None, description="Age at which data is stale.")
    apply_within: Duration | None = Field(
        default=None, description="Longest time a target may take to serve what was asked."
    )
    bake_max: Duration | None = Field(
        default=None, description="bake_max of phases that have none of their own."
    )
    quarantine: Duration | None = Field(
        default=None, description="How long the old version stays warm afterwards."
    )


TargetEntry = Annotated[
    Annotated[Name, _AsText] | Annotated[Target, _AsMapping], Discriminator(_form)
]
PlanEntry = Annotated[
    Annotated[PlanName, _AsText] | Annotated[WrittenPlan, _AsMapping], Discriminator(_form)
]


class ServiceFile(Written):
    """A service as its `tidegate.yaml` describes it."""

    version: Literal[1] = Field(description="Version of this format.")
    service: Name = Field(description="Name of the service.")
    owner: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")] = Field(
        description="Team that answers for it."
    )
    tier: Literal[1, 2, 3] = Field(
        default=2, description="How critical it is; tier 3 has the plan quick by default."
    )
    workload: Component | None = Field(
        default=None, description="The one component, called code. Else use components."
    )
    components: dict[Name, Component] | None = Field(
        default=None, description="Several components by name."
    )
    targets: Annotated[list[TargetEntry], Field(min_length=1, max_length=1000)] = Field(
        description="Where it serves, least important first."
    )
    health: Health | None = Field(default=None, description="What is measured to find harm.")
    prove: Prove | None = Field(default=None, description="How sure the proof must be.")
    plan: PlanEntry | None = Field(default=None, description="A plan by name, or in full.")
