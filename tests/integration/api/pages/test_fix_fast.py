"""Emergencies on the pages: declared, agreed to, owed and closed by forms, and shown with what is missing."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from page_people import acting_as, see

from tidegate.domain.emergency.debts import debt_id, new_debt
from tidegate.domain.emergency.model import Emergency
from tidegate.domain.rollout.machine import State
from tidegate.testing.emergencies import a_gate, a_protocol
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases import emergency_records
from tidegate.usecases.emergency_records import EMERGENCIES
from tidegate.usecases.shelves import DEBTS

SLOW = DOCUMENT.replace("bake: 10s", "bake: 60s").replace("bake: 20s", "bake: 120s")
FORM = {
    "service": "shop",
    "change": "code=1.1.0",
    "type": "security",
    "incident": "INC-7",
    "facts": "severity=sev1\r\ncve.score=9.8\r\n",
    "reason": "CVE-2030-1 <b>now</b>",
}


@pytest.fixture(autouse=True)
def protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the policy be one whose bakes may be as short as those of a lab."""
    monkeypatch.setattr(emergency_records, "BUILT_IN", (a_protocol(),))


async def send(
    client: httpx.AsyncClient, path: str, form: Mapping[str, str], *, by: str = "dev-a"
) -> httpx.Response:
    return await client.post(path, data=dict(form), headers=acting_as(by))


async def declared(client: httpx.AsyncClient, world: MemoryWorld, **changes: Any) -> str:
    """Return the id of an emergency of a shop that runs, declared by its form."""
    await world.installed(document=SLOW)
    answer = await send(client, "/emergencies", {**FORM, **changes})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["location"]).rpartition("/")[2]


async def test_it_shows_what_goes_faster_and_who_is_missing(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The facts as claimed, the bakes before and after, the clock; not for the declarer to agree to."""
    emergency = await declared(page_client, world)

    own = await see(page_client, "/emergency", "dev-a")
    other = await see(page_client, "/emergency", "lead-a")

    for words in (
        "declared security, INC-7: CVE-2030-1 <b>now</b>",
        "dev-a declared it",
        "one more",
        "4h left",
        "Bakes 5m → 25s",
        "bake of few: 1m -> 5s",
        "cve.score=9.8 claimed",
        "dev-a declared it, and somebody else has to agree",
    ):
        assert words in own.text, words
    assert own.with_id(f"confirm-agree-{emergency}") is None
    assert other.with_id(f"confirm-agree-{emergency}") is not None


async def test_from_the_form_to_the_report(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One declares, another agrees and it begins; closed when it is over, with the report to read."""
    emergency = await declared(page_client, world, start="yes")

    agreed = await send(page_client, f"/emergencies/{emergency}/approve", {}, by="lead-a")
    rollout_id = agreed.json()["location"].rpartition("/")[2]
    running = await see(page_client, "/emergency", "lead-a")
    early = await send(page_client, f"/emergencies/{emergency}/close", {"reason": "done"})
    await world.run(rollout_id, until={State.COMPLETED})
    closed = await send(page_client, f"/emergencies/{emergency}/close", {"reason": "learned it"})
    report = await see(page_client, f"/emergencies/{emergency}", "viewer-a")
    after = await see(page_client, "/emergency", "lead-a")

    assert agreed.json()["message"] == f"emergency {emergency} is authorised, and shop began"
    assert f"rollout {rollout_id} isn't over" in running.text
    assert early.status_code == 409
    assert closed.json()["message"] == f"emergency {emergency} is closed"
    for words in ("learned it", "its bakes 25s instead of 5m", "approve-emergency, by lead-a"):
        assert words in report.text, words
    assert "No emergency is declared." in after.text
    assert "Closed: shop INC-7" in after.text


async def test_the_command_to_start_it_is_shown_once_it_is_authorised(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Word for word, for whoever starts it by hand; nothing of it before."""
    emergency = await declared(page_client, world)
    command = f"tidegate start shop --change code=1.1.0 --emergency {emergency}"

    before = await see(page_client, "/emergency", "dev-a")
    agreed = await send(page_client, f"/emergencies/{emergency}/approve", {}, by="lead-a")
    after = await see(page_client, "/emergency", "dev-a")
    world.clock.advance(timedelta(hours=5))
    late = await see(page_client, "/emergency", "dev-a")

    assert command not in before.text
    assert agreed.json()["message"].endswith("is authorised: start it with its command")
    assert command in after.text
    assert command not in late.text
    assert "nothing more starts under it" in late.text


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"facts": ""}, 409, "severity isn't known"),
        ({"facts": "severity"}, 422, "a fact must be NAME=VALUE"),
        ({"change": "1.1.0"}, 422, "the change must be COMPONENT=VERSION"),
        ({"change": ""}, 422, ""),
        ({"type": "boredom"}, 422, "no type of emergency 'boredom'"),
        ({"service": "nothing"}, 404, "nothing"),
        ({"reason": " "}, 422, "an emergency needs a reason"),
    ],
)
async def test_what_is_none_is_refused_in_words(
    page_client: httpx.AsyncClient,
    world: MemoryWorld,
    changes: Mapping[str, str],
    status: int,
    says: str,
) -> None:
    """The form says the same as the command line, and nothing is declared."""
    await world.installed(document=SLOW)

    answer = await send(page_client, "/emergencies", {**FORM, **changes})

    assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text
    with world.store.begin() as transaction:
        assert EMERGENCIES.open(transaction) == ()


async def test_debts_are_shown_with_owner_and_time_and_given_up_by_two(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Never one's own; overdue is said; the second word ends it."""
    name = await declared(page_client, world)
    gate = a_gate("tests")
    with world.store.begin() as transaction:
        emergency = EMERGENCIES.get(transaction, name)
        assert isinstance(emergency, Emergency)
        debt = new_debt(emergency, gate, rollout_id=None, owner="team-shop", now=world.clock.now())
        DEBTS.put(transaction, debt)
    path = f"/debts/{debt_id(emergency, gate)}/waive"

    own = await see(page_client, "/emergency", "dev-a")
    refused = await send(page_client, path, {"reason": "no"}, by="dev-a")
    first = await send(page_client, path, {"reason": "tests are flaky"}, by="lead-a")
    seen = await see(page_client, "/emergency", "lead-a")
    world.clock.advance(timedelta(hours=25))
    overdue = await see(page_client, "/emergency", "lead-b")
    second = await send(page_client, path, {"reason": "so they are"}, by="lead-b")

    assert "dev-a declared the emergency, and nobody waives their own debt" in own.text
    assert refused.status_code == 409
    assert first.json()["message"] == "tests is still owed: a second person has to say so"
    assert "lead-a: may be given up, tests are flaky" in seen.text
    assert "lead-a has said so already" in seen.text
    assert "overdue: normal rollouts of the project wait" in overdue.text
    assert second.json()["message"] == "tests is given up"


async def test_a_drill_says_what_would_be_in_the_way_and_is_remembered(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Nothing starts; the page says when each type was drilled, or that it never was."""
    await world.installed(document=SLOW)

    before = await see(page_client, "/emergency", "dev-a")
    held = await send(page_client, "/emergency/drills", {"service": "shop", "type": "security"})
    after = await see(page_client, "/emergency", "dev-a")

    assert "never drilled" in before.text
    assert held.json()["message"] == ("drill of security with shop: nothing would be in the way")
    assert "by dev-a with shop: nothing was in the way" in after.text
    assert "never drilled" not in after.text
