"""
The signals port: reads cumulative counts per arm. Differences, quality and verdicts are made elsewhere.

A source says what it measured and **when it measured it**. It never fills a gap: a series that isn't
there is absent from the reading, a value that isn't a number is passed on as it is, and the domain
holds the rollout for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tidegate.domain.health.readings import Reading
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, Placement
from tidegate.ports.component import ArmLabels


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalQuery:
    """
    One signal of one placement, for both arms.

    `settings` is the signal's own part of the resolved document (a query, a metric's name);
    `target_settings_json` and `component_settings_json` are the target's and the component's.
    """

    placement: Placement
    signal: str
    kind: SignalKind
    source: str
    settings: Mapping[str, str]
    arms: Mapping[Arm, ArmLabels]
    component_settings_json: str
    target_settings_json: str


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
