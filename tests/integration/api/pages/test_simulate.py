"""The plan simulator: it shows what the command would, within bounds, and to nobody what isn't theirs."""

import asyncio
import re
import subprocess
from datetime import timedelta
from html import unescape
from pathlib import Path

import httpx
import pytest
from page_session import session_cookie
from two_tenants import ACME_DOCUMENT, ANN, EVE, MARK, two_tenants

from tidegate.api.pages.simulate_asked import Said
from tidegate.api.pages.simulating import Bounds, Progress, Simulation, Simulations
from tidegate.api.tokens import acting_key, page_key
from tidegate.domain.access.proof import IdentityMode
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.drivers.identity.memory import MemoryIdentity
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.simulation.choosing import choose
from tidegate.usecases.simulation.comparing import Comparison, NamedPlan, compare
from tidegate.usecases.simulation.results import digest_of_results

TOKEN = "a-token-for-tests"
SCRIPT = {"tidegate-script": "1"}
ACTING = {**SCRIPT, "tidegate-acting": f"dev-a.{acting_key(TOKEN, 'dev-a')}"}
ASKED_AT_MOST = 600
"""How often a test asks before it takes a simulation for stuck. Each asking waits up to a second."""

SHOP = "/simulate?service=shop&runs=1&scenario=bad-config"


@pytest.fixture
async def browser(page_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a browser that has the page key, on a server where names are claims."""
    await page_client.get("/", params={"token": page_key(TOKEN)})
    return page_client


def words_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


async def ended(browser: httpx.AsyncClient, path: str) -> str:
    """Return the page at *path* when its simulation is over: the script doesn't ask for it any more."""
    for _ in range(ASKED_AT_MOST):
        answer = await browser.get(path)
        assert answer.status_code == 200, answer.text
        if "data-live-every" not in answer.text:
            return answer.text
        await asyncio.sleep(0.02)
    raise AssertionError(f"{path} never ended: {words_of(answer.text)}")


def comparison(*names: str, runs: int = 1) -> Comparison:
    spec = the_shop().spec
    return Comparison(
        plans=(NamedPlan(name=spec.plan.name, spec=spec),),
        scenarios=tuple(choose([], names)),
        runs=runs,
        seed=1,
        requests_per_second=100.0,
    )


async def sent(browser: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await browser.post("/simulate/texts", data=fields, headers=ACTING)


# --- asking ----------------------------------------------------------------------------------------


async def test_without_a_plan_it_shows_what_there_is_to_go_through(
    browser: httpx.AsyncClient,
) -> None:
    """A first look explains itself: no service yet, how one comes, and each scenario with its text."""
    text = words_of((await browser.get("/simulate")).text)

    assert "No service is known here yet" in text
    assert "Bad configuration, to everyone at once bad-config A configuration file" in text
    assert "The candidate is as good as the baseline" in text


async def test_the_numbers_are_those_of_the_command(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The same plan, scenarios, runs and seed have the digest that `tidegate simulate` prints."""
    await world.installed()
    asked = comparison("bad-config", "wrong-split", runs=2)
    rows = [result for row in compare(asked) for result in row]

    first = await ended(browser, "/simulate?service=shop&runs=2&scenario=bad-config")
    html = await ended(browser, "/simulate?service=shop&runs=2&scenario=wrong-split")

    assert digest_of_results(rows[:1], seed=1) in first
    assert digest_of_results(rows[1:], seed=1) in html
    assert "caught" in words_of(first)
    assert rows[0].caught_in[0][0] in words_of(first)
    assert f"row-{rows[1].scenario}" in html


async def test_what_was_missed_says_why_and_what_would_help(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A change that reaches everyone is never shown as fine: the cell and the sum both say so."""
    await world.installed()

    text = words_of(await ended(browser, "/simulate?service=shop&runs=1&scenario=dormant-path"))

    assert "✕\ufe0e not caught" in text
    assert "Harm caught 0 of 1" in text
    assert "add an exercise for the changed path" in text


async def test_what_was_not_simulated_is_unknown_and_not_nought(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Without the change that has no fault nobody knows false halts or how long the plan takes."""
    await world.installed()

    text = words_of(await ended(browser, SHOP))

    assert "False halts not simulated" in text
    assert "Takes not simulated" in text


async def test_the_page_says_the_command_that_does_the_same(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Whoever wants more runs takes them elsewhere."""
    await world.installed()

    text = words_of(await ended(browser, f"{SHOP}&seed=7"))

    assert (
        "tidegate simulate shop --scenario bad-config --runs 1 --seed 7 --traffic 100/s Copy"
        in text
    )


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("service=nothing", 404, "nothing"),
        ("service=shop&scenario=galaxy", 422, "there is no scenario 'galaxy'"),
        ("service=shop&against=galaxy", 422, "got 'galaxy'"),
        ("service=shop&against=rollouts", 422, "got 'rollouts'"),
        ("service=shop&rollout=ffffff", 404, "ffffff"),
        ("service=shop&other=shop", 422, "are the same plan"),
        (f"text={'0' * 64}", 404, "isn't kept here any more"),
        ("service=<script>alert(1)</script>", 404, "<script>alert(1)</script>"),
    ],
)
async def test_what_cant_be_simulated_is_said_beside_the_form(
    browser: httpx.AsyncClient, world: MemoryWorld, query: str, status: int, says: str
) -> None:
    """With what was asked still in it, and hostile text as text."""
    await world.installed()

    answer = await browser.get(f"/simulate?{query}")

    assert answer.status_code == status
    assert says in words_of(answer.text.replace("&lt;script", "&lt;script"))
    assert "<script>alert" not in answer.text
    assert 'aria-label="What to simulate"' in answer.text


@pytest.mark.parametrize("query", ["runs=11", "runs=0", "seed=-1", "traffic=0", "traffic=inf"])
async def test_more_than_the_bounds_is_refused(browser: httpx.AsyncClient, query: str) -> None:
    """The address can't ask for more than the form."""
    assert (await browser.get(f"/simulate?service=shop&{query}")).status_code == 422


async def test_a_past_rollout_goes_through_the_plan_again(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One that was rolled back for harm is offered, and replayed as a change that does harm."""
    await world.installed()
    failed = await world.start("1.1.0")
    await world.run(failed.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})

    html = await ended(browser, f"/simulate?service=shop&runs=1&rollout={failed.id}")

    assert f'value="{failed.id}" selected' in html
    assert f"row-rollout-{failed.id}" in html
    assert "Changes that do harm" in html
    assert "goes on as the recording ended" in html
    assert f"--rollouts {failed.id}" in html


async def test_a_rollout_that_is_under_way_is_not_replayed(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Its recording grows: the address wouldn't show the same twice."""
    await world.installed()
    going = await world.start("1.1.0")
    await world.run(going.id, until={State.BAKING})

    answer = await browser.get(f"/simulate?service=shop&rollout={going.id}")

    assert answer.status_code == 422
    assert "so its recording isn" in answer.text


# --- texts -----------------------------------------------------------------------------------------


async def test_an_edited_text_is_simulated_beside_the_plan_in_force(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The address that it leads to has both plans, and shows them to whoever opens it."""
    await world.installed()
    edited = DOCUMENT.replace("owner: team-shop", "owner: team-edited")

    answer = await sent(browser, text=edited, beside="shop", scenario="bad-config", runs="1")

    assert answer.status_code == 200, answer.text
    html = await ended(browser, answer.json()["location"])
    assert "Plan shop" in html
    assert "Plan edited" in html
    assert "--compare plan:main beside.yaml" in html


async def test_two_texts_show_what_changes_from_one_to_the_other(
    browser: httpx.AsyncClient,
) -> None:
    """As a patch for a pull request; a form without a script gets to the same address."""
    other = DOCUMENT.replace("owner: team-shop", "owner: team-<b>")

    answer = await sent(browser, text=DOCUMENT, other_text=other, scenario="bad-config", runs="1")
    location = answer.json()["location"]
    html = await ended(browser, location)

    assert "+owner: team-&lt;b&gt;" in html
    assert "-owner: team-shop" in html
    edited = (await browser.get(location.replace("/simulate?", "/simulate/edit?"))).text
    assert "owner: team-&lt;b&gt;" in edited


async def test_a_text_that_cant_be_used_says_where(browser: httpx.AsyncClient) -> None:
    """As `validate` does, with the line; and nothing is kept."""
    answer = await sent(browser, text="version: 1\nservice: shop\nplan: galaxy\n")

    assert answer.status_code == 422
    assert "tidegate.yaml:" in answer.json()["detail"]


async def test_a_text_opens_no_file_of_the_server(
    browser: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Else whoever may send one would choose what this process reads, and learn of it by the answer."""
    secret = tmp_path / "schema.json"
    secret.write_text('{"type": "galaxy"}')
    text = f"""\
version: 1
service: table
owner: team-table
components:
  table: {{kind: config, driver: file, path: table.json, dir: out, schema: {secret}}}
targets: [{{name: here, environment: lab}}]
health:
  source: openmetrics
  signals: [{{name: errors, kind: errors, metric: http_requests_total, bad: 'code=~"5.."'}}]
"""

    answer = await sent(browser, text=text)

    assert answer.status_code == 422
    assert "isn't read here" in answer.json()["detail"]
    assert "galaxy" not in answer.text


async def test_without_the_acting_key_no_text_is_taken(browser: httpx.AsyncClient) -> None:
    """The page key looks, and sends nothing."""
    answer = await browser.post("/simulate/texts", data={"text": DOCUMENT}, headers=SCRIPT)

    assert answer.status_code == 401


# --- adopting --------------------------------------------------------------------------------------


async def adopting(browser: httpx.AsyncClient, **fields: str) -> str:
    """Send texts and return the address of the page that adopts the second."""
    answer = await sent(browser, scenario="bad-config", runs="1", **fields)
    assert answer.status_code == 200, answer.text
    location: str = answer.json()["location"]
    return location.replace("/simulate?", "/simulate/adopt?")


SLOWER = DOCUMENT.replace("traffic: 10%", "traffic: 1%")


async def test_two_plans_lead_to_adopting_the_second(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One has nothing to take the place of."""
    await world.installed()
    address = await adopting(browser, text=DOCUMENT, other_text=SLOWER)

    two = await ended(browser, address.replace("/adopt", ""))
    one = await ended(browser, SHOP)

    assert "Adopt plan “beside it”" in words_of(two)
    assert address.replace("&", "&amp;") in two
    assert "Adopt plan" not in words_of(one)


async def test_with_both_texts_there_is_a_patch_that_git_takes(
    browser: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Of the plan alone, though the texts differ in more, which is said."""
    other = SLOWER.replace("owner: team-shop", "owner: team-mall")
    address = await adopting(browser, text=DOCUMENT, other_text=other)

    html = (await browser.get(address)).text
    patch = await browser.get(address.replace("/adopt?", "/adopt/patch?"))

    (tmp_path / "tidegate.yaml").write_text(DOCUMENT)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch.content, check=True)
    assert (tmp_path / "tidegate.yaml").read_text() == SLOWER
    assert 'filename="tidegate-plan.patch"' in patch.headers["content-disposition"]
    assert "<ins>+    - {name: few, traffic: 1%, bake: 10s}</ins>\n" in html
    text = words_of(html)
    assert "The two differ in more: owner ." in text
    assert "nothing was changed, and no pull request was opened" in text
    assert "tidegate simulate shop --compare plan:main beside.yaml" in text
    assert "--adopt beside Copy" in text


async def test_of_a_service_there_is_the_part_and_no_patch(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The server keeps what a file stands for and not its text; the command checks where the file is."""
    await world.installed()
    address = await adopting(browser, text=SLOWER, beside="shop")

    html = (await browser.get(address)).text
    patch = await browser.get(address.replace("/adopt?", "/adopt/patch?"))

    assert patch.status_code == 404
    assert "Download the patch" not in html
    text = words_of(html)
    assert "In the place of plan “shop”." in text
    assert "plan: phases: - {name: few, traffic: 1%, bake: 10s}" in text
    assert "is checked by the command below" in text


async def test_a_plan_of_the_library_is_adopted_by_its_name(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Of a service, too: its phases are those of the plan that it names."""
    await world.installed(document=DOCUMENT.partition("plan:")[0])
    address = await adopting(browser, text=DOCUMENT)

    html = (await browser.get(f"{address}&other=shop")).text

    assert "<ins>+plan: lab</ins>" in html
    assert "--compare plan:main plan:lab" in html
    assert "--adopt lab" in html


async def test_a_plan_that_is_only_known_as_it_is_carried_out_is_left_to_the_command(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Nothing is made up that might not be what was simulated."""
    await world.installed()
    address = await adopting(browser, text=SLOWER)

    html = (await browser.get(f"{address}&other=shop")).text

    assert "and not as it is written" in html
    assert "with the other service’s file as shop.yaml" in html
    assert "Copy the part" not in html


async def test_what_would_not_be_what_was_simulated_has_no_patch(
    browser: httpx.AsyncClient,
) -> None:
    """It says why, and what to do."""
    other = SLOWER.replace("errors: 5pp", "errors: 1pp")
    address = await adopting(browser, text=DOCUMENT, other_text=other)

    html = (await browser.get(address)).text

    assert "would not give what was simulated" in html
    assert "Download the patch" not in html


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("", 422, "there is no plan to adopt"),
        ("?service=shop", 422, "there is no plan to adopt"),
        ("?service=shop&other=shop", 422, "have the same plan"),
        ("?service=galaxy&other=shop", 404, "galaxy"),
    ],
)
async def test_what_can_not_be_adopted_says_so(
    browser: httpx.AsyncClient, world: MemoryWorld, query: str, status: int, says: str
) -> None:
    """As any page that can't be shown."""
    await world.installed()

    answer = await browser.get(f"/simulate/adopt{query}")

    assert answer.status_code == status
    assert says in answer.text


# --- bounds ----------------------------------------------------------------------------------------


def test_a_simulation_ends_when_its_time_is_up_and_keeps_what_it_has() -> None:
    """The clock jumps when the first row is there: that one is whole, and the others are missing."""
    one = Simulation(comparison("bad-config", "slow-leak", "aa"), now=0.0)
    bounds = Bounds(left_after=timedelta(days=1))

    one.run(bounds, lambda: 1000.0 if one.rows else 0.0)

    assert one.progress is Progress.OUT_OF_TIME
    assert one.rows[:1] == tuple(compare(comparison("bad-config")))
    assert len(one.rows) == 1


def test_a_simulation_that_nobody_looks_at_ends() -> None:
    """A page that was closed costs no more."""
    one = Simulation(comparison("aa"), now=-1000.0)

    one.run(Bounds(), lambda: 0.0)

    assert one.progress is Progress.LEFT


def test_what_fails_says_so_and_does_not_wait_for_ever() -> None:
    """An error in the engine ends one simulation, and the next begins."""
    broken = comparison("bad-config")
    object.__setattr__(broken, "runs", 0)
    one = Simulation(broken, now=0.0)

    one.run(Bounds(), lambda: 0.0)

    assert one.progress is Progress.FAILED


def test_few_wait_and_the_rest_are_told_to() -> None:
    """One runs, so many wait, and the next is refused; the same question is the same simulation."""
    now = [0.0]
    simulations = Simulations(Bounds(most_waiting=2), clock=lambda: now[0])
    slow = comparison("aa", runs=10)
    # The first is taken up by the thread, now or soon; until then it counts as waiting.
    first = simulations.ask("first", slow)
    assert first is not None
    while first.progress is Progress.WAITING:
        pass

    second, third = simulations.ask("second", slow), simulations.ask("third", slow)

    assert second is not None
    assert third is not None
    assert simulations.ask("fourth", slow) is None
    assert simulations.ask("second", slow) is second
    assert (simulations.before(second), simulations.before(third)) == (1, 2)
    # Their time is up, so that none of them goes on beside other tests.
    now[0] = 1e9


# --- whose -----------------------------------------------------------------------------------------


async def test_nobody_simulates_or_is_shown_what_is_another_tenants(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Neither the service, nor its past rollout, nor a text that was sent from there."""
    await two_tenants(world)
    object.__setattr__(world.outside, "identity", MemoryIdentity())
    object.__setattr__(world.outside, "identity_mode", IdentityMode.VERIFIED)
    ann, eve = session_cookie(world, ANN), session_cookie(world, EVE)
    edit = (await page_client.get("/simulate/edit", headers=ann)).text
    seal = re.search(r'name="seal" value="([^"]+)"', edit)
    assert seal is not None
    sent_by_ann = await page_client.post(
        "/simulate/texts",
        data={"text": ACME_DOCUMENT, "scenario": "bad-config", "runs": "1", "seal": seal[1]},
        headers={**SCRIPT, **ann},
    )
    assert sent_by_ann.status_code == 200, sent_by_ann.text
    location = sent_by_ann.json()["location"]
    service = f"/simulate?service={MARK}-shop&scenario=bad-config&runs=1"

    own = [await page_client.get(path, headers=ann) for path in (service, location)]
    theirs = [await page_client.get(path, headers=eve) for path in (service, location)]
    form = await page_client.get("/simulate", headers=eve)
    text = await page_client.get(location.replace("?", "/edit?"), headers=eve)
    query = f"{location.partition('?')[2]}&other={MARK}-shop"
    adopting = await page_client.get(f"/simulate/adopt?{query}", headers=eve)

    assert [one.status_code for one in own] == [200, 200]
    assert [one.status_code for one in theirs] == [404, 404]
    assert MARK not in form.text
    assert f"{MARK}-team" not in text.text
    assert adopting.status_code == 404
    assert f"{MARK}-team" not in adopting.text


def test_an_address_says_only_what_differs_from_the_usual() -> None:
    """So that it is short enough to be sent to somebody."""
    said = Said(service="shop", against=("faults", "aa"), seed=7)

    assert said.address() == "/simulate?service=shop&against=faults&against=aa&seed=7"
    assert said.address(seed=1, against=()) == "/simulate?service=shop"
