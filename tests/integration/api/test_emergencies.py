"""Emergencies over HTTP: declared by one, agreed to by another, run by a shorter plan, never blindly."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tidegate.domain.quantities import Arm, ServiceName
from tidegate.domain.rollout.alarms import AlarmKind, Severity
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import HaltCause, ReasonCode, Rollout
from tidegate.testing.emergencies import a_protocol
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases import emergency_records
from tidegate.usecases.alarms import Told, raise_alarm

SLOW = DOCUMENT.replace("bake: 10s", "bake: 60s").replace("bake: 20s", "bake: 120s")
GRAVE = {"severity": "sev1"}


@pytest.fixture(autouse=True)
def protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the policy be one whose bakes may be as short as those of a lab."""
    monkeypatch.setattr(
        emergency_records, "BUILT_IN", (a_protocol(), a_protocol(type="outage", divide_by=6))
    )


async def declare(
    client: httpx.AsyncClient, *, by: str = "alice", **changes: Any
) -> httpx.Response:
    said = {
        "service": "shop",
        "change": {"code": "1.1.0"},
        "type": "security",
        "incident": "INC-7",
        "facts": GRAVE,
        "reason": "CVE-2030-1",
    }
    return await client.post(
        "/v1/emergencies", json={**said, **changes}, headers={"tidegate-actor": by}
    )


async def approve(client: httpx.AsyncClient, emergency: str, *, by: str = "bob") -> httpx.Response:
    return await client.post(
        f"/v1/emergencies/{emergency}/approve", json={}, headers={"tidegate-actor": by}
    )


async def start(client: httpx.AsyncClient, emergency: str, **changes: Any) -> httpx.Response:
    said = {"service": "shop", "change": {"code": "1.1.0"}, "emergency": emergency}
    return await client.post("/v1/rollouts", json={**said, **changes})


async def declared(client: httpx.AsyncClient, world: MemoryWorld, **changes: Any) -> str:
    """Return the id of an emergency of a shop that runs."""
    await world.installed(document=SLOW)
    answer = await declare(client, **changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["emergency"]["id"])


def rules(world: MemoryWorld) -> list[tuple[str, str]]:
    with world.store.begin() as transaction:
        return [(entry.kind, entry.rule) for entry in transaction.ledger(limit=10_000)]


async def test_from_the_declaration_to_the_end(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One declares, another agrees, and the same phases pass in a twelfth of their time."""
    await world.installed(document=SLOW)

    said = (await declare(client)).json()
    agreed = (await approve(client, said["emergency"]["id"])).json()
    started = await start(client, said["emergency"]["id"])
    rollout = world.rollout(started.json()["id"])
    began = world.clock.now()
    done = await world.run(rollout.id, until={State.COMPLETED})

    assert (said["emergency"]["state"], said["emergency"]["persons_missing"]) == ("declared", 1)
    assert said["treatment"]["routine_bake_seconds"] == 300
    assert said["treatment"]["shortened_bake_seconds"] == 25
    assert {"what": "bake of few", "detail": "1m -> 5s"} in said["treatment"]["shortened"]
    assert (agreed["emergency"]["state"], agreed["emergency"]["agreed"]) == (
        "authorised",
        ["alice", "bob"],
    )
    assert started.status_code == 201, started.text
    assert started.json()["emergency"] == said["emergency"]["id"]
    assert [phase.name for phase in rollout.plan.phases] == ["few", "half", "all"]
    assert [passed.phase_index for passed in done.passes] == [0, 1, 2]
    assert timedelta(seconds=25) <= world.clock.now() - began < timedelta(seconds=100)
    assert {
        ("command", "declare-emergency"),
        ("command", "approve-emergency"),
        ("command", "start-under-emergency"),
    } <= set(rules(world))


async def test_the_last_yes_can_start_it(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """Where the declaration asks for it nobody has to stay; it begins once and as the declarer's."""
    emergency = await declared(client, world, start=True)

    before = (await client.get("/v1/rollouts", params={"service": "shop"})).json()
    agreed = (await approve(client, emergency)).json()
    more = (await approve(client, emergency, by="carol")).json()

    assert len(before["rollouts"]) == 1
    assert agreed["started"]["emergency"] == emergency
    assert agreed["started"]["created_by"] == "alice"
    assert more["started"] is None
    assert more["emergency"]["rollouts"] == [agreed["started"]["id"]]


async def test_a_yes_stands_when_the_start_is_refused(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Who agreed is told why nothing began, and it can be started by hand when that is over."""
    emergency = await declared(client, world, start=True)
    other = await world.start("1.2.0", document=SLOW)

    agreed = (await approve(client, emergency)).json()

    assert agreed["started"] is None
    assert f"rollout {other.id} has its targets" in agreed["not_started"]
    assert agreed["emergency"]["state"] == "authorised"


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"facts": {}}, 409, "severity isn't known"),
        ({"facts": {"severity": "sev3"}}, 409, 'severity is text: \\"sev3\\"'),
        ({"facts": {"severity": 1}}, 409, "severity is a number: 1"),
        ({"incident": " "}, 422, "an emergency names its incident"),
        ({"reason": ""}, 422, "an emergency needs a reason"),
        ({"type": "boredom"}, 422, "no type of emergency 'boredom'"),
        ({"facts": {**GRAVE, "incident.id": "INC-9"}}, 422, "can't be claimed"),
        ({"facts": {**GRAVE, "alarms.page": 5}}, 422, "can't be claimed"),
        ({"facts": {**GRAVE, "Big": 1}}, 422, "can't be the name of a fact"),
        ({"facts": {**GRAVE, "big": 1e300}}, 422, "no number that a condition knows"),
        ({"service": "other"}, 404, "no service"),
        ({"change": {"code": "1.0.0"}}, 409, "serves code=1.0.0 already"),
    ],
)
async def test_what_is_no_emergency(
    client: httpx.AsyncClient,
    world: MemoryWorld,
    changes: dict[str, Any],
    status: int,
    said: str,
) -> None:
    """Missing, wrong and made up facts, no incident, no reason: refused with what is unmet."""
    await world.installed(document=SLOW)

    answer = await declare(client, **changes)
    listed = (await client.get("/v1/emergencies", params={"all": True})).json()

    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert listed["emergencies"] == []


async def test_a_refused_declaration_is_on_record(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Whoever tries to use the lane for something else can be found."""
    await world.installed(document=SLOW)

    await declare(client, facts={"severity": "sev3"})

    assert ("refusal", "declare-emergency") in rules(world)


async def test_nobody_goes_faster_alone(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """The declarer can neither agree nor start; what they start anyway is the whole plan."""
    emergency = await declared(client, world)

    alone = await approve(client, emergency, by="alice")
    started = await start(client, emergency)

    assert (alone.status_code, alone.json()["code"]) == (409, "refused")
    assert (started.status_code, "1 more must agree" in started.text) == (409, True)
    assert ("command", "start-under-emergency") not in rules(world)


async def test_what_was_agreed_to_is_pinned(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """Another version under the same emergency is another change."""
    emergency = await declared(client, world)
    await approve(client, emergency)

    other = await start(client, emergency, change={"code": "1.2.0"})

    assert (other.status_code, "pinned by digest" in other.text) == (409, True)


async def test_an_expired_authority_starts_nothing(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """After its time neither a start nor a yes is taken; what runs goes on."""
    emergency = await declared(client, world)
    await approve(client, emergency)
    running = world.rollout((await start(client, emergency)).json()["id"])
    world.clock.advance(timedelta(hours=4))

    after = await world.run(running.id, until={State.COMPLETED})
    again = await start(client, emergency, change={"code": "1.1.0"})
    late = await approve(client, emergency, by="carol")

    assert after.state is State.COMPLETED
    assert again.status_code == late.status_code == 409
    assert "expired" in late.text


async def test_the_hash_says_under_which_emergency(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What was agreed to for the whole plan isn't agreed to for the shorter one."""
    emergency = await declared(client, world)
    await approve(client, emergency)
    said = {"service": "shop", "change": {"code": "1.1.0"}}
    usual = (await client.post("/v1/plans", json=said)).json()["plan_hash"]

    mistaken = await start(client, emergency, plan_hash=usual)
    started = (await start(client, emergency)).json()

    assert (mistaken.status_code, "not sha256" in mistaken.text) == (409, True)
    assert started["plan_hash"] != usual


def an_alert(fingerprint: str = "f-1", severity: Severity = Severity.PAGE) -> Told:
    return Told(
        kind=AlarmKind.ALERT,
        severity=severity,
        service=ServiceName("shop"),
        target=None,
        summary="orders fail",
        source="alertmanager",
        fingerprint=fingerprint,
    )


async def started_in_an_outage(client: httpx.AsyncClient, world: MemoryWorld) -> Rollout:
    await world.installed(document=SLOW)
    await raise_alarm(world.outside, an_alert(), actor="am")
    emergency = (await declare(client, type="outage")).json()["emergency"]
    assert emergency["facts"]["alarms.page"] == "1"
    await approve(client, emergency["id"])
    return world.rollout((await start(client, emergency["id"])).json()["id"])


async def test_what_it_shall_mend_does_not_stop_it(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The alarm that was known goes on, and is told again, while the fix goes its way."""
    rollout = await started_in_an_outage(client, world)
    baking = await world.run(rollout.id, until={State.BAKING})
    again = await raise_alarm(world.outside, an_alert(), actor="am")
    done = await world.run(rollout.id, until={State.COMPLETED, State.HALTED})

    assert baking.state is State.BAKING
    assert again.halted == again.held == ()
    assert done.state is State.COMPLETED


async def test_an_alarm_of_later_halts_it(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """Faster, never blind: what wasn't known when it was declared stops it as ever."""
    rollout = await started_in_an_outage(client, world)
    await world.run(rollout.id, until={State.BAKING})

    await raise_alarm(world.outside, an_alert("f-2"), actor="am")

    halted = world.rollout(rollout.id)
    assert halted.state is State.HALTED
    assert halted.halt is not None
    assert halted.halt.cause is HaltCause.ALARM


async def test_harm_halts_it(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """The proof of harm is that of any rollout."""
    emergency = await declared(client, world)
    await approve(client, emergency)
    rollout = world.rollout((await start(client, emergency)).json()["id"])

    stopped = await world.run(
        rollout.id,
        until=lambda now: now.halt is not None,
        failing={Arm.CANDIDATE: 0.5},
    )

    assert stopped.halt is not None
    assert stopped.halt.cause is HaltCause.HARM


async def test_it_goes_before_what_waits(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """What is queued for its targets is dropped; what has them must be ended by a person first."""
    emergency = await declared(client, world)
    await approve(client, emergency)
    active = await world.start("1.2.0", document=SLOW)
    queued = await world.start("1.3.0", document=SLOW)

    refused = await start(client, emergency)
    await client.post(f"/v1/rollouts/{active.id}/halt", json={"reason": "fix first"})
    await client.post(f"/v1/rollouts/{active.id}/abandon", json={"reason": "fix first"})
    await world.turns(queued.id)
    waiting = world.rollout(queued.id)
    started = await start(client, emergency)
    await world.turns(queued.id)

    assert (refused.status_code, refused.json()["code"]) == (409, "rollout.already_active")
    assert f"tidegate rollback {active.id}" in refused.json()["hint"]
    assert (waiting.state, waiting.waiting_on.reason) == (State.PLANNED, ReasonCode.QUEUE)
    assert started.status_code == 201, started.text
    assert world.rollout(queued.id).state is State.SUPERSEDED


async def test_lists_and_shows(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """By id, by the service, and as a list with what is missing."""
    emergency = await declared(client, world)

    by_id = (await client.get(f"/v1/emergencies/{emergency}")).json()
    by_service = (await client.get("/v1/emergencies/shop")).json()
    listed = (await client.get("/v1/emergencies")).json()["emergencies"]
    missing = await client.get("/v1/emergencies/em-nothing")

    assert by_id == by_service == listed[0]
    assert by_id["claimed"] == ["severity"]
    assert by_id["facts"]["incident.id"] == '"INC-7"'
    assert missing.status_code == 404


async def test_a_freeze_does_not_keep_it_waiting_and_a_stop_order_does(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Two people said that it can't wait; whoever stops everything means that, too."""
    emergency = await declared(client, world)
    await approve(client, emergency)
    until = (world.clock.now() + timedelta(days=1)).isoformat()
    frozen = await client.post(
        "/v1/freezes", json={"scope": "everything", "until": until, "reason": "holidays"}
    )
    await client.post("/v1/stops", json={"scope": "everything", "reason": "INC-9"})
    rollout = world.rollout((await start(client, emergency)).json()["id"])

    stopped = await world.turns(rollout.id)
    for by in ("alice", "bob"):
        await client.post(
            "/v1/stops/1/lift", json={"reason": "over"}, headers={"tidegate-actor": by}
        )
    baking = await world.run(rollout.id, until={State.BAKING})

    assert frozen.status_code == 201, frozen.text
    assert stopped.waiting_on.reason is ReasonCode.STOP_ORDER
    assert baking.state is State.BAKING
