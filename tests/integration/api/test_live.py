"""Live hints: who gets which, in which order, and what ends a stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from live_pages import KEY_COOKIE, TOKEN, a_page, a_session
from two_tenants import ANN, EVE, MARK, ROOT, a_person, file_grant, two_tenants

import tidegate
from tidegate.api.app import create_app
from tidegate.api.live import hints, watcher
from tidegate.api.live.readers import MOST_OF_SESSION
from tidegate.domain.access.sessions import LONGEST_IDLE
from tidegate.domain.rollout.machine import State
from tidegate.domain.stops.model import StopScope
from tidegate.errors import StoreError
from tidegate.store.memory import MemoryStore
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.access import GRANTS
from tidegate.usecases.access_commands import RevokeGrant
from tidegate.usecases.bus import perform
from tidegate.usecases.record import note_fact
from tidegate.usecases.session_commands import EndSession
from tidegate.usecases.stop_commands import GiveStopOrder
from tidegate.usecases.tokens import SESSIONS

OTHER_DOCUMENT = DOCUMENT.replace("service: shop", "service: till")


@pytest.fixture
async def app(world: MemoryWorld) -> AsyncIterator[FastAPI]:
    """Return the application; whatever is open at the end is closed."""
    made = create_app(world.outside, token=TOKEN, version="0.1.0")
    yield made
    made.state.live.close()


def note(world: MemoryWorld, because: str = "a test", *, service: str = "", rule: str = "x") -> int:
    """Write a fact into the ledger; return its number."""
    with world.store.begin() as transaction:
        return note_fact(
            transaction,
            at=world.clock.now(),
            actor="dev-a",
            kind="command",
            rule=rule,
            because=because,
            service=service,
        ).number


async def stop_everything(world: MemoryWorld) -> None:
    command = GiveStopOrder(scope=StopScope.EVERYTHING, name="", withdraw=False, reason="all of it")
    await perform(world.outside, ROOT, command)


def newest(world: MemoryWorld) -> int:
    with world.store.begin(read_only=True) as transaction:
        latest = transaction.latest_entry()
    return 0 if latest is None else latest.number


# --- what comes, in which order ------------------------------------------------------------------


async def test_a_stream_greets_and_then_tells_each_entry_once(
    app: FastAPI, world: MemoryWorld
) -> None:
    """The number of the newest entry first; then one hint per entry, in the ledger's order."""
    first = await world.installed()
    before = newest(world)

    async with a_page(app) as page:
        rollout = await world.start("1.1.0")
        await world.run(rollout.id, until=[State.BAKING])
        told = await page.until_told(newest(world) - before)

    hello = page.events[0]
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/event-stream")
    assert page.headers["cache-control"] == "no-store"
    assert page.body.startswith(b"retry: 2000\n")
    assert (hello.name, hello.id, hello.data["number"]) == ("hello", before, before)
    assert hello.data["at"].startswith("20")
    assert [one.id for one in told] == list(range(before + 1, newest(world) + 1))
    assert {one.name for one in told} == {"rollout"}
    assert {one.data["rollout"] for one in told} == {rollout.id} != {first.id}
    start = told[0].data
    assert (start["service"], start["kind"], start["rule"]) == ("shop", "command", "start")
    assert told[-1].data["state_after"] == "baking"
    assert all(one.data["because"] for one in told[1:])


@pytest.mark.parametrize("by", ["header", "query"])
async def test_a_stream_is_taken_up_behind_what_was_told(
    app: FastAPI, world: MemoryWorld, by: str
) -> None:
    """No gap and no repetition, whether the browser or the page says where it was."""
    async with a_page(app) as page:
        note(world, "seen")
        await page.until_told(1)
        was_at = page.last_id
    missed = [note(world, f"missed {number}") for number in range(3)]

    query, last_id = ("", was_at) if by == "header" else (f"after={was_at}", None)
    async with a_page(app, query, last_id=last_id) as page:
        later = note(world, "live")
        told = await page.until_told(4)

    assert page.events[0].id == was_at
    assert [one.id for one in told] == [*missed, later]


async def test_what_the_browser_says_counts_more_than_the_address(
    app: FastAPI, world: MemoryWorld
) -> None:
    """A browser that comes back asks at the old address, and says in the header how far it is."""
    first, second, third = (note(world) for _ in range(3))

    async with a_page(app, f"after={first}", last_id=second) as page:
        told = await page.until_told(1)

    assert [one.id for one in told] == [third]


async def test_who_missed_too_much_starts_anew(app: FastAPI, world: MemoryWorld) -> None:
    """Just one word, and from there on what happens next."""
    for _ in range(watcher.MOST_MISSED + 2):
        last = note(world)

    async with a_page(app, last_id=1) as far, a_page(app, last_id=2) as near:
        later = note(world)
        told = await far.until_told(2)
        all_of_it = await near.until_told(watcher.MOST_MISSED + 1)

    assert [(one.name, one.id) for one in told] == [("reset", last), ("other", later)]
    assert told[0].data == {"number": last}
    assert [one.id for one in all_of_it] == list(range(3, later + 1))


async def test_a_number_of_another_store_starts_anew(app: FastAPI, world: MemoryWorld) -> None:
    """A page may be older than the store behind it; it mustn't wait for numbers that may never come."""
    last = note(world)

    async with a_page(app, last_id=last + 100) as page:
        told = await page.until_told(1)

    assert [(one.name, one.id) for one in told] == [("reset", last)]


async def test_a_page_of_one_rollout_hears_of_that_and_of_what_holds_it(
    app: FastAPI, world: MemoryWorld
) -> None:
    """Not of other rollouts or services; of its service, and of what holds everything."""
    rollout = await world.start("1.0.0")
    await world.start("1.0.0", document=OTHER_DOCUMENT)

    async with (
        a_page(app, f"rollout={rollout.id}") as of_rollout,
        a_page(app, "service=till") as of_service,
        a_page(app) as of_all,
    ):
        note(world, "of the till", service="till")
        note(world, "of the shop", service="shop")
        await stop_everything(world)
        await of_all.until_told(3)
        await of_rollout.until_told(2)
        await of_service.until_told(2)

    assert [one.data["service"] for one in of_rollout.hints] == ["shop", ""]
    assert [one.data["service"] for one in of_service.hints] == ["till", ""]
    assert of_rollout.hints[-1].name == "stop"


async def test_words_of_people_stay_in_their_line(app: FastAPI, world: MemoryWorld) -> None:
    """A reason with line ends can't begin an event of its own."""
    async with a_page(app) as page:
        note(world, "one\n\nevent: stop\ndata: {}\r\n\u2028two")
        told = await page.until_told(1)

    assert told[0].name == "other"
    assert told[0].data["because"] == "one\n\nevent: stop\ndata: {}\r\n\u2028two"


async def test_two_servers_on_one_store_tell_the_same(world: MemoryWorld, app: FastAPI) -> None:
    """What one server did is told by the other too."""
    other = create_app(world.outside, token=TOKEN, version="0.1.0")

    async with a_page(app) as one, a_page(other) as two:
        await world.start("1.0.0")
        await one.until_told(1)
        await two.until_told(1)

    assert [one.data for one in one.hints] == [two.data for two in two.hints]


async def test_a_quiet_stream_keeps_its_place(
    app: FastAPI, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signs of life move the id on, so that a page which heard of nothing for long misses nothing."""
    monkeypatch.setattr(watcher, "BEAT_EVERY_SECONDS", 0.0)
    await world.start("1.0.0")
    async with a_page(app, "service=shop") as page:
        last = note(world, service="till")
        await page.until(lambda one: one.last_id == last, "a sign of life behind the last entry")

    assert page.hints == []


def test_rules_that_have_a_topic_exist() -> None:
    """A rule that is renamed would silently become a hint of another kind."""
    folder = Path(tidegate.__file__).parent
    source = "".join(
        file.read_text(encoding="utf-8")
        for part in ("usecases", "domain")
        for file in sorted((folder / part).rglob("*.py"))
    )

    assert [
        rule for rule in {*hints.TOPIC_OF_RULE, *hints.CHANGES_ACCESS} if f'"{rule}"' not in source
    ] == []


# --- who gets which ------------------------------------------------------------------------------


async def refused(app: FastAPI, query: str = "", **options: str) -> tuple[int, str]:
    async with a_page(app, query, **options) as page:
        pass
    assert page.headers["content-type"] == "application/problem+json"
    return page.status, json.loads(page.body)["code"]


async def test_what_cant_be_answered_is_refused_before_the_stream(
    app: FastAPI, world: MemoryWorld
) -> None:
    """Without a key, with another's, about what isn't there, or from a place that is no number."""
    rollout = await world.start("1.0.0")

    assert await refused(app, cookie="") == (401, "not_allowed")
    assert await refused(app, cookie=KEY_COOKIE[:-1]) == (401, "not_allowed")
    assert await refused(app, cookie="__Host-tidegate-session=x") == (401, "not_allowed")
    assert await refused(app, "rollout=nothing") == (404, "not_found")
    assert await refused(app, "service=nothing") == (404, "not_found")
    assert await refused(app, f"service=shop&rollout={rollout.id}") == (422, "request.invalid")
    assert await refused(app, "after=x") == (422, "request.invalid")


async def test_tenants_hear_only_of_their_own(
    app: FastAPI, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that acme does is told to acme, and nothing of it to umbrella."""
    # Their first grants are filed without a word in the ledger.
    monkeypatch.setattr(watcher, "CHECK_EVERY_SECONDS", 0.0)
    _, of_ann = a_session(world, ANN)
    _, of_eve = a_session(world, EVE)

    async with a_page(app, cookie=of_ann) as ann, a_page(app, cookie=of_eve) as eve:
        acme = await two_tenants(world)
        await stop_everything(world)
        last = newest(world)
        await ann.until(lambda one: one.last_id == last, "acme's last hint")
        await eve.until(lambda one: one.last_id == last, "umbrella's last hint")
        missing = await refused(app, f"rollout={acme.rollout.id}", cookie=of_eve)

    assert acme.rollout.id in {one.data["rollout"] for one in ann.hints}
    assert {"rollout", "stop", "freeze", "emergency", "other"} <= {one.name for one in ann.hints}
    # What everybody is held by is everybody's.
    assert eve.hints[-1].name == "stop"
    assert eve.hints[-1].data["because"].endswith(": all of it")
    assert MARK not in eve.body.decode()
    assert acme.rollout.id not in eve.body.decode()
    assert missing == (404, "not_found")


async def test_who_missed_something_gets_only_what_they_may_read(
    app: FastAPI, world: MemoryWorld
) -> None:
    """Coming back is no way around."""
    _, of_eve = a_session(world, EVE)
    async with a_page(app, cookie=of_eve) as eve:
        was_at = eve.last_id
    await two_tenants(world)
    await stop_everything(world)

    async with a_page(app, cookie=of_eve, last_id=was_at) as eve:
        await eve.until_told(1)

    assert [one.name for one in eve.hints] == ["stop"]
    assert MARK not in eve.body.decode()


async def test_a_grant_that_is_taken_back_silences_at_once(
    app: FastAPI, world: MemoryWorld
) -> None:
    """What happens in the same moment, right behind it, isn't told any more."""
    await world.start("1.0.0")
    kim = a_person("kim", "default")
    file_grant(world, "person:kim", "viewer", "default")
    _, cookie = a_session(world, kim)
    with world.store.begin(read_only=True) as transaction:
        (grant,) = GRANTS.open(transaction)

    async with a_page(app, cookie=cookie) as page, a_page(app) as other:
        note(world, "may be read", service="shop")
        await page.until_told(1)
        await perform(world.outside, ROOT, RevokeGrant(grant=grant.id, reason="leaves"))
        note(world, "may not", service="shop")
        await other.until_told(3)

    assert [one.data["because"] for one in page.hints] == ["may be read"]


async def test_a_session_that_is_ended_ends_its_streams(app: FastAPI, world: MemoryWorld) -> None:
    """At once, and without a word of what came behind it; whoever comes back is refused."""
    await world.start("1.0.0")
    file_grant(world, "person:kim", "viewer", "default")
    session, cookie = a_session(world, a_person("kim", "default"))

    async with a_page(app, cookie=cookie) as page:
        await perform(world.outside, ROOT, EndSession(session=session.id, reason="lost laptop"))
        note(world, "may not be read", service="shop")
        await page.until_over()

    assert page.hints == []
    assert await refused(app, cookie=cookie) == (401, "not_allowed")


async def test_a_session_that_nobody_uses_ends_though_its_page_is_open(
    app: FastAPI, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that was left open is nobody's presence: it doesn't keep the session."""
    monkeypatch.setattr(watcher, "CHECK_EVERY_SECONDS", 0.0)
    session, cookie = a_session(world, a_person("kim", "default"))

    world.clock.advance(LONGEST_IDLE / 2)
    async with a_page(app, cookie=cookie) as page:
        world.clock.advance(LONGEST_IDLE / 2)
        await page.until_over()

    with world.store.begin(read_only=True) as transaction:
        kept = SESSIONS.get(transaction, session.id)
    assert kept is not None
    assert kept.used_at == session.used_at


# --- what ends, and what has bounds --------------------------------------------------------------


async def test_a_page_that_doesnt_read_is_let_go(app: FastAPI, world: MemoryWorld) -> None:
    """Nothing is kept for it, others hear on, and when it comes back it misses nothing."""
    async with a_page(app) as slow, a_page(app) as other:
        slow.fill()
        first = note(world)
        await other.until_told(1)
        second = note(world)
        await other.until_told(2)
        assert slow.hints == []
        slow.read()
        await slow.until_over()

    async with a_page(app, last_id=slow.last_id) as back:
        told = await back.until_told(2)
    assert [one.id for one in told] == [first, second]


async def test_a_server_that_ends_ends_its_streams(app: FastAPI) -> None:
    """At once and all; and nobody gets in behind them."""
    async with a_page(app) as one, a_page(app) as two:
        app.state.live.close()
        assert one.is_over
        assert two.is_over

    assert await refused(app) == (429, "rate_limited")


async def test_a_session_has_so_many_streams_and_no_more(app: FastAPI, world: MemoryWorld) -> None:
    """One person can't take the places of all; a place that is given back can be taken again."""
    _, cookie = a_session(world, a_person("kim", "default"))

    async with AsyncExitStack() as others:
        for _ in range(MOST_OF_SESSION - 1):
            await others.enter_async_context(a_page(app, cookie=cookie))
        async with a_page(app, cookie=cookie) as last:
            assert last.status == 200
            async with a_page(app, cookie=cookie) as more, a_page(app) as another:
                assert (more.status, another.status) == (429, 200)
                assert int(more.headers["retry-after"]) > 0
        async with a_page(app, cookie=cookie) as again:
            assert again.status == 200


async def test_a_server_has_so_many_streams_and_no_more(world: MemoryWorld) -> None:
    """Connections are left for whoever wants to halt something."""
    app = create_app(world.outside, token=TOKEN, version="0.1.0", most_live=2)

    async with a_page(app), a_page(app), a_page(app) as third:
        assert third.status == 429
    async with a_page(app) as again:
        assert again.status == 200


async def test_a_server_without_open_pages_looks_at_nothing(
    app: FastAPI, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watcher ends with the last page, and a later page has one again."""
    monkeypatch.setattr(watcher, "LOOK_EVERY_SECONDS", 0.0)

    def watching() -> list[asyncio.Task[None]]:
        return [task for task in asyncio.all_tasks() if task.get_name() == "live"]

    assert watching() == []
    async with a_page(app):
        (task,) = watching()
    await task
    assert watching() == []
    async with a_page(app) as page:
        note(world)
        await page.until_told(1)


async def test_a_store_that_cant_be_read_ends_the_streams(
    app: FastAPI, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that isn't told anything any more must be able to say so; a short failure is borne."""
    begin = MemoryStore.begin
    broken = False

    @contextmanager
    def failing(store: MemoryStore, *, read_only: bool = False):  # type: ignore[no-untyped-def]
        if broken:
            raise StoreError("the disk is gone", hint="put it back")
        with begin(store, read_only=read_only) as transaction:
            yield transaction

    monkeypatch.setattr(MemoryStore, "begin", failing)
    monkeypatch.setattr(watcher, "LOOK_EVERY_SECONDS", 0.0)
    async with a_page(app) as page:
        broken = True
        for _ in range(100):
            await asyncio.sleep(0)
        broken = False
        note(world)
        await page.until_told(1)
        assert not page.is_over

        monkeypatch.setattr(watcher, "GIVE_UP_AFTER_SECONDS", 0.0)
        broken = True
        await page.until_over()
        assert await refused(app) == (503, "store.failed")
