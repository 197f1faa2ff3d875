"""
Signals that are told instead of measured, for tests and simulated worlds.

Holds the newest reading of each signal of each placement and gives it out, as a real source does that
has nothing newer: asking never changes what it holds.
"""

from collections.abc import Sequence

from tidegate.domain.health.readings import Reading
from tidegate.domain.quantities import Placement
from tidegate.errors import SignalSourceError
from tidegate.ports.signals import SignalQuery


class MemorySignals:
    """A `SignalSource` that gives out what was put in. `calls` holds the queries of each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[SignalQuery, ...]] = []
        self._readings: dict[tuple[Placement, str], Reading] = {}
        self._failure: SignalSourceError | None = None

    def put(self, placement: Placement, signal: str, reading: Reading | None) -> None:
        """Let *reading* be the newest of *signal* at *placement*; None takes it away."""
        if reading is None:
            self._readings.pop((placement, signal), None)
        else:
            self._readings[placement, signal] = reading

    def break_down(self, failure: SignalSourceError) -> None:
        """Answer every call with *failure* from now on."""
        self._failure = failure

    def mend(self) -> None:
        """Answer again."""
        self._failure = None

    async def read(self, queries: Sequence[SignalQuery]) -> Sequence[Reading | None]:
        """
        Return what was put in for each query, in order; None where nothing was.

        Raises:
            SignalSourceError: it was told to break down.
        """
        self.calls.append(tuple(queries))
        if self._failure is not None:
            raise self._failure
        return [self._readings.get((query.placement, query.signal)) for query in queries]
