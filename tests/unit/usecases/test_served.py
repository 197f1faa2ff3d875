"""What is served where: what was seen, what is only on record, and what nobody knows."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.plan.model import ServiceSpec
from tidegate.domain.quantities import Exposure, Generation, Placement, ServiceName, Version
from tidegate.domain.rollout.decisions import Seen
from tidegate.domain.rollout.machine import State
from tidegate.errors import WorkloadError
from tidegate.ports.component import Applied
from tidegate.testing.builders import BASELINE, CANDIDATE, a_placement, a_rollout
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.served import (
    OnRecord,
    Reach,
    Served,
    is_called,
    look_at_targets,
    on_record,
    whereabouts,
)

SHOP = ServiceName("shop")
TWO_TARGETS = (
    DOCUMENT.replace(
        "[{name: eu, environment: lab}]",
        "[{name: eu, ring: eu, environment: lab},"
        " {name: us, ring: us, environment: lab, settings: {listen: '127.0.0.1:18081'}}]",
    )
    .replace("{name: few,", "{name: few, to: eu,")
    .replace("{name: half,", "{name: half, to: eu,")
    .replace("{name: all, traffic: 100%, bake: 20s}", "{name: all, traffic: 100%, bake: 40s}")
)


def served(
    *, baseline: Version | None = BASELINE, candidate: Version | None = None, bps: int = 0
) -> Served:
    """Return a placement that was seen to serve that."""
    place = a_placement()
    return Served(
        record=OnRecord(placement=place, latest=None, good=()),
        seen=Seen(
            placement=place,
            exposure=Exposure(internal=candidate is not None, weight_bps=bps),
            generation=Generation(1),
            settled=True,
            why_not="",
            serving=baseline,
            candidate=candidate,
            stopped_at_generation=None,
            trips=0,
        ),
    )


@pytest.mark.parametrize(
    ("seen", "version", "reach", "share"),
    [
        (served(), "1.0.0", Reach.EVERYONE, 10_000),
        (served(), "1.1.0", Reach.NOBODY, 0),
        (served(candidate=CANDIDATE, bps=1_000), "1.1.0", Reach.SOME, 1_000),
        (served(candidate=CANDIDATE, bps=1_000), "1.0.0", Reach.SOME, 9_000),
        (served(candidate=CANDIDATE, bps=10_000), "1.1.0", Reach.EVERYONE, 10_000),
        (served(candidate=CANDIDATE, bps=10_000), "1.0.0", Reach.NOBODY, 0),
        (served(candidate=CANDIDATE), "1.1.0", Reach.INTERNAL, 0),
        (served(baseline=None), "1.0.0", Reach.NOBODY, 0),
    ],
)
def test_a_version_is_where_it_was_seen(
    seen: Served, version: str, reach: Reach, share: int
) -> None:
    """Both arms' shares make the whole; internal users are nobody's share."""
    [found] = whereabouts([seen], version)

    assert (found.reach, found.share_bps) == (reach, share)


def test_where_nobody_looked_every_version_is_unknown() -> None:
    """Not there and not known are two answers."""
    unseen = replace(served(), seen=None, why_not="it didn't answer")

    [found] = whereabouts([unseen], "1.0.0")

    assert (found.reach, found.share_bps) == (Reach.UNKNOWN, None)


@pytest.mark.parametrize(
    ("given", "is_it"),
    [
        ("1.1.0", True),
        ("1.1", False),
        (CANDIDATE.digest, True),
        ("c" * 12, True),
        ("c" * 11, False),
        ("", False),
    ],
)
def test_a_version_has_a_name_and_a_digest(given: str, is_it: bool) -> None:
    """A short beginning of a digest could be anything, and nothing is nothing."""
    assert is_called(CANDIDATE, given) is is_it


async def test_the_record_and_what_was_seen_tell_a_bake() -> None:
    """While 1.1.0 bakes, both versions are seen, and 1.0.0 is the last known good."""
    world = MemoryWorld()
    first = await world.installed()
    second = await world.start("1.1.0")
    await world.run(second.id, until={State.BAKING})

    [found] = await look(world)

    assert found.record.latest is not None
    assert found.record.latest.id == second.id
    assert [(good.version.name, good.rollout_id) for good in found.record.good] == [
        ("1.0.0", first.id)
    ]
    assert found.record.in_quarantine is None
    assert found.seen is not None
    assert found.seen.exposure.weight_bps == 1_000


async def test_a_version_is_in_quarantine_until_that_is_over() -> None:
    """Completed isn't settled: for a while the old version stays warm."""
    world = MemoryWorld()
    first = await world.start("1.0.0")
    await world.run(first.id, until={State.COMPLETED})
    [before] = await look(world)
    await world.run(first.id, until=lambda now: now.settled)

    [after] = await look(world)

    assert before.record.in_quarantine is not None
    assert before.record.in_quarantine.name == "1.0.0"
    assert after.record.in_quarantine is None


async def test_what_waits_in_the_queue_has_moved_nothing() -> None:
    """A second change that hasn't begun isn't what moved the target last."""
    world = MemoryWorld()
    await world.installed()
    first = await world.start("1.1.0")
    await world.run(first.id, until={State.BAKING})
    queued = await world.start("1.2.0")

    [found] = await look(world)

    assert world.rollout(queued.id).state is State.PLANNED
    assert found.record.latest is not None
    assert found.record.latest.id == first.id


def test_a_target_that_a_rollout_has_not_come_to_was_not_moved_by_it() -> None:
    """Its first phase moves one target; the other is as the rollout before left it."""
    spec = the_shop(TWO_TARGETS).spec
    first, later = spec.plan.placements()
    before = a_rollout("r-1", plan=spec.plan, state=State.COMPLETED)
    now = a_rollout("r-2", plan=spec.plan, state=State.BAKING)

    with MemoryWorld().store.begin(read_only=True) as transaction:
        found = on_record(transaction, spec, [now, before])

    assert {one.placement: one.latest for one in found} == {first: now, later: before}


class Silent:
    """A driver whose target never answers, or only with an error."""

    def __init__(self, error: WorkloadError | None = None) -> None:
        self.error = error

    async def observe(self, placement: Placement) -> Applied:
        if self.error is not None:
            raise self.error
        await asyncio.Event().wait()
        raise AssertionError(placement)


@pytest.mark.parametrize(
    ("driver", "why"),
    [
        (Silent(), "it didn't answer within 0.01 s"),
        (Silent(WorkloadError("the host is gone", hint="look at it")), "the host is gone"),
    ],
)
async def test_a_target_that_says_nothing_is_unknown_and_keeps_nobody_waiting(
    driver: Silent, why: str
) -> None:
    """Whatever keeps it from answering, the record isn't taken for what is served."""
    world = MemoryWorld()
    await world.installed()
    world.outside = replace(world.outside, components={"process": driver})  # type: ignore[dict-item]

    [found] = await look(world, within=timedelta(seconds=0.01))

    assert found.seen is None
    assert found.why_not == why
    assert found.record.good


async def look(
    world: MemoryWorld, *, within: timedelta = timedelta(seconds=2)
) -> tuple[Served, ...]:
    spec: ServiceSpec = the_shop().spec
    with world.store.begin(read_only=True) as transaction:
        records = on_record(transaction, spec, transaction.rollouts(service=SHOP))
    return await look_at_targets(world.outside, spec, records, within=within)
