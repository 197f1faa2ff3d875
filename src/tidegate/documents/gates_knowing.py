"""
The settings of gates that need no file format: what Tidegate knows itself, or a short statement says.

Rule: a limit that isn't written has a default that a careful team would take.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from tidegate.documents.components import Written
from tidegate.documents.gates import GateKind, GateSettings
from tidegate.documents.notation import Duration, Name

_Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class StagingPassed(GateSettings):
    """The same versions have completed on a target that isn't production."""

    target: Name | None = Field(
        default=None, description="The target that must have passed. Default: any staging target."
    )
    within: Duration | None = Field(
        default=None, description="How long ago that may be. Default: any time."
    )


class NoIncident(GateSettings):
    """Nothing that concerns the service is on fire."""

    tickets: bool = Field(
        default=False, description="Whether alarms of ticket severity count as well."
    )


class Healthy(GateSettings):
    """The service is well before it is touched."""

    max_errors: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.01, description="Largest share of failed requests that is well. Default 0.01."
    )
    over: Duration = Field(
        default=timedelta(hours=2),
        description="Over which time, beside this moment. Default 2h.",
        json_schema_extra={"default": "2h"},
    )
    min_requests: Annotated[int, Field(ge=1)] = Field(
        default=100, description="Requests that it takes to tell. Default 100."
    )


class ErrorBudget(GateSettings):
    """There is error budget left to spend."""

    objective: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = Field(
        default=0.999, description="Share of requests that must succeed. Default 0.999."
    )
    over: Duration = Field(
        default=timedelta(days=28),
        description="The time that the objective is for. Default 28d.",
        json_schema_extra={"default": "28d"},
    )
    left: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.1, description="Share of the budget that must be left. Default 0.1."
    )
    known: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = Field(
        default=0.5, description="Share of the hours that must be known. Default 0.5."
    )


class ChangeSize(GateSettings):
    """The change is small enough to understand when it goes wrong."""

    components: Annotated[int, Field(ge=1)] = Field(
        default=3, description="Most components that change at once. Default 3."
    )
    lines: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Most lines that change, as the statement counts them."
    )
    files: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Most files that change, as the statement counts them."
    )
    config_keys: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Most configuration keys that change, by the statement."
    )


class Backup(GateSettings):
    """There is a backup that is young enough, and it was restored once."""

    max_age: Duration = Field(
        default=timedelta(hours=24),
        description="How old the backup may be. Default 24h.",
        json_schema_extra={"default": "24h"},
    )
    restore_tested: Duration | None = Field(
        default=timedelta(days=90),
        description="How long ago a restore was tried at most. Default 90d.",
        json_schema_extra={"default": "90d"},
    )


class Capacity(GateSettings):
    """Each target can carry its busiest hour, with room to spare."""

    requests_per_second: _Ratio | None = Field(
        default=None, description="What each target can carry. Default: as the statement says."
    )
    headroom: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = Field(
        default=0.3, description="Share above the measured peak that must be free. Default 0.3."
    )
    peak_over: Duration = Field(
        default=timedelta(days=7),
        description="The time whose peak counts. Default 7d.",
        json_schema_extra={"default": "7d"},
    )


class MirrorLimits(Written):
    """How much staging may differ from production, by kind of difference."""

    config: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Settings that may differ. Default 0."
    )
    versions: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Other software whose version may differ. Default 0."
    )
    topology: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Parts that may be there on one side only. Default 0."
    )


class Mirror(GateSettings):
    """Staging is like production, so that passing there says something."""

    max_age: Duration = Field(
        default=timedelta(days=7),
        description="How old the drift report may be. Default 7d.",
        json_schema_extra={"default": "7d"},
    )
    limits: MirrorLimits = Field(
        default=MirrorLimits(), description="Most differences of each kind. Default: none."
    )
    capacity_ratio: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = Field(
        default=0.1, description="Least capacity of staging, as a share of production's."
    )


_SOON = timedelta(minutes=5)

KNOWING_KINDS: Final[Mapping[str, GateKind]] = {
    "digest": GateKind(
        what="every version is fixed by its digest, and is still the same artifact",
        lasts=timedelta(minutes=30),
        needs_versions=True,
    ),
    "staging-passed": GateKind(
        what="the same versions have completed on a staging target",
        lasts=timedelta(hours=24),
        settings=StagingPassed,
        short="target",
    ),
    "no-incident": GateKind(
        what="no alarm of page severity is active", lasts=_SOON, settings=NoIncident
    ),
    "blockers": GateKind(what="no alarm, no halted rollout, no stop order, no freeze", lasts=_SOON),
    "healthy": GateKind(
        what="the service is well before it is touched",
        lasts=_SOON,
        settings=Healthy,
        needs_traffic=True,
        needs_traffic_now=True,
    ),
    "error-budget": GateKind(
        what="error budget is left",
        lasts=timedelta(minutes=15),
        settings=ErrorBudget,
        needs_traffic=True,
    ),
    "change-size": GateKind(
        what="the change is small enough",
        lasts=timedelta(days=7),
        settings=ChangeSize,
        short="components",
        takes_documents=True,
    ),
    "backup": GateKind(
        what="there is a young backup that was restored once",
        lasts=timedelta(hours=1),
        settings=Backup,
        short="max_age",
        takes_documents=True,
    ),
    "capacity": GateKind(
        what="each target can carry its peak with room to spare",
        lasts=timedelta(hours=1),
        settings=Capacity,
        needs_traffic=True,
        takes_documents=True,
    ),
    "mirror": GateKind(
        what="staging is like production",
        lasts=timedelta(hours=1),
        settings=Mirror,
        takes_documents=True,
    ),
}
