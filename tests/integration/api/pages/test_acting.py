"""Acting from a page: who may, that nobody else's page can, and that pressing twice acts once."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from tidegate.api.app import create_app
from tidegate.api.pages.cookies import SESSION_COOKIE
from tidegate.api.tokens import acting_key, page_key
from tidegate.domain.access.proof import IdentityMode
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.drivers.identity.memory import MemoryIdentity
from tidegate.ports.identity import Vouched, challenge_of
from tidegate.testing.memory_world import MemoryWorld

TOKEN = "a-token-for-tests"
URL = "http://127.0.0.1:7180"
SCRIPT = {"tidegate-script": "1"}
ACTING = {**SCRIPT, "tidegate-acting": f"dev-a.{acting_key(TOKEN, 'dev-a')}"}
VERIFIER = "v" * 64


async def baking(world: MemoryWorld) -> Rollout:
    await world.installed()
    rollout = await world.start("1.1.0")
    return await world.run(rollout.id, until={State.BAKING})


@pytest.fixture
async def browser(page_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a browser that has the page key, on a server where names are claims."""
    await page_client.get("/", params={"token": page_key(TOKEN)})
    return page_client


# --- where names are claims --------------------------------------------------------------------------


async def test_a_page_with_the_acting_key_halts_under_its_name(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What it says is told, and the ledger has the name that the key is for."""
    rollout = await baking(world)

    answer = await browser.post(
        f"/rollouts/{rollout.id}/halt", data={"reason": "looks wrong"}, headers=ACTING
    )

    halt = world.rollout(rollout.id).halt
    assert answer.status_code == 200
    assert answer.json() == {"message": "shop halted", "location": f"/rollouts/{rollout.id}"}
    assert halt is not None
    assert (halt.by, halt.because) == ("dev-a", "looks wrong")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "dev-a",
        "dev-a.",
        f"dev-a.{'0' * 64}",
        f"lead-a.{acting_key(TOKEN, 'dev-a')}",
        f"dev-a.{page_key(TOKEN)}",
        f"dev-a.{TOKEN}",
        f"dev a.{acting_key(TOKEN, 'dev a')}",
    ],
)
async def test_without_the_key_for_its_name_a_page_only_looks(
    browser: httpx.AsyncClient, world: MemoryWorld, header: str
) -> None:
    """The page key in the cookie, which a neighbour may see, moves nothing; nor does another's key."""
    rollout = await baking(world)

    answer = await browser.post(
        f"/rollouts/{rollout.id}/halt", headers={**SCRIPT, "tidegate-acting": header}
    )

    assert answer.status_code == 401
    assert "--as NAME" in answer.json()["hint"]
    assert world.rollout(rollout.id).state is State.BAKING


async def test_the_acting_key_alone_opens_nothing(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Without the page key there is no page that it could act from."""
    rollout = await baking(world)

    answer = await page_client.post(f"/rollouts/{rollout.id}/halt", headers=ACTING)

    assert answer.status_code == 401
    assert world.rollout(rollout.id).state is State.BAKING


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "http://127.0.0.1:7181"},
        {"origin": "null"},
    ],
)
async def test_a_form_from_elsewhere_is_refused(
    browser: httpx.AsyncClient, world: MemoryWorld, headers: dict[str, str]
) -> None:
    """Also from another port of this host, with everything else right."""
    rollout = await baking(world)

    answer = await browser.post(f"/rollouts/{rollout.id}/halt", headers={**ACTING, **headers})

    assert answer.status_code == 403
    assert world.rollout(rollout.id).state is State.BAKING


async def test_pressing_twice_acts_once(browser: httpx.AsyncClient, world: MemoryWorld) -> None:
    """The same form with the same key is answered again, and not done again."""
    form = {"scope": "everything", "key": "page-1", "reason": "storm"}

    first = await browser.post("/stops", data=form, headers=ACTING)
    again = await browser.post("/stops", data=form, headers=ACTING)
    listed = await browser.get("/v1/stops", headers={"authorization": f"Bearer {TOKEN}"})

    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len(listed.json()["orders"]) == 1


async def test_what_has_moved_since_the_page_was_made_is_refused(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A roll back is of what was seen; a halt is right wherever it is by now."""
    rollout = await baking(world)
    seen = {"phase": "1", "revision": str(rollout.revision - 1)}

    back = await browser.post(f"/rollouts/{rollout.id}/rollback", data=seen, headers=ACTING)
    halt = await browser.post(f"/rollouts/{rollout.id}/halt", data=seen, headers=ACTING)

    assert back.status_code == 409
    assert halt.status_code == 200


async def test_a_form_that_isnt_one_is_refused(browser: httpx.AsyncClient) -> None:
    """Numbers that are none, scopes that don't exist, more fields than any form has."""
    bad = {"phase": "x", "revision": "y"}
    many = {f"field-{number}": "1" for number in range(101)}

    answers = [
        await browser.post("/rollouts/shop/rollback", data=bad, headers=ACTING),
        await browser.post("/stops", data={"scope": "galaxy"}, headers=ACTING),
        await browser.post("/stops", data=many, headers=ACTING),
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 422]


async def test_buttons_are_there_for_whoever_acts_and_not_for_whoever_looks(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The name in the cookie shows the buttons; it is the key that acts."""
    rollout = await baking(world)
    looking = await browser.get(f"/rollouts/{rollout.id}")

    acting = await browser.get(f"/rollouts/{rollout.id}", headers={"cookie": _cookies("dev-a")})

    assert 'data-key="h"' not in looking.text
    assert "Looks only" in looking.text
    assert 'data-key="h"' in acting.text
    assert f"tidegate halt {rollout.id}" in acting.text


async def test_a_claimed_name_is_never_markup(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Whatever stands in the cookie: no name, no buttons."""
    answer = await browser.get("/", headers={"cookie": _cookies("%3Cimg%20src=x%3E")})

    assert answer.status_code == 200
    assert "<img" not in answer.text
    assert "Looks only" in answer.text


def _cookies(name: str) -> str:
    return f"tidegate_pages_7180={page_key(TOKEN)}; tidegate_as_7180={name}"


# --- where people log in -----------------------------------------------------------------------------


@pytest.fixture
async def verified(world: MemoryWorld) -> AsyncIterator[httpx.AsyncClient]:
    """Return a browser in front of a server that verifies names."""
    world.outside = replace(
        world.outside, identity=MemoryIdentity(), identity_mode=IdentityMode.VERIFIED
    )
    app = create_app(world.outside, token=TOKEN, version="0")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


async def logged_in(browser: httpx.AsyncClient, world: MemoryWorld, name: str) -> dict[str, str]:
    """Log *name* in; return what the requests of their browser carry."""
    provider = world.outside.identity
    assert isinstance(provider, MemoryIdentity)
    body = {"redirect_uri": "http://127.0.0.1:49152/callback", "challenge": challenge_of(VERIFIER)}
    begun = (await browser.post("/v1/login/begin", json=body)).json()
    person = Vouched(
        issuer="https://provider.example",
        person=f"sub-of-{name}",
        name=name,
        groups=(),
        authenticated_at=world.clock.now(),
    )
    code = provider.log_in(begun["address"], person)
    finish = {"state": begun["state"], "code": code, "verifier": VERIFIER}
    secret = (await browser.post("/v1/login/finish", json=finish)).json()["secret"]
    return {"cookie": f"{SESSION_COOKIE}={secret}"}


async def grant(browser: httpx.AsyncClient, name: str, role: str) -> None:
    body = {
        "subject": f"person:{name}",
        "role": role,
        "scope": "default/default/lab",
        "reason": "a test",
    }
    root = {"authorization": f"Bearer {TOKEN}"}
    answer = await browser.post("/v1/access/grants", json=body, headers=root)
    assert answer.status_code == 201, answer.text


async def seal_of(browser: httpx.AsyncClient, path: str, headers: dict[str, str]) -> str:
    found = re.search(
        r'name="seal" value="([0-9a-f.]+)"', (await browser.get(path, headers=headers)).text
    )
    assert found is not None, "the page has no form"
    return found[1]


async def test_a_form_of_ones_own_page_acts_in_ones_own_name(
    verified: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Without any script: the form goes out, and the browser is led back to the rollout."""
    rollout = await baking(world)
    cookie = await logged_in(verified, world, "dev-a")
    await grant(verified, "dev-a", "operator")
    path = f"/rollouts/{rollout.id}"
    seal = await seal_of(verified, path, cookie)

    answer = await verified.post(f"{path}/halt", data={"seal": seal, "key": "k"}, headers=cookie)

    halt = world.rollout(rollout.id).halt
    assert answer.status_code == 303
    assert answer.headers["location"] == path
    assert halt is not None
    assert halt.by == "dev-a"


async def test_a_form_without_its_seal_does_nothing(
    verified: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Missing, made up, or of somebody else's session: 403, in words for a person."""
    rollout = await baking(world)
    own = await logged_in(verified, world, "dev-a")
    other = await logged_in(verified, world, "dev-b")
    for name in ("dev-a", "dev-b"):
        await grant(verified, name, "operator")
    path = f"/rollouts/{rollout.id}"
    seal = await seal_of(verified, path, other)

    for given in ({}, {"seal": "x.y"}, {"seal": seal}, {"seal": "." + seal.partition(".")[2]}):
        answer = await verified.post(f"{path}/halt", data=given, headers=own)
        assert answer.status_code == 403
        assert "reload the page" in answer.text
    assert world.rollout(rollout.id).state is State.BAKING


async def test_the_acting_key_is_worth_nothing_where_names_are_verified(
    verified: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """It is made from the server's token, which acts for nobody there."""
    rollout = await baking(world)

    answer = await verified.post(
        f"/rollouts/{rollout.id}/halt", headers={**ACTING, "cookie": _cookies("dev-a")}
    )

    assert answer.status_code == 401
    assert world.rollout(rollout.id).state is State.BAKING


async def test_a_viewer_has_no_buttons_and_is_refused_all_the_same(
    verified: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What a page doesn't offer its route doesn't do."""
    rollout = await baking(world)
    cookie = await logged_in(verified, world, "dev-c")
    await grant(verified, "dev-c", "viewer")
    path = f"/rollouts/{rollout.id}"
    page = await verified.get(path, headers=cookie)
    refused = {}

    for verb in ("rollback", "resume", "approve", "reject", "abandon"):
        answer = await verified.post(f"{path}/{verb}", headers={**cookie, **SCRIPT})
        refused[verb] = answer.status_code

    assert page.status_code == 200
    assert "Roll back" not in page.text
    assert set(refused.values()) == {403}
    assert world.rollout(rollout.id).state is State.BAKING


# --- colours -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("back", "leads_to"),
    [
        ("/rollouts/x?y=1", "/rollouts/x?y=1"),
        ("https://elsewhere.example/", "/"),
        ("//elsewhere.example/", "/"),
        ("/\\elsewhere.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
async def test_choosing_colours_leads_back_here_and_nowhere_else(
    page_client: httpx.AsyncClient, back: str, leads_to: str
) -> None:
    """The address comes from the form, so it is taken only when it is one of ours."""
    answer = await page_client.post("/theme", data={"theme": "dark", "back": back})

    assert answer.headers["location"] == leads_to
    assert "tidegate_theme=dark" in answer.headers["set-cookie"]


async def test_the_chosen_colours_are_in_the_page_before_it_is_painted(
    browser: httpx.AsyncClient,
) -> None:
    """By the server, so that nothing flashes; a colour that doesn't exist is the system's."""
    key = page_key(TOKEN)
    shown = {}
    for theme in ("light", "dark", "pink"):
        cookie = {"cookie": f"tidegate_pages_7180={key}; tidegate_theme={theme}"}
        text = (await browser.get("/", headers=cookie)).text
        shown[theme] = re.search(r'data-theme="(\w+)"', text)[1]  # type: ignore[index]

    assert shown == {"light": "light", "dark": "dark", "pink": "system"}
