"""Windows of a plan: phases begin inside them only, in the time of each target, and the plan foretells it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tidegate.api.app import create_app
from tidegate.domain.quantities import NO_EXPOSURE, Arm
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop

OPEN = 'window: {days: mon-fri, hours: "09:00-16:00", fri_until: "12:00"}'
SHOP = DOCUMENT.replace(", approve: 1 of team-release", "").replace(
    "{name: eu, environment: lab}", "{name: eu, environment: lab, timezone: Europe/Berlin}"
)


def shop(window: str = OPEN, *, phase: str = "") -> str:
    return SHOP.replace("plan:\n", f"plan:\n  {window}\n").replace(
        "traffic: 50%, bake: 20s", f"traffic: 50%, bake: 20s{phase}"
    )


def at(world: MemoryWorld, *parts: int) -> None:
    """Let the clock be at an instant of UTC."""
    world.clock.advance(datetime(*parts, tzinfo=UTC) - world.clock.now())


async def started(world: MemoryWorld, document: str, *parts: int) -> Rollout:
    """Start over an installed shop, at an instant of UTC."""
    await world.installed(document=document)
    at(world, *parts)
    return await world.start("1.1.0", document=document)


async def test_a_start_waits_for_the_window_and_nobody_is_exposed(world: MemoryWorld) -> None:
    """Saturday: the way back is rehearsed, then it waits until Monday nine in Berlin."""
    rollout = await started(world, shop(), 2026, 3, 7, 10)

    waiting = await world.turns(rollout.id)

    assert (waiting.state, waiting.waiting_on.reason) == (State.WAITING, ReasonCode.WINDOW)
    assert waiting.waiting_on.until == datetime(2026, 3, 9, 8, tzinfo=UTC)
    assert "Mon-Thu 09:00-16:00, Fri 09:00-12:00 (Europe/Berlin)" in waiting.waiting_on.detail
    assert world.component.served(rollout.plan.placements()[0]).exposure == NO_EXPOSURE


async def test_a_bake_that_ends_after_hours_goes_on_in_the_morning(world: MemoryWorld) -> None:
    """Nothing is taken back meanwhile; the phase begins when the window opens and not before."""
    rollout = await started(world, shop(), 2026, 3, 10, 14, 59, 55)
    placement = rollout.plan.placements()[0]
    baking = await world.run(rollout.id, until={State.BAKING})

    waiting = await world.run(rollout.id, until=lambda now: now.state is State.WAITING)
    waiting = await world.turns(rollout.id)
    overnight = world.component.served(placement).exposure
    at(world, 2026, 3, 11, 7, 59, 59)
    still = await world.turns(rollout.id)
    at(world, 2026, 3, 11, 8)
    after = await world.run(rollout.id, until=lambda now: now.phase.name == "all")

    assert baking.phase.name == "few"
    assert waiting.waiting_on.reason is ReasonCode.WINDOW
    assert waiting.waiting_on.until == datetime(2026, 3, 11, 8, tzinfo=UTC)
    assert overnight.weight_bps == 1_000
    assert still.waiting_on.reason is ReasonCode.WINDOW
    assert after.attempt == 1


async def test_a_phase_without_a_window_begins_at_any_time(world: MemoryWorld) -> None:
    """`none` is written where it is meant."""
    rollout = await started(world, shop(phase=", window: none"), 2026, 3, 10, 14, 59, 40)

    await world.run(
        rollout.id, until=lambda now: now.phase.name == "half" and now.state is State.BAKING
    )
    waiting = await world.run(rollout.id, until=lambda now: now.phase.name == "all")
    waiting = await world.turns(rollout.id)

    assert waiting.waiting_on.reason is ReasonCode.WINDOW


async def test_a_window_that_closes_while_it_bakes_stops_nothing(world: MemoryWorld) -> None:
    """A bake goes on over night; harm at night halts and is taken back at once."""
    rollout = await started(world, shop(), 2026, 3, 10, 14, 59, 50)
    await world.run(rollout.id, until={State.BAKING})
    at(world, 2026, 3, 10, 15, 0, 5)

    halted = await world.run(
        rollout.id, until=lambda now: now.halt is not None, failing={Arm.CANDIDATE: 0.5}
    )

    assert world.component.served(rollout.plan.placements()[0]).exposure == NO_EXPOSURE
    assert halted.halt is not None and halted.halt.cause.value == "harm"


async def test_a_first_deployment_waits_for_no_window(world: MemoryWorld) -> None:
    """Nobody is served yet, so nobody is exposed to anything else than before."""
    at(world, 2026, 3, 7, 10)

    installed = await world.installed(document=shop())

    assert installed.state is State.COMPLETED


async def test_a_bake_that_covers_a_working_day_waits_for_the_whole_of_one(
    world: MemoryWorld,
) -> None:
    """Proof and time are there within seconds; it passes when the day there is over."""
    document = shop("window: none").replace("bake: 10s", "bake: 10s, cover: business-day")
    rollout = await started(world, document, 2026, 3, 10, 12)
    waiting = await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.WORKING_DAY
    )
    until = datetime(2026, 3, 11, 16, tzinfo=UTC)

    at(world, 2026, 3, 11, 15, 59, 0)
    still = await world.run(
        rollout.id, until=lambda now: world.clock.now() >= until - timedelta(seconds=2)
    )
    await world.run(rollout.id, until=lambda now: now.phase.name != "few")

    assert waiting.state is State.BAKING
    assert waiting.waiting_on.until == until
    assert "eu: no whole working day yet, Mon-Fri 09:00-17:00" in waiting.waiting_on.detail
    assert still.phase.name == "few"
    assert until <= world.clock.now() < until + timedelta(seconds=5)


async def test_a_hold_begins_the_working_day_anew(world: MemoryWorld) -> None:
    """A day of which some hours weren't watched isn't a whole one."""
    document = shop("window: none").replace("bake: 10s", "bake: 10s, cover: business-day")
    rollout = await started(world, document, 2026, 3, 10, 7, 59)
    waiting = await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.WORKING_DAY
    )
    at(world, 2026, 3, 10, 9)
    # Nobody watches for an hour, and the next step sees it.
    held = await world.turns(rollout.id)
    again = await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.WORKING_DAY
    )

    assert waiting.waiting_on.until == datetime(2026, 3, 10, 16, tzinfo=UTC)
    assert held.state is State.HELD
    assert again.waiting_on.until == datetime(2026, 3, 11, 16, tzinfo=UTC)


async def planned(world: MemoryWorld, document: str) -> dict[str, Any]:
    app = create_app(world.outside, token="a-token-for-tests", version="0.1.0")
    transport = httpx.ASGITransport(app=app)
    headers = {"authorization": "Bearer a-token-for-tests"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:7180", headers=headers
    ) as client:
        body = {"service": the_shop(document).canonical, "change": {"code": "1.1.0"}}
        answer = await client.post("/v1/plans", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def test_a_plan_foretells_what_it_will_wait_for(world: MemoryWorld) -> None:
    """The forecast moves phases to when they may begin, and a warning says why."""
    document = shop()
    await world.installed(document=document)
    at(world, 2026, 3, 13, 10, 59, 45)

    plan = await planned(world, document)

    begins = [datetime.fromisoformat(one["begins_at"]) for one in plan["forecast"]["phases"]]
    monday = datetime(2026, 3, 16, 8, tzinfo=UTC)
    waits = [one for one in plan["findings"] if one["rule"] == "phase-waits-for-calendar"]
    assert begins[0] == datetime(2026, 3, 13, 10, 59, 45, tzinfo=UTC)
    assert begins[1] <= datetime(2026, 3, 13, 11, tzinfo=UTC) < begins[2] == monday
    assert [one["severity"] for one in waits] == ["warning"]
    assert (
        "all would be ready Fri 13 Mar 11:00 UTC and wait until Mon 16 Mar 08:00 UTC"
        in (waits[0]["message"])
    )
    assert (
        "few, half, all: begins only Mon-Thu 09:00-16:00, Fri 09:00-12:00 (Europe/Berlin)"
        in plan["notes"]
    )


async def test_a_plan_says_where_a_target_is_taken_to_be(world: MemoryWorld) -> None:
    """Without a time zone its window is in UTC, and that is said before the start."""
    document = shop().replace(", timezone: Europe/Berlin", "")
    await world.installed(document=document)

    plan = await planned(world, document)

    assert "few, half, all: eu says no time zone, so its window is in UTC" in plan["notes"]


async def test_windows_that_never_meet_are_warned_of(world: MemoryWorld) -> None:
    """A rollout that would wait for ever says so before it is started."""
    document = shop('window: {hours: "09:00-10:00"}').replace(
        "timezone: Europe/Berlin}",
        "timezone: Europe/Berlin}, {name: us, environment: lab, timezone: America/New_York,"
        " settings: {listen: '127.0.0.1:18081'}}",
    )
    await world.installed(document=document)

    plan = await planned(world, document)

    rules = [one["rule"] for one in plan["findings"]]
    assert rules.count("calendar-opens") == 3


@pytest.fixture
def world() -> MemoryWorld:
    """Return an engine in memory in which nothing has happened yet."""
    return MemoryWorld()


def test_the_clock_of_these_tests_is_in_winter_time() -> None:
    """Nine in Berlin is eight in UTC until the end of March."""
    assert MemoryWorld().clock.now() < datetime(2026, 3, 29, tzinfo=UTC) - timedelta(days=1)
