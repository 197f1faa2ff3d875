"""
What changed lately on what suffers and on what that needs: the most suspicious first, each with why.

For whoever has to put something back now. It orders by what is known without any metrics: what moved, when,
for how many, and when the trouble began; what the watch has proven comes first. It accuses nobody, it
changes nothing, and what it leaves out is a search away.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.durations import rough_duration
from tidegate.domain.health.trouble import Suspect, SuspectKind
from tidegate.domain.quantities import FULL_WEIGHT_BPS, RolloutId, ServiceName
from tidegate.domain.rollout.alarms import Severity
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import HaltCause, Rollout
from tidegate.domain.rollout.seen import wanted_exposure
from tidegate.domain.rollout.stagger import needed_by
from tidegate.ports.store import Transaction
from tidegate.usecases.access import Access
from tidegate.usecases.blame import recency
from tidegate.usecases.reading import sees_alarm, sees_rollout
from tidegate.usecases.step import evidence_of
from tidegate.usecases.watch_blame import raised_at

LOOKED_BACK: Final = timedelta(hours=24)
READ_AT_MOST: Final = 200
"""So many of the newest rollouts are looked through, beside all that go on."""

SOON_AFTER: Final = timedelta(hours=1)
"""Trouble that begins so soon after a change points at it."""

BEFORE_TROUBLE: Final = 4.0
AFTER_TROUBLE: Final = 0.1
"""How much more, or less, a change is suspected that moved right before the trouble, or after it began."""

NAMED_BY_WATCH: Final = 4.0
LEAST_SHARE: Final = 0.25
"""What meets one in a hundred can still bring down all; who meets it counts for the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """A service that suffers: why that is believed, and since when, None for not known."""

    service: ServiceName
    because: str
    since: datetime | None = None
    suspects: tuple[Suspect, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentChange:
    """
    A change of the last day, and why it is looked at.

    `exposed_bps` is the share that meets it now, also as the version that a later one is compared with.
    `proven` is whether the watch has proven that it is behind the trouble.
    """

    rollout: Rollout
    moved_at: datetime
    exposed_bps: int
    reasons: tuple[str, ...]
    weight: float
    proven: bool = False

    @property
    def is_exposed(self) -> bool:
        """Whether anybody meets it now."""
        return self.exposed_bps > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentChanges:
    """The changes of the last day: `suspected` most suspicious first, and how many `others` there were."""

    affected: tuple[Affected, ...]
    suspected: tuple[RecentChange, ...]
    others: int


def recent_rollouts(transaction: Transaction, access: Access) -> tuple[Rollout, ...]:
    """Return the newest rollouts and all that go on, as far as the caller may read them, newest first."""
    newest = transaction.rollouts(limit=READ_AT_MOST)
    known = {one.id for one in newest}
    others = [one for one in transaction.unfinished() if one.id not in known]
    found = [one for one in (*newest, *others) if sees_rollout(access, one)]
    return tuple(sorted(found, key=lambda one: one.created_at, reverse=True))


def what_suffers(
    transaction: Transaction, access: Access, rollouts: Iterable[Rollout]
) -> tuple[Affected, ...]:
    """Return the services of which an alarm, a halt or the watch says that they suffer, by name."""
    found: dict[ServiceName, Affected] = {}
    for alarm in transaction.active_alarms():
        is_page = alarm.severity is Severity.PAGE
        if is_page and alarm.service is not None and sees_alarm(transaction, access, alarm):
            told = Affected(
                service=alarm.service, because=f"alarm: {alarm.summary}", since=alarm.raised_at
            )
            found.setdefault(alarm.service, told)
    for rollout in rollouts:
        suffering = _by_rollout(transaction, rollout)
        if suffering is not None and (rollout.service not in found or suffering.suspects):
            found[rollout.service] = suffering
    return tuple(sorted(found.values(), key=lambda one: one.service))


def recent_changes(
    rollouts: Sequence[Rollout], affected: Sequence[Affected], *, now: datetime
) -> RecentChanges:
    """
    Return the changes among *rollouts* (newest first) that could be behind what is *affected*.

    Without anything affected every change of the day is looked at.
    """
    exposures = _exposures(rollouts)
    needs = _needs(rollouts, affected)
    found: list[RecentChange] = []
    others = 0
    for rollout in rollouts:
        moved_at = raised_at(rollout)
        if rollout.id not in exposures or now - moved_at > LOOKED_BACK:
            continue
        suffering = [
            one
            for one in affected
            if one.service == rollout.service or rollout.service in needs[one.service]
        ]
        if affected and not suffering:
            others += 1
            continue
        found.append(_weighed(rollout, moved_at, suffering, exposures[rollout.id], now))
    found.sort(key=lambda one: (not one.proven, not one.is_exposed, -one.weight, one.rollout.id))
    return RecentChanges(affected=tuple(affected), suspected=tuple(found), others=others)


def _by_rollout(transaction: Transaction, rollout: Rollout) -> Affected | None:
    """Return what *rollout* shows of its service, None when nothing bad."""
    halt = rollout.halt
    if rollout.state is State.HALTED and halt is not None:
        if halt.cause in (HaltCause.HARM, HaltCause.ALARM):
            return Affected(service=rollout.service, because=halt.because, since=halt.at)
        return None
    if rollout.state is not State.HELD:
        return None
    trouble = evidence_of(transaction.evidence(rollout.id)).trouble
    if trouble is None:
        return None
    return Affected(
        service=rollout.service,
        because=f"{trouble.signal} of both versions at {trouble.rate:.2%}, {trouble.usual_rate:.2%}"
        " is usual",
        since=trouble.since,
        suspects=trouble.suspects,
    )


def _exposures(rollouts: Sequence[Rollout]) -> Mapping[RolloutId, int]:
    """Return the share that meets each of *rollouts* (newest first) now, of those that anybody has met."""
    found: dict[RolloutId, int] = {}
    left: dict[ServiceName, int] = {}
    for rollout in rollouts:
        if not _was_met(rollout):
            continue
        unmet = left.get(rollout.service, FULL_WEIGHT_BPS)
        # Whatever doesn't meet a later one meets what completed before it.
        exposed = min(unmet, _exposed_bps(rollout))
        found[rollout.id] = exposed
        left[rollout.service] = unmet - exposed
    return found


def _needs(
    rollouts: Sequence[Rollout], affected: Iterable[Affected]
) -> Mapping[ServiceName, frozenset[str]]:
    models = {one.service: one.plan.health for one in reversed(rollouts)}
    return {
        one.service: frozenset(needed_by(one.service, models[one.service]))
        if one.service in models
        else frozenset()
        for one in affected
    }


def _was_met(rollout: Rollout) -> bool:
    """Return whether anything of *rollout* has been served by now."""
    if rollout.is_return or rollout.passes:
        return True
    never = (State.PLANNED, State.WAITING, State.SUPERSEDED)
    return rollout.state not in never


def _weighed(
    rollout: Rollout,
    moved_at: datetime,
    suffering: Sequence[Affected],
    exposed_bps: int,
    now: datetime,
) -> RecentChange:
    reasons: list[str] = []
    proven, weight = _by_watch(rollout, suffering, reasons)
    weight *= recency(now - moved_at)
    weight *= LEAST_SHARE + (1.0 - LEAST_SHARE) * exposed_bps / FULL_WEIGHT_BPS
    if not any(one.service == rollout.service for one in suffering):
        reasons += [f"{one.service} needs it" for one in suffering]
    moved = f"moved {rough_duration(now - moved_at)} ago"
    factor, relation = _by_time(moved_at, suffering)
    return RecentChange(
        rollout=rollout,
        moved_at=moved_at,
        exposed_bps=exposed_bps,
        reasons=(*reasons, f"{moved}, {relation}" if relation else moved),
        weight=weight * factor,
        proven=proven,
    )


def _by_watch(
    rollout: Rollout, suffering: Iterable[Affected], reasons: list[str]
) -> tuple[bool, float]:
    """Return whether the watch has proven *rollout* to be behind it, and how much it adds if not."""
    for one in suffering:
        for suspect in one.suspects:
            # A suspect says its rollout in words only, with a comma behind the id.
            names_it = suspect.detail.startswith(f"rollout {rollout.id},")
            if suspect.kind is not SuspectKind.ROLLOUT or not names_it:
                continue
            if suspect.proven:
                reasons.append(f"the watch proves that it is behind the trouble of {one.service}")
                return True, 1.0
            reasons.append(f"the watch suspects it in the trouble of {one.service}")
            return False, NAMED_BY_WATCH
    return False, 1.0


def _by_time(moved_at: datetime, suffering: Iterable[Affected]) -> tuple[float, str]:
    """Return what the order of the move and the trouble nearest to it adds, and says."""
    began = [(one.since, one.service) for one in suffering if one.since is not None]
    if not began:
        return 1.0, ""
    since, service = min(began, key=lambda pair: abs(pair[0] - moved_at))
    if moved_at > since:
        after = rough_duration(moved_at - since)
        return AFTER_TROUBLE, f"{after} after the trouble of {service} began"
    before = since - moved_at
    factor = BEFORE_TROUBLE if before <= SOON_AFTER else 1.0
    return factor, f"{rough_duration(before)} before the trouble of {service} began"


def _exposed_bps(rollout: Rollout) -> int:
    if rollout.is_return or (rollout.is_install and rollout.state is State.COMPLETED):
        return FULL_WEIGHT_BPS
    shares = (wanted_exposure(rollout, place).weight_bps for place in rollout.plan.placements())
    return max(shares, default=0)
