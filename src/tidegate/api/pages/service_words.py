"""
Words of the services' pages: where a version is, how a service delivers, how it is.

Rule: made from values alone; nothing is read or judged here. What isn't known is said to be unknown, and a
number that few events would make is "not enough yet" with the events that there are.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from tidegate.api import words
from tidegate.domain.plan.model import SignalKind, SignalSpec
from tidegate.domain.quantities import format_bps
from tidegate.usecases.delivery import (
    LEAST_DEPLOYMENTS,
    LEAST_RECOVERIES,
    LEAST_WATCHED,
    Delivery,
)
from tidegate.usecases.served import Reach, Served, Whereabouts
from tidegate.usecases.signal_history import SignalHistory

IMPACT_WORDS: Final = {
    "outage": "its outage is an outage here",
    "degraded": "its outage degrades this",
    "none": "its outage does nothing here",
}

MOST_NAMED: Final = 4

NOT_ENOUGH: Final = "not enough yet"


def out_words(found: Sequence[Whereabouts]) -> str:
    """Return where a version is in one line, from what was seen at every target."""
    if not found:
        return "this service has no target that could serve it"
    by_reach = {reach: [one for one in found if one.reach is reach] for reach in Reach}
    everyone = by_reach[Reach.EVERYONE]
    if len(everyone) == len(found):
        return f"serves everyone at {_all(len(found))}"
    parts = []
    if everyone:
        parts.append(f"serves everyone at {len(everyone)} of {len(found)} ({_names(everyone)})")
    if by_reach[Reach.SOME]:
        shares = [
            f"{format_bps(one.share_bps or 0)} at {_name(one, found)}"
            for one in by_reach[Reach.SOME]
        ]
        parts.append(f"serves {_cut(shares)}")
    if by_reach[Reach.INTERNAL]:
        parts.append(f"internal users only at {_names(by_reach[Reach.INTERNAL])}")
    if by_reach[Reach.UNKNOWN]:
        parts.append(f"unknown at {_names(by_reach[Reach.UNKNOWN])}")
    if by_reach[Reach.NOBODY]:
        nobody = by_reach[Reach.NOBODY]
        where = _all(len(found)) if len(nobody) == len(found) else _names(nobody)
        parts.append(f"serves nobody at {where}")
    return "; ".join(parts)


def out_state(found: Sequence[Whereabouts]) -> str:
    """Return whether a version is out: `yes`, `partly`, `no`, or `unknown` where a target said nothing."""
    reaches = {one.reach for one in found}
    if not reaches:
        return "no"
    if reaches == {Reach.EVERYONE}:
        return "yes"
    if reaches & {Reach.EVERYONE, Reach.SOME, Reach.INTERNAL}:
        return "partly"
    return "unknown" if Reach.UNKNOWN in reaches else "no"


def serves_words(one: Served) -> str:
    """Return what one placement serves: `1.0.0 90%, 1.1.0 10%`; unknown where nobody could see."""
    here = one.seen
    if here is None:
        return "unknown"
    if here.candidate is None:
        return here.serving.name if here.serving else "nothing"
    share = here.exposure.weight_bps
    candidate = f"{here.candidate.name} {here.exposure}"
    if here.serving is None:
        return candidate
    return f"{here.serving.name} {format_bps(10_000 - share)}, {candidate}"


def window_words(found: Delivery) -> str:
    """Return the time that numbers are of: `in the last 28 days`."""
    length = found.until - found.since
    return f"in the last {length.days} days" if length.days > 1 else f"in {length_words(length)}"


def frequency_words(found: Delivery) -> str:
    """Return how often changes are deployed."""
    if found.per_week is None:
        return f"{NOT_ENOUGH}: less than {LEAST_WATCHED.days} days on record"
    return f"{found.per_week:.1f} a week"


def failed_words(found: Delivery) -> str:
    """Return which share of the changes failed."""
    return _share_words(found, found.failed, found.failed_share)


def urgent_words(found: Delivery) -> str:
    """Return which share of the changes was carried by an emergency."""
    return _share_words(found, found.urgent, found.urgent_share)


def recovery_words(found: Delivery) -> str:
    """Return how long it takes from a stop until what was served before is served again."""
    if found.median_back is None:
        return f"{NOT_ENOUGH}: {found.recovered} so far, a median takes {LEAST_RECOVERIES}"
    return length_words(found.median_back)


def took_words(found: Delivery) -> str:
    """Return how long a change takes from its start to everyone."""
    if found.median_took is None:
        return f"{NOT_ENOUGH}: a median takes {LEAST_RECOVERIES}"
    return length_words(found.median_took)


def demand_words(spec: SignalSpec) -> str:
    """Return what a signal tolerates, or the limit that it is held against."""
    if spec.limit is not None:
        return f"{'at most' if spec.limit.above else 'at least'} {spec.limit.value:g}"
    sign = "-" if spec.kind is SignalKind.USAGE else "+"
    return sign + words.tolerance_words(spec.tolerance.value, spec.tolerance.unit.value)


def past_words(past: SignalHistory) -> str:
    """Return what a signal would have done to past rollouts, enforced alone."""
    if not past.ticks:
        return "new: no past rollout had it"
    if not past.halted:
        return f"would have halted none of {past.rollouts} past rollouts"
    return (
        f"would have halted {len(past.halted)} of {past.rollouts} past rollouts;"
        f" {len(past.halted_healthy)} of these completed all the same"
    )


def cut(text: str, most: int) -> str:
    """Return *text* so short that it fits a box; what is cut off is told by dots."""
    return text if len(text) <= most else text[: most - 1] + "…"


def length_words(length: timedelta) -> str:
    """Return a length of time as people compare it: `42 s`, `12 min`, `3 h 5 min`, `2.5 days`."""
    seconds = length.total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{seconds / 86_400:.1f} days"


def _share_words(found: Delivery, count: int, share: float | None) -> str:
    if share is None:
        return (
            f"{NOT_ENOUGH}: {count} of {found.deployments} so far, a rate takes {LEAST_DEPLOYMENTS}"
        )
    return f"{share:.0%} ({count} of {found.deployments})"


def _all(count: int) -> str:
    return "its one target" if count == 1 else f"all {count} targets"


def _names(found: Sequence[Whereabouts]) -> str:
    return _cut([str(one.placement.target) for one in found])


def _name(one: Whereabouts, among: Sequence[Whereabouts]) -> str:
    components = {other.placement.component for other in among}
    place = one.placement
    return str(place.target) if len(components) == 1 else f"{place.component} on {place.target}"


def _cut(names: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - MOST_NAMED
    return ", ".join(distinct[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
