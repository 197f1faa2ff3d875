"""
Every fault of the lab, each in a rollout of its own on one site with users.

Whatever a version does wrong, users end where they were, none loses a request, and the reason names
what went wrong. A version that users stay away from is never taken for a good one.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from command_line import CommandLine
from running_site import FINAL, Server, Site, until

from tidegate.lab.faults import Fault, break_candidate, heal

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.envoy,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("e2e"),
]

ENDS_WITHIN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Shop:
    """A site where 1.0.0 serves users, and its server."""

    site: Site
    server: Server
    cli: CommandLine

    async def rollout(self, rollout_id: str) -> dict[str, Any]:
        return await self.server.get(f"/v1/rollouts/{rollout_id}")

    async def ledger(self, rollout_id: str) -> list[dict[str, Any]]:
        return (await self.server.get(f"/v1/rollouts/{rollout_id}/ledger"))["entries"]

    async def comes_to(self, rollout_id: str, *states: str) -> dict[str, Any]:
        seen: dict[str, Any] = {}

        async def is_there() -> bool:
            seen.update(await self.rollout(rollout_id))
            return seen["state"] in states

        await until(
            is_there,
            f"{rollout_id} to be {' or '.join(states)}",
            within_seconds=ENDS_WITHIN_SECONDS,
        )
        return seen


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One site for all faults: each ends with 1.0.0 serving everyone, as it began."""
    site = Site(folder=tmp_path_factory.mktemp("faults"))
    try:
        yield asyncio.run(_opened(site))
    finally:
        asyncio.run(site.close())


async def _opened(site: Site) -> Shop:
    server = await site.serve()
    cli = CommandLine(state_dir=site.state_dir, cwd=site.folder)
    made = Shop(site=site, server=server, cli=cli)
    await made.comes_to(await site.start(server, "1.0.0"), "completed")
    await site.let_users_come()
    await until(lambda: site.load_since(_long_ago()).total > 0, "the first users")
    return made


def _long_ago() -> datetime:
    return datetime(2020, 1, 1, tzinfo=UTC)


async def users_are_served(shop: Shop, began: datetime) -> None:
    """Wait until the users' answers of after *began* are written, all from the old version."""
    now = datetime.now(UTC)
    await until(
        lambda: shop.site.load_since(now).version("1.0.0").total > 300, "users to be served"
    )
    assert shop.site.load_since(began).lost == 0
    assert shop.site.load_since(began).unsent == 0


@pytest.mark.parametrize(
    ("fault", "parameters", "reason"),
    [
        pytest.param(Fault.ERRORS, {}, "harm proven: errors,", id="errors"),
        pytest.param(Fault.LATENCY, {"latency_ms": 200.0}, "harm proven: latency,", id="latency"),
        pytest.param(Fault.USAGE_DROP, {}, "harm proven: orders,", id="usage-drop"),
        pytest.param(Fault.FLAPPING, {}, "harm proven: errors,", id="flapping"),
        pytest.param(
            Fault.CRASH_LATER,
            {"crash_after_seconds": 12.0},
            "cut off or restarted",
            id="crash-later",
        ),
    ],
)
async def test_a_harmful_version_is_put_back_for_the_right_reason(
    shop: Shop, fault: Fault, parameters: dict[str, float], reason: str
) -> None:
    """It is rolled back by itself below 50 %, the reason names the signal, and nobody loses a request."""
    version = f"2.0.0+{fault.value}"
    break_candidate(shop.site.faults, version, fault, **parameters)
    began = datetime.now(UTC)

    rollout_id = await shop.site.start(shop.server, version)
    ended = await shop.comes_to(rollout_id, *FINAL, "halted")
    ended = await shop.comes_to(rollout_id, *FINAL)

    assert ended["state"] == "rolled_back", ended["waiting_on"]
    assert reason in ended["halt"]["because"]
    assert ended["halt"]["by"] == "engine"
    assert ended["phase"]["name"] in ("internal-users", "first-5%", "first-25%")
    assert reason in shop.cli("why", rollout_id).out
    await users_are_served(shop, began)


async def test_a_version_that_never_starts_meets_nobody(shop: Shop) -> None:
    """The way back is tried before anyone is exposed: a version that can't start gets no further."""
    version = "2.0.0+crash-at-start"
    break_candidate(shop.site.faults, version, Fault.CRASH_AT_START)
    began = datetime.now(UTC)

    rollout_id = await shop.site.start(shop.server, version)
    ended = await shop.comes_to(rollout_id, *FINAL)

    assert ended["state"] == "rolled_back"
    assert ended["halt"]["cause"] == "not_applied"
    assert not any(entry["rule"] == "enter-phase" for entry in await shop.ledger(rollout_id))
    await users_are_served(shop, began)
    assert shop.site.load_since(began).version(version).total == 0


async def test_silence_is_never_taken_for_health(shop: Shop) -> None:
    """
    A version that hardly any user comes to is held, then halted for missing data, and waits for a person.

    Rolled back by one, it leaves no trace in traffic.
    """
    version = "2.0.0+silence"
    break_candidate(shop.site.faults, version, Fault.SILENCE)
    began = datetime.now(UTC)

    rollout_id = await shop.site.start(shop.server, version)
    halted = await shop.comes_to(rollout_id, *FINAL, "halted")
    states = [entry["state_after"] for entry in await shop.ledger(rollout_id)]
    said = shop.cli("why", rollout_id)
    told = shop.cli("rollback", rollout_id, "--yes", "--reason", "nobody uses it")
    ended = await shop.comes_to(rollout_id, *FINAL)
    heal(shop.site.faults)

    assert halted["state"] == "halted"
    assert halted["halt"]["cause"] == "no_data"
    assert "silent" in halted["halt"]["because"]
    assert "held" in states
    assert halted["phase"]["name"] == "first-5%"
    assert "no usable data" in said.out
    assert told.code == 0
    assert ended["state"] == "rolled_back"
    await users_are_served(shop, began)


async def test_every_decision_comes_out_the_same_when_made_again(shop: Shop) -> None:
    """From what was stored, each decision of a rollout is made again as it was, evidence included."""
    version = "2.0.0+replay"
    break_candidate(shop.site.faults, version, Fault.ERRORS)
    rollout_id = await shop.site.start(shop.server, version)
    await shop.comes_to(rollout_id, *FINAL)
    entries = await shop.ledger(rollout_id)
    decisions = [entry["number"] for entry in entries if entry["kind"] == "decision"]

    replays = [await shop.server.post(f"/v1/decisions/{one}/replay", {}) for one in decisions]
    said = shop.cli("why", f"d-{decisions[-1]}", "--replay")

    assert len(decisions) > 8
    differing = [
        (again["entry"]["rule"], again["differences"])
        for again in replays
        if not again["same_decision"] or again["same_evidence"] is False
    ]
    assert differing == []
    assert any(again["ticks"] > 0 for again in replays)
    assert said.code == 0
    assert "the same" in said.out
