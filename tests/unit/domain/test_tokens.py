"""Tokens: when one is valid, who may issue which to whom, and what it can't carry."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.access.permissions import OPEN_TO_ALL, Permission
from tidegate.domain.access.tokens import (
    ApiToken,
    Identity,
    is_organisation_name,
    is_plain_name,
    more_than_held,
    was_issued,
    why_not_for,
)
from tidegate.testing.builders import START

ALICE = Caller(name="alice", kind=CallerKind.PERSON, person="sub-1", is_verified=True)
ROOT = Caller(name="alice", kind=CallerKind.PERSON, person="alice", is_root=True)
IDENTITY = Identity(
    name="alice", kind=CallerKind.PERSON, person="sub-1", organisation="default", since=START
)
PIPELINE = replace(IDENTITY, name="pipeline", kind=CallerKind.PROGRAM)
TOKEN = ApiToken(
    id="0" * 20,
    digest="0" * 64,
    last_four="abcd",
    purpose="test",
    identity=PIPELINE,
    granted=(Permission.READ, Permission.START),
    issued_by="alice",
    issued_at=START,
    expires_at=START + timedelta(days=30),
)


@pytest.mark.parametrize(
    ("after", "is_valid"),
    [
        (timedelta(seconds=-1), False),
        (timedelta(0), True),
        (timedelta(days=30, microseconds=-1), True),
        (timedelta(days=30), False),
        (timedelta(days=300), False),
    ],
)
def test_a_token_is_valid_from_its_issue_until_it_expires(after: timedelta, is_valid: bool) -> None:
    """Not before, as after a clock that was set back, and not at the instant of its end."""
    assert TOKEN.is_valid(START + after) is is_valid
    assert not replace(TOKEN, revoked_at=START).is_valid(START + after)


def test_its_holder_is_vouched_for_limited_and_counted_as_the_owner() -> None:
    """A program is another name and the same person, and never the server's own."""
    caller = TOKEN.caller()

    assert (caller.name, caller.kind, caller.person) == ("pipeline", CallerKind.PROGRAM, "sub-1")
    assert caller.is_verified and not caller.is_root
    assert caller.granted == {Permission.READ, Permission.START}
    assert caller.authenticated_at is None


@pytest.mark.parametrize(
    ("issuer", "identity", "may"),
    [
        (ALICE, IDENTITY, True),
        (ALICE, PIPELINE, True),
        (ALICE, replace(PIPELINE, person="sub-2"), False),
        (ALICE, replace(IDENTITY, name="bob", person="sub-2"), False),
        # Another name for oneself would be a second approver.
        (ALICE, replace(IDENTITY, name="alice2"), False),
        (ALICE, replace(IDENTITY, organisation="other"), False),
        (ALICE, replace(PIPELINE, organisation="other"), False),
        (replace(ALICE, kind=CallerKind.PROGRAM), PIPELINE, False),
        (replace(ALICE, person=None), PIPELINE, False),
        (ROOT, replace(IDENTITY, name="bob", person="sub-2", organisation="other"), True),
    ],
)
def test_nobody_issues_a_token_to_act_as_somebody_else(
    issuer: Caller, identity: Identity, may: bool
) -> None:
    """For oneself and one's programs; only the server's own token for others."""
    assert (why_not_for(issuer, identity) is None) is may


def test_a_token_carries_no_more_than_its_issuer_has() -> None:
    """The limit of the issuer's own token is the limit of what it makes."""
    limited = replace(ALICE, granted=frozenset({Permission.READ, Permission.TOKEN_ISSUE}))

    assert more_than_held(limited, [Permission.READ]) == frozenset()
    assert more_than_held(limited, [Permission.READ, Permission.HALT]) == {Permission.HALT}
    assert more_than_held(ALICE, [Permission.START, Permission.HALT]) == frozenset()


def test_a_token_that_issues_tokens_is_the_servers_own_to_give() -> None:
    """Else one that is revoked would live on in its children."""
    assert more_than_held(ALICE, [Permission.TOKEN_ISSUE]) == {Permission.TOKEN_ISSUE}
    assert more_than_held(ROOT, [Permission.TOKEN_ISSUE]) == frozenset()
    for permission in OPEN_TO_ALL:
        assert more_than_held(ROOT, [permission]) == {permission}


@pytest.mark.parametrize("name", ["", "tidegate", "Tidegate", "root", "ROOT", "a b", "é", "x" * 65])
def test_reserved_and_odd_names_are_nobodys(name: str) -> None:
    """Nobody is called as the engine is, in whatever capitals."""
    assert not is_plain_name(name)
    assert is_plain_name("alice@example.org")


@pytest.mark.parametrize("name", ["", "*", "a/b", "a*", ".", "-a", "a\n", "x" * 65])
def test_an_organisation_is_one_part_of_a_scope(name: str) -> None:
    """It can't be read as a pattern or as two parts."""
    assert not is_organisation_name(name)
    assert is_organisation_name("team-a.example")


def test_what_was_issued_looks_different_from_the_servers_own() -> None:
    """The server's own has 43 characters, whatever they are."""
    assert was_issued("tg_" + "a" * 43)
    assert not was_issued("tg_" + "a" * 40)
    assert not was_issued("a" * 43)
    assert not was_issued("tg_" + "a" * 43 + "\n")
