"""
What people and other systems say is wrong: alerts and user reports, and which rollouts they concern.

An alarm needs no statistics: somebody has looked. It is a level and not an event: as long as it isn't
resolved it is an input of every decision, so it stops a rollout also when whoever was told first didn't
live to act on it. What a rollout does about it is decided in `decide`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from tidegate.domain.plan.model import AlertPolicy, Effect
from tidegate.domain.quantities import ServiceName, TargetName

AlarmId = NewType("AlarmId", str)


class AlarmKind(StrEnum):
    """Who says it."""

    ALERT = "alert"
    """A monitoring system."""
    REPORT = "report"
    """A person, for themselves or for a user."""


class Severity(StrEnum):
    """How much it matters."""

    PAGE = "page"
    """Somebody is woken up for it: users are harmed now."""
    TICKET = "ticket"
    """To be looked at in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """
    One thing that is said to be wrong, until it is resolved.

    `service` is the service it names, None when it names none; `target` likewise. `source` is who
    said it first (`alertmanager`, `api`, `user`); `fingerprint` is what this source calls it by, so
    that saying it again changes nothing. `raised_at` is when it began, by its source. `resolution`
    says why it is over. `organisation` is the one that it can be about, None for every one.
    """

    id: AlarmId
    kind: AlarmKind
    severity: Severity
    service: ServiceName | None
    target: TargetName | None
    summary: str
    source: str
    fingerprint: str
    labels: tuple[tuple[str, str], ...]
    raised_at: datetime
    raised_by: str
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    resolution: str = ""
    organisation: str | None = None

    def reaches(self, organisation: str) -> bool:
        """Return whether it can be about anything of *organisation*."""
        return self.organisation in (None, organisation)

    @property
    def is_active(self) -> bool:
        """Whether it is still said to be wrong."""
        return self.resolved_at is None


def concerns(alarm: Alarm, service: ServiceName, policy: AlertPolicy) -> bool:
    """
    Return whether *alarm* is about *service*, whose rollout follows *policy*.

    What a person reports is about the service that they name, whatever the policy. An alert must carry
    every label that the policy asks for; its service and target count as labels. One that names no
    service is ours only by such labels, and one that names another service only if the policy names
    that service too.
    """
    if alarm.kind is AlarmKind.REPORT:
        return alarm.service == service
    labels = labels_of(alarm)
    if any(labels.get(name) != value for name, value in policy.match):
        return False
    if alarm.service == service:
        return True
    by_label = {name for name, _ in policy.match}
    return bool(by_label) and (alarm.service is None or "service" in by_label)


def labels_of(alarm: Alarm) -> dict[str, str]:
    """Return the labels of *alarm* with the service and target that it names."""
    named = {"service": alarm.service, "target": alarm.target}
    return {**{name: value for name, value in named.items() if value}, **dict(alarm.labels)}


def effect_by_severity(alarm: Alarm, policy: AlertPolicy) -> Effect:
    """
    Return what *alarm* does to a rollout that it concerns and whose candidate it can be due to.

    Policies are about alerts: what a person reports is never ignored.
    """
    is_page = alarm.severity is Severity.PAGE
    if alarm.kind is AlarmKind.REPORT:
        return Effect.HALT if is_page else Effect.HOLD
    return policy.page if is_page else policy.ticket


def describe(alarm: Alarm) -> str:
    """Return *alarm* in a few words: who says what of what."""
    where = "/".join(part for part in (alarm.service, alarm.target) if part)
    what = "a user report" if alarm.kind is AlarmKind.REPORT else f"a {alarm.severity.value} alert"
    return f"{what}{f' for {where}' if where else ''} says: {alarm.summary}"
