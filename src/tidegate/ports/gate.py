"""
The gate port: one driver per kind of gate, each of which answers one question about one change.

A driver reads what was submitted for it, or looks at the outside system that knows. It decides nothing
about a rollout and changes nothing anywhere. Rule: what can't be told is `UNKNOWN`, with the reason; a
driver raises only for a failure that a later look may not have.

Promises every driver keeps are held by `testing.contracts.gate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tidegate.domain.gates.model import GateSpec, GateVerdict
from tidegate.domain.plan.model import Change, ComponentSpec, TargetSpec
from tidegate.domain.plan.traffic import TrafficHour
from tidegate.domain.quantities import ComponentName, Environment, Placement, ServiceName, Version
from tidegate.domain.rollout.alarms import Alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDocument:
    """
    Something that was submitted for a gate: test results, a scan, a signature.

    `digest` is that of `content` (`sha256:` and hex). `change_digest` is the change it was submitted
    for. `by` is who submitted it.
    """

    id: str
    gate: str
    service: ServiceName
    change_digest: str
    name: str
    content: bytes
    digest: str
    submitted_at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOn:
    """That a version passed the last of its phases at a placement, with all of its bakes, at a time."""

    placement: Placement
    environment: Environment
    version: Version
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFacts:
    """
    What Tidegate itself knows that a gate may ask about.

    `passed` holds what completed where, newest first; `alarms` the active ones of the service;
    `halted` says why other rollouts of the service are halted; `freezes` and `stops` which are in
    force, in words; `serving` what each placement served before; `resolved` what the version that
    was asked for is now, by component (None: it can't be told). `hours` is what was seen of the
    service's traffic, by target and time, `traffic_now` how many requests were seen just
    now and how many of them failed (None: nobody could be asked). `is_install` tells that nothing was
    served before.
    """

    passed: tuple[PassedOn, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    halted: tuple[str, ...] = ()
    freezes: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    serving: tuple[tuple[Placement, Version], ...] = ()
    resolved: tuple[tuple[ComponentName, Version | None], ...] = ()
    hours: tuple[TrafficHour, ...] = ()
    traffic_now: tuple[int, int] | None = None
    is_install: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GateQuestion:
    """
    What a gate is asked: about which change of which service, on which targets, with what at hand.

    `documents` are those that were submitted for this gate and this change, oldest first.
    `targets` are those of the phase that is waited for, or of the whole plan before the start.
    """

    spec: GateSpec
    service: ServiceName
    change: Change
    change_digest: str
    plan_hash: str
    components: tuple[ComponentSpec, ...]
    targets: tuple[TargetSpec, ...]
    documents: Sequence[GateDocument]
    known: KnownFacts
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAnswer:
    """
    What a driver found.

    `because` is one sentence for people, also when it is green. `facts` are what was measured.
    `lasts` limits how long it is good below what the gate's settings say; None leaves that.
    `documents` are the ids of what was read.
    """

    verdict: GateVerdict
    because: str
    facts: tuple[tuple[str, str], ...] = ()
    documents: tuple[str, ...] = ()
    lasts: timedelta | None = None


class GateDriver(Protocol):
    """Answers one kind of gate."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """
        Return what is found about the change in question.

        Raises:
            GateError: what should know can't be asked now.
            InvalidDocumentError: the gate's settings make no sense.
        """
        ...
