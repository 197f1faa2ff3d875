"""
What happens when things die: the server, the proxy, the candidate, a server that sleeps and wakes.

Real processes, a real Envoy, real users. Every test ends by asking the users whether anything of
theirs was lost.
"""

import asyncio
import os
import signal

import httpx
import pytest
from running_site import FINAL, SHORT_DOCUMENT, Server, Site, until

from tidegate.lab.faults import Fault, break_candidate

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.envoy,
    pytest.mark.timeout(600),
]


EVERY_STEP = os.environ.get("TIDEGATE_TEST_PROFILE") == "full"


async def is_in(server: Server, rollout_id: str, *states: str) -> bool:
    return (await server.get(f"/v1/rollouts/{rollout_id}"))["state"] in states


async def comes_to(server: Server, rollout_id: str, *states: str, within: float = 150.0) -> None:
    await until(
        lambda: is_in(server, rollout_id, *states),
        f"rollout {rollout_id} to be {' or '.join(states)}",
        within_seconds=within,
    )


async def installed(site: Site, server: Server) -> None:
    rollout_id = await site.start(server, "1.0.0", SHORT_DOCUMENT)
    await comes_to(server, rollout_id, "completed", within=60)
    await site.let_users_come()


async def needs_nobody(server: Server, rollout_id: str) -> bool:
    waiting_on = (await server.get(f"/v1/rollouts/{rollout_id}"))["waiting_on"]
    return waiting_on["reason_code"] != "inconclusive"


async def ledger(server: Server, rollout_id: str) -> list[dict]:
    return (await server.get(f"/v1/rollouts/{rollout_id}/ledger"))["entries"]


async def share_of(site: Site, version: str, users: int = 400) -> float:
    """Return the share of *users* that the proxy sends to *version* now."""
    served = 0
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{site.port}") as client:
        for number in range(users):
            response = await client.get("/", headers={"cookie": f"tg=probe-{number}"})
            served += response.headers["x-demo-version"] == version
    return served / users


async def test_a_server_killed_at_every_step_goes_on_where_it_was(site: Site) -> None:
    """
    `kill -9` after each recorded step of a rollout: the next server takes it up, nothing is done twice,
    exposure rises only with a recorded pass, and no user loses a request.
    """
    server = await site.serve()
    await installed(site, server)
    rollout_id = await site.start(server, "1.1.0", SHORT_DOCUMENT)

    kills, seen = 0, 0
    rules: set[str] = set()
    while not await is_in(server, rollout_id, *FINAL, "halted"):
        assert await needs_nobody(server, rollout_id)
        entries = await ledger(server, rollout_id)
        fresh, seen = entries[seen:], len(entries)
        # Every step up to the first bake, then every kind of step once; all of them with --all.
        if fresh and (len(rules) < 4 or EVERY_STEP or {e["rule"] for e in fresh} - rules):
            server.kill()
            kills += 1
            server = await site.serve()
        rules |= {entry["rule"] for entry in fresh}
        await asyncio.sleep(0.05)

    entries = await ledger(server, rollout_id)
    load = await site.let_users_go()
    entered = [entry["because"] for entry in entries if entry["rule"] == "enter-phase"]
    assert entries[-1]["state_after"] == "completed"
    assert kills >= 6
    assert len(entered) == len(set(entered)) == 3
    assert load.lost == 0
    assert await share_of(site, "1.1.0", users=50) == 1.0


async def test_traffic_stays_as_it_is_without_a_server(site: Site) -> None:
    """With the whole control plane gone the proxy keeps the split, and users notice nothing."""
    server = await site.serve()
    await installed(site, server)
    rollout_id = await site.start(server, "1.1.0", SHORT_DOCUMENT)
    await until(lambda: bakes_at(server, rollout_id, "half"), "half to bake")

    server.kill()
    share = await share_of(site, "1.1.0")
    load = await site.let_users_go()

    assert 0.4 < share < 0.6
    assert load.lost == 0


async def test_a_killed_proxy_comes_back_with_the_same_split(site: Site) -> None:
    """`kill -9` of Envoy in a bake: it boots from its last good files and the rollout goes on."""
    server = await site.serve()
    await installed(site, server)
    rollout_id = await site.start(server, "1.1.0", SHORT_DOCUMENT)
    await until(lambda: bakes_at(server, rollout_id, "half"), "half to bake")

    names = [name for name in await site.processes.names() if "envoy" in name]
    status = await site.processes.status(names[0])
    assert status is not None
    assert status.pid is not None
    os.kill(status.pid, signal.SIGKILL)
    await comes_to(server, rollout_id, "completed")

    # What was in flight when the proxy died is lost; nothing may be lost once it's back.
    load = await site.let_users_go()
    assert load.lost < 200
    assert await share_of(site, "1.1.0", users=50) == 1.0


async def test_a_killed_candidate_is_withdrawn_and_costs_no_request(site: Site) -> None:
    """A candidate whose members die is cut off, the rollout rolled back, and users are served."""
    server = await site.serve()
    await installed(site, server)
    rollout_id = await site.start(server, "1.1.0", SHORT_DOCUMENT)
    await until(lambda: bakes_at(server, rollout_id, "few"), "few to bake")

    break_candidate(site.faults, "1.1.0", Fault.CRASH_AT_START)
    for name in await site.processes.names():
        status = await site.processes.status(name)
        if status is not None and status.pid is not None and "1.1.0" in status.argv:
            os.kill(status.pid, signal.SIGKILL)
    await comes_to(server, rollout_id, "rolled_back")

    load = await site.let_users_go()
    assert await share_of(site, "1.0.0", users=50) == 1.0
    assert load.lost == 0


async def test_a_server_that_slept_through_a_halt_raises_nothing(site: Site) -> None:
    """SIGSTOP while exposure rises, a halt by another server, SIGCONT: exposure stays zero."""
    sleeper = await site.serve()
    await installed(site, sleeper)
    rollout_id = await site.start(sleeper, "1.1.0", SHORT_DOCUMENT)
    await comes_to(sleeper, rollout_id, "applying", "baking")

    sleeper.send(signal.SIGSTOP)
    other = await site.serve()
    await other.post(f"/v1/rollouts/{rollout_id}/halt", {"reason": "a person saw something"})
    sleeper.send(signal.SIGCONT)
    await comes_to(other, rollout_id, "halted")

    for _ in range(10):
        assert await share_of(site, "1.1.0", users=40) == 0.0
        await asyncio.sleep(0.2)
    assert await is_in(sleeper, rollout_id, "halted")
    assert (await site.let_users_go()).lost == 0


async def test_two_servers_at_once_do_everything_once(site: Site) -> None:
    """Two controllers on one store: each phase is entered once, and the final state is right."""
    one, two = await site.serve(), await site.serve()
    await installed(site, one)
    rollout_id = await site.start(one, "1.1.0", SHORT_DOCUMENT)
    await comes_to(two, rollout_id, "completed", "halted", "rolled_back", within=240)

    entries = await ledger(two, rollout_id)
    entered = [entry["because"] for entry in entries if entry["rule"] == "enter-phase"]
    load = await site.let_users_go()
    assert entries[-1]["state_after"] == "completed"
    assert len(entered) == len(set(entered)) == 3
    assert load.lost == 0


async def bakes_at(server: Server, rollout_id: str, phase: str) -> bool:
    rollout = await server.get(f"/v1/rollouts/{rollout_id}")
    assert rollout["state"] not in (*FINAL, "halted"), rollout["waiting_on"]
    return rollout["state"] == "baking" and rollout["phase"]["name"] == phase
