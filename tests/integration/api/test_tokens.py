"""API tokens over HTTP: whose they are, what is kept of them, and that a bad one opens nothing."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tidegate.api.app import create_app
from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.access.permissions import Permission
from tidegate.errors import ForbiddenError, RefusedError, StoreError
from tidegate.ports.store import Transaction
from tidegate.store.open import open_store
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.token_commands import IssueToken
from tidegate.usecases.tokens import API_TOKENS, digest_of

URL = "http://127.0.0.1:7180"
ROOT_TOKEN = "a-token-for-tests"


async def issue(client: httpx.AsyncClient, **said: Any) -> httpx.Response:
    body = {"purpose": "a test", "allows": ["read", "halt"], **said}
    return await client.post("/v1/tokens", json=body)


async def secret_of(client: httpx.AsyncClient, **said: Any) -> tuple[str, str]:
    """Return the secret and the id of a new token."""
    made = await issue(client, **said)
    assert made.status_code == 201, made.text
    return made.json()["secret"], made.json()["token"]["id"]


async def ask(client: httpx.AsyncClient, secret: str, **headers: str) -> httpx.Response:
    """Ask who a caller with *secret* is, without a claimed name unless one is given."""
    request = client.build_request(
        "GET", "/v1/whoami", headers={"authorization": f"Bearer {secret}", **headers}
    )
    if "tidegate-actor" not in headers:
        del request.headers["tidegate-actor"]
    return await client.send(request)


def shown(at: datetime) -> str:
    """Return an instant as the API writes it."""
    return at.isoformat().replace("+00:00", "Z")


async def test_a_token_says_whose_it_is(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """Its holder is known by it alone: name, person, organisation, limits and end."""
    secret, token_id = await secret_of(
        client, holder="ci-shop", kind="program", owner="bob", organisation="team-a"
    )

    known = await ask(client, secret)
    root = await ask(client, ROOT_TOKEN, **{"tidegate-actor": "carol"})

    assert secret.startswith("tg_") and len(secret) == 46
    assert known.status_code == 200
    assert (
        known.json()
        == {
            "name": "ci-shop",
            "kind": "program",
            "person": "bob",
            "organisation": "team-a",
            "groups": [],
            "is_verified": True,
            "is_root": False,
            "by": "api_token",
            "token": token_id,
            "allows": ["halt", "read"],
            "valid_until": "2026-03-31T12:00:00Z",
            "authenticated_at": None,
            "as_of": "2026-03-01T12:00:00Z",
        }
        or known.json()["valid_until"] > known.json()["as_of"]
    )
    assert root.json()["name"] == "carol"
    assert (root.json()["is_root"], root.json()["is_verified"]) == (True, False)
    assert root.json()["by"] == "server_token"


async def test_nothing_that_opens_is_kept(tmp_path: Path) -> None:
    """A dump of the database and every answer but the one hold no token, with an idempotency key too."""
    path = tmp_path / "tidegate.db"
    world = MemoryWorld(store=open_store(f"sqlite:///{path}"))  # type: ignore[arg-type]
    app = create_app(world.outside, token=ROOT_TOKEN, version="0")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {ROOT_TOKEN}", "tidegate-actor": "alice"}
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as client:
        body = {"purpose": "x", "allows": ["read"]}
        made = await client.post("/v1/tokens", json=body, headers={"idempotency-key": "one"})
        secret, token_id = made.json()["secret"], made.json()["token"]["id"]
        listed = await client.get("/v1/tokens", params={"all": True})
        revoked = await client.post(f"/v1/tokens/{token_id}/revoke", json={"reason": "x"})

    dump = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert digest_of(secret).encode() in dump
    for kept in (dump, listed.content, revoked.content):
        assert secret.encode() not in kept
        assert secret.removeprefix("tg_").encode() not in kept
        assert ROOT_TOKEN.encode() not in kept


async def test_a_revoked_token_opens_nothing_from_the_next_request_on(
    client: httpx.AsyncClient,
) -> None:
    """At once; again changes nothing, and the ledger says who did it."""
    secret, token_id = await secret_of(client)
    before = await ask(client, secret)

    first = await client.post(f"/v1/tokens/{token_id}/revoke", json={"reason": "lost"})
    after = await ask(client, secret)
    second = await client.post(f"/v1/tokens/{token_id}/revoke", json={})

    assert (before.status_code, after.status_code) == (200, 401)
    assert first.json()["revoked_by"] == "alice"
    assert second.json() == first.json()


async def test_a_token_ends_by_itself(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """Thirty days by default; the server's clock decides."""
    secret, _ = await secret_of(client)

    world.clock.advance(timedelta(days=30, seconds=-1))
    before = await ask(client, secret)
    world.clock.advance(timedelta(seconds=1))
    after = await ask(client, secret)

    assert (before.status_code, after.status_code) == (200, 401)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "tg_",
        "tg_" + "A" * 43,
        "tgs_" + "A" * 43,
        "tg_" + "A" * 100_000,
        "tg_\x00",
        "../../token",
        "' OR 1=1 --",
        "{secret}x",
        "x{secret}",
        "{secret} {secret}",
        "{id}",
        "{digest}",
        "{upper}",
    ],
)
async def test_what_was_not_issued_opens_nothing(client: httpx.AsyncClient, bad: str) -> None:
    """Unknown, malformed, nearly right, and what is kept of a token: each is 401 and never 500."""
    secret, token_id = await secret_of(client)
    given = bad.format(
        secret=secret, id=token_id, digest=digest_of(secret), upper=secret.upper()
    ).encode()

    answer = await client.get(
        "/v1/whoami",
        headers=[(b"authorization", b"Bearer " + given), (b"tidegate-actor", b"alice")],
    )

    assert answer.status_code == 401
    assert answer.json()["code"] == "not_allowed"
    assert secret not in answer.text


async def test_every_bad_token_is_looked_up_alike(world: MemoryWorld) -> None:
    """How long a refusal takes doesn't tell why: each reads the store once, for one record."""
    asked: list[list[str]] = []

    class Counting:
        """The store, noting what is looked up."""

        @contextmanager
        def begin(self, *, read_only: bool = False) -> Iterator[Transaction]:
            with world.store.begin(read_only=read_only) as transaction:
                names: list[str] = []
                asked.append(names)

                class Noting:
                    def __getattr__(self, name: str) -> Any:
                        names.append(name)
                        return getattr(transaction, name)

                yield Noting()  # type: ignore[misc]

    outside = replace(world.outside, store=Counting())
    app = create_app(outside, token=ROOT_TOKEN, version="0")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        client.headers["authorization"] = f"Bearer {ROOT_TOKEN}"
        client.headers["tidegate-actor"] = "alice"
        revoked, revoked_id = await secret_of(client)
        expired, _ = await secret_of(client, valid_days=1)
        await client.post(f"/v1/tokens/{revoked_id}/revoke", json={})
        world.clock.advance(timedelta(days=2))
        seen = []
        for bad in (revoked, expired, "tg_" + "A" * 43, "nonsense", "", "x" * 5000):
            asked.clear()
            assert (await ask(client, bad)).status_code == 401
            seen.append([*asked])

    assert seen == [[["filed"]]] * 6


async def test_no_other_name_can_be_claimed_with_a_token(client: httpx.AsyncClient) -> None:
    """The header must be left out or say the same."""
    secret, _ = await secret_of(client)

    same = await ask(client, secret, **{"tidegate-actor": "alice"})
    other = await ask(client, secret, **{"tidegate-actor": "bob"})

    assert (same.status_code, other.status_code) == (200, 403)


async def test_a_token_gives_nothing_by_itself(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Without a grant its holder is known and may still do nothing: 403, where a stranger gets 401."""
    await world.installed()
    secret, _ = await secret_of(client)
    body = {"scope": "everything", "reason": "x"}
    headers = {"authorization": f"Bearer {secret}"}

    known = await client.post("/v1/stops", json=body, headers=headers)
    stranger = await client.post("/v1/stops", json=body, headers={"authorization": "Bearer no"})

    assert (known.status_code, stranger.status_code) == (403, 401)


async def test_a_name_stays_with_who_had_it_first(client: httpx.AsyncClient) -> None:
    """A program can't become another owner's, a person or another organisation's, in any capitals."""
    await secret_of(client, holder="ci", kind="program", owner="bob")

    again = await issue(client, holder="ci", kind="program", owner="bob")
    taken = [
        await issue(client, holder="ci", kind="program", owner="eve"),
        await issue(client, holder="CI", kind="program", owner="bob"),
        await issue(client, holder="ci", kind="program", owner="bob", organisation="other"),
    ]
    as_person = await issue(client, holder="ci")
    as_owner = await issue(client, holder="ci2", kind="program", owner="ci")

    assert again.status_code == 201
    assert [one.status_code for one in taken] == [409, 409, 409]
    assert (as_person.status_code, as_owner.status_code) == (422, 422)


@pytest.mark.parametrize(
    "said",
    [
        {"allows": []},
        {"allows": ["everything"]},
        {"allows": ["public"]},
        {"allows": ["login", "read"]},
        {"valid_days": 0},
        {"valid_days": 91},
        {"purpose": "  "},
        {"holder": "tidegate"},
        {"holder": "Root"},
        {"holder": "a b"},
        {"kind": "program"},
        {"owner": "bob"},
        {"organisation": "a/*"},
        {"organisation": ""},
        {"secret": "tg_mine"},
    ],
)
async def test_what_makes_no_sense_is_refused(
    client: httpx.AsyncClient, world: MemoryWorld, said: dict[str, Any]
) -> None:
    """Nothing is issued, and nothing is on record."""
    answer = await issue(client, **said)

    with world.store.begin(read_only=True) as transaction:
        assert API_TOKENS.latest(transaction) == ()
        assert transaction.ledger() == []
    assert answer.status_code in (403, 422), answer.text


async def test_a_person_issues_for_themselves_and_never_for_others(world: MemoryWorld) -> None:
    """What the ruling lets through is still limited to one's own name, programs and permissions."""
    alice = Caller(
        name="alice",
        kind=CallerKind.PERSON,
        person="sub-1",
        is_verified=True,
        granted=frozenset({Permission.READ, Permission.TOKEN_ISSUE}),
    )
    mine = IssueToken(purpose="x", granted=(Permission.READ,))

    issued = await mine.carry_out(world.outside, alice)

    assert issued.token.identity.person == "sub-1"
    assert issued.secret not in repr(issued)
    for wrong in (
        replace(mine, holder="bob"),
        replace(mine, granted=(Permission.READ, Permission.START)),
        replace(mine, granted=(Permission.TOKEN_ISSUE,)),
        replace(mine, organisation="other"),
        replace(mine, kind=CallerKind.PROGRAM, holder="ci", owner="bob"),
    ):
        with pytest.raises(ForbiddenError):
            await wrong.carry_out(world.outside, alice)


async def test_a_program_of_somebody_else_is_not_taken_over(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What was granted to a program isn't had by issuing oneself another token for it."""
    await secret_of(client, holder="ci", kind="program", owner="bob")
    eve = Caller(name="eve", kind=CallerKind.PERSON, person="eve", is_verified=True)
    take = IssueToken(
        purpose="x", granted=(Permission.START,), kind=CallerKind.PROGRAM, holder="ci"
    )

    with pytest.raises(RefusedError):
        await take.carry_out(world.outside, eve)


async def test_everyone_lists_their_own(client: httpx.AsyncClient) -> None:
    """A person sees theirs and their programs'; all are for who may issue tokens."""
    own, own_id = await secret_of(client, holder="bob")
    _, program_id = await secret_of(client, holder="ci", kind="program", owner="bob")
    await secret_of(client, holder="carol")
    headers = {"authorization": f"Bearer {own}", "tidegate-actor": "bob"}

    listed = await client.get("/v1/tokens", headers=headers)
    everyone = await client.get("/v1/tokens", headers=headers, params={"all": True})
    root = await client.get("/v1/tokens", params={"all": True})

    assert {one["id"] for one in listed.json()["tokens"]} == {own_id, program_id}
    assert everyone.status_code == 403
    assert len(root.json()["tokens"]) == 3


async def test_without_the_store_only_the_servers_own_token_is_known(world: MemoryWorld) -> None:
    """What can't be looked up isn't let in: 503, and the way to stop things stays open."""

    class Broken:
        def begin(self, *, read_only: bool = False) -> Any:
            raise StoreError("the store is away", hint="wait")

    app = create_app(replace(world.outside, store=Broken()), token=ROOT_TOKEN, version="0")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        client.headers["tidegate-actor"] = "alice"
        issued = await ask(client, "tg_" + "A" * 43)
        root = await ask(client, ROOT_TOKEN, **{"tidegate-actor": "alice"})

    assert (issued.status_code, root.status_code) == (503, 200)


async def test_the_whole_digest_counts(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """The id is the beginning of the digest: a secret that shares only that opens nothing."""
    secret, token_id = await secret_of(client)
    with world.store.begin() as transaction:
        token = API_TOKENS.get(transaction, token_id)
        assert token is not None
        API_TOKENS.put(transaction, replace(token, digest=token_id + "0" * 44))

    assert (await ask(client, secret)).status_code == 401


async def test_who_waits_for_events_is_looked_at_again(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A token that is revoked while it waits is told nothing of what happened meanwhile."""
    rollout = await world.installed()
    secret, token_id = await secret_of(client, allows=["read"])
    body = {"subject": "person:alice", "role": "viewer", "scope": "default", "reason": "x"}
    granted = await client.post("/v1/access/grants", json=body)
    path = f"/v1/rollouts/{rollout.id}/events"
    latest = (await client.get(path)).json()["next"]
    waits = client.get(
        path,
        params={"after": latest, "wait_seconds": 0.5},
        headers={"authorization": f"Bearer {secret}"},
    )

    waiting = asyncio.create_task(waits)
    await asyncio.sleep(0.1)
    await client.post(f"/v1/tokens/{token_id}/revoke", json={})
    answer = await waiting

    assert granted.status_code == 201, granted.text
    assert answer.status_code == 401
