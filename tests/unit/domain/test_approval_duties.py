"""What an approval is still a yes to: each part that moves ends it, and only what moves does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tidegate.domain.approvals.duties import (
    ApprovalGround,
    what_moved,
    who_could,
    why_not_eligible,
    why_void,
)
from tidegate.domain.approvals.model import Binding
from tidegate.domain.policy.model import KnownPerson, KnownProgram, Policy
from tidegate.domain.rollout.model import Approval

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
BOUND = Binding(
    change="sha256:c",
    plan="sha256:p",
    policy="",
    targets="sha256:t",
    environment="production",
    exposure="5%",
    verdict="pass",
)
GROUND = ApprovalGround(
    binding=BOUND,
    authors=frozenset({"alice"}),
    strangers=(),
    group="team",
    members=frozenset({"alice", "bob", "carol"}),
    editors=frozenset({"carol"}),
    started_with="sha256:c",
)
GIVEN = Approval(
    by="bob",
    at=AT,
    phase_index=0,
    attempt=1,
    plan_hash="sha256:p",
    comment="",
    person="bob",
    binding=BOUND,
)


@pytest.mark.parametrize(
    "moved",
    [
        {"change": "sha256:other"},
        {"plan": "sha256:other"},
        {"policy": "sha256:other"},
        {"targets": "sha256:other"},
        {"environment": "staging"},
        {"exposure": "10%"},
        {"exposure": "1%"},
        {"verdict": "suspect"},
        {"verdict": "unusable"},
        {"verdict": "fail"},
        {"verdict": "insufficient"},
        {"verdict": ""},
    ],
)
def test_whatever_moves_ends_an_approval(moved: dict[str, str]) -> None:
    """Each part of the binding is compared, with no tolerance for less or more."""
    assert what_moved(BOUND, replace(BOUND, **moved)) != ""
    assert what_moved(BOUND, BOUND) == ""


@pytest.mark.parametrize("seen", ["", "insufficient", "unusable", "suspect"])
def test_an_early_approval_is_one_of_the_pass_that_follows(seen: str) -> None:
    """Who agrees while the bake goes on agrees to what happens once it passes."""
    assert what_moved(replace(BOUND, verdict=seen), BOUND) == ""
    assert what_moved(replace(BOUND, verdict=seen), replace(BOUND, verdict="fail")) != ""


@pytest.mark.parametrize(
    ("person", "says"),
    [
        (None, "no person stands behind x"),
        ("alice", "alice's own change (x is alice)"),
        ("carol", "carol edited the policy"),
        ("dora", "dora isn't in team"),
        ("bob", ""),
    ],
)
def test_who_can_approve(person: str | None, says: str) -> None:
    """No person, own change, own rule, another group: each is refused in words."""
    why_not = why_not_eligible(GROUND, person, "x")

    assert says in why_not
    assert bool(why_not) == bool(says)


def test_a_refusal_says_who_could() -> None:
    """Whoever is refused knows whom to ask, or that somebody has to be added first."""
    assert who_could(GROUND) == "bob"
    assert who_could(replace(GROUND, members=None)) == "somebody else of team"
    assert "add somebody" in who_could(replace(GROUND, members=frozenset({"alice", "carol"})))


def test_an_approval_is_void_for_each_reason_of_its_own() -> None:
    """Eligible and unmoved counts; unbound, moved and unknown doesn't, and what is unknown comes last."""
    later = AT + timedelta(seconds=1)

    assert why_void(GROUND, GIVEN) == ""
    assert "isn't on record" in why_void(GROUND, replace(GIVEN, binding=None))
    assert "own change" in why_void(GROUND, replace(GIVEN, person="alice"))
    assert "and back" in why_void(replace(GROUND, moved_at=later), GIVEN)
    assert why_void(replace(GROUND, moved_at=AT), GIVEN) == ""
    assert why_void(replace(GROUND, unknown="no answer"), GIVEN) == "no answer"
    moved = replace(GROUND, binding=replace(BOUND, change="sha256:x"), unknown="no answer")
    assert "the artifact moved" in why_void(moved, GIVEN)


def test_a_person_is_found_behind_every_name_of_theirs() -> None:
    """By name, by account, and by the program they own under any of their names."""
    policy = Policy(
        people=(KnownPerson(name="alice", accounts=("a2", "github:alice"), groups=("team",)),),
        programs=(KnownProgram(name="ci", owner="a2"), KnownProgram(name="ring", owner="ring")),
    )

    assert [policy.person_of(name) for name in ("alice", "a2", "github:alice", "ci")] == [
        "alice"
    ] * 4
    assert policy.person_of("bob") is None
    assert policy.person_of("ring") is None
    assert policy.members_of("team") == {"alice"}
    assert policy.members_of("unheard") is None
