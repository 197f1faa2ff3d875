"""
The signals port: reads cumulative counts per arm. Differences, quality and verdicts are made elsewhere.

A source says what it measured and **when it measured it**. It never fills a gap: a series that isn't
there is absent from the reading, a value that isn't a number is passed on as it is, and the domain
holds the rollout for it.

What a reading holds, by kind:

- ERRORS, USAGE, LATENCY, TRAFFIC: cumulative counts per arm, one series per process, and per group of
  a process where the query asks for groups. The bounds of a latency reading stay the same from reading
  to reading as long as the outside counts in the same buckets, also when new ones are filled.
- SATURATION: the `gauge` of each process of an arm. Its counts are 0.
- LIMIT: one number of the whole target. It has no arms; a reading has a place for series of arms only,
  so it stands as `{Arm.CANDIDATE: {LIMIT_SERIES: SeriesCounts(total=0, gauge=...)}}`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from tidegate.domain.health.readings import Reading
from tidegate.domain.plan.model import Counting, SignalKind
from tidegate.domain.quantities import Arm, Placement
from tidegate.ports.component import ArmLabels

LIMIT_SERIES: Final = "limit"
"""The one series of a reading of kind LIMIT."""

GROUP_SEPARATOR: Final = " | "
"""Stands between the values of several labels in a series' `group`."""

STRATA: Final = "strata"
"""The setting that names the label within whose values the arms of a signal are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalQuery:
    """
    One signal of one placement, for both arms.

    `settings` is the signal's own part of the resolved document (a query, a metric's name);
    `target_settings_json` and `component_settings_json` are the target's and the component's.
    `group_by` names labels by whose values the counts are kept apart (the cells of coverage, or a zone
    within which arms are compared); left empty, it is the setting `strata` where there is one.
    """

    placement: Placement
    signal: str
    kind: SignalKind
    source: str
    settings: Mapping[str, str]
    arms: Mapping[Arm, ArmLabels]
    component_settings_json: str
    target_settings_json: str
    counting: Counting = Counting.EVENTS
    group_by: tuple[str, ...] = ()

    @property
    def group_labels(self) -> tuple[str, ...]:
        """Return the labels whose values, joined by `GROUP_SEPARATOR`, are each series' group."""
        strata = self.settings.get(STRATA)
        return self.group_by or ((strata,) if strata else ())


def group_name(values: Sequence[str]) -> str:
    """Return the group of a series whose labels have these *values*, in the order of `group_by`."""
    return GROUP_SEPARATOR.join(value.replace("|", "/") for value in values)


class Audience(Protocol):
    """Counts the different people who met each arm. For people to look at: no decision rests on it."""

    async def people(
        self, placement: Placement, arms: Mapping[Arm, ArmLabels], since: datetime
    ) -> Mapping[Arm, int]:
        """
        Return how many different people each arm has served at *since* or later.

        An upper bound: somebody who can't be recognised counts each time. Arms without a label that
        the driver knows are absent. Reading also keeps what is stored about people short-lived.

        Raises:
            SignalSourceError: it can't be counted now.
        """
        ...


class SignalSource(Protocol):
    """Reads signals from one kind of place. Deadlines are the caller's."""

    async def read(self, queries: Sequence[SignalQuery]) -> Sequence[Reading | None]:
        """
        Return one reading per query, in order; None where the source has nothing for it.

        One call serves every rollout that needs this source now: implementations ask the outside
        once for what several queries share. One bad query must not spoil the others.

        Raises:
            SignalSourceError: the whole source can't be read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """What became of metrics that were sent: how many points were refused, and why in words."""

    rejected: int = 0
    why: str = ""


class MetricsIntake(Protocol):
    """A source that is sent its metrics instead of asking for them (OTLP)."""

    def take_in(self, document: object) -> TakenIn:
        """
        Take in one export request, in the form that its JSON encoding was parsed to.

        Sending the same again changes nothing. One bad point refuses no other.

        Raises:
            InvalidRequestError: it isn't an export request at all.
        """
        ...
