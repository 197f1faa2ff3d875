"""The fleet's page: what it shows of worlds that happened, to whom, in which size, and by which address."""

import gzip
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tidegate.api.app import create_app
from tidegate.api.pages.screens.overview import MOST_SERVICES
from tidegate.api.tokens import page_key
from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.runner import Pulse
from tidegate.testing.builders import START, a_placement, a_plan, a_rollout
from tidegate.testing.memory_world import MemoryWorld
from tidegate.testing.scenes import HOSTILE_TEXT, Scene, Staged, stage
from tidegate.usecases.fleet import read_fleet
from tidegate.usecases.fleet_needs import needs_of
from tidegate.usecases.outside import Outside

TOKEN = "a-token-for-tests"
URL = "http://127.0.0.1:7180"


class Seen(HTMLParser):
    """A page as somebody reads it: text, links, rows of the matrix by service, ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.links: dict[str, str] = {}
        self.rows: dict[str, str] = {}
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.fields: dict[str, str] = {}
        self._body = ""
        self._link = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if "id" in said:
            self.ids.append(said["id"])
        if tag == "tbody":
            self._body = said["id"].removeprefix("s-")
            self.rows[self._body] = ""
        if tag == "a":
            self._link = said["href"]
        if tag == "input":
            self.fields[said.get("name", "")] = said.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._body = ""
        if tag == "a":
            self._link = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._body:
            self.rows[self._body] += data
        if self._link:
            label = " ".join(data.split())
            self.links.setdefault(label, self._link)


async def a_browser(outside: Outside) -> httpx.AsyncClient:
    """Return a browser that has the page key."""
    app = create_app(outside, token=TOKEN, version="0.1.0")
    browser = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL)
    await browser.get("/", params={"token": page_key(TOKEN)})
    return browser


async def seen(browser: httpx.AsyncClient, address: str) -> Seen:
    answer = await browser.get(address)
    assert answer.status_code == 200, answer.text
    return Seen(answer.text)


def add(world: MemoryWorld, *rollouts: Rollout) -> None:
    with world.store.begin() as transaction:
        for rollout in rollouts:
            transaction.add_rollout(rollout)


_staged: dict[Scene, Staged] = {}


async def looked_at(scene: Scene) -> Staged:
    """Return the world of *scene*, made once for all tests here: they only look at it."""
    if scene not in _staged:
        _staged[scene] = await stage(scene)
    return _staged[scene]


async def test_shows_every_service_across_its_targets() -> None:
    """State, exposure, what is served and what is waited for, of what is under way and what is done."""
    staged = await looked_at(Scene.NORMAL)
    page = await seen(await a_browser(staged.world.outside), "/?density=roomy")

    assert sorted(page.rows) == [
        "checkout",
        "gateway",
        "orders-api",
        "payments",
        "pricing",
        "search",
    ]
    assert "baking" in page.rows["checkout"]
    assert "5% 1.5.0" in page.rows["checkout"].replace("\ufe0e", "")
    assert "✓ 2.5.0" in page.rows["gateway"]
    assert "↶ 5.4.0" in page.rows["pricing"]
    assert "approval" in page.rows["search"]
    assert "of bake left" in page.rows["checkout"]
    # The one that waits behind it has a row of its own.
    assert "queued" in page.text
    assert "6.6.0" in page.rows["search"]


async def test_what_needs_somebody_comes_with_why_and_what_to_do() -> None:
    """Halts, holds, approvals and stop orders, each a link to where something can be done."""
    halted = await looked_at(Scene.HALTED)
    held = await looked_at(Scene.HELD)

    stopped = await seen(await a_browser(halted.world.outside), "/")
    waits = await seen(await a_browser(held.world.outside), "/")

    assert "orders fail in eu-1" in stopped.text
    assert stopped.links["Roll back or resume"] == f"/rollouts/{halted.rollouts['checkout']}"
    assert "the bank is down" in stopped.text
    assert "/emergency#order-1" in stopped.links.values()
    assert "approval: quarter, 0 of 1" in stopped.text
    assert f"need-{held.rollouts['orders-api']}" in waits.ids


async def test_an_approval_says_whose_it_is() -> None:
    """By the rules that hold when it is given."""
    staged = await looked_at(Scene.NORMAL)
    browser = await a_browser(staged.world.outside)

    async def as_person(name: str) -> str:
        browser.cookies.set("tidegate_as_7180", name)
        return (await seen(browser, "/")).text

    assert "not yours: you only look" in (await seen(browser, "/")).text
    assert "not yours: it is dev-a's own change" in await as_person("dev-a")
    assert "not yours" not in await as_person("lead-a")


async def test_next_decisions_say_when_and_what_is_likely() -> None:
    """From the evidence as it is."""
    staged = await looked_at(Scene.NORMAL)
    page = await seen(await a_browser(staged.world.outside), "/")

    assert f"next-{staged.rollouts['checkout']}" in page.ids
    assert "few (5%) → quarter (25%)" in page.text


async def test_an_empty_fleet_says_how_to_begin() -> None:
    """And that nothing needs anybody."""
    staged = await looked_at(Scene.EMPTY)
    page = await seen(await a_browser(staged.world.outside), "/")

    assert "There is no rollout yet" in page.text
    assert "Nothing needs anybody" in page.text
    assert "table" not in page.tags


async def test_an_unreadable_store_is_no_calm_fleet() -> None:
    """What isn't known is never shown as fine."""
    staged = await looked_at(Scene.ERROR)
    answer = await (await a_browser(staged.world.outside)).get("/")

    assert answer.status_code == 503
    assert "Nothing needs anybody" not in answer.text
    assert "the store can't be read" in answer.text.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("q", "services"),
    [
        ("state:baking", {"checkout"}),
        ("service:check*,gate*", {"checkout", "gateway"}),
        ("owner:team-search", {"search"}),
        ("needs:person", {"search"}),
        ("state:over -service:gateway", {"pricing"}),
        ("2.5.0", {"gateway"}),
        ("kind:flag", set()),
    ],
)
async def test_a_filter_is_in_the_address_and_in_the_field(q: str, services: set[str]) -> None:
    """The same address shows the same rows to the next person."""
    staged = await looked_at(Scene.NORMAL)
    address = str(httpx.URL("/", params={"q": q}))

    first = await seen(await a_browser(staged.world.outside), address)
    second = await seen(await a_browser(staged.world.outside), address)

    assert services <= set(first.rows)
    assert set(second.rows) == set(first.rows)
    assert first.fields["q"] == q
    if not services:
        assert "No service fits this filter" in first.text


async def test_counts_and_kinds_are_links_that_keep_the_rest_of_the_filter() -> None:
    """A second press takes the term away again."""
    staged = await looked_at(Scene.NORMAL)
    browser = await a_browser(staged.world.outside)
    page = await seen(browser, "/?q=owner:team-*&density=dense")

    held, flag = page.links["held"], page.links["flag"]

    assert parse_qs(urlsplit(held).query) == {
        "q": ["owner:team-* state:held"],
        "density": ["dense"],
    }
    assert parse_qs(urlsplit(flag).query)["q"] == ["owner:team-* kind:flag"]
    again = (await seen(browser, held)).links["held"]
    assert parse_qs(urlsplit(again).query)["q"] == ["owner:team-*"]


async def test_a_filter_that_means_nothing_is_said_at_its_field_and_hides_nothing() -> None:
    """With what could have been meant."""
    staged = await looked_at(Scene.NORMAL)
    answer = await (await a_browser(staged.world.outside)).get("/", params={"q": "ownr:x"})

    page = Seen(answer.text)
    assert 'aria-invalid="true" aria-describedby="q-problem"' in answer.text
    assert "q-problem" in page.ids
    assert "did you mean 'owner'" in page.text
    assert page.fields["q"] == "ownr:x"
    assert len(page.rows) == 6


async def test_hostile_words_are_text_wherever_they_come_from() -> None:
    """In rows, cards, the filter's field and its links."""
    staged = await looked_at(Scene.HOSTILE)
    browser = await a_browser(staged.world.outside)

    for address in ("/", str(httpx.URL("/", params={"q": f'"{HOSTILE_TEXT}" "x'}))):
        page = await seen(browser, address)
        assert "img" not in page.tags
        assert page.tags.count("script") == 3
    assert HOSTILE_TEXT in (await seen(browser, "/")).text


async def test_rows_can_be_asked_for_alone() -> None:
    """Under the columns that the page has; a row that left the filter stays with what it is now."""
    staged = await looked_at(Scene.NORMAL)
    browser = await a_browser(staged.world.outside)

    page = await seen(
        browser,
        "/fleet/rows?service=checkout&service=nothing&column=first/eu-1&q=state:held&density=roomy",
    )

    assert list(page.rows) == ["checkout"]
    assert "5% 1.5.0" in page.rows["checkout"].replace("\ufe0e", "")
    assert "· 1.4.0" not in page.rows["checkout"]


async def test_the_summary_can_be_asked_for_alone() -> None:
    """Without the matrix, which is what is dear."""
    staged = await looked_at(Scene.HALTED)
    page = await seen(await a_browser(staged.world.outside), "/fleet/summary?q=state:held")

    assert "fleet-summary" in page.ids
    assert "orders fail in eu-1" in page.text
    assert "table" not in page.tags


@pytest.mark.parametrize("address", ["/fleet/rows?service=checkout", "/fleet/summary"])
async def test_parts_of_the_page_need_the_key_as_well(address: str) -> None:
    """There is no way around the page."""
    staged = await looked_at(Scene.NORMAL)
    app = create_app(staged.world.outside, token=TOKEN, version="0.1.0")
    stranger = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL)

    answer = await stranger.get(address)

    assert answer.status_code == 401
    assert "1.5.0" not in answer.text
    assert "team-release" not in answer.text


async def test_the_engine_says_how_it_is() -> None:
    """On time, late, or not known: never fine by default."""
    world = MemoryWorld()
    now = world.clock.now()
    on_time = Pulse(last_turn_at=now, late_by=timedelta(0), watched=7, watched_at=now, failing=0)
    late = replace(on_time, late_by=timedelta(seconds=45), failing=2)

    async def told(outside: Outside) -> str:
        return " ".join((await seen(await a_browser(outside), "/")).text.split())

    assert "on time, watches 7" in await told(replace(world.outside, pulse=lambda: on_time))
    text = await told(replace(world.outside, pulse=lambda: late))
    assert "45 s late, watches 7" in text
    assert "2 failing" in text
    assert "its state isn't known here" in await told(world.outside)


def a_large_fleet(services: int, targets: int) -> list[Rollout]:
    """Return rollouts in every state on many targets."""
    states = sorted(State)
    made = []
    for number in range(services):
        name = f"service-{number:04}"
        places = [a_placement(name, f"eu-{target}") for target in range(targets)]
        made.append(
            a_rollout(
                f"{number:06x}",
                service=name,
                state=states[number % len(states)],
                at=START - timedelta(minutes=number),
                plan=a_plan(placements=places),
            )
        )
    return made


async def test_five_hundred_services_on_twenty_targets_fit_on_one_page() -> None:
    """At most 400 kB, 60 kB as they are sent."""
    world = MemoryWorld()
    add(world, *a_large_fleet(500, 20))
    browser = await a_browser(world.outside)

    async with browser.stream("GET", "/", headers={"accept-encoding": "gzip"}) as answer:
        sent = b"".join([part async for part in answer.aiter_raw()])

    plain = gzip.decompress(sent)
    assert plain.count(b"<tbody") == 500
    assert len(plain) < 400_000
    assert len(sent) < 60_000


async def test_more_services_than_a_page_holds_are_on_the_next_one() -> None:
    """Each exactly once, and the page is in the address."""
    world = MemoryWorld()
    add(world, *a_large_fleet(MOST_SERVICES + 3, 1))
    browser = await a_browser(world.outside)

    first = await seen(browser, "/")
    second = await seen(browser, first.links[f"{MOST_SERVICES + 1} to {MOST_SERVICES + 3}"])

    assert len(first.rows) == MOST_SERVICES
    assert len(second.rows) == 3
    assert not set(first.rows) & set(second.rows)


async def test_a_rollout_of_another_organisation_is_nowhere_on_the_page() -> None:
    """Not in a row, a count, a column or a card."""
    world = MemoryWorld()
    stranger = a_rollout(
        "theirs", service="secret", state=State.HALTED, organisation="other", targets=("moon",)
    )
    add(world, stranger)
    caller = Caller(name="dev-a", kind=CallerKind.PERSON, person="dev-a", granted=None)

    fleet = read_fleet(world.outside, caller)

    assert fleet.rollouts == ()
    assert fleet.owners == {}
    assert needs_of(fleet) == ()
    assert RolloutId("theirs") not in fleet.evidence
