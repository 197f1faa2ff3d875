"""Times are the server's and the viewer's: UTC stands on the page, and what a clock on their wall says."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from tidegate.testing.scenes import LEAD, Scene
from tidegate.usecases.bus import perform
from tidegate.usecases.rollout_commands import HaltRollout

NEW_YORK = "America/New_York"
BEFORE = datetime(2026, 3, 8, 6, 30, tzinfo=UTC)
"""01:30 in New York, on the day whose hour from two to three isn't there."""
AFTER = datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


async def halted_at(served, service: str, when: datetime) -> str:
    """Halt a rollout at a time; return the page of it."""
    world = served.staged.world
    world.clock.advance(when - world.clock.now())
    rollout = served.staged.rollouts[service]
    await perform(world.outside, LEAD, HaltRollout(rollout=rollout, reason="orders fail"))
    return f"/rollouts/{rollout}"


async def stopped(visitor, path: str) -> str:
    """Return what the page says of when its rollout was stopped."""
    await visitor.open(path)
    words = await visitor.page.locator("main .stopped time").first.inner_text()
    return re.sub(r"\s+", " ", words)


async def test_a_viewers_own_time_stands_beside_utc_also_when_clocks_change(fresh, visit) -> None:
    """An hour apart is an hour apart, though the clock on the wall went two hours on."""
    served = await fresh(Scene.NORMAL)
    first = await halted_at(served, "checkout", BEFORE)
    second = await halted_at(served, "payments", AFTER)
    visitor = await visit(served, timezone=NEW_YORK)

    before, after = await stopped(visitor, first), await stopped(visitor, second)

    assert re.search(r"06:30:00 UTC.*01:30 here", before), before
    assert re.search(r"07:30:00 UTC.*03:30 here", after), after


@pytest.mark.parametrize(
    "options",
    [{"timezone": "UTC"}, {"timezone": NEW_YORK, "scripts": False}],
    ids=["who lives by it", "without scripts"],
)
async def test_utc_alone_stands_once(options: dict[str, Any], scenes, visit) -> None:
    """Where both are the same there is one time; and the server can't know where somebody is."""
    served = await scenes(Scene.HALTED)
    visitor = await visit(served, **options)

    words = await stopped(visitor, f"/rollouts/{served.staged.rollouts['checkout']}")

    assert re.fullmatch(r"\d\d:\d\d:\d\d UTC", words)
