"""Issuing, listing and revoking tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

from tidegate.domain.access.model import Caller, CallerKind, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.tokens import (
    DEFAULT_VALID_FOR,
    LONGEST_VALID_FOR,
    ApiToken,
    Identity,
    is_organisation_name,
    is_plain_name,
    more_than_held,
    why_not_for,
)
from tidegate.errors import ForbiddenError, InvalidRequestError, NotFoundError
from tidegate.ports.store import Transaction
from tidegate.usecases.access import refuse_unless_allowed
from tidegate.usecases.bus import Command
from tidegate.usecases.outside import Outside
from tidegate.usecases.record import note_fact
from tidegate.usecases.tokens import (
    API_TOKENS,
    IDENTITIES,
    digest_of,
    id_of,
    new_secret,
    take_name,
)

READ_AT_MOST: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token with its secret, which is told this once."""

    token: ApiToken
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueToken(Command[Issued]):
    """
    Issue a token to its caller, or to a program of theirs.

    `holder` empty is the caller; `owner` empty is the caller too, and only of programs. `organisation`
    None is the caller's; only the server's own token may name another.
    """

    permission: ClassVar[Permission] = Permission.TOKEN_ISSUE

    purpose: str
    granted: tuple[Permission, ...]
    holder: str = ""
    kind: CallerKind = CallerKind.PERSON
    owner: str = ""
    organisation: str | None = None
    valid_for: timedelta = DEFAULT_VALID_FOR

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the organisation that the holder is of."""
        return Resource(organisation=self.organisation or caller.organisation)

    async def carry_out(self, outside: Outside, caller: Caller) -> Issued:
        """Record it with the name that it goes by, and return its secret."""
        self._check()
        now = outside.clock.now()
        secret = new_secret()
        digest = digest_of(secret)
        with outside.store.begin() as transaction:
            identity = self._identity(transaction, caller, now)
            self._refuse_more_than_allowed(caller, identity)
            identity = take_name(transaction, identity)
            token = ApiToken(
                id=id_of(digest),
                digest=digest,
                last_four=secret[-4:],
                purpose=self.purpose.strip(),
                identity=identity,
                granted=tuple(sorted(frozenset(self.granted))),
                issued_by=caller.name,
                issued_at=now,
                expires_at=now + self.valid_for,
            )
            API_TOKENS.put(transaction, token)
            note_fact(
                transaction,
                at=now,
                actor=caller.name,
                kind="command",
                rule="issue-token",
                because=token.purpose,
                details={
                    "token": token.id,
                    "holder": identity.name,
                    "kind": identity.kind.value,
                    "person": identity.person,
                    "organisation": identity.organisation,
                    "granted": [one.value for one in token.granted],
                    "expires_at": token.expires_at.isoformat(),
                },
            )
        return Issued(token=token, secret=secret)

    def _check(self) -> None:
        if not self.purpose.strip():
            raise InvalidRequestError(
                "a token needs a purpose", hint="say what it is for, so that it can be told apart"
            )
        if self.organisation is not None and not is_organisation_name(self.organisation):
            raise InvalidRequestError(
                f"{self.organisation[:64]!r} can't be the name of an organisation",
                hint="use up to 64 letters, digits and ._-, beginning with a letter or digit",
            )
        if not self.granted:
            raise InvalidRequestError(
                "a token must be allowed something",
                hint="name what it is for: read, start, halt ..",
            )
        if not timedelta(0) < self.valid_for <= LONGEST_VALID_FOR:
            raise InvalidRequestError(
                f"a token is valid for at most {LONGEST_VALID_FOR.days} days, got {self.valid_for}",
                hint="issue another one before it expires",
            )
        if self.owner and self.kind is CallerKind.PERSON:
            raise InvalidRequestError(
                "only programs have an owner", hint="leave the owner out, or issue it to a program"
            )
        if self.kind is CallerKind.PROGRAM and not self.holder:
            raise InvalidRequestError("a program needs a name", hint="name it in `holder`")

    def _identity(self, transaction: Transaction, caller: Caller, now: datetime) -> Identity:
        organisation = self.organisation or caller.organisation
        name = self.holder or caller.name
        for one in (name, self.owner or name):
            if not is_plain_name(one):
                raise InvalidRequestError(
                    f"{one[:64]!r} can't be the name of a caller",
                    hint="use up to 64 letters, digits and ._@+-; tidegate and root are reserved",
                )
        if self.kind is CallerKind.PROGRAM:
            person = _person_called(transaction, caller, self.owner or caller.name)
        else:
            person = _person_called(transaction, caller, name)
        return Identity(
            name=name, kind=self.kind, person=person, organisation=organisation, since=now
        )

    def _refuse_more_than_allowed(self, caller: Caller, identity: Identity) -> None:
        why_not = why_not_for(caller, identity)
        if why_not is not None:
            raise ForbiddenError(
                f"{caller.name} can't issue this token: {why_not}",
                hint="a person issues tokens for themselves and for programs that they own",
            )
        too_much = more_than_held(caller, self.granted)
        if too_much:
            raise ForbiddenError(
                f"{caller.name} can't pass on {', '.join(sorted(too_much))}",
                hint="a token gets no more than its issuer has, and none that issues tokens",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken(Command[ApiToken]):
    """Take a token back: the next request with it is refused. Again changes nothing."""

    permission: ClassVar[Permission] = Permission.TOKEN_ISSUE

    token: str
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the organisation of its holder. One of another organisation doesn't exist."""
        with outside.store.begin(read_only=True) as transaction:
            token = find_token(transaction, self.token, of=caller)
        return Resource(organisation=token.identity.organisation)

    async def carry_out(self, outside: Outside, caller: Caller) -> ApiToken:
        """Record that it opens nothing any more."""
        with outside.store.begin() as transaction:
            token = find_token(transaction, self.token, of=caller)
            return revoke(
                transaction,
                token,
                by=caller.name,
                reason=self.reason.strip() or "no reason given",
                now=outside.clock.now(),
            )


def revoke(
    transaction: Transaction, token: ApiToken, *, by: str, reason: str, now: datetime
) -> ApiToken:
    """Record that *token* opens nothing from *now* on; return it. Again changes nothing."""
    if token.is_revoked:
        return token
    revoked = replace(token, revoked_at=now, revoked_by=by)
    API_TOKENS.put(transaction, revoked)
    note_fact(
        transaction,
        at=now,
        actor=by,
        kind="command",
        rule="revoke-token",
        because=reason,
        details={
            "token": token.id,
            "holder": token.identity.name,
            "organisation": token.identity.organisation,
        },
    )
    return revoked


def list_tokens(
    outside: Outside, caller: Caller, *, of_all: bool, limit: int
) -> Sequence[ApiToken]:
    """
    Return tokens, newest first: those of *caller* and their programs, or *of_all* in the organisation.

    Raises:
        ForbiddenError: those of others are shown only to who may issue tokens.
    """
    if of_all:
        refuse_unless_allowed(
            outside, caller, Permission.TOKEN_ISSUE, Resource(organisation=caller.organisation)
        )
    with outside.store.begin(read_only=True) as transaction:
        tokens = API_TOKENS.latest(transaction, limit=READ_AT_MOST)
    shown = [token for token in tokens if _is_shown(token, caller, of_all=of_all)]
    return shown[:limit]


def find_token(transaction: Transaction, token_id: str, *, of: Caller) -> ApiToken:
    """Return the token called *token_id*. Raises NotFoundError when *of* may know of none."""
    token = API_TOKENS.get(transaction, token_id)
    if token is None or not (of.is_root or token.identity.organisation == of.organisation):
        raise no_such_token(token_id)
    return token


def no_such_token(token_id: str) -> NotFoundError:
    """Return the error for a token that isn't there."""
    return NotFoundError(
        f"there is no token {token_id[:64]!r}", hint="`tidegate auth token list` lists them"
    )


def _is_shown(token: ApiToken, caller: Caller, *, of_all: bool) -> bool:
    if of_all and caller.is_root:
        return True
    if token.identity.organisation != caller.organisation:
        return False
    return (
        of_all
        or token.identity.name == caller.name
        or (caller.kind is CallerKind.PERSON and token.identity.person == caller.person)
    )


def _person_called(transaction: Transaction, caller: Caller, name: str) -> str:
    """Return the person that is known by *name*: the identity provider's word for them, else the name."""
    if name == caller.name and caller.person is not None and not caller.is_root:
        return caller.person
    known = IDENTITIES.get(transaction, name.casefold())
    if known is None:
        return name
    if known.kind is CallerKind.PROGRAM:
        raise InvalidRequestError(
            f"{name!r} is a program, and only a person is or owns something here",
            hint="name the person who answers for it as its owner",
        )
    return known.person
