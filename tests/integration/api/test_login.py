"""Logging in over HTTP: who began finishes, what is kept, and how a session ends."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tidegate.api.app import create_app
from tidegate.api.pages.cookies import LOGIN_COOKIE, SESSION_COOKIE
from tidegate.domain.access.model import Caller, CallerKind
from tidegate.drivers.identity.memory import MemoryIdentity
from tidegate.errors import NotFoundError
from tidegate.ports.identity import Vouched, challenge_of
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.bus import perform
from tidegate.usecases.session_commands import EndSession
from tidegate.usecases.token_commands import RevokeToken
from tidegate.usecases.tokens import SESSIONS, digest_of

URL = "http://127.0.0.1:7180"
ROOT = {"authorization": "Bearer a-token-for-tests", "tidegate-actor": "operator"}
VERIFIER = "v" * 64
CALLBACK = "http://127.0.0.1:49152/callback"


class Login:
    """A server with an identity provider, and somebody who talks to it."""

    def __init__(self, world: MemoryWorld, client: httpx.AsyncClient) -> None:
        self.world = world
        self.http = client
        self.provider: MemoryIdentity = world.outside.identity  # type: ignore[assignment]

    def person(self, name: str = "alice", **changed: Any) -> Vouched:
        return replace(
            Vouched(
                issuer="https://provider.example",
                person=f"sub-of-{name}",
                name=name,
                groups=("payments",),
                authenticated_at=self.world.clock.now(),
            ),
            **changed,
        )

    async def begin(self, **changed: Any) -> httpx.Response:
        body = {"redirect_uri": CALLBACK, "challenge": challenge_of(VERIFIER), **changed}
        return await self.http.post("/v1/login/begin", json=body)

    async def finish(self, begun: dict[str, str], code: str, **changed: Any) -> httpx.Response:
        headers = changed.pop("headers", {})
        body = {"state": begun["state"], "code": code, "verifier": VERIFIER, **changed}
        return await self.http.post("/v1/login/finish", json=body, headers=headers)

    async def log_in(self, name: str = "alice", **options: Any) -> httpx.Response:
        again = options.pop("again", False)
        headers = options.pop("headers", {})
        begun = (await self.begin(again=again)).json()
        code = self.provider.log_in(begun["address"], self.person(name, **options))
        return await self.finish(begun, code, headers=headers)

    async def whoami(self, secret: str) -> httpx.Response:
        return await self.http.get("/v1/whoami", headers={"authorization": f"Bearer {secret}"})


@pytest.fixture
async def login(world: MemoryWorld) -> AsyncIterator[Login]:
    world.outside = replace(world.outside, identity=MemoryIdentity(), login_organisation="team-a")
    app = create_app(world.outside, token="a-token-for-tests", version="0")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield Login(world, client)


async def test_a_person_logs_in_and_is_known(login: Login) -> None:
    """By what the provider says, with when they proved it, for twelve hours."""
    done = await login.log_in()
    known = (await login.whoami(done.json()["secret"])).json()

    assert done.status_code == 201
    assert done.json()["secret"].startswith("tgs_")
    assert (known["name"], known["person"]) == ("alice", "sub-of-alice")
    assert (known["organisation"], known["groups"]) == ("team-a", ["payments"])
    assert (known["by"], known["is_verified"], known["is_root"]) == ("session", True, False)
    assert known["authenticated_at"] == known["as_of"]
    assert known["allows"] is None


async def test_nothing_is_kept_before_a_login_is_finished(login: Login) -> None:
    """Beginning is open to anyone, and must fill nothing. What is kept after it opens nothing."""
    for _ in range(20):
        assert (await login.begin()).status_code == 200
    with login.world.store.begin(read_only=True) as transaction:
        assert transaction.ledger() == []
        assert SESSIONS.latest(transaction) == ()

    secret = (await login.log_in()).json()["secret"]

    with login.world.store.begin(read_only=True) as transaction:
        filed = transaction.latest_filed("session")
        facts = transaction.ledger()
    assert digest_of(secret) in filed[0].record_json
    assert secret not in filed[0].record_json + repr(facts)
    assert [fact.rule for fact in facts] == ["log-in"]


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example/callback",
        "http://127.0.0.1.evil.example:1/callback",
        "http://127.0.0.1@evil.example:1/callback",
        "http://evil.example/?http://127.0.0.1:1/callback",
        "http://127.0.0.1:1/callback/../evil",
        "http://127.0.0.1:1/callback#x",
        "http://127.0.0.1/callback",
        "https://127.0.0.1:1/callback",
        "javascript:alert(1)",
        "",
    ],
)
async def test_a_login_comes_back_to_its_own_machine_only(login: Login, redirect_uri: str) -> None:
    """An address that sends the code elsewhere is refused."""
    assert (await login.begin(redirect_uri=redirect_uri)).status_code == 422


def forged(body: str, **changed: Any) -> str:
    """Return what is sealed in a state with something changed; the seal is another matter."""
    content = json.loads(base64.urlsafe_b64decode(body))
    # The same values in another spelling are a change too.
    text = json.dumps({**content, **changed}, sort_keys=True, indent=1)
    return base64.urlsafe_b64encode(text.encode()).decode()


async def test_who_did_not_begin_cannot_finish(login: Login) -> None:
    """Without the verifier, with another state, a changed one, one of another server, or too late."""

    async def begun() -> tuple[dict[str, str], str]:
        made = (await login.begin()).json()
        return made, login.provider.log_in(made["address"], login.person())

    refused = []
    for verifier in ("w" * 64, "short", ""):
        made, code = await begun()
        refused.append(await login.finish(made, code, verifier=verifier))
    for spoil in (
        lambda body, mac: f"{forged(body, again=False)}.{mac}",
        lambda body, mac: f"{forged(body, redirect='https://evil.example')}.{mac}",
        lambda body, mac: f"{body}.{mac[:-1]}{'0' if mac[-1] != '0' else '1'}",
        lambda body, mac: body,
        lambda body, mac: f"{body}.",
        lambda body, mac: f".{mac}",
        lambda body, mac: "",
        lambda body, mac: "é.é",
    ):
        made, code = await begun()
        refused.append(await login.finish(made, code, state=spoil(*made["state"].split("."))))
    made, code = await begun()
    other, _ = await begun()
    refused.append(await login.finish(other, code))
    refused.append(await login.finish(made, "guess"))
    made, code = await begun()
    login.world.clock.advance(timedelta(minutes=11))
    refused.append(await login.finish(made, code))

    assert [one.status_code for one in refused] == [401] * len(refused)
    assert {one.json()["code"] for one in refused} == {"identity.invalid"}
    with login.world.store.begin(read_only=True) as transaction:
        assert SESSIONS.latest(transaction) == ()


async def test_a_session_ends_when_it_is_not_used_and_in_any_case(login: Login) -> None:
    """After two hours without use, twelve with it."""
    idle = (await login.log_in()).json()["secret"]
    used = (await login.log_in("bob")).json()["secret"]
    seen = []
    for _ in range(12):
        login.world.clock.advance(timedelta(hours=1))
        seen.append((await login.whoami(used)).status_code)

    assert seen == [200] * 11 + [401]
    assert (await login.whoami(idle)).status_code == 401


async def test_use_is_noted_seldom(login: Login) -> None:
    """A request that reads doesn't write, but every five minutes."""
    secret = (await login.log_in()).json()["secret"]

    def used_at() -> Any:
        with login.world.store.begin(read_only=True) as transaction:
            return SESSIONS.latest(transaction)[0].used_at

    began = used_at()
    login.world.clock.advance(timedelta(minutes=4))
    await login.whoami(secret)
    before = used_at()
    login.world.clock.advance(timedelta(minutes=1))
    await login.whoami(secret)

    assert (before, used_at()) == (began, began + timedelta(minutes=5))


async def test_logging_out_ends_it_at_once(login: Login) -> None:
    """With the session's own secret; a token can be given back so too, the server's own can't."""
    secret = (await login.log_in()).json()["secret"]
    headers = {"authorization": f"Bearer {secret}"}
    body = {"purpose": "x", "allows": ["read"]}
    token = (await login.http.post("/v1/tokens", json=body, headers=ROOT)).json()["secret"]

    first = await login.http.post("/v1/logout", headers=headers)
    again = await login.http.post("/v1/logout", headers=headers)
    given_back = await login.http.post("/v1/logout", headers={"authorization": f"Bearer {token}"})
    root = await login.http.post("/v1/logout", headers=ROOT)

    assert first.json()["was"]["name"] == "alice"
    assert (first.status_code, again.status_code) == (200, 401)
    assert (given_back.status_code, root.status_code) == (200, 409)
    assert (await login.whoami(secret)).status_code == 401
    assert (await login.whoami(token)).status_code == 401


async def test_proving_it_again_makes_a_new_session_and_ends_the_old(login: Login) -> None:
    """The secret of before is worth nothing more; somebody else's session isn't touched."""
    old = (await login.log_in()).json()["secret"]
    other = (await login.log_in("bob")).json()["secret"]
    login.world.clock.advance(timedelta(minutes=30))

    new = await login.log_in(again=True, headers={"authorization": f"Bearer {old}"})
    await login.log_in(again=True, headers={"authorization": f"Bearer {other}"})

    known = (await login.whoami(new.json()["secret"])).json()
    assert known["authenticated_at"] == known["as_of"]
    assert (await login.whoami(old)).status_code == 401
    assert (await login.whoami(other)).status_code == 200


async def test_a_proof_of_before_does_not_count_as_again(login: Login) -> None:
    """A browser that was still logged in at the provider proves nothing new."""
    login.world.clock.advance(timedelta(minutes=30))
    earlier = login.world.clock.now() - timedelta(minutes=10)

    assert (await login.log_in(again=True, authenticated_at=earlier)).status_code == 401
    assert (await login.log_in(again=True, authenticated_at=None)).status_code == 401
    assert (await login.log_in(again=False, authenticated_at=earlier)).status_code == 201


async def test_a_name_stays_with_its_person(login: Login) -> None:
    """Who calls themselves alice at the provider later isn't alice, nor is a program of that name."""
    await login.log_in("alice")
    body = {"purpose": "x", "allows": ["read"], "holder": "ci", "kind": "program", "owner": "bob"}
    await login.http.post("/v1/tokens", json=body, headers=ROOT)

    assert (await login.log_in("alice", person="sub-of-eve")).status_code == 409
    assert (await login.log_in("Alice", person="sub-of-eve")).status_code == 409
    assert (await login.log_in("ci", person="sub-of-eve")).status_code == 409
    assert (await login.log_in("alice")).status_code == 201


async def test_sessions_are_listed_and_ended_by_others(login: Login) -> None:
    """A person sees their own; whoever may issue tokens ends anybody's."""
    secret = (await login.log_in()).json()["secret"]
    bob = (await login.log_in("bob")).json()["session"]["id"]
    headers = {"authorization": f"Bearer {secret}"}

    own = await login.http.get("/v1/sessions", headers=headers)
    of_all = await login.http.get("/v1/sessions", headers=headers, params={"all": True})
    everyone = await login.http.get("/v1/sessions", headers=ROOT, params={"all": True})
    alice = own.json()["sessions"][0]["id"]
    ended = await login.http.post(f"/v1/sessions/{alice}/end", json={}, headers=ROOT)
    unknown = await login.http.post("/v1/sessions/x/end", json={}, headers=ROOT)

    assert [one["name"] for one in own.json()["sessions"]] == ["alice"]
    assert of_all.status_code == 403
    assert {one["id"] for one in everyone.json()["sessions"]} == {alice, bob}
    assert ended.json()["ended_by"] == "operator"
    assert unknown.status_code == 404
    assert (await login.whoami(secret)).status_code == 401


async def test_a_browser_logs_in_with_cookies_that_only_this_host_gets(login: Login) -> None:
    """`__Host-`, Secure, HttpOnly; the pages open with them, and the API takes no cookie."""
    sent = await login.http.get("/login")
    login_cookie = sent.headers["set-cookie"]
    verifier = login_cookie.split(";")[0].partition("=")[2]
    address = sent.headers["location"]
    code = login.provider.log_in(address, login.person())
    state = httpx.URL(address).params["state"]
    params = {"state": state, "code": code}

    jar = {"cookie": f"{LOGIN_COOKIE}={verifier}"}
    stolen = await login.http.get("/login/callback", params=params)
    back = await login.http.get("/login/callback", params=params, headers=jar)
    cookies = back.headers.get_list("set-cookie")
    kept = next(one for one in cookies if one.startswith(SESSION_COOKIE))
    session = {"cookie": kept.split(";")[0]}
    page = await login.http.get("/", headers=session)
    api = await login.http.get("/v1/whoami", headers=session)
    stranger = await login.http.get("/", headers={"cookie": f"{SESSION_COOKIE}=tgs_{'A' * 43}"})

    assert sent.status_code == 303
    for cookie in (login_cookie, kept):
        assert cookie.startswith("__Host-")
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= attributes
        assert not [one for one in attributes if one.startswith("domain")]
    assert stolen.status_code == 401
    assert (back.status_code, back.headers["location"]) == (303, "/")
    assert page.status_code == 200
    assert (api.status_code, stranger.status_code) == (401, 401)


async def test_a_server_without_a_provider_says_so(client: httpx.AsyncClient) -> None:
    """Refused, with what to set; never an error of ours."""
    body = {"redirect_uri": CALLBACK, "challenge": challenge_of(VERIFIER)}
    begun = await client.post("/v1/login/begin", json=body)
    finished = await client.post(
        "/v1/login/finish", json={"state": "x.y", "code": "c", "verifier": VERIFIER}
    )
    page = await client.get("/login")

    assert [one.status_code for one in (begun, finished, page)] == [409, 409, 409]
    assert "TIDEGATE_OIDC_ISSUER" in begun.json()["hint"]


async def test_what_is_anothers_organisation_does_not_exist(login: Login) -> None:
    """Not even an administrator learns whether there is such a session or token elsewhere."""
    made = await login.log_in()
    body = {"purpose": "x", "allows": ["read"], "holder": "ci", "kind": "program", "owner": "bob"}
    token = await login.http.post("/v1/tokens", json=body, headers=ROOT)
    admin = Caller(name="eve", kind=CallerKind.PERSON, person="eve", organisation="other")

    for command in (
        RevokeToken(token=token.json()["token"]["id"], reason=""),
        EndSession(session=made.json()["session"]["id"], reason=""),
    ):
        with pytest.raises(NotFoundError):
            await perform(login.world.outside, admin, command)


async def test_the_pages_show_what_the_person_may_read(login: Login) -> None:
    """A login opens the pages; what isn't granted isn't on them."""
    login.world.outside = replace(login.world.outside, login_organisation="default")
    rollout = await login.world.installed()
    provider, outside = login.provider, login.world.outside
    app = create_app(outside, token="a-token-for-tests", version="0")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        there = Login(login.world, client)
        secret = (await there.log_in()).json()["secret"]
        cookie = {"cookie": f"{SESSION_COOKIE}={secret}"}
        body = {"subject": "person:alice", "role": "viewer", "scope": "default", "reason": "x"}

        before = await client.get("/", headers=cookie)
        hidden = await client.get(f"/rollouts/{rollout.id}", headers=cookie)
        granted = await client.post("/v1/access/grants", json=body, headers=ROOT)
        after = await client.get("/", headers=cookie)
        shown = await client.get(f"/rollouts/{rollout.id}", headers=cookie)

    assert provider is there.provider
    assert granted.status_code == 201, granted.text
    assert (before.status_code, hidden.status_code) == (200, 404)
    assert rollout.id not in before.text
    assert rollout.id in after.text
    assert shown.status_code == 200
