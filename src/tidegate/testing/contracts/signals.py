"""
What every source of signals promises, as tests that anyone may run on their own source.

A driver's test file subclasses `SignalSourceContract` and gives it a `SignalWorld`: the outside that
the source reads, with one process per arm, that the contract can move. No test may ask which source
it is on.
"""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Protocol

import pytest

from tidegate.domain.health.readings import Reading, Tick, difference
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm
from tidegate.errors import SignalSourceError
from tidegate.ports.signals import SignalQuery, SignalSource


class SignalWorld(Protocol):
    """The outside of one source. Both arms serve from the beginning and have counted something."""

    @property
    def source(self) -> SignalSource:
        """The source under test."""
        ...

    def query(self, kind: SignalKind) -> SignalQuery:
        """Return a query of *kind* that the source can answer."""
        ...

    def unanswerable_query(self) -> SignalQuery:
        """Return a query about something that isn't there."""
        ...

    async def happen(self, arm: Arm, *, good: int, bad: int) -> None:
        """Let *arm* serve so many good and bad requests; return when the source can see them."""
        ...

    async def restart(self, arm: Arm) -> None:
        """Let the arm's process begin again from zero; return when it serves."""
        ...

    async def vanish(self, arm: Arm) -> None:
        """Take the arm's process away; return when the source can know."""
        ...

    async def break_down(self) -> None:
        """Make the whole source unreadable."""
        ...


class SignalSourceContract:
    """Tests that hold for every source of signals."""

    @pytest.fixture
    def world(self) -> SignalWorld:
        """Return the outside of the source under test; each driver's test file gives its own."""
        raise NotImplementedError

    async def test_answers_one_reading_per_query_in_order(self, world: SignalWorld) -> None:
        """A caller may match readings to queries by their place."""
        queries = [world.query(kind) for kind in SignalKind]

        there = await world.source.read(queries)
        back = await world.source.read(queries[::-1])

        assert len(there) == len(queries)
        assert [_shape(reading) for reading in there] == [_shape(reading) for reading in back[::-1]]
        assert all(reading is not None for reading in there)

    async def test_differences_are_what_happened(self, world: SignalWorld) -> None:
        """Between two readings lies exactly what the arms did, for each kind of signal."""
        queries = [world.query(kind) for kind in SignalKind]
        before = await world.source.read(queries)

        await world.happen(Arm.BASELINE, good=40, bad=2)
        await world.happen(Arm.CANDIDATE, good=9, bad=3)
        after = await world.source.read(queries)

        ticks = dict(zip(SignalKind, map(_tick, before, after), strict=True))
        errors, usage, latency = (ticks[kind] for kind in SignalKind)
        assert (errors.candidate.total, errors.candidate.bad) == (12, 3)
        assert (errors.baseline.total, errors.baseline.bad) == (42, 2)
        assert (usage.candidate.total, usage.baseline.total) == (9, 40)
        assert (latency.candidate.total, latency.baseline.total) == (12, 42)

    async def test_a_histogram_adds_up(self, world: SignalWorld) -> None:
        """Bounds rise, there is one bucket more than bounds, and the buckets hold every observation."""
        query = world.query(SignalKind.LATENCY)

        [reading] = await world.source.read([query])

        assert reading is not None
        assert all(low < high for low, high in pairwise(reading.bounds))
        for arm in Arm:
            for counts in reading.arms[arm].values():
                assert len(counts.buckets) == len(reading.bounds) + 1
                assert sum(counts.buckets) == counts.total

    async def test_reading_again_changes_nothing(self, world: SignalWorld) -> None:
        """Asking isn't an event: with nothing happening, the counts stay what they are."""
        queries = [world.query(kind) for kind in SignalKind]

        first = await world.source.read(queries)
        second = await world.source.read(queries)

        assert [_counts(reading) for reading in first] == [_counts(reading) for reading in second]

    async def test_the_time_is_known_and_not_ahead(self, world: SignalWorld) -> None:
        """A reading says when it was measured, in UTC, and never later than now."""
        [reading] = await world.source.read([world.query(SignalKind.ERRORS)])

        assert reading is not None
        assert reading.at.utcoffset() == UTC.utcoffset(None)
        assert reading.at <= datetime.now(UTC)

    async def test_an_arm_that_vanished_is_absent(self, world: SignalWorld) -> None:
        """What isn't there isn't zero: the arm has no series, or there is no reading at all."""
        queries = [world.query(kind) for kind in SignalKind]

        await world.vanish(Arm.CANDIDATE)
        readings = await world.source.read(queries)

        assert all(reading is None or not reading.arms.get(Arm.CANDIDATE) for reading in readings)

    async def test_a_restart_invents_nothing(self, world: SignalWorld) -> None:
        """After a restart no more has happened than did, and never less than nothing."""
        query = world.query(SignalKind.ERRORS)
        await world.happen(Arm.CANDIDATE, good=50, bad=5)
        [before] = await world.source.read([query])

        await world.restart(Arm.CANDIDATE)
        await world.happen(Arm.CANDIDATE, good=4, bad=1)
        await world.happen(Arm.BASELINE, good=1, bad=0)
        [after] = await world.source.read([query])

        tick = _tick(before, after)
        assert 0 <= tick.candidate.bad <= 1
        assert 0 <= tick.candidate.total <= 5

    async def test_one_bad_query_spoils_no_other(self, world: SignalWorld) -> None:
        """A query about nothing gets None, and its neighbours get their readings."""
        queries = [
            world.query(SignalKind.ERRORS),
            world.unanswerable_query(),
            world.query(SignalKind.USAGE),
        ]

        readings = await world.source.read(queries)

        assert [reading is not None for reading in readings] == [True, False, True]

    async def test_a_source_that_is_down_gives_no_numbers(self, world: SignalWorld) -> None:
        """Nothing is answered from memory: the call fails, or every reading is None."""
        queries = [world.query(kind) for kind in SignalKind]
        await world.source.read(queries)

        await world.break_down()
        try:
            readings = await world.source.read(queries)
        except SignalSourceError as failure:
            readings = []
            assert failure.hint

        assert all(reading is None for reading in readings)

    async def test_no_query_is_no_reading(self, world: SignalWorld) -> None:
        """Asking for nothing is allowed and answers nothing."""
        readings = await world.source.read([])

        assert list(readings) == []


def _tick(before: Reading | None, after: Reading | None) -> Tick:
    assert before is not None
    assert after is not None
    tick = difference(before, after, needs_baseline=True)
    assert isinstance(tick, Tick), tick
    return tick


def _counts(reading: Reading | None) -> object:
    return None if reading is None else (reading.arms, reading.bounds)


def _shape(reading: Reading | None) -> object:
    if reading is None:
        return None
    return {arm: sorted(series) for arm, series in reading.arms.items()}, reading.bounds
