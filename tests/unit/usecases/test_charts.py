"""Points for charts: how many there are, what they hold, and that they never stand in the way."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tidegate.domain.rollout.machine import State
from tidegate.testing.builders import START, a_phase, a_plan
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.charts import is_due
from tidegate.usecases.evidence import TickRecord

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
WITHOUT_APPROVAL = DOCUMENT.replace(", approve: 1 of team-release", "")


def a_tick(seconds: float) -> TickRecord:
    return TickRecord(
        at=START + timedelta(seconds=seconds),
        phase_index=0,
        phase_began_at=START,
        counting=True,
        inputs=(),
    )


@pytest.mark.parametrize(
    ("bake", "ticks", "points"),
    [
        (timedelta(hours=4), 1_440, 200),
        (timedelta(hours=4), 4_320, 600),
        (timedelta(minutes=10), 60, 60),
    ],
)
def test_a_bake_has_about_two_hundred_points(bake: timedelta, ticks: int, points: int) -> None:
    """A longer phase goes on at the same pace; a short bake has a point for every tick."""
    plan = a_plan(tick=timedelta(seconds=10))
    phase = a_phase(bake=bake)
    at = [a_tick(10.0 * number) for number in range(1, ticks + 1)]

    due = [
        is_due(plan, phase, tick, before.at if before else None)
        for before, tick in zip([None, *at], at, strict=False)
    ]

    assert sum(due) == pytest.approx(points, abs=1)
    assert due[0] is True


def test_ticks_that_come_late_make_no_more_points() -> None:
    """At most one for each part of a bake, wherever its ticks lie."""
    plan = a_plan(tick=timedelta(seconds=10))
    phase = a_phase(bake=timedelta(hours=4))

    assert is_due(plan, phase, a_tick(71.0), a_tick(1.0).at) is False
    assert is_due(plan, phase, a_tick(72.1), a_tick(71.0).at) is True
    assert is_due(plan, phase, a_tick(500.0), a_tick(73.0).at) is True


def test_a_phase_begins_with_a_point() -> None:
    """Also when ticks of the phase before are the last that were seen."""
    phase = a_phase(bake=timedelta(hours=4))

    assert is_due(a_plan(), phase, a_tick(1.0), START - timedelta(seconds=3)) is True


async def test_the_watch_keeps_points_of_every_phase() -> None:
    """In order, with both arms' counts, the word, and what was ruled out; none twice."""
    world = MemoryWorld()
    await world.installed()
    rollout = await world.start("1.1.0", document=WITHOUT_APPROVAL)
    await world.run(rollout.id, until={State.COMPLETED})

    with world.store.begin(read_only=True) as transaction:
        points = transaction.evidence_points(rollout.id, since=LONG_AGO, limit=1_000)

    assert [point.at for point in points] == sorted({point.at for point in points})
    assert {point.phase_index for point in points} == {0, 1, 2}
    first_phase = [point for point in points if point.phase_index == 0]
    numbers = json.loads(first_phase[-1].numbers_json)
    signal = numbers["signals"][0]
    assert signal["shown"] == "PROVEN"
    assert 0.0 < signal["ruled_out"] < 0.05
    assert (
        signal["candidate"][0]
        > json.loads(first_phase[0].numbers_json)["signals"][0]["candidate"][0]
    )


async def test_what_json_has_no_number_for_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chart that can't be drawn must not lose the tick, which could be the one that halts."""
    world = MemoryWorld()
    await world.installed()
    rollout = await world.start("1.1.0", document=WITHOUT_APPROVAL)
    monkeypatch.setattr("tidegate.usecases.charts.ruled_out", lambda _: {"errors": float("nan")})

    await world.run(rollout.id, until={State.COMPLETED})

    with world.store.begin(read_only=True) as transaction:
        point = transaction.evidence_points(rollout.id, since=LONG_AGO, limit=1)[0]
    assert json.loads(point.numbers_json)["signals"][0]["ruled_out"] is None


async def test_an_internal_phase_has_no_points() -> None:
    """Nobody is compared there."""
    world = MemoryWorld()
    document = WITHOUT_APPROVAL.replace(
        "  phases:\n", "  phases:\n    - {name: inside, traffic: internal, bake: 3s}\n"
    )
    await world.installed(document=document)
    rollout = await world.start("1.1.0", document=document)
    await world.run(rollout.id, until={State.COMPLETED})

    with world.store.begin(read_only=True) as transaction:
        points = transaction.evidence_points(rollout.id, since=LONG_AGO, limit=1_000)

    assert points
    assert 0 not in {point.phase_index for point in points}
