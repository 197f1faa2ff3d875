"""
The shape of `tidegate.yaml`: which keys there are, what each may hold, and its default.

Rule: one model per mapping of the file; every key has a description, since the published JSON Schema
is made from these models. Keys that depend on one another are checked when the file is resolved; what
a plan may not do is checked by `domain.plan.rules`. Defaults that depend on other keys (a plan on the
tier) are None here and filled in when the file is resolved.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from tidegate.documents.alerts import Alerts
from tidegate.documents.components import TAG_PREFIX, Component, Members, Text, Written
from tidegate.documents.gates_written import Gates
from tidegate.documents.limits import WrittenLimit
from tidegate.documents.notation import (
    Address,
    AdminAddress,
    AnyTolerance,
    Approval,
    Duration,
    GroupName,
    Name,
    PackName,
    PlanName,
    Points,
    Relative,
    Share,
    ShareOrInternal,
    Slowdown,
)
from tidegate.documents.windows import NoWindow, WrittenPlanWindow, WrittenWindow


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
        default=None,
        description="Label that tells the arms apart (Prometheus: default version; OTLP: default "
        "service.version).",
    )
    arm_value: Literal["version", "digest", "cluster", "members"] | None = Field(
        default=None, description="What that label holds (Prometheus, OTLP)."
    )
    target_label: Text | None = Field(
        default=None,
        description="Label that names the target (Prometheus: default target; OTLP: default "
        "deployment.environment.name).",
    )
    strata: Text | None = Field(
        default=None, description="Label, as a zone, within whose values the arms are compared."
    )
    aggregate: Literal["max", "min", "sum", "avg"] | None = Field(
        default=None,
        description="What several values are as one (saturation: default sum; limit: default max).",
    )


class Signal(CounterKeys):
    """One measured series per arm and what is demanded of it."""

    name: Name = Field(description="Its name.")
    kind: Literal["errors", "usage", "latency", "traffic", "saturation", "limit"] = Field(
        description="How it is judged."
    )
    count: Literal["requests", "users"] | None = Field(
        default=None,
        description="What errors are counted in; users: one user's retries count once. Default "
        "requests.",
    )
    noise: Literal["independent", "clustered"] | None = Field(
        default=None,
        description="How errors come when nothing is wrong; clustered: in bursts, measured on at least "
        "8 members of the baseline. Default independent.",
    )
    tolerate: AnyTolerance | None = Field(
        default=None,
        description="Most harm that is acceptable: 0.1pp (errors), 5% (others) or 20ms (latency).",
    )
    gate: bool | None = Field(
        default=None,
        description="Whether a phase needs its proof. Default: true for errors and usage.",
    )
    shadow: bool | None = Field(
        default=None,
        description="Watched without a say. Default: until one rollout has completed with it.",
    )
    limit: WrittenLimit | None = Field(
        default=None, description="The most that is allowed, or the least after a > (limit)."
    )
    on_breach: Literal["halt", "hold", "ignore"] | None = Field(
        default=None, description="What crossing the limit does to a rollout. Default: halt."
    )


class ModelNode(Written):
    """One part of the service, or something it needs."""

    signals: Annotated[list[Name], Field(max_length=50)] = Field(
        default_factory=list, description="The signals that tell its state."
    )
    needs: Annotated[dict[Name, Literal["outage", "degraded", "none"]], Field(max_length=200)] = (
        Field(
            default_factory=dict, description="What it needs, and what the lack of that does to it."
        )
    )


class Exercise(CounterKeys):
    """Proof that the changed path is really used."""

    name: Name = Field(description="Its name.")
    min: int = Field(ge=1, description="Calls of the candidate before a phase may pass.")


class Coverage(CounterKeys):
    """Which kinds of use a phase must have seen before it may pass."""

    by: Annotated[list[Text], Field(min_length=1, max_length=8)] = Field(
        description="Labels whose values make a kind of use: region, client, feature path."
    )
    smallest_cell: Share = Field(
        default=10, description="Kinds with less of the use than this don't count. Default 0.1%."
    )
    smallest_failure: Share = Field(
        default=100,
        description="Share of one kind's uses whose failing must be seen. Default 1%: 300 uses.",
    )
    share: Share = Field(
        default=9_900, description="Share of the use that must be of covered kinds. Default 99%."
    )
    unseen: Share = Field(
        default=100, description="Most of the use that may be of kinds never seen. Default 1%."
    )
    busy_hours: int | None = Field(
        default=None,
        ge=0,
        le=24,
        description="Local busy hours that each time zone must have had. Default 2, in a lab 0.",
    )
    timezone_label: Text | None = Field(
        default=None,
        description="Which of `by` holds the user's IANA time zone. Default: the target's zone.",
    )


class NoData(Written):
    """What happens without usable data; the rollout is held at once in any case."""

    halt_after: Duration = Field(description="How long it is held before it is halted.")


SignalEntry = Annotated[
    Annotated[PackName, _AsText] | Annotated[Signal, _AsMapping], Discriminator(_form)
]


class Health(Written):
    """What is measured to find harm."""

    source: Text | None = Field(
        default=None, description="envoy, openmetrics, otlp, or prometheus://host:port."
    )
    signals: Annotated[list[SignalEntry], Field(min_length=1, max_length=50)] = Field(
        default=["http"], description="Packs and single signals."
    )
    exercise: Annotated[list[Exercise], Field(max_length=50)] = Field(
        default_factory=list, description="Calls that must have happened before a phase may pass."
    )
    no_data: NoData | None = Field(default=None, description="What happens without data.")
    warm_up: Duration | None = Field(
        default=None,
        description="Begin of each phase in which only gross harm counts. Default 3m, in a lab 0s.",
    )
    alerts: Alerts | None = Field(
        default=None, description="Alerts from outside, and what they do to a rollout."
    )
    coverage: Coverage | None = Field(
        default=None, description="Which kinds of use a phase must have seen before it may pass."
    )
    model: Annotated[dict[Name, ModelNode], Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="The parts of the service and what each needs, by name."
    )


class Tolerances(Written):
    """The most harm that is acceptable, by kind of signal."""

    errors: Points | None = Field(default=None, description="More failing requests.")
    usage: Relative | None = Field(default=None, description="Less usage.")
    latency: Slowdown | None = Field(default=None, description="Slower answers.")
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


class WrittenApproval(Written):
    """Who must agree before a phase starts, and how long their word holds."""

    count: int = Field(ge=1, le=9, description="How many different persons.")
    of: GroupName = Field(description="Of which group.")
    within: Duration | None = Field(
        default=None,
        description="How long an approval holds. Default: what the policy says, else 24h.",
    )


ApprovalEntry = Annotated[
    Annotated[Approval, _AsText] | Annotated[WrittenApproval, _AsMapping], Discriminator(_form)
]

PhaseWindow = Annotated[
    Annotated[NoWindow, _AsText] | Annotated[WrittenWindow, _AsMapping], Discriminator(_form)
]
PlanWindow = Annotated[
    Annotated[NoWindow, _AsText] | Annotated[WrittenPlanWindow, _AsMapping], Discriminator(_form)
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
    approve: ApprovalEntry | None = Field(
        default=None,
        description="Who must agree before it starts: 1 of team-release, or a mapping.",
    )
    window: PhaseWindow | None = Field(
        default=None, description="When it may begin, or none for always. Default: the plan's."
    )
    cover: Literal["business-day"] | None = Field(
        default=None, description="business-day: its bake has to have had a whole working day."
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
    stagger: Duration | None = Field(
        default=None,
        description="Time between rises of services that need one another. Default 10m, in a lab 0s.",
    )
    supersede: Literal["queue", "replace", "bundle"] = Field(
        default="queue", description="What it does to earlier changes that still move its targets."
    )
    window: PlanWindow | None = Field(
        default=None,
        description="When phases may begin, or none for always. Default: in tier 1, on production "
        "targets, working hours.",
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
    gates: Gates | None = Field(default=None, description="What must be green before it moves.")
