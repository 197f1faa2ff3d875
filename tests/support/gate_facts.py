"""Facts that gates are told, ready to be told: traffic, what passed where, what the targets are."""

import json
from datetime import datetime, timedelta
from typing import Any

from tidegate.domain.plan.model import TargetSpec
from tidegate.domain.plan.traffic import HOUR, TrafficHour
from tidegate.domain.quantities import ComponentName, Environment, TargetName, Version
from tidegate.ports.gate import PassedOn
from tidegate.testing.builders import CANDIDATE, START, a_placement

EU = TargetName("eu")
US = TargetName("us")


def a_target(name: str = "eu", environment: Environment = Environment.PRODUCTION) -> TargetSpec:
    """Return a target."""
    return TargetSpec(
        name=TargetName(name), ring="one", environment=environment, settings_json="{}"
    )


def hours(
    count: int,
    *,
    requests: int = 3_600,
    bad: int = 0,
    target: str = "eu",
    until: datetime = START,
    watched: timedelta = HOUR,
) -> tuple[TrafficHour, ...]:
    """Return the last *count* hours before *until*, all alike."""
    return tuple(
        TrafficHour(
            target=TargetName(target),
            hour=until - (number + 1) * HOUR,
            watched=watched,
            requests=requests,
            bad=bad,
        )
        for number in range(count)
    )


def passed(
    version: Version = CANDIDATE,
    *,
    target: str = "staging",
    environment: Environment = Environment.STAGING,
    ago: timedelta = timedelta(hours=1),
    component: str = "code",
) -> PassedOn:
    """Return that *version* passed on a target."""
    return PassedOn(
        placement=a_placement(target=target, component=component),
        environment=environment,
        version=version,
        at=START - ago,
    )


def stated(**what: Any) -> dict[str, bytes]:
    """Return a statement as it is submitted."""
    return {"statement.json": json.dumps(what).encode()}


CODE = ComponentName("code")
