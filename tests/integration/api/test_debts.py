"""What an emergency puts off is owed: asked at once, settled by green, failed by red, due in time."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import HaltCause, ReasonCode, Rollout
from tidegate.ports.gate import GateAnswer, GateQuestion
from tidegate.testing.emergencies import a_protocol
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases import emergency_records
from tidegate.usecases.start import start_rollout

UNGATED = (
    DOCUMENT.replace("bake: 10s", "bake: 60s")
    .replace("bake: 20s", "bake: 120s")
    .replace(", approve: 1 of team-release", "")
)
GATED = UNGATED + "gates: {before_start: [digest, no-incident]}\n"
UNKNOWN = GateAnswer(verdict=GateVerdict.UNKNOWN, because="nothing was submitted")
GREEN = GateAnswer(verdict=GateVerdict.GREEN, because="all is well")
RED = GateAnswer(verdict=GateVerdict.RED, because="CVE-2030-9 is in it")
DAY = timedelta(hours=24)


class Answers:
    """A gate that says what a test wants."""

    def __init__(self, answer: GateAnswer) -> None:
        self.answer = answer
        self.asked = 0

    async def check(self, question: GateQuestion) -> GateAnswer:
        self.asked += 1
        return self.answer


@pytest.fixture
def scan(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Let `no-incident` stand for a scan that is put off, and nothing be known of it yet."""
    monkeypatch.setattr("tidegate.domain.rollout.obstacles.OF_THE_SURROUNDINGS", frozenset[str]())
    monkeypatch.setattr("tidegate.domain.emergency.debts.OF_THE_SURROUNDINGS", frozenset[str]())
    monkeypatch.setattr(emergency_records, "BUILT_IN", (a_protocol(out_of_band=("no-incident",)),))
    answers = Answers(UNKNOWN)
    world.gates["no-incident"] = answers
    world.gates["digest"] = Answers(GREEN)
    return answers


async def say(client: httpx.AsyncClient, path: str, by: str, **body: Any) -> httpx.Response:
    return await client.post(path, json=body, headers={"tidegate-actor": by})


async def started(client: httpx.AsyncClient, world: MemoryWorld, version: str = "1.1.0") -> Rollout:
    """Return a rollout under an emergency of a shop that runs."""
    service = {"service": the_shop(GATED).canonical, "change": {"code": version}}
    declared = await say(
        client,
        "/v1/emergencies",
        "alice",
        **service,
        type="security",
        incident="INC-7",
        facts={"severity": "sev1"},
        reason="CVE-2030-1",
    )
    assert declared.status_code == 201, declared.text
    emergency = declared.json()["emergency"]["id"]
    await say(client, f"/v1/emergencies/{emergency}/approve", "bob")
    begun = await say(client, "/v1/rollouts", "alice", **service, emergency=emergency)
    assert begun.status_code == 201, begun.text
    return world.rollout(begun.json()["id"])


async def debts(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await client.get("/v1/debts", params={"all": True})).json()[
        "debts"
    ]
    return listed


async def test_what_is_put_off_is_owed_from_the_start(
    client: httpx.AsyncClient, world: MemoryWorld, scan: Answers
) -> None:
    """The gate doesn't hold; it is asked at once; the debt has an owner and a time."""
    await world.installed(document=UNGATED)
    began = world.clock.now()

    rollout = await started(client, world)
    (debt,) = await debts(client)
    baking = await world.run(rollout.id, until={State.BAKING})

    assert (debt["gate"], debt["state"], debt["owner"]) == ("no-incident", "open", "team-shop")
    assert debt["rollout"] == rollout.id
    assert debt["due_at"] == (began + DAY).isoformat().replace("+00:00", "Z")
    assert [(gate.name, gate.is_deferred) for gate in rollout.plan.gates] == [
        ("digest", False),
        ("no-incident", True),
    ]
    assert baking.state is State.BAKING
    assert scan.asked >= 1


async def test_what_is_not_put_off_still_comes_first(
    client: httpx.AsyncClient, world: MemoryWorld, scan: Answers
) -> None:
    """The versions are pinned in an emergency as well."""
    await world.installed(document=UNGATED)
    world.gates["digest"] = Answers(RED)

    rollout = await started(client, world)
    waiting = await world.turns(rollout.id)

    assert (waiting.state, waiting.waiting_on.reason) == (State.WAITING, ReasonCode.GATE)


async def test_red_out_of_band_halts_it(
    client: httpx.AsyncClient, world: MemoryWorld, scan: Answers
) -> None:
    """The scan that ran beside turns red: everybody is taken back, and the debt has failed."""
    await world.installed(document=UNGATED)
    rollout = await started(client, world)
    await world.run(rollout.id, until={State.BAKING})
    scan.answer = RED

    halted = await world.run(rollout.id, until=lambda now: now.halt is not None)
    await world.turns(rollout.id)
    (debt,) = await debts(client)

    assert halted.halt is not None
    assert halted.halt.cause is HaltCause.GATE
    assert (debt["state"], "CVE-2030-9" in debt["because"]) == ("failed", True)


async def test_green_out_of_band_settles_the_debt(
    client: httpx.AsyncClient, world: MemoryWorld, scan: Answers
) -> None:
    """Also when the rollout is over: its gate is asked until it has answered."""
    await world.installed(document=UNGATED)
    rollout = await started(client, world)
    await world.run(rollout.id, until=lambda now: now.settled)
    (before,) = await debts(client)
    scan.answer = GREEN
    for _ in range(60):
        world.clock.advance(timedelta(seconds=30))
        await world.turn()

    (after,) = await debts(client)

    assert (before["state"], after["state"]) == ("open", "settled")
    assert after["because"] == "green: all is well"


async def test_red_after_the_end_is_a_page(
    client: httpx.AsyncClient, world: MemoryWorld, scan: Answers
) -> None:
    """Nothing is left to halt, so somebody is woken; once, and no more when it turns green."""
    await world.installed(document=UNGATED)
    rollout = await started(client, world)
    await world.run(rollout.id, until={State.COMPLETED})
    scan.answer = RED
    for _ in range(60):
        world.clock.advance(timedelta(seconds=30))
        await world.turn()
    with world.store.begin() as transaction:
        raised = [one for one in transaction.active_alarms() if one.source == "tidegate-debts"]
    (failed,) = await debts(client)
    scan.answer = GREEN
    for _ in range(200):
        world.clock.advance(timedelta(seconds=60))
        await world.turn()
    (settled,) = await debts(client)

    assert [one.severity.value for one in raised] == ["page"]
    assert (failed["state"], settled["state"]) == ("failed", "settled")
    with world.store.begin() as transaction:
        assert not transaction.active_alarms()


async def overdue(client: httpx.AsyncClient, world: MemoryWorld) -> dict[str, Any]:
    """Return a debt that nobody paid in time, with its rollout over."""
    await world.installed(document=UNGATED)
    rollout = await started(client, world)
    await world.run(rollout.id, until=lambda now: now.settled)
    world.clock.advance(DAY)
    await world.turn()
    (debt,) = await debts(client)
    assert debt["is_overdue"]
    return debt


async def normal(world: MemoryWorld, version: str = "1.2.0") -> Rollout:
    """Start a rollout without any gate of its own, so that only debts can keep it."""
    return await start_rollout(
        world.outside, the_shop(UNGATED), {"code": version}, actor="dave", person="dave"
    )


async def test_an_overdue_debt_blocks_normal_work_until_it_is_settled(
    client: httpx.AsyncClient, world: MemoryWorld, scan: Answers
) -> None:
    """A rollout of the project waits, saying for what; the green answer lets it go."""
    debt = await overdue(client, world)
    rollout = await normal(world)

    waiting = await world.turns(rollout.id)
    scan.answer = GREEN
    for _ in range(60):
        world.clock.advance(timedelta(seconds=60))
        await world.turn()
    after = world.rollout(rollout.id)

    assert (waiting.state, waiting.waiting_on.reason) == (State.WAITING, ReasonCode.DEBT)
    assert debt["emergency"] in waiting.waiting_on.detail
    assert after.waiting_on.reason is not ReasonCode.DEBT
    with world.store.begin() as transaction:
        rules = [entry.rule for entry in transaction.ledger(limit=10_000)]
    assert (rules.count("debt-overdue"), rules.count("debt-settled")) == (1, 1)


async def test_two_others_can_give_it_up(
    client: httpx.AsyncClient, world: MemoryWorld, scan: Answers
) -> None:
    """By name and with a reason; the declarer and one person twice can't."""
    debt = await overdue(client, world)
    rollout = await normal(world)
    path = f"/v1/debts/{debt['id']}/waive"

    own = await say(client, path, "alice", reason="it is fine")
    silent = await say(client, path, "bob")
    once = await say(client, path, "bob", reason="the scanner is gone")
    twice = await say(client, path, "bob", reason="the scanner is gone")
    blocked = (await world.turns(rollout.id)).waiting_on.reason
    done = await say(client, path, "carol", reason="scanned by hand")
    after = await world.turns(rollout.id)

    assert (own.status_code, "nobody waives their own debt" in own.text) == (409, True)
    assert silent.status_code == 422
    assert (once.status_code, once.json()["state"]) == (200, "open")
    assert twice.status_code == 409
    assert blocked is ReasonCode.DEBT
    assert (done.status_code, done.json()["state"]) == (200, "waived")
    assert after.waiting_on.reason is not ReasonCode.DEBT


async def test_it_closes_only_when_nothing_is_owed_or_runs(
    client: httpx.AsyncClient, world: MemoryWorld, scan: Answers
) -> None:
    """Then with what was learned; the report says who, what was faster, what it took and the timeline."""
    await world.installed(document=UNGATED)
    rollout = await started(client, world)
    path = f"/v1/emergencies/{rollout.emergency_id}"

    running = await say(client, f"{path}/close", "alice", reason="over")
    await world.run(rollout.id, until={State.COMPLETED})
    owing = await say(client, f"{path}/close", "alice", reason="over")
    scan.answer = GREEN
    for _ in range(60):
        world.clock.advance(timedelta(seconds=60))
        await world.turn()
    silent = await say(client, f"{path}/close", "alice")
    closed = await say(client, f"{path}/close", "alice", reason="INC-7 is over; see PM-3")
    again = await say(client, f"{path}/close", "alice", reason="over")
    report = (await client.get(f"{path}/report")).json()

    assert ("isn't over" in running.text, running.status_code) == (True, 409)
    assert ("still owes no-incident (open)" in owing.text, owing.status_code) == (True, 409)
    assert silent.status_code == 422
    assert closed.json()["state"] == "closed"
    assert "closed already" in again.text
    (run,) = report["runs"]
    assert (run["routine_bake_seconds"], run["shortened_bake_seconds"]) == (300, 25)
    assert "bake of few: 1m -> 5s" in run["changes"]
    assert 25 <= run["took_seconds"] < 300
    told = [one["rule"] for one in report["timeline"]]
    assert told[0] == "declare-emergency"
    assert told[-1] == "close-emergency"
    assert {"approve-emergency", "start-under-emergency", "all-phases-passed"} <= set(told)
    assert "debt-settled" in told
    assert report["debts"][0]["state"] == "settled"
    assert not report["is_cut"]
