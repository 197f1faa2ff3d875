"""Drills of emergencies: the real rules and the real policy, nothing real moved, and on record."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from tidegate.domain.emergency.protocol import ResponsePlan
from tidegate.domain.policy.model import KnownPerson, Policy, PolicyVersion
from tidegate.testing.emergencies import a_protocol
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.policies import POLICIES

PLAN = ResponsePlan(id="ERP", version="3", roles=("ic", "owner"), valid_until=None)
OF_TWO = replace(a_protocol(), authorise=("ic", "owner"), plan=PLAN)


def with_policy(world: MemoryWorld, policy: Policy) -> None:
    version = PolicyVersion(
        organisation="default",
        number=1,
        text="",
        policy=policy,
        by="root",
        person=None,
        reason="",
        at=datetime(2020, 1, 1, tzinfo=UTC),
        is_in_force=True,
    )
    with world.store.begin() as transaction:
        POLICIES.put(transaction, version)


async def drill(client: httpx.AsyncClient, emergency_type: str = "security") -> httpx.Response:
    said = {"service": "shop", "type": emergency_type}
    return await client.post("/v1/emergencies/drills", json=said)


async def test_a_drill_walks_the_whole_way_and_starts_nothing(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Who must agree, what goes faster, what a good and a bad change would do; only a record is left."""
    await world.installed()

    first = (await drill(client)).json()
    world.clock.advance(timedelta(days=90))
    second = (await drill(client)).json()

    assert first["problems"] == []
    assert "somebody else has to agree" in first["told"][1]
    assert first["told"][-1].startswith("authorised")
    assert first["treatment"]["unchanged"][0]["what"] == "phases"
    assert first["healthy"]["ending"] != "halted"
    assert first["last_at"] is None
    assert second["last_at"] == first["at"]
    assert len((await client.get("/v1/rollouts")).json()["rollouts"]) == 1
    assert (await client.get("/v1/emergencies", params={"all": True})).json()["emergencies"] == []
    with world.store.begin() as transaction:
        rules = [entry.rule for entry in transaction.ledger(limit=10_000)]
    assert rules.count("drill-emergency") == 2


@pytest.mark.parametrize(
    ("policy", "problems"),
    [
        (
            Policy(
                protocols=(OF_TWO,),
                people=(
                    KnownPerson(name="alice", groups=("ic",)),
                    KnownPerson(name="bob", groups=("owner",)),
                ),
            ),
            [],
        ),
        (
            Policy(
                protocols=(OF_TWO,), people=(KnownPerson(name="alice", groups=("ic", "owner")),)
            ),
            ["2 persons must agree, and only alice can"],
        ),
        (
            Policy(protocols=(OF_TWO,)),
            ["nobody is known to be in ic", "nobody is known to be in owner"],
        ),
        (
            Policy(
                protocols=(
                    replace(OF_TWO, authorise=(), plan=replace(PLAN, valid_until=date(2020, 1, 1))),
                )
            ),
            ["the response plan ERP 3 expired on 2020-01-01"],
        ),
    ],
    ids=["ready", "one person", "nobody", "expired plan"],
)
async def test_a_drill_says_what_would_be_in_the_way(
    client: httpx.AsyncClient, world: MemoryWorld, policy: Policy, problems: list[str]
) -> None:
    """People who aren't there and a plan that nobody reviewed are found before they are needed."""
    await world.installed()
    with_policy(world, policy)

    assert (await drill(client)).json()["problems"] == problems


async def test_only_types_of_the_policy_are_drilled(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A policy's own types replace the built-in ones."""
    await world.installed()
    with_policy(world, Policy(protocols=(a_protocol(type="flood"),)))

    unknown = await drill(client, "security")
    known = await drill(client, "flood")

    assert (unknown.status_code, "it can be: flood" in unknown.text) == (422, True)
    assert known.status_code == 200
