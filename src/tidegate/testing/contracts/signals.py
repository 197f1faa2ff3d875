"""
What every source of signals promises, as tests that anyone may run on their own source.

A driver's test file subclasses `SignalSourceContract` and gives it a `SignalWorld`: the outside that
the source reads, with one process per arm, that the contract can move. No test may ask which source
it is on. A source that reads gauges keeps `GaugeSourceContract` too, one that tells groups apart
`GroupedSourceContract`.
"""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Protocol

import pytest

from tidegate.domain.health.readings import Reading, Tick, difference
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm
from tidegate.errors import SignalSourceError
from tidegate.ports.signals import LIMIT_SERIES, SignalQuery, SignalSource

COUNTED_KINDS: Final = (
    SignalKind.ERRORS,
    SignalKind.USAGE,
    SignalKind.LATENCY,
    SignalKind.TRAFFIC,
)
"""The kinds that every source can read."""


class SignalWorld(Protocol):
    """The outside of one source. Both arms serve from the beginning and have counted something."""

    @property
    def source(self) -> SignalSource:
        """The source under test."""
        ...

    def query(self, kind: SignalKind) -> SignalQuery:
        """Return a query of *kind* (one of `COUNTED_KINDS`) that the source can answer."""
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
        queries = [world.query(kind) for kind in COUNTED_KINDS]

        there = await world.source.read(queries)
        back = await world.source.read(queries[::-1])

        assert len(there) == len(queries)
        assert [_shape(reading) for reading in there] == [_shape(reading) for reading in back[::-1]]
        assert all(reading is not None for reading in there)

    async def test_differences_are_what_happened(self, world: SignalWorld) -> None:
        """Between two readings lies exactly what the arms did, for each kind of signal."""
        queries = [world.query(kind) for kind in COUNTED_KINDS]
        before = await world.source.read(queries)

        await world.happen(Arm.BASELINE, good=40, bad=2)
        await world.happen(Arm.CANDIDATE, good=9, bad=3)
        after = await world.source.read(queries)

        errors, usage, latency, traffic = map(_tick, before, after)
        assert (errors.candidate.total, errors.candidate.bad) == (12, 3)
        assert (errors.baseline.total, errors.baseline.bad) == (42, 2)
        assert (usage.candidate.total, usage.baseline.total) == (9, 40)
        assert (latency.candidate.total, latency.baseline.total) == (12, 42)
        assert (traffic.candidate.total, traffic.baseline.total) == (12, 42)

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
        queries = [world.query(kind) for kind in COUNTED_KINDS]

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
        queries = [world.query(kind) for kind in COUNTED_KINDS]

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
        queries = [world.query(kind) for kind in COUNTED_KINDS]
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


class GaugeWorld(SignalWorld, Protocol):
    """A world whose processes also show how full they are, and whose target shows one number."""

    def gauge_query(self, kind: SignalKind) -> SignalQuery:
        """Return a query of kind SATURATION or LIMIT that the source can answer."""
        ...

    def unanswerable_limit(self) -> SignalQuery:
        """Return a query for a limit about a number that isn't there."""
        ...

    async def fill(self, arm: Arm, value: float) -> None:
        """Let the arm's process show *value*; return when the source can see it."""
        ...

    async def reach(self, value: float) -> None:
        """Let the target's number be *value*; return when the source can see it."""
        ...


class GaugeSourceContract:
    """Tests that hold for every source that reads gauges."""

    @pytest.fixture
    def world(self) -> GaugeWorld:
        """Return the outside of the source under test."""
        raise NotImplementedError

    async def test_a_gauge_is_the_value_of_this_moment(self, world: GaugeWorld) -> None:
        """Each process of each arm shows what it holds now, up or down, under its own name."""
        query = world.gauge_query(SignalKind.SATURATION)
        await world.fill(Arm.CANDIDATE, 70.5)
        await world.fill(Arm.BASELINE, 40.0)
        [high] = await world.source.read([query])

        await world.fill(Arm.CANDIDATE, 12.0)
        [low] = await world.source.read([query])

        assert [_gauges(high, arm) for arm in Arm] == [[70.5], [40.0]]
        assert [_gauges(low, arm) for arm in Arm] == [[12.0], [40.0]]
        assert _shape(high) == _shape(low)

    async def test_a_gauge_of_an_arm_that_vanished_is_absent(self, world: GaugeWorld) -> None:
        """An empty memory and no process at all are told apart."""
        await world.fill(Arm.BASELINE, 40.0)
        await world.fill(Arm.CANDIDATE, 50.0)

        await world.vanish(Arm.CANDIDATE)
        [reading] = await world.source.read([world.gauge_query(SignalKind.SATURATION)])

        assert reading is None or not reading.arms.get(Arm.CANDIDATE)

    async def test_a_limit_is_one_number_of_the_target(self, world: GaugeWorld) -> None:
        """It has no arms, and stands where every source puts it."""
        query = world.gauge_query(SignalKind.LIMIT)
        await world.reach(0.25)
        [low] = await world.source.read([query])

        await world.reach(3.5)
        [high] = await world.source.read([query])

        for reading, value in ((low, 0.25), (high, 3.5)):
            assert reading is not None
            assert list(reading.arms) == [Arm.CANDIDATE]
            assert list(reading.arms[Arm.CANDIDATE]) == [LIMIT_SERIES]
            assert reading.arms[Arm.CANDIDATE][LIMIT_SERIES].gauge == value
            assert reading.at <= datetime.now(UTC)

    async def test_a_number_that_isnt_there_is_not_zero(self, world: GaugeWorld) -> None:
        """A limit about nothing has no reading, so that nothing can pass it."""
        [reading] = await world.source.read([world.unanswerable_limit()])

        assert reading is None


class GroupedWorld(SignalWorld, Protocol):
    """A world whose requests carry two labels, by which the counts of a process can be told apart."""

    def grouped_query(self, kind: SignalKind, *, cells: bool) -> SignalQuery:
        """Return a query of *kind* (one of `COUNTED_KINDS`) by the first label, or by both as *cells*."""
        ...

    async def happen_in(self, arm: Arm, labels: tuple[str, str], *, good: int, bad: int) -> None:
        """Let *arm* serve such requests with *labels*; return when the source can see them."""
        ...


class GroupedSourceContract:
    """Tests that hold for every source that tells groups apart."""

    @pytest.fixture
    def world(self) -> GroupedWorld:
        """Return the outside of the source under test."""
        raise NotImplementedError

    async def test_groups_are_counted_apart(self, world: GroupedWorld) -> None:
        """Each zone has its own series of each arm, for every kind that counts."""
        queries = [world.grouped_query(kind, cells=False) for kind in COUNTED_KINDS]

        await world.happen_in(Arm.CANDIDATE, ("north", "phone"), good=5, bad=2)
        await world.happen_in(Arm.CANDIDATE, ("south", "phone"), good=9, bad=0)
        await world.happen_in(Arm.BASELINE, ("south", "desk"), good=20, bad=4)
        errors, usage, latency, traffic = await world.source.read(queries)

        assert _by_group(errors, Arm.CANDIDATE) == {"north": (7, 2), "south": (9, 0)}
        assert _by_group(errors, Arm.BASELINE) == {"south": (24, 4)}
        assert _by_group(usage, Arm.CANDIDATE) == {"north": (5, 0), "south": (9, 0)}
        assert _by_group(latency, Arm.CANDIDATE) == {"north": (7, 0), "south": (9, 0)}
        assert _by_group(traffic, Arm.BASELINE) == {"south": (24, 0)}

    async def test_cells_join_the_values_in_order(self, world: GroupedWorld) -> None:
        """A cell is named by all of its labels' values, in the order that they were asked for."""
        query = world.grouped_query(SignalKind.USAGE, cells=True)

        await world.happen_in(Arm.CANDIDATE, ("north", "phone"), good=5, bad=2)
        await world.happen_in(Arm.CANDIDATE, ("north", "desk"), good=1, bad=0)
        [reading] = await world.source.read([query])

        assert _by_group(reading, Arm.CANDIDATE) == {
            "north | phone": (5, 0),
            "north | desk": (1, 0),
        }

    async def test_a_group_without_trouble_is_known_to_have_none(self, world: GroupedWorld) -> None:
        """Where one zone has bad requests and another none, the other's zero is a count."""
        query = world.grouped_query(SignalKind.ERRORS, cells=False)

        await world.happen_in(Arm.BASELINE, ("north", "phone"), good=3, bad=3)
        await world.happen_in(Arm.BASELINE, ("south", "phone"), good=3, bad=0)
        [reading] = await world.source.read([query])

        assert _by_group(reading, Arm.BASELINE) == {"north": (6, 3), "south": (3, 0)}


def _gauges(reading: Reading | None, arm: Arm) -> list[float | None]:
    assert reading is not None
    return [counts.gauge for counts in reading.arms[arm].values()]


def _by_group(reading: Reading | None, arm: Arm) -> dict[str, tuple[float, float]]:
    assert reading is not None
    found: dict[str, tuple[float, float]] = {}
    for counts in reading.arms[arm].values():
        assert counts.group not in found, "one process has one series per group"
        found[counts.group] = (counts.total, counts.bad)
    return found


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
