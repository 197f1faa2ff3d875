"""What is known of a service's traffic: from its rollouts, from a history, from a person."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.plan.model import Counting, ServiceSpec, SignalKind
from tidegate.domain.plan.traffic import HOUR, TrafficHour
from tidegate.domain.quantities import Arm, TargetName
from tidegate.domain.rollout.machine import State
from tidegate.errors import RefusedError, SignalSourceError
from tidegate.ports.traffic_history import HistoryQuery
from tidegate.testing.builders import a_signal
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.audience import read_audiences
from tidegate.usecases.outside import Outside
from tidegate.usecases.start import start_rollout
from tidegate.usecases.traffic import counts_requests, given_traffic, known_traffic

WITHOUT_APPROVAL = DOCUMENT.replace(", approve: 1 of team-release", "")


class History:
    """A history that knows some hours of every target, or fails."""

    def __init__(self, hours: int, *, fails: bool = False) -> None:
        self.queries: list[HistoryQuery] = []
        self._hours = hours
        self._fails = fails

    async def hours(self, query: HistoryQuery) -> Sequence[TrafficHour]:
        self.queries.append(query)
        if self._fails:
            raise SignalSourceError("no answer", hint="")
        return [
            TrafficHour(
                target=query.target,
                hour=query.end - index * HOUR,
                watched=HOUR,
                requests=36_000,
                bad=36,
            )
            for index in range(1, self._hours + 1)
        ]


def with_history(world: MemoryWorld, history: History) -> Outside:
    return replace(world.outside, histories={"envoy": history})


def spec() -> ServiceSpec:
    return the_shop().spec


async def test_a_rollout_teaches_the_traffic_of_its_hours() -> None:
    """Both arms together, by the time that was watched; far less than a day is an assumption."""
    world = MemoryWorld()
    await world.installed()
    rollout = await world.start("1.1.0", document=WITHOUT_APPROVAL)
    await world.run(rollout.id, until={State.COMPLETED}, failing={Arm.BASELINE: 0.01})

    known = await known_traffic(world.outside, spec())

    assert known is not None
    profile = known.profile_of(TargetName("eu"))
    assert profile is not None
    assert profile.requests_per_second[0] == pytest.approx(400.0, rel=0.05)
    assert 0.0 < profile.error_rate[0] < 0.01
    assert known.assumed is True
    assert known.source == "what rollouts have seen"


async def test_a_history_wins_over_an_hour_and_loses_to_a_day() -> None:
    """Whoever knows a day of the week knows more than one that doesn't."""
    world = MemoryWorld()
    await world.installed()
    rollout = await world.start("1.1.0", document=WITHOUT_APPROVAL)
    await world.run(rollout.id, until={State.COMPLETED})
    day, hour = History(24), History(1)

    told = await known_traffic(with_history(world, day), spec())
    seen = await known_traffic(with_history(world, hour), spec())

    assert told is not None
    assert seen is not None
    assert (told.source, told.assumed) == ("envoy", False)
    assert seen.source == "what rollouts have seen"
    assert [query.end - query.begin for query in day.queries] == [timedelta(weeks=4)]


async def test_a_history_that_fails_is_done_without() -> None:
    """A forecast is poorer for it, and nothing else."""
    world = MemoryWorld()

    assert await known_traffic(with_history(world, History(0, fails=True)), spec()) is None
    assert await known_traffic(with_history(world, History(0)), spec()) is None
    assert await known_traffic(world.outside, spec()) is None


async def test_a_history_that_hangs_is_not_waited_for_forever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A start isn't kept by it."""
    monkeypatch.setattr("tidegate.usecases.traffic.ANSWER_WITHIN_SECONDS", 0.01)

    class Hanging(History):
        async def hours(self, query: HistoryQuery) -> Sequence[TrafficHour]:
            await asyncio.Event().wait()
            raise AssertionError("it never comes back")

    assert await known_traffic(with_history(MemoryWorld(), Hanging(0)), spec()) is None


def test_given_traffic_is_spread_over_targets_and_assumed() -> None:
    """A number from a person says nothing of hours or targets."""
    given = given_traffic(spec(), 120.0, 0.001, source="the request")

    assert [target for target, _ in given.targets] == ["eu"]
    assert given.targets[0][1].requests_per_second[:2] == (120.0, 120.0)
    assert given.assumed is True


def test_only_requests_count_as_requests() -> None:
    """Affected people are no requests, and good events aren't either."""
    assert counts_requests(a_signal())
    assert not counts_requests(a_signal(counting=Counting.USERS))
    assert not counts_requests(a_signal(kind=SignalKind.USAGE))


async def test_a_start_that_known_traffic_cannot_prove_is_refused() -> None:
    """Refused before anything is recorded, with what would do; an assumption refuses nothing."""
    world = MemoryWorld()
    await world.installed()
    strict = DOCUMENT.replace("errors: 5pp", "errors: 0.1pp")
    outside = with_history(world, History(30))

    with pytest.raises(RefusedError, match="even within its longest bake") as refused:
        await start_rollout(outside, the_shop(strict), {"code": "1.1.0"}, actor="alice")

    started = await world.start("1.1.0", document=strict)
    assert "bake" in refused.value.hint
    assert started.state is State.WAITING


class Crowd:
    """An audience that has met seven people with the candidate and thirty with the baseline."""

    async def people(self, placement, arms, since):  # type: ignore[no-untyped-def]
        return {Arm.CANDIDATE: 7, Arm.BASELINE: 30}


async def test_the_people_of_an_hour_are_kept_with_its_traffic() -> None:
    """So that the next plan knows how many people a phase will expose."""
    world = MemoryWorld()
    await world.installed()
    rollout = await world.start("1.1.0", document=WITHOUT_APPROVAL)
    await world.run(rollout.id, until={State.BAKING})

    await read_audiences(replace(world.outside, audience=Crowd()))

    await world.run(rollout.id, until={State.COMPLETED})
    known = await known_traffic(world.outside, spec())
    assert known is not None
    profile = known.profile_of(TargetName("eu"))
    assert profile is not None
    assert profile.people_per_hour is not None
    assert profile.people_per_hour[0] == 37.0
