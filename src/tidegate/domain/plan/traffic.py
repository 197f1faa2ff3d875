"""
How much a service is used, by hour of the week: what a forecast knows of the time to come.

Time of day is most of what there is to know of traffic, and the day of the week most of the rest, so
a profile has 168 hours. It is learned from past hours (`profile_of`) or made of one number that a
person gave (`flat_profile`). Hours without data take the mean of the others, and how many were known is
kept, so that nobody takes a guess for knowledge.

Rule: expectations only. Nothing here decides anything, and no test is fed with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tidegate.domain.quantities import TargetName

HOURS_OF_WEEK: Final = 168
HOUR: Final = timedelta(hours=1)

PRIOR_REQUESTS: Final = 1_000.0
"""Requests at the mean error rate that each hour is thought to have had beside its own: an hour with
few requests and no error hasn't an error rate of zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficHour:
    """
    What one target of a service did in the hour that begins at `hour`, both arms together.

    `watched` is how much of it was seen. `people` is how many different people came in that hour, None
    where nobody can be told apart.
    """

    target: TargetName
    hour: datetime
    watched: timedelta
    requests: int
    bad: int
    people: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficProfile:
    """
    The expected use of one target by hour of the week; hour 0 begins on Monday at 00:00 UTC.

    `requests_per_second` and `error_rate` (bad by all requests) have 168 values each,
    `people_per_hour` has them or is None. `hours_known` says how many of the hours have been seen.
    """

    requests_per_second: tuple[float, ...]
    error_rate: tuple[float, ...]
    people_per_hour: tuple[float, ...] | None
    hours_known: int

    def __post_init__(self) -> None:
        assert len(self.requests_per_second) == HOURS_OF_WEEK, "one value per hour of the week"
        assert len(self.error_rate) == HOURS_OF_WEEK, "one value per hour of the week"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTraffic:
    """
    What is known of a service's use: a profile per target, and where it is known from.

    `events_per_request` says for usage signals, by name, how many good events one request brings,
    `slow_from_ms` for latency signals from which on a request counted as slow, `cells` which share of
    all use is of each kind that coverage tells apart.
    `assumed` is whether a person only said so, or far less than a day has been seen.
    """

    targets: tuple[tuple[TargetName, TrafficProfile], ...]
    source: str
    assumed: bool
    events_per_request: tuple[tuple[str, float], ...] = ()
    slow_from_ms: tuple[tuple[str, float], ...] = ()
    cells: tuple[tuple[str, float], ...] = ()

    def profile_of(self, target: TargetName) -> TrafficProfile | None:
        """Return the profile of *target*, None where nothing is known of it."""
        return dict(self.targets).get(target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A target's traffic of which the candidate gets `share`, strictly between 0 and 1."""

    profile: TrafficProfile
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What both arms are expected to serve in some time. `people` met the candidate, at most."""

    candidate_requests: float
    baseline_requests: float
    error_rate: float
    people: float | None

    @property
    def candidate_share(self) -> float:
        """The candidate's part of all requests; 0 without any."""
        both = self.candidate_requests + self.baseline_requests
        return self.candidate_requests / both if both > 0.0 else 0.0


def hour_of_week(at: datetime) -> int:
    """Return which hour of the week *at* is in, 0..167, in UTC."""
    utc = at.astimezone(UTC)
    return utc.weekday() * 24 + utc.hour


def flat_profile(requests_per_second: float, error_rate: float) -> TrafficProfile:
    """Return the profile of a target that is used alike at all hours."""
    return TrafficProfile(
        requests_per_second=(requests_per_second,) * HOURS_OF_WEEK,
        error_rate=(error_rate,) * HOURS_OF_WEEK,
        people_per_hour=None,
        hours_known=0,
    )


def profile_of(hours: Iterable[TrafficHour]) -> TrafficProfile | None:
    """
    Return the profile that past *hours* of one target amount to, None when they hold nothing.

    The same hour of several weeks is averaged by the time that was watched. Hours of the week that
    were never seen take the mean of those that were.
    """
    seconds = [0.0] * HOURS_OF_WEEK
    requests = [0.0] * HOURS_OF_WEEK
    bad = [0.0] * HOURS_OF_WEEK
    people: list[list[int]] = [[] for _ in range(HOURS_OF_WEEK)]
    for one in hours:
        index = hour_of_week(one.hour)
        seconds[index] += one.watched.total_seconds()
        requests[index] += one.requests
        bad[index] += one.bad
        if one.people is not None:
            people[index].append(one.people)
    known = [index for index in range(HOURS_OF_WEEK) if seconds[index] > 0.0]
    if not known:
        return None
    speeds = {index: requests[index] / seconds[index] for index in known}
    mean_speed = sum(speeds.values()) / len(known)
    mean_rate = sum(bad) / sum(requests) if sum(requests) else 0.0
    return TrafficProfile(
        requests_per_second=tuple(speeds.get(index, mean_speed) for index in range(HOURS_OF_WEEK)),
        error_rate=tuple(
            (bad[index] + PRIOR_REQUESTS * mean_rate) / (requests[index] + PRIOR_REQUESTS)
            for index in range(HOURS_OF_WEEK)
        ),
        people_per_hour=_people(people),
        hours_known=len(known),
    )


def served(splits: Sequence[Split], begin: datetime, length: timedelta) -> Served:
    """Return what is expected to be served on *splits* from *begin* on, for *length*."""
    candidate = baseline = bad = people = 0.0
    counted = all(split.profile.people_per_hour is not None for split in splits)
    for hour, seconds in _hours(begin, length):
        for split in splits:
            requests = split.profile.requests_per_second[hour] * seconds
            candidate += requests * split.share
            baseline += requests * (1.0 - split.share)
            bad += requests * split.profile.error_rate[hour]
            if split.profile.people_per_hour is not None:
                part = seconds / HOUR.total_seconds()
                people += split.profile.people_per_hour[hour] * part * split.share
    both = candidate + baseline
    return Served(
        candidate_requests=candidate,
        baseline_requests=baseline,
        error_rate=bad / both if both > 0.0 else 0.0,
        people=people if counted and splits else None,
    )


def time_to_serve(
    splits: Sequence[Split], candidate_requests: float, begin: datetime, at_most: timedelta
) -> timedelta | None:
    """Return how long from *begin* until the candidate has served so many; None beyond *at_most*."""
    left = candidate_requests
    passed = 0.0
    if left <= 0.0:
        return timedelta(0)
    for hour, seconds in _hours(begin, at_most):
        speed = sum(split.profile.requests_per_second[hour] * split.share for split in splits)
        if speed * seconds >= left:
            return timedelta(seconds=passed + left / speed)
        left -= speed * seconds
        passed += seconds
    return None


def _hours(begin: datetime, length: timedelta) -> Iterator[tuple[int, float]]:
    """Yield the hours of the week from *begin* on with the seconds that *length* has in each."""
    at, end = begin.astimezone(UTC), begin.astimezone(UTC) + length
    while at < end:
        following = at.replace(minute=0, second=0, microsecond=0) + HOUR
        upto = min(following, end)
        yield hour_of_week(at), (upto - at).total_seconds()
        at = upto


def _people(counted: Sequence[Sequence[int]]) -> tuple[float, ...] | None:
    means = [sum(counts) / len(counts) for counts in counted if counts]
    if not means:
        return None
    overall = sum(means) / len(means)
    return tuple(sum(counts) / len(counts) if counts else overall for counts in counted)
