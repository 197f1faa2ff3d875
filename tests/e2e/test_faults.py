"""
Every fault of the lab, each in a rollout of its own on one site with users.

Whatever a version does wrong, users end where they were, none loses a request, and the reason names
what went wrong. A version that users stay away from is never taken for a good one.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from command_line import CommandLine
from running_site import FINAL, Server, Site, until

from tidegate.lab.faults import Fault, break_candidate, heal
from tidegate.lab.world import SHOP_DOCUMENT

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.envoy,
    pytest.mark.timeout(600),
]

ENDS_WITHIN_SECONDS = 120.0
WITH_ORDERS = (
    SHOP_DOCUMENT.partition("plan:")[0]
    + "plan: {{phases: [{{name: first, traffic: [5%, 50%, 100%], bake: 4s, bake_max: 60s}}]}}\n"
)
WITHOUT_ORDERS = "".join(
    line for line in WITH_ORDERS.splitlines(keepends=True) if "orders" not in line
)
"""Nobody named what users come for: only the proxy's counts tell."""
BAKED_LONG = WITH_ORDERS.replace("bake: 4s", "bake: 20s")
"""
What takes longer to see than all else takes to be proven is met in the first bake: a fault that shows 8 s
after a process began, and slowness, of which a second is one witness.
"""
LATE = frozenset({Fault.CRASH_LATER, Fault.LATENCY})


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
    began = datetime.now(UTC)
    await made.comes_to(await site.start(server, "1.0.0", WITH_ORDERS), "completed")
    await site.let_users_come()
    await until(lambda: site.load_since(began).total > 0, "the first users")
    return made


@pytest.mark.parametrize(
    ("fault", "parameters", "reason"),
    [
        pytest.param(Fault.ERRORS, {}, "harm proven: errors,", id="errors"),
        pytest.param(Fault.LATENCY, {"latency_ms": 200.0}, "harm proven: latency,", id="latency"),
        pytest.param(Fault.USAGE_DROP, {}, "harm proven: orders,", id="usage-drop"),
        pytest.param(Fault.SILENCE, {}, "harm proven: orders,", id="silence"),
        pytest.param(Fault.FLAPPING, {}, "harm proven: errors,", id="flapping"),
        pytest.param(
            Fault.CRASH_LATER,
            {"crash_after_seconds": 8.0},
            "cut off or restarted",
            id="crash-later",
        ),
    ],
)
async def test_a_harmful_version_is_put_back_for_the_right_reason(
    shop: Shop, fault: Fault, parameters: dict[str, float], reason: str
) -> None:
    """
    It is rolled back by itself at 5 %, the reason names the signal, and nobody loses a request.

    Every decision on the way there comes out the same when it is made again from what was stored.
    """
    version = f"2.0.0+{fault.value}"
    break_candidate(shop.site.faults, version, fault, **parameters)
    began = datetime.now(UTC)

    document = BAKED_LONG if fault in LATE else WITH_ORDERS
    rollout_id = await shop.site.start(shop.server, version, document)
    ended = await shop.comes_to(rollout_id, *FINAL)
    heal(shop.site.faults)

    assert ended["state"] == "rolled_back", ended["waiting_on"]
    assert ended["halt"]["cause"] == "harm"
    assert reason in ended["halt"]["because"]
    assert ended["halt"]["by"] == "tidegate"
    assert ended["phase"]["name"] == "first-5%"
    assert reason in shop.cli("why", rollout_id).out
    await users_are_served(shop, began)
    await decisions_come_out_the_same(shop, rollout_id)


async def test_a_version_that_never_starts_meets_nobody(shop: Shop) -> None:
    """The way back is tried before anyone is exposed: a version that can't start gets no further."""
    version = "2.0.0+crash-at-start"
    break_candidate(shop.site.faults, version, Fault.CRASH_AT_START)
    began = datetime.now(UTC)

    rollout_id = await shop.site.start(shop.server, version, WITH_ORDERS)
    ended = await shop.comes_to(rollout_id, *FINAL)

    assert ended["state"] == "rolled_back"
    assert ended["halt"]["cause"] == "not_applied"
    assert not any(entry["rule"] == "enter-phase" for entry in await shop.ledger(rollout_id))
    await users_are_served(shop, began)
    assert shop.site.load_since(began).version(version).total == 0


async def test_silence_is_never_taken_for_health(shop: Shop) -> None:
    """
    Where only requests are watched, a version that hardly any user comes to is held, then halted.

    It waits for a person; rolled back by one, it leaves no trace in traffic.
    """
    version = "2.0.0+unheard"
    break_candidate(shop.site.faults, version, Fault.SILENCE)
    began = datetime.now(UTC)

    rollout_id = await shop.site.start(shop.server, version, WITHOUT_ORDERS)
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


async def users_are_served(shop: Shop, began: datetime) -> None:
    """Wait until the rollout's last answers are written; nothing of what users asked may be lost."""
    ended = datetime.now(UTC) + timedelta(seconds=1)
    await until(
        lambda: shop.site.load_since(ended).version("1.0.0").total > 200, "users to be served"
    )
    load = shop.site.load_since(began)
    assert (load.lost, load.unsent) == (0, 0)


async def decisions_come_out_the_same(shop: Shop, rollout_id: str) -> None:
    """Make every decision of a rollout again, by the API, and the one that halted it by a command."""
    decisions = [one for one in await shop.ledger(rollout_id) if one["kind"] == "decision"]
    replays = [
        await shop.server.post(f"/v1/decisions/{one['number']}/replay", {}) for one in decisions
    ]
    halting = next(one for one in decisions if one["state_after"] == "halted")
    said = shop.cli("why", f"d-{halting['number']}", "--replay")

    differing = [
        (again["entry"]["rule"], again["differences"])
        for again in replays
        if not again["same_decision"] or again["same_evidence"] is False
    ]
    assert len(decisions) >= 6
    assert differing == []
    assert any(again["ticks"] > 0 for again in replays)
    assert said.code == 0
    assert "made again from what was stored: the same" in said.out
