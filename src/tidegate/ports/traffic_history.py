"""
The traffic history port: how much a service was used in the past, from whoever kept it.

For forecasts only. What can't be answered is left out: a forecast says what it doesn't know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tidegate.domain.plan.model import SignalSpec
from tidegate.domain.plan.traffic import TrafficHour
from tidegate.domain.quantities import TargetName


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """One errors signal of one target, from *begin* to *end*. Both are full hours."""

    spec: SignalSpec
    target: TargetName
    begin: datetime
    end: datetime


class TrafficHistory(Protocol):
    """Reads past traffic from one kind of place. Deadlines are the caller's."""

    async def hours(self, query: HistoryQuery) -> Sequence[TrafficHour]:
        """
        Return the hours that are known, oldest first; hours without data are absent.

        Raises:
            SignalSourceError: the source can't be read.
        """
        ...
