"""The ruling, for every caller, grant and resource that a small world can hold."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import product

from hypothesis import assume, given
from hypothesis import strategies as st

from tidegate.domain.access.authorise import authorise
from tidegate.domain.access.model import (
    Caller,
    CallerKind,
    Grant,
    GrantEffect,
    Resource,
)
from tidegate.domain.access.permissions import OF_ONE_PART, OPEN_TO_ALL, Permission
from tidegate.domain.access.roles import Role, denied_by
from tidegate.domain.access.scopes import places_of
from tidegate.testing.builders import START

ORGANISATIONS = ("acme", "umbrella")
PROJECTS = ("pay", "pay-api", "search")
ENVIRONMENTS = ("lab", "staging", "production")
TARGETS = ("eu-1", "eu-2", "us")
NAMES = ("alice", "bob", "deployer")

permissions = st.sampled_from([one for one in Permission if one not in OPEN_TO_ALL])


_PARTS = (
    ORGANISATIONS,
    (*PROJECTS, "*", "pay*", "*api"),
    (*ENVIRONMENTS, "*", "prod*"),
    (*TARGETS, "*", "eu-*"),
)
SCOPES = ["/".join(parts) for size in range(1, 5) for parts in product(*_PARTS[:size])]
"""Every scope of that small world, among them some that can't be granted."""


def grants(effect: GrantEffect | None = None) -> st.SearchStrategy[Grant]:
    return st.builds(
        Grant,
        id=st.just("g-1"),
        subject=st.sampled_from(
            [f"{kind}:{name}" for kind in ("person", "program") for name in NAMES] + ["group:sre"]
        ),
        role=st.sampled_from([*Role, "of-another-version"]),
        scope=st.sampled_from(SCOPES),
        effect=st.sampled_from(GrantEffect) if effect is None else st.just(effect),
        granted_by=st.just("root"),
        granted_at=st.just(START - timedelta(days=1)),
        expires_at=st.sampled_from([None, START - timedelta(1), START, START + timedelta(1)]),
        revoked_at=st.sampled_from([None, None, None, START]),
    )


callers = st.builds(
    Caller,
    name=st.sampled_from(NAMES),
    kind=st.sampled_from(CallerKind),
    person=st.sampled_from([*NAMES, None]),
    organisation=st.sampled_from(ORGANISATIONS),
    groups=st.sampled_from([(), ("sre",)]),
    is_verified=st.sampled_from([True, True, False]),
    granted=st.sampled_from([None, None, frozenset({Permission.READ, Permission.START})]),
)


@st.composite
def resources(draw: st.DrawFn) -> Resource:
    organisation = draw(st.sampled_from(ORGANISATIONS))
    if draw(st.booleans()):
        return Resource(organisation=organisation, project=draw(st.sampled_from((*PROJECTS, None))))
    places = draw(
        st.lists(
            st.tuples(st.sampled_from(ENVIRONMENTS), st.sampled_from(TARGETS)),
            min_size=1,
            max_size=3,
        )
    )
    return Resource(
        organisation=organisation,
        project=draw(st.sampled_from(PROJECTS)),
        service="shop",
        environments=tuple(environment for environment, _ in places),
        targets=tuple(target for _, target in places),
    )


def may(caller: Caller, permission: Permission, resource: Resource, held: Sequence[Grant]) -> bool:
    return authorise(caller, permission, resource, held, START).is_allowed


some_grants = st.lists(grants(), max_size=8)


@given(callers, permissions, resources(), some_grants)
def test_nothing_is_allowed_in_another_organisation(
    caller: Caller, permission: Permission, resource: Resource, held: list[Grant]
) -> None:
    """Whatever was granted, to whomever, by whatever scope."""
    assume(caller.organisation != resource.organisation)

    assert not may(caller, permission, resource, held)


@given(callers, permissions, resources(), some_grants, st.randoms(use_true_random=False))
def test_the_order_of_grants_changes_nothing(
    caller: Caller, permission: Permission, resource: Resource, held: list[Grant], random: object
) -> None:
    """Above all, no later allow undoes a deny."""
    shuffled = list(held)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert may(caller, permission, resource, held) == may(caller, permission, resource, shuffled)


@given(callers, permissions, resources(), some_grants, grants(GrantEffect.DENY))
def test_a_deny_allows_nothing_more(
    caller: Caller, permission: Permission, resource: Resource, held: list[Grant], deny: Grant
) -> None:
    """One deny more never opens anything."""
    if may(caller, permission, resource, [*held, deny]):
        assert may(caller, permission, resource, held)


@given(callers, permissions, resources(), some_grants, grants(GrantEffect.ALLOW))
def test_an_allow_takes_nothing_away(
    caller: Caller, permission: Permission, resource: Resource, held: list[Grant], allow: Grant
) -> None:
    """One allow more never closes anything."""
    if may(caller, permission, resource, held):
        assert may(caller, permission, resource, [*held, allow])


@given(callers, resources(), some_grants, st.sampled_from(Role), st.data())
def test_a_deny_of_it_wins(
    caller: Caller, resource: Resource, held: list[Grant], role: Role, data: st.DataObject
) -> None:
    """One of any part of it; of what one part is enough for, one of all of it."""
    permission = data.draw(st.sampled_from(sorted(denied_by(role))))
    part = data.draw(st.sampled_from(places_of(resource)))
    organisation, project, environment, _ = (name or "*" for name in part)
    scope = data.draw(
        st.sampled_from([organisation, f"{organisation}/{project}"])
        if permission in OF_ONE_PART
        else st.just(f"{organisation}/{project}/{environment}")
    )
    assume(permission not in OF_ONE_PART or "*" not in scope)
    deny = Grant(
        id="g-2",
        subject=_subject_of(caller),
        role=role,
        scope=scope,
        effect=GrantEffect.DENY,
        granted_by="root",
        granted_at=START,
    )

    assert not may(caller, permission, resource, [deny, *held])
    assert not may(caller, permission, resource, [*held, deny])


@given(callers, permissions, resources(), some_grants, grants())
def test_a_grant_that_is_over_changes_nothing(
    caller: Caller, permission: Permission, resource: Resource, held: list[Grant], extra: Grant
) -> None:
    """Neither an allow nor a deny, whether it ran out or was revoked."""
    before = may(caller, permission, resource, held)

    for over in (replace(extra, expires_at=START), replace(extra, revoked_at=START)):
        assert may(caller, permission, resource, [*held, over]) is before


@given(callers, permissions, resources(), some_grants)
def test_a_wider_scope_allows_no_less(
    caller: Caller, permission: Permission, resource: Resource, held: list[Grant]
) -> None:
    """Without its last part a grant holds everywhere that it held; the environment must stay named."""
    allows = [grant for grant in held if grant.effect is GrantEffect.ALLOW]
    widened = [replace(grant, scope="/".join(grant.scope.split("/")[:3])) for grant in allows]

    if may(caller, permission, resource, allows):
        assert may(caller, permission, resource, widened)


@given(callers, permissions, resources(), some_grants)
def test_more_targets_need_no_less(
    caller: Caller, permission: Permission, resource: Resource, held: list[Grant]
) -> None:
    """What is allowed on all targets is allowed on each; what one is enough for, by one of them."""
    assume(len(resource.targets) > 1)
    alone = [
        may(
            caller,
            permission,
            replace(resource, environments=(environment,), targets=(target,)),
            held,
        )
        for environment, target in zip(resource.environments, resource.targets, strict=True)
    ]

    together = may(caller, permission, resource, held)

    assert together is (any(alone) if permission in OF_ONE_PART else all(alone))


@given(callers, permissions, resources(), some_grants)
def test_whoever_may_do_anything_there_may_see_it(
    caller: Caller, permission: Permission, resource: Resource, held: list[Grant]
) -> None:
    """Nothing is done to what doesn't exist for the caller, unless the token isn't for reading."""
    assume(caller.granted is None)

    if may(caller, permission, resource, held):
        assert may(caller, Permission.READ, resource, held)


@given(callers, resources(), some_grants)
def test_whoever_may_see_it_may_stop_it(
    caller: Caller, resource: Resource, held: list[Grant]
) -> None:
    """Nobody watches harm with tied hands."""
    assume(caller.granted is None)

    assert may(caller, Permission.READ, resource, held) is may(
        caller, Permission.HALT, resource, held
    )


def _subject_of(caller: Caller) -> str:
    kind = "program" if caller.kind is CallerKind.PROGRAM else "person"
    return f"{kind}:{caller.name}"
