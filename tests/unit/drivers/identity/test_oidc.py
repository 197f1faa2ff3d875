"""The OpenID Connect driver: whom it connects to, when it asks for keys again, what it makes of failures."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from signing_issuer import (
    CLIENT,
    ISSUER,
    NONCE,
    OTHER_RSA,
    RSA,
    VERIFIER,
    Network,
    signed,
)

from tidegate.drivers.clock.memory import MemoryClock
from tidegate.drivers.identity.oidc import LONGEST_ANSWER, OidcOptions, OidcProvider
from tidegate.errors import IdentityProviderError, InvalidIdentityError
from tidegate.ports.identity import LoginAttempt, Vouched, challenge_of

ATTEMPT = LoginAttempt(
    redirect_uri="http://127.0.0.1:1/callback",
    state="s",
    nonce=NONCE,
    challenge=challenge_of(VERIFIER),
)


class Bench:
    """The driver with its issuer and a clock."""

    def __init__(self, **options: Any) -> None:
        self.network = Network()
        self.clock = MemoryClock()
        self.provider = OidcProvider(
            OidcOptions(**{"issuer": ISSUER, "client_id": CLIENT, **options}),
            clock=self.clock,
            client=self.network.client(),
        )

    def token(self, *, kid: str = "rsa", key: Any = RSA, **changed: Any) -> str:
        """Return a good token of now."""
        now = int(self.clock.now().timestamp())
        claims = {"iss": ISSUER, "aud": CLIENT, "sub": "sub-1", "nonce": NONCE, "iat": now}
        header = {"alg": "RS256", "kid": kid}
        return signed({**claims, "exp": now + 300, **changed}, header, key=key)

    async def vouch(self, token: str | None = None, **changed: Any) -> Vouched:
        """Return who is vouched for by *token*, a good one by default."""
        self.network.answered = {"id_token": token or self.token(**changed)}
        return await self.provider.vouch(ATTEMPT, code="c", verifier=VERIFIER)


async def test_the_address_asks_for_a_code_bound_to_this_login() -> None:
    """State, nonce, challenge and where to come back to; a fresh proof where it is asked for."""
    bench = Bench()
    fresh = LoginAttempt(
        redirect_uri=ATTEMPT.redirect_uri,
        state="s",
        nonce=NONCE,
        challenge=ATTEMPT.challenge,
        fresh_since=bench.clock.now(),
    )

    asked = parse_qs(urlsplit(await bench.provider.address(ATTEMPT)).query)
    again = parse_qs(urlsplit(await bench.provider.address(fresh)).query)

    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert (asked["state"], asked["nonce"]) == (["s"], [NONCE])
    assert asked["code_challenge"] == [ATTEMPT.challenge]
    assert asked["redirect_uri"] == [ATTEMPT.redirect_uri]
    assert "openid" in asked["scope"][0].split()
    assert "prompt" not in asked
    assert (again["prompt"], again["max_age"]) == (["login"], ["0"])


async def test_new_keys_of_the_issuer_are_found_at_most_once_a_minute() -> None:
    """Issuers change their keys; made-up key names don't make us ask without end."""
    bench = Bench()
    await bench.vouch()
    for _ in range(20):
        with pytest.raises(InvalidIdentityError):
            await bench.vouch(kid="made-up")
    asked_by_then = bench.network.count("/jwks")

    rotated = {**OTHER_RSA.as_dict(private=False), "kid": "new"}
    bench.network.jwks = {"keys": [rotated]}
    with pytest.raises(InvalidIdentityError):
        await bench.vouch(kid="new", key=OTHER_RSA)
    bench.clock.advance(timedelta(seconds=60))
    vouched = await bench.vouch(kid="new", key=OTHER_RSA)

    assert asked_by_then == 2
    assert vouched.person == "sub-1"


async def test_a_key_that_is_no_longer_published_opens_nothing_after_an_hour() -> None:
    """The issuer withdrew it, perhaps because somebody else has it."""
    bench = Bench()
    await bench.vouch()
    bench.network.jwks = {"keys": [{**OTHER_RSA.as_dict(private=False), "kid": "new"}]}

    bench.clock.advance(timedelta(minutes=59))
    still = await bench.vouch()
    bench.clock.advance(timedelta(minutes=1))

    assert still.person == "sub-1"
    with pytest.raises(InvalidIdentityError):
        await bench.vouch()


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "http://issuer.example/token"},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": "https://user:secret@issuer.example/token"},
        {"token_endpoint": "https://[::1"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
        {"jwks_uri": "ftp://issuer.example/keys"},
        {"jwks_uri": 7},
    ],
)
async def test_a_provider_that_makes_no_sense_is_not_used(change: dict[str, Any]) -> None:
    """Another issuer, an address without TLS or none: nothing but its description was asked for."""
    bench = Bench()
    bench.network.discovery |= change

    with pytest.raises(IdentityProviderError):
        await bench.vouch()

    assert len(bench.network.asked) == 1


@pytest.mark.parametrize("keys", [{}, {"keys": "x"}, {"keys": [{}] * 101}])
async def test_keys_that_cannot_be_read_are_an_error_of_the_provider(keys: Any) -> None:
    """Not of whoever logs in."""
    bench = Bench()
    bench.network.jwks = keys

    with pytest.raises(IdentityProviderError):
        await bench.vouch()


@pytest.mark.parametrize("issuer", ["http://issuer.example", "issuer.example", "", "https://"])
def test_an_issuer_without_tls_cannot_be_set(issuer: str) -> None:
    """The server doesn't start with it."""
    with pytest.raises(IdentityProviderError):
        Bench(issuer=issuer)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda: httpx.Response(400, json={"error": "invalid_grant"}), InvalidIdentityError),
        (lambda: httpx.Response(401, json={"error": "invalid_client"}), InvalidIdentityError),
        (lambda: httpx.Response(500), IdentityProviderError),
        (lambda: httpx.Response(302, headers={"location": "http://127.0.0.1/"}), IdentityProviderError),
        (lambda: httpx.Response(200, content=b"<html>"), IdentityProviderError),
        (lambda: httpx.Response(200, content=b"[]"), IdentityProviderError),
        (lambda: httpx.Response(200, content=b"[" * 100_000), IdentityProviderError),
        (lambda: httpx.Response(200, content=b'{"a":1,"a":2}'), IdentityProviderError),
        (lambda: httpx.Response(200, content=b"x" * (LONGEST_ANSWER + 1)), IdentityProviderError),
        (httpx.ConnectError, IdentityProviderError),
        (httpx.ReadTimeout, IdentityProviderError),
    ],
)  # fmt: skip
async def test_what_a_provider_may_answer_is_one_of_two_errors(
    answer: Callable[..., Any], kind: type[Exception]
) -> None:
    """Refused, or failed: none of it is followed elsewhere, and none is taken for a login."""
    asked: list[str] = []
    network = Network()

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if request.url.path != "/token":
            return network._answer(request)
        made = answer("no") if isinstance(answer, type) else answer()
        if isinstance(made, Exception):
            raise made
        return made

    client = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    options = OidcOptions(issuer=ISSUER, client_id=CLIENT, client_secret="a-secret-of-ours")
    provider = OidcProvider(options, clock=MemoryClock(), client=client)

    with pytest.raises(kind) as failed:
        await provider.vouch(ATTEMPT, code="c", verifier=VERIFIER)

    assert "a-secret-of-ours" not in str(failed.value) + repr(options)
    assert all(url.startswith(ISSUER) for url in asked)


async def test_the_secret_goes_to_the_token_endpoint_alone() -> None:
    """As Basic, or in the body where the provider knows nothing else; encoded as RFC 6749 has it."""
    bench = Bench(client_id="t:g", client_secret="s%/")
    bench.network.answered = {"id_token": bench.token(aud="t:g")}
    await bench.provider.vouch(ATTEMPT, code="c", verifier=VERIFIER)
    posted = Bench(client_secret="s%/")
    posted.network.discovery["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    await posted.vouch()

    basic = httpx.BasicAuth("t%3Ag", "s%25%2F")._auth_header
    assert bench.network.asked[-1].headers["authorization"] == basic
    assert all("authorization" not in one.headers for one in bench.network.asked[:-1])
    assert b"client_secret=s%25%2F" in posted.network.asked[-1].content
    assert "authorization" not in posted.network.asked[-1].headers


async def test_who_somebody_is_comes_from_the_claims_that_are_set() -> None:
    """An address counts only when it is verified; without a name the person's is made plain."""
    by_address = Bench(person_claim="email", name_claim="email")

    vouched = await by_address.vouch(email="alice@example.org", email_verified=True)
    nameless = await Bench().vouch(sub="auth0|5f7c8")

    assert (vouched.person, vouched.name) == ("alice@example.org", "alice@example.org")
    assert (nameless.person, nameless.name) == ("auth0|5f7c8", "auth0-5f7c8")
    for claims in ({}, {"email_verified": "true"}, {"email_verified": False}):
        with pytest.raises(InvalidIdentityError):
            await by_address.vouch(email="alice@example.org", **claims)
