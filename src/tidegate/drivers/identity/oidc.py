"""
An OpenID Connect provider: authorization code with PKCE.

Follows OpenID Connect Core 1.0 and Discovery 1.0, RFC 6749, RFC 7636 and RFC 9700. What the provider
says of itself is asked again every hour, its keys also when a token names one that isn't known, at most
once a minute: a key that the issuer no longer publishes opens nothing for long. Nothing that a browser
or a token brings chooses where this server connects to.
"""

import asyncio
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx

from tidegate.domain.access.id_token import (
    Expected,
    authenticated_at,
    groups_claim,
    text_claim,
    why_not_believed,
)
from tidegate.domain.access.tokens import is_plain_name
from tidegate.drivers.identity.signed import (
    Keys,
    UnknownKeyError,
    json_once,
    not_believed,
    read_keys,
    verified_claims,
)
from tidegate.errors import IdentityProviderError
from tidegate.ports.clock import Clock
from tidegate.ports.identity import LoginAttempt, Vouched, challenge_of

DISCOVERY: Final = "/.well-known/openid-configuration"
KEEP_FOR: Final = timedelta(hours=1)
ASK_AGAIN_AFTER: Final = timedelta(seconds=60)
ANSWER_SECONDS: Final = 10.0
LONGEST_ANSWER: Final = 1024 * 1024

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcOptions:
    """
    Which provider, and what of its claims means what.

    `client_secret` is empty for a public client. `person_claim` names who is counted; it must never
    change and never be given to anybody else. `name_claim` is what others see.
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    audience: str = ""
    person_claim: str = "sub"
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    algorithms: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
    scopes: tuple[str, ...] = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the provider says of itself, and when it said so."""

    authorization: str
    token: str
    keys_at: str
    methods: tuple[str, ...]
    keys: Keys
    at: datetime


class OidcProvider:
    """One provider; see the port."""

    def __init__(self, options: OidcOptions, *, clock: Clock, client: httpx.AsyncClient) -> None:
        self._options = options
        self._clock = clock
        self._client = client
        self._told: _Told | None = None
        self._asked_again_at: datetime | None = None
        self._asking = asyncio.Lock()
        _check_address(options.issuer, "issuer", loopback=True)

    async def address(self, attempt: LoginAttempt) -> str:
        """Return where a browser has to go to log in."""
        told = await self._provider()
        asked = {
            "response_type": "code",
            "client_id": self._options.client_id,
            "redirect_uri": attempt.redirect_uri,
            "scope": " ".join(self._options.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
            # With it the provider has to say when the person proved who they are.
            "max_age": "43200",
        }
        if attempt.fresh_since is not None:
            asked |= {"prompt": "login", "max_age": "0"}
        joined = "&" if urlsplit(told.authorization).query else "?"
        return f"{told.authorization}{joined}{urlencode(asked)}"

    async def vouch(self, attempt: LoginAttempt, *, code: str, verifier: str) -> Vouched:
        """Return who came back with *code*."""
        if not hmac.compare_digest(challenge_of(verifier), attempt.challenge):
            raise not_believed("who finishes the login isn't who began it")
        told = await self._provider()
        answer = await self._exchange(told, attempt, code, verifier)
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise not_believed("it holds no ID token")
        claims = await self._claims(told, id_token)
        expected = Expected(
            issuer=self._options.issuer,
            audience=self._options.audience or self._options.client_id,
            client=self._options.client_id,
            nonce=attempt.nonce,
            fresh_since=attempt.fresh_since,
        )
        why_not = why_not_believed(claims, expected, self._clock.now())
        if why_not is not None:
            raise not_believed(why_not)
        return self._vouched(claims)

    def _vouched(self, claims: Mapping[str, object]) -> Vouched:
        options = self._options
        person = text_claim(claims, options.person_claim)
        if person is None:
            raise not_believed("it doesn't say who the person is")
        if options.person_claim == "email" and claims.get("email_verified") is not True:
            raise not_believed("the address isn't verified")
        groups = groups_claim(claims, options.groups_claim)
        if groups is None:
            raise not_believed("its groups can't be read")
        name = text_claim(claims, options.name_claim) or re.sub(r"[^A-Za-z0-9._@+-]", "-", person)
        if not is_plain_name(name):
            raise not_believed("the person's name isn't one that can be used here")
        return Vouched(
            issuer=options.issuer,
            person=person,
            name=name,
            groups=groups,
            authenticated_at=authenticated_at(claims),
        )

    async def _claims(self, told: _Told, id_token: str) -> Mapping[str, object]:
        allowed = self._options.algorithms
        try:
            return verified_claims(id_token, told.keys, algorithms=allowed)
        except UnknownKeyError:
            # Issuers change their keys; whoever sends made-up names doesn't make us ask each time.
            fresh = await self._with_fresh_keys(told)
        try:
            return verified_claims(id_token, fresh.keys, algorithms=allowed)
        except UnknownKeyError as exc:
            raise not_believed("its key isn't one of the issuer's") from exc

    async def _with_fresh_keys(self, told: _Told) -> _Told:
        async with self._asking:
            now = self._clock.now()
            last = self._asked_again_at
            if last is not None and now - last < ASK_AGAIN_AFTER:
                return self._told or told
            self._asked_again_at = now
            self._told = await self._ask()
            return self._told

    async def _provider(self) -> _Told:
        async with self._asking:
            known = self._told
            if known is None or self._clock.now() - known.at >= KEEP_FOR:
                known = self._told = await self._ask()
            return known

    async def _ask(self) -> _Told:
        """Return what the provider says of itself now."""
        issuer = self._options.issuer
        said = await self._get(f"{issuer.rstrip('/')}{DISCOVERY}")
        if said.get("issuer") != issuer:
            raise _no_sense("it calls itself by another name than the one that is set")
        loopback = urlsplit(issuer).hostname in _LOOPBACK
        places = {
            name: _check_address(said.get(name), name, loopback=loopback)
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        }
        methods = said.get("token_endpoint_auth_methods_supported")
        return _Told(
            authorization=places["authorization_endpoint"],
            token=places["token_endpoint"],
            keys_at=places["jwks_uri"],
            methods=tuple(map(str, methods)) if isinstance(methods, list) else (),
            keys=read_keys(await self._get(places["jwks_uri"])),
            at=self._clock.now(),
        )

    async def _exchange(
        self, told: _Told, attempt: LoginAttempt, code: str, verifier: str
    ) -> dict[str, Any]:
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.redirect_uri,
            "code_verifier": verifier,
        }
        options, auth = self._options, None
        if not options.client_secret:
            body["client_id"] = options.client_id
        elif "client_secret_post" in told.methods and "client_secret_basic" not in told.methods:
            body |= {"client_id": options.client_id, "client_secret": options.client_secret}
        else:
            # RFC 6749, section 2.3.1: both are encoded as in a form before they are joined.
            auth = httpx.BasicAuth(quote_plus(options.client_id), quote_plus(options.client_secret))
        response = await self._send("POST", told.token, data=body, auth=auth)
        if response.status_code in (400, 401, 403):
            raise not_believed("it refused the code, which is used, expired or another's")
        return _object(response)

    async def _get(self, url: str) -> dict[str, Any]:
        return _object(await self._send("GET", url))

    async def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        try:
            async with self._client.stream(
                method,
                url,
                timeout=ANSWER_SECONDS,
                follow_redirects=False,
                headers={"accept": "application/json"},
                **options,
            ) as response:
                content = bytearray()
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > LONGEST_ANSWER:
                        raise _no_sense("its answer is too long")
        except httpx.HTTPError as exc:
            raise IdentityProviderError(
                f"the identity provider {self._options.issuer} can't be reached:"
                f" {type(exc).__name__}",
                hint="try again; look whether this server may connect to it",
            ) from exc
        return httpx.Response(response.status_code, content=bytes(content))


def _object(response: httpx.Response) -> dict[str, Any]:
    if response.status_code != 200:
        raise _no_sense(f"it answered HTTP {response.status_code}")
    try:
        read = json_once(response.content)
    except (ValueError, RecursionError) as exc:
        raise _no_sense("its answer isn't JSON") from exc
    if not isinstance(read, dict):
        raise _no_sense("its answer isn't an object")
    return read


def _check_address(address: object, what: str, *, loopback: bool) -> str:
    """Return *address* when it may be connected to: https, or this machine where *loopback* is allowed."""
    try:
        parts = urlsplit(address if isinstance(address, str) else "")
        host = parts.hostname
    except ValueError as exc:
        raise _no_sense(f"its {what} isn't an address") from exc
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and loopback and host in _LOOPBACK)
    if not is_safe or not host or parts.username or parts.fragment:
        raise _no_sense(f"its {what} isn't an https address")
    return parts.geturl()


def _no_sense(why: str) -> IdentityProviderError:
    return IdentityProviderError(
        f"the identity provider makes no sense: {why}",
        hint="look at TIDEGATE_OIDC_ISSUER and at the provider's configuration",
    )
