"""The health of a service: from what its rollouts show, what its sources give now, and what is supposed."""

import asyncio
from datetime import timedelta

import pytest
from two_tenants import a_person, file_grant

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.health.model import Health
from tidegate.domain.health.readings import Quality, Reading, SeriesCounts
from tidegate.domain.quantities import Arm, ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.errors import InvalidRequestError, NotFoundError, SignalSourceError
from tidegate.testing.builders import a_placement
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, a_limit_reading
from tidegate.usecases.ask_signals import Asked, ask_signals
from tidegate.usecases.service_health import service_health

SHOP = ServiceName("shop")
ROOT = Caller(name="root", kind=CallerKind.PERSON, person="root", is_root=True)
EU = a_placement()
WITH_MODEL = DOCUMENT.replace(
    "signals: [{name: errors, kind: errors}]",
    """signals:
    - {name: errors, kind: errors}
    - {name: db-lock-wait, kind: limit, source: openmetrics, metric: lock_wait_seconds, limit: 1s,
       on_breach: hold}
  model:
    shop: {needs: {shop-db: outage, payments: degraded}}
    shop-db: {signals: [db-lock-wait]}""",
)
"""The shop with a database, whose signal is a limit, and payments, which nothing measures."""


async def ask(world: MemoryWorld) -> Asked:
    """Ask all signals, letting a second pass and users come between the two readings."""
    asking = asyncio.ensure_future(ask_signals(world.outside, SHOP))
    for _ in range(20):
        await asyncio.sleep(0)
    put_errors(world, later=timedelta(seconds=1), baseline=(1_200, 7))
    world.clock.advance(timedelta(seconds=1))
    return await asking


def put_errors(world: MemoryWorld, *, later: timedelta, **arms: tuple[float, float]) -> None:
    at = world.clock.now() + later
    series = {
        Arm(arm): {arm: SeriesCounts(total=float(total), bad=float(bad))}
        for arm, (total, bad) in arms.items()
    }
    world.signals.put(EU, "errors", Reading(at=at, arms=series))


async def baking(world: MemoryWorld, *, lock_wait: float = 0.1) -> None:
    """Bring a rollout of the shop with its model into its first bake."""
    world.limits["db-lock-wait"] = lock_wait
    await world.installed()
    rollout = await world.start("1.1.0", document=WITH_MODEL)
    await world.run(rollout.id, until=[State.BAKING])
    for _ in range(3):
        world.clock.advance(timedelta(seconds=1))
        await world.run(rollout.id, until=lambda _: True)


async def test_a_healthy_rollout_shows_healthy_nodes_and_nothing_it_does_not_know() -> None:
    """The service and its database are well; payments, which nothing measures, makes the whole unknown."""
    world = MemoryWorld()
    await baking(world)

    found = service_health(world.outside, ROOT, SHOP)

    assert found.nodes["shop-db"].health is Health.HEALTHY
    assert found.nodes["shop"].own.health is Health.HEALTHY
    assert found.health is Health.UNKNOWN
    assert found.because == (
        "shop is unknown because payments is unknown",
        "payments is unknown because nothing measures it",
    )
    assert found.explained_by is None
    assert len(found.rollouts) == 1


async def test_a_broken_limit_of_a_dependency_explains_the_service() -> None:
    """The database is degraded by its limit, and is named as what explains the service's state."""
    world = MemoryWorld()
    await baking(world, lock_wait=4.0)

    found = service_health(world.outside, ROOT, SHOP, supposed={"payments": Health.HEALTHY})

    assert found.health is Health.DEGRADED
    assert found.because == (
        "shop is degraded because shop-db is degraded",
        "shop-db is degraded because db-lock-wait: 4, at most 1 is allowed",
    )
    assert found.explained_by == "shop-db"


async def test_evidence_that_is_too_old_says_nothing() -> None:
    """Nobody looked for a minute: what was healthy then is unknown now."""
    world = MemoryWorld()
    await baking(world)
    world.clock.advance(timedelta(minutes=1))

    found = service_health(world.outside, ROOT, SHOP)

    assert found.nodes["shop-db"].health is Health.UNKNOWN
    assert "last measured at" in found.nodes["shop-db"].own.why


async def test_without_a_rollout_nothing_is_known_until_it_is_asked() -> None:
    """A limit that is asked now has a state; what compares arms stays unknown and says why."""
    world = MemoryWorld()
    await world.installed(document=WITH_MODEL)
    world.signals.put(EU, "db-lock-wait", a_limit_reading(world.clock.now(), 0.2))

    before = service_health(world.outside, ROOT, SHOP)
    after = service_health(world.outside, ROOT, SHOP, asked=(await ask(world)).said)

    assert before.nodes["shop-db"].own.why.endswith("no rollout is under way, and it wasn't asked")
    assert after.nodes["shop-db"].health is Health.HEALTHY
    assert after.nodes["shop"].own.why == "errors: no rollout is under way to compare anything"


async def test_a_supposed_state_spreads_as_a_real_one() -> None:
    """What if the database were down: the service is unhealthy, whatever is measured."""
    world = MemoryWorld()
    await baking(world)

    found = service_health(world.outside, ROOT, SHOP, supposed={"shop-db": Health.UNHEALTHY})

    assert found.health is Health.UNHEALTHY
    assert found.explained_by == "shop-db"
    assert found.because[-1] == "shop-db is unhealthy because it is supposed to be unhealthy"


async def test_a_node_that_does_not_exist_can_not_be_supposed() -> None:
    """A misspelt node is refused with the names there are."""
    world = MemoryWorld()
    await world.installed(document=WITH_MODEL)

    with pytest.raises(InvalidRequestError) as caught:
        service_health(world.outside, ROOT, SHOP, supposed={"shop-bd": Health.UNHEALTHY})

    assert caught.value.hint == "take one of: shop, shop-db, payments"


async def test_an_unknown_service_is_told() -> None:
    """Both looking and asking say that there is no such service."""
    world = MemoryWorld()

    with pytest.raises(NotFoundError):
        service_health(world.outside, ROOT, ServiceName("nobody"))
    with pytest.raises(NotFoundError):
        await ask_signals(world.outside, ServiceName("nobody"))


async def test_a_node_that_is_another_service_has_its_state() -> None:
    """Payments is a service here: while its rollout bakes well, it is known to be well."""
    world = MemoryWorld()
    payments = DOCUMENT.replace("service: shop", "service: payments").replace(
        "name: eu", "name: us"
    )
    other = await world.start("1.0.0", document=payments)
    await world.run(other.id, until=lambda now: now.settled)
    await baking(world)
    idle = service_health(world.outside, ROOT, SHOP)
    other = await world.start("1.1.0", document=payments)
    (shop,) = idle.rollouts
    for _ in range(8):
        for rollout_id in (shop, other.id):
            await world.run(rollout_id, until=lambda _: True)
        await world.turns(other.id)
        world.clock.advance(timedelta(seconds=1))

    found = service_health(world.outside, ROOT, SHOP)
    file_grant(world, "person:kim", "viewer", "default/default/lab/eu")
    untold = service_health(world.outside, a_person("kim", "default"), SHOP)

    assert idle.nodes["payments"].own.why == ("no rollout of it is under way, so nobody watches it")
    assert found.nodes["payments"].health is Health.HEALTHY
    assert found.health is Health.HEALTHY
    # Who may read the shop and not payments isn't told how payments is, and unknown is never well.
    assert untold.nodes["payments"].health is Health.UNKNOWN
    assert untold.health is not Health.HEALTHY


async def test_asking_tells_what_every_source_gave() -> None:
    """Counts are read twice and told as what happened between; a limit once, as its value."""
    world = MemoryWorld()
    await world.installed(document=WITH_MODEL)
    world.signals.put(EU, "db-lock-wait", a_limit_reading(world.clock.now(), 0.2))
    put_errors(world, later=timedelta(0), baseline=(1_000, 5))

    asked = await ask(world)

    errors, lock_wait = asked.answers
    assert errors.quality is Quality.GOOD
    assert errors.found == "baseline: 200 requests, 2 failed in 1s"
    assert (lock_wait.value, lock_wait.found) == (0.2, "0.2, at most 1 is allowed")
    assert errors.effect == lock_wait.effect == ""


async def test_asking_tells_what_a_broken_limit_would_do() -> None:
    """The limit holds rollouts when it is crossed, and so it says."""
    world = MemoryWorld()
    await world.installed(document=WITH_MODEL)
    world.signals.put(EU, "db-lock-wait", a_limit_reading(world.clock.now(), 3.0))

    asked = await ask(world)

    assert asked.answers[1].effect == "holds a rollout"
    assert asked.said["db-lock-wait"].health is Health.DEGRADED


@pytest.mark.parametrize(
    ("reading", "quality", "found"),
    [
        (None, Quality.MISSING, "openmetrics has nothing for it"),
        (float("nan"), Quality.NOT_A_NUMBER, "nan isn't a number to compare"),
        ("old", Quality.STALE, "measured 1h ago, 5s is allowed"),
        ("early", Quality.CONTRADICTORY, "measured 1h in the future: a clock is wrong"),
    ],
)
async def test_bad_data_is_never_taken_for_good(
    reading: float | str | None, quality: Quality, found: str
) -> None:
    """Missing, stale, NaN and impossible data make the signal unknown, and say what to do."""
    world = MemoryWorld()
    await world.installed(document=WITH_MODEL)
    now = world.clock.now() + timedelta(seconds=1)
    match reading:
        case "old":
            given = a_limit_reading(now - timedelta(hours=1), 0.2)
        case "early":
            given = a_limit_reading(now + timedelta(hours=1), 0.2)
        case float(value):
            given = a_limit_reading(now, value)
        case _:
            given = None
    world.signals.put(EU, "db-lock-wait", given)

    asked = await ask(world)

    answer = asked.answers[1]
    assert (answer.quality, answer.found) == (quality, found)
    assert answer.fix
    assert answer.effect == "holds a rollout at once, halts it after 10s"
    assert asked.said["db-lock-wait"].health is Health.UNKNOWN


async def test_a_source_that_is_down_is_told_with_what_to_do() -> None:
    """One source's failure is the answer of its signals, not an error of the whole test."""
    world = MemoryWorld()
    await world.installed(document=WITH_MODEL)
    world.signals.break_down(SignalSourceError("nothing listens", hint="start it"))

    asked = await ask(world)

    assert {answer.quality for answer in asked.answers} == {Quality.MISSING}
    assert {(answer.found, answer.fix) for answer in asked.answers} == {
        ("nothing listens", "start it")
    }


async def test_numbers_that_are_wrong_show_although_nothing_was_measured_again() -> None:
    """More failures than requests are contradictory, also in a single reading."""
    world = MemoryWorld()
    await world.installed()
    world.signals.put(
        EU,
        "errors",
        Reading(
            at=world.clock.now(),
            arms={Arm.BASELINE: {"one": SeriesCounts(total=5.0, bad=9.0)}},
        ),
    )
    asking = asyncio.ensure_future(ask_signals(world.outside, SHOP))
    for _ in range(20):
        await asyncio.sleep(0)
    world.clock.advance(timedelta(seconds=1))

    (answer,) = (await asking).answers

    assert answer.quality is Quality.CONTRADICTORY
    assert answer.found == "baseline series one: 9 bad of 5"


async def test_what_waits_in_the_queue_makes_nothing_unknown() -> None:
    """A second change that serves nobody yet hides nothing of what the first one shows."""
    world = MemoryWorld()
    await baking(world)
    before = service_health(world.outside, ROOT, SHOP)
    queued = await world.start("1.2.0", document=WITH_MODEL)

    found = service_health(world.outside, ROOT, SHOP)

    assert world.rollout(queued.id).state is State.PLANNED
    assert found.nodes["shop"].own == before.nodes["shop"].own
    assert found.nodes["shop-db"].health is Health.HEALTHY
