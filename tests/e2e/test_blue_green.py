"""
Blue-green: a second pool of full size, first reachable by insiders only, then by everyone in waves.

One story with real users, told once and looked at from several sides: 1.1.0 over 1.0.0, back within
the quarantine, then 1.2.0 with the same document.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from running_site import FINAL, Server, Site, until

from tidegate.lab.load_report import LoadSummary, report_lines, summarise
from tidegate.lab.world import SHOP_DOCUMENT

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.envoy,
    pytest.mark.timeout(600),
]

INTERNAL = {"x-tidegate-internal": "1"}
MEMBERS = 2
BLUE_GREEN = (
    SHOP_DOCUMENT.partition("health:")[0].replace("members: 2", "members: 2\n  pools: blue-green")
    + """\
health: {{source: envoy, signals: [{{name: errors, kind: errors}}]}}
prove: {{errors: 5pp}}
plan:
  phases:
    - {{name: insiders, traffic: internal, bake: 8s}}
    - {{name: wave, traffic: [10%, 50%, 100%], bake: 8s, bake_max: 60s}}
  quarantine: 90s
"""
)

Pids = dict[str, int]
"""The process id of each member, by the name of its process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """What was seen while 1.1.0 went out. Pids are those of a version's members."""

    rollout: dict[str, Any]
    document_hash: str
    blue_at_first: Pids
    green_inside: Pids
    met_inside: set[str]
    met_outside: set[str]
    before_first_wave: LoadSummary
    blue_at_end: Pids
    green_at_end: Pids


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """What was seen when 1.0.0 was brought back. `seconds` is from the command to its last request."""

    rollout: dict[str, Any]
    rules: list[str]
    met: set[str]
    blue: Pids
    green: Pids
    load: LoadSummary
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What was seen when 1.2.0 went out with the same document."""

    rollout: dict[str, Any]
    document_hash: str
    blue: Pids
    other: Pids
    load: LoadSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The three parts, in order."""

    forward: Forward
    back: Back
    again: Again


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The story of one site."""
    return asyncio.run(_story(Site(folder=tmp_path_factory.mktemp("blue-green"))))


def test_a_full_pool_serves_insiders_only_before_the_first_wave(story: Story) -> None:
    """All its members run, the internal header reaches them, and no ordinary user gets an answer of it."""
    forward = story.forward

    assert len(forward.green_inside) == MEMBERS
    assert forward.met_inside == {"1.1.0"}
    assert forward.met_outside == {"1.0.0"}
    assert forward.before_first_wave.version("1.0.0").total > 0
    assert forward.before_first_wave.version("1.1.0").total == 0


def test_the_roles_are_swapped_at_the_end_and_the_old_pool_stays_warm(story: Story) -> None:
    """The new version is the baseline, and not one member of either pool was started anew."""
    forward = story.forward

    exposure = forward.rollout["exposure"][0]
    assert forward.rollout["state"] == "completed"
    assert exposure["serving"]["name"] == "1.1.0"
    assert exposure["candidate"] is None
    assert forward.green_at_end == forward.green_inside
    assert forward.blue_at_end == forward.blue_at_first


def test_the_way_back_is_the_warm_pool(story: Story) -> None:
    """Within the quarantine the same processes serve again: nothing is started and nothing is baked."""
    back = story.back
    print(f"{back.seconds:.2f} s from the command to the last request of the new version")

    assert back.rollout["state"] == "rolled_back"
    assert back.met == {"1.0.0"}
    assert back.blue == story.forward.blue_at_first
    assert set(back.rules) <= {"rollback", "bring-back", "verify-way-back"}
    assert back.green == {}


def test_the_next_version_takes_the_other_pool_without_an_edit(story: Story) -> None:
    """The same document rolls out the next version beside the pool that serves."""
    again = story.again

    assert again.rollout["state"] == "completed"
    assert again.document_hash == story.forward.document_hash
    assert again.blue == story.forward.blue_at_first
    assert len(again.other) == MEMBERS
    assert not set(again.other) & set(again.blue)


def test_no_user_loses_a_request(story: Story) -> None:
    """Neither waves, nor the swap, nor the way back cost anything."""
    assert story.again.load.total > 1000
    assert story.again.load.lost == 0
    assert story.back.load.lost == 0


# --- how it is told ---------------------------------------------------------------------------


async def _story(site: Site) -> Story:
    try:
        server = await site.serve()
        await _comes_to(server, await site.start(server, "1.0.0", BLUE_GREEN), *FINAL)
        await site.let_users_come()
        await until(lambda: site.load_since(_minutes_ago(5)).total > 0, "the first users")
        forward = await _go_forward(site, server)
        back = await _go_back(site, server, forward.rollout["id"])
        again = await _go_again(site, server)
    finally:
        await site.close()
    return Story(forward=forward, back=back, again=again)


async def _go_forward(site: Site, server: Server) -> Forward:
    began = datetime.now(UTC)
    blue = await _members(site, "1.0.0")
    rollout_id = await site.start(server, "1.1.0", BLUE_GREEN)

    async def insiders_bake() -> bool:
        rollout = await server.get(f"/v1/rollouts/{rollout_id}")
        return rollout["state"] == "baking" and rollout["phase"]["name"] == "insiders"

    await until(insiders_bake, "the internal phase")
    green = await _members(site, "1.1.0")
    inside, outside = await _met(site, INTERNAL), await _met(site, {})
    still = await insiders_bake()
    assert still, "the internal phase was over before it was looked at"
    await _comes_to(server, rollout_id, *FINAL, "halted")
    first_wave = await _entered(server, rollout_id, phase_index=1)
    return Forward(
        rollout=await server.get(f"/v1/rollouts/{rollout_id}", observe="true"),
        document_hash=site.document(BLUE_GREEN).digest,
        blue_at_first=blue,
        green_inside=green,
        met_inside=inside,
        met_outside=outside,
        # The report counts whole seconds: the one in which the wave began may hold its answers.
        before_first_wave=summarise(
            report_lines(site.folder / "load.jsonl"), began, first_wave.replace(microsecond=0)
        ),
        blue_at_end=await _members(site, "1.0.0"),
        green_at_end=await _members(site, "1.1.0"),
    )


async def _go_back(site: Site, server: Server, rollout_id: str) -> Back:
    began = datetime.now(UTC)
    command = {"reason": "the team likes the old one better"}
    returning = (await server.post(f"/v1/rollouts/{rollout_id}/rollback", command))["id"]
    await _comes_to(server, returning, *FINAL)
    ended = datetime.now(UTC)
    await until(
        lambda: site.load_since(ended + timedelta(seconds=1)).version("1.0.0").total > 200,
        "users on the old version",
    )
    load = site.load_since(began)
    last = load.version("1.1.0").last_response_at
    entries = (await server.get(f"/v1/rollouts/{returning}/ledger"))["entries"]
    return Back(
        rollout=await server.get(f"/v1/rollouts/{returning}"),
        rules=[entry["rule"] for entry in entries],
        met=await _met(site, {}),
        blue=await _members(site, "1.0.0"),
        green=await _members(site, "1.1.0"),
        load=load,
        seconds=(last - began).total_seconds() if last is not None else 0.0,
    )


async def _go_again(site: Site, server: Server) -> Again:
    rollout_id = await site.start(server, "1.2.0", BLUE_GREEN)
    await _comes_to(server, rollout_id, *FINAL, "halted")
    rollout = await server.get(f"/v1/rollouts/{rollout_id}", observe="true")
    blue, other = await _members(site, "1.0.0"), await _members(site, "1.2.0")
    load = await site.let_users_go()
    return Again(
        rollout=rollout,
        document_hash=site.document(BLUE_GREEN).digest,
        blue=blue,
        other=other,
        load=load,
    )


async def _comes_to(server: Server, rollout_id: str, *states: str) -> None:
    async def is_there() -> bool:
        return (await server.get(f"/v1/rollouts/{rollout_id}"))["state"] in states

    await until(is_there, f"{rollout_id} to be {' or '.join(states)}", within_seconds=150)


async def _entered(server: Server, rollout_id: str, *, phase_index: int) -> datetime:
    entries = (await server.get(f"/v1/rollouts/{rollout_id}/ledger"))["entries"]
    entered = [entry["at"] for entry in entries if entry["rule"] == "enter-phase"]
    return datetime.fromisoformat(entered[phase_index])


async def _members(site: Site, version: str) -> Pids:
    pids: Pids = {}
    for name in await site.processes.names():
        status = await site.processes.status(name)
        if status is not None and status.pid is not None and version in status.argv:
            pids[name] = status.pid
    return pids


async def _met(site: Site, headers: dict[str, str], users: int = 40) -> set[str]:
    """Return the versions that *users* meet who send *headers*."""
    met = set()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{site.port}") as client:
        for number in range(users):
            answer = await client.get("/", headers={"cookie": f"tg=probe-{number}", **headers})
            met.add(answer.headers["x-demo-version"])
    return met


def _minutes_ago(minutes: int) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)
