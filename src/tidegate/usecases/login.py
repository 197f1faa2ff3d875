"""
Logging in and out: from nobody to a session, by what an identity provider says.

Nothing is kept of a login before it is finished, so that nobody can fill the store by beginning many:
what has to be remembered travels in `state`, sealed with a key of the server. That the same one
finishes who began is proven by PKCE: the challenge is in the seal, its verifier with whoever began.
"""

import base64
import binascii
import hmac
import json
import re
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tidegate.domain.access.model import CallerKind
from tidegate.domain.access.sessions import SESSION_PREFIX, Session
from tidegate.domain.access.tokens import Identity
from tidegate.errors import InvalidIdentityError, InvalidRequestError, RefusedError
from tidegate.ports.identity import IdentityProvider, LoginAttempt, Vouched
from tidegate.ports.store import Transaction
from tidegate.usecases.authenticate import Known, Means
from tidegate.usecases.outside import Outside
from tidegate.usecases.record import note_fact
from tidegate.usecases.token_commands import revoke
from tidegate.usecases.tokens import API_TOKENS, SESSIONS, digest_of, id_of, new_secret, take_name

LOGIN_WITHIN: Final = timedelta(minutes=10)

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\]):[0-9]{1,5}/callback")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Where to go to log in, and what comes back from there."""

    address: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """A session with its secret, which is told this once."""

    session: Session
    secret: str = field(repr=False)


def is_loopback_callback(redirect_uri: str) -> bool:
    """Return whether a program of a person's own machine waits there (RFC 8252, section 7.3)."""
    return _LOOPBACK.fullmatch(redirect_uri) is not None


async def begin_login(
    outside: Outside, *, seal: bytes, redirect_uri: str, challenge: str, again: bool
) -> Begun:
    """
    Return where a browser has to go to log in.

    Args:
        outside: The world.
        seal: The server's key for what travels.
        redirect_uri: Where the provider sends the browser; the caller has checked that it is allowed.
        challenge: The S256 challenge of a secret of whoever begins.
        again: Whether the person has to prove again who they are.

    Raises:
        RefusedError: this server has no identity provider.
        InvalidRequestError: *challenge* isn't one.
        IdentityProviderError: it can't be reached.
    """
    provider = _provider(outside)
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidRequestError(
            "the challenge isn't one", hint="send the base64url SHA-256 of the verifier"
        )
    now = outside.clock.now()
    sealed = {
        "nonce": secrets.token_urlsafe(32),
        "redirect": redirect_uri,
        "challenge": challenge,
        "began": int(now.timestamp()),
        "again": again,
    }
    state = _sealed(sealed, seal)
    return Begun(address=await provider.address(_attempt(sealed, state)), state=state)


async def finish_login(
    outside: Outside,
    *,
    seal: bytes,
    state: str,
    code: str,
    verifier: str,
    replaces: str | None = None,
) -> LoggedIn:
    """
    Return a session for who came back with *code*.

    *replaces* is the id of a session of the same person that ends with it: who proves again who they
    are gets a new secret.

    Raises:
        RefusedError: this server has no identity provider, or the name is somebody else's.
        InvalidIdentityError: the login isn't believed.
        IdentityProviderError: the provider can't be reached.
        StoreError: it couldn't be recorded; nobody is logged in.
    """
    provider = _provider(outside)
    attempt = _opened(state, seal, outside.clock.now())
    if not _VERIFIER.fullmatch(verifier):
        raise InvalidIdentityError("the verifier isn't one", hint="log in again")
    vouched = await provider.vouch(attempt, code=code, verifier=verifier)
    secret = new_secret(SESSION_PREFIX)
    with outside.store.begin() as transaction:
        session = _recorded(
            transaction,
            vouched,
            digest=digest_of(secret),
            organisation=outside.login_organisation,
            replaces=replaces,
            now=outside.clock.now(),
        )
    return LoggedIn(session=session, secret=secret)


def end_session(
    transaction: Transaction, session: Session, *, by: str, reason: str, now: datetime
) -> Session:
    """Record that *session* opens nothing from *now* on; return it. Again changes nothing."""
    if session.is_ended:
        return session
    ended = replace(session, ended_at=now, ended_by=by)
    SESSIONS.put(transaction, ended)
    note_fact(
        transaction,
        at=now,
        actor=by,
        kind="command",
        rule="end-session",
        because=reason,
        details={"session": session.id, "name": session.identity.name},
    )
    return ended


def log_out(outside: Outside, known: Known) -> None:
    """
    End the session, or take back the token, that *known* is known by.

    Raises:
        StoreError: it couldn't be recorded; it still holds.
    """
    now, name = outside.clock.now(), known.caller.name
    with outside.store.begin() as transaction:
        session = SESSIONS.get(transaction, known.id)
        token = API_TOKENS.get(transaction, known.id)
        if known.means is Means.SESSION and session is not None:
            end_session(transaction, session, by=name, reason="logged out", now=now)
        elif known.means is Means.API_TOKEN and token is not None:
            revoke(transaction, token, by=name, reason="logged out", now=now)


def _recorded(
    transaction: Transaction,
    vouched: Vouched,
    *,
    digest: str,
    organisation: str,
    replaces: str | None,
    now: datetime,
) -> Session:
    identity = take_name(
        transaction,
        Identity(
            name=vouched.name,
            kind=CallerKind.PERSON,
            person=vouched.person,
            organisation=organisation,
            since=now,
        ),
    )
    session = Session(
        id=id_of(digest),
        digest=digest,
        identity=identity,
        issuer=vouched.issuer,
        groups=vouched.groups,
        authenticated_at=vouched.authenticated_at,
        began_at=now,
        used_at=now,
    )
    SESSIONS.put(transaction, session)
    at = vouched.authenticated_at
    note_fact(
        transaction,
        at=now,
        actor=identity.name,
        kind="command",
        rule="log-in",
        because=f"{vouched.issuer} vouches for {vouched.name}",
        details={
            "session": session.id,
            "person": identity.person,
            "organisation": identity.organisation,
            "groups": list(vouched.groups),
            "authenticated_at": None if at is None else at.isoformat(),
        },
    )
    old = None if replaces is None else SESSIONS.get(transaction, replaces)
    if old is not None and old.identity.person == identity.person:
        end_session(transaction, old, by=identity.name, reason="logged in again", now=now)
    return session


def _provider(outside: Outside) -> IdentityProvider:
    if outside.identity is None:
        raise RefusedError(
            "this server has no identity provider",
            hint="set TIDEGATE_OIDC_ISSUER on the server, or use a token that was issued to you",
        )
    return outside.identity


def _attempt(sealed: dict[str, Any], state: str) -> LoginAttempt:
    began = datetime.fromtimestamp(sealed["began"], UTC)
    return LoginAttempt(
        redirect_uri=sealed["redirect"],
        state=state,
        nonce=sealed["nonce"],
        challenge=sealed["challenge"],
        fresh_since=began if sealed["again"] else None,
    )


def _sealed(content: dict[str, Any], seal: bytes) -> str:
    body = base64.urlsafe_b64encode(json.dumps(content, sort_keys=True).encode())
    return f"{body.decode()}.{_mac(body, seal)}"


def _opened(state: str, seal: bytes, now: datetime) -> LoginAttempt:
    """Return the login that *state* was sealed for. Raises InvalidIdentityError."""
    body, _, mac = state.partition(".")
    # Nothing of what came is read before the seal is found whole.
    if not hmac.compare_digest(mac.encode(), _mac(body.encode(), seal).encode()):
        raise _not_ours()
    try:
        sealed = json.loads(base64.urlsafe_b64decode(body))
    except (binascii.Error, ValueError) as exc:
        raise _not_ours() from exc
    attempt = _attempt(sealed, state)
    age = now - datetime.fromtimestamp(sealed["began"], UTC)
    if not timedelta(seconds=-1) <= age <= LOGIN_WITHIN:
        raise InvalidIdentityError("the login took too long", hint="log in again")
    return attempt


def _mac(body: bytes, seal: bytes) -> str:
    return hmac.new(seal, b"tidegate login state 1\n" + body, "sha256").hexdigest()


def _not_ours() -> InvalidIdentityError:
    return InvalidIdentityError("this server didn't begin that login", hint="log in again")
