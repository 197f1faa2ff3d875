"""
Forged approvals, by the thousand: whatever is changed about one that would count, it doesn't count.

Each case takes honest approvals of too few persons and adds forgeries: words that are honest but for one or
several parts. 200,000 of them in the full profile, from a seed; a smaller number every time.
"""

import os
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from tidegate.domain.approvals.duties import ApprovalGround, why_void
from tidegate.domain.approvals.model import Binding, VoidApproval
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Approval, Rehearsal, Rollout
from tidegate.domain.rollout.seen import valid_approvals
from tidegate.testing.builders import START, a_rollout
from tidegate.testing.simulation.situations import an_observation, issued

CASES: Final = 200_000 if os.environ.get("TIDEGATE_TEST_PROFILE") == "full" else 4_000
PARTS: Final = 8
"""Seeds of their own, so that several workers share them."""

NEEDED: Final = 2
NOW: Final = START + timedelta(hours=2)
MOVED: Final = START + timedelta(minutes=30)
TEAM: Final = ("bob", "carol", "dora", "erin")

BOUND: Final = Binding(
    change="sha256:change",
    plan="sha256:plan",
    policy="sha256:policy",
    targets="sha256:targets",
    environment="production",
    exposure="5%",
    verdict="pass",
)
GROUND: Final = ApprovalGround(
    binding=BOUND,
    authors=frozenset({"alice", "olga"}),
    strangers=(),
    group="team",
    members=frozenset({*TEAM, "alice", "olga", "zoe"}),
    editors=frozenset({"zoe"}),
    started_with=BOUND.change,
    moved_at=MOVED,
)

Forgery = Callable[[random.Random, Approval], Approval]


def bound_to(**other: str) -> Forgery:
    def forge(_: random.Random, honest: Approval) -> Approval:
        if honest.binding is None:
            # Forged already, and worse.
            return honest
        return replace(honest, binding=replace(honest.binding, **other))

    return forge


def said_by(*persons: str | None) -> Forgery:
    return lambda draw, honest: replace(honest, person=draw.choice(persons))


FORGERIES: Final[tuple[Forgery, ...]] = (
    said_by("alice", "olga"),
    said_by("zoe", "mallory", "Bob", "bob ", "", None),
    lambda _, honest: replace(honest, binding=None),
    lambda draw, honest: replace(honest, plan_hash=draw.choice(("", "sha256:other"))),
    lambda draw, honest: replace(honest, attempt=honest.attempt + draw.choice((-1, 1, 7))),
    lambda draw, honest: replace(honest, phase_index=honest.phase_index + draw.choice((-1, 1))),
    lambda draw, honest: replace(
        honest, expires_at=NOW - timedelta(seconds=draw.choice((0, 1, 86_400)))
    ),
    lambda draw, honest: replace(
        honest, at=MOVED - timedelta(seconds=draw.choice((1, 600, 86_400)))
    ),
    lambda _, honest: replace(honest, is_yes=False),
    bound_to(change="sha256:other"),
    bound_to(plan="sha256:other"),
    bound_to(policy=""),
    bound_to(targets="sha256:other"),
    bound_to(environment="staging"),
    bound_to(exposure="100%"),
)


def asking() -> Rollout:
    rollout = issued(a_rollout(state=State.WAITING, rehearsal=Rehearsal.PROVEN))
    first, *others = rollout.plan.phases
    asked = replace(first, approvals=NEEDED, approvers="team")
    return replace(
        rollout, plan=replace(rollout.plan, phases=(asked, *others)), plan_hash=BOUND.plan
    )


ROLLOUT: Final = asking()


def honest(draw: random.Random, person: str) -> Approval:
    return Approval(
        by=draw.choice((person, f"{person}-2")),
        at=MOVED + timedelta(seconds=draw.randrange(3_600)),
        phase_index=ROLLOUT.phase_index,
        attempt=ROLLOUT.attempt,
        plan_hash=ROLLOUT.plan_hash,
        comment="",
        person=person,
        binding=BOUND,
        expires_at=NOW + timedelta(seconds=draw.randrange(1, 3_600)),
    )


def forged(draw: random.Random, person: str) -> Approval:
    found = honest(draw, person)
    for forgery in draw.sample(FORGERIES, draw.choice((1, 1, 1, 2, 3))):
        found = forgery(draw, found)
    return found


def begins(approvals: list[Approval]) -> bool:
    rollout = replace(ROLLOUT, approvals=tuple(approvals))
    void = tuple(
        VoidApproval(by=one.by, at=one.at, because=because)
        for one in valid_approvals(rollout, rollout.phase_index)
        if one.is_yes and (because := why_void(GROUND, one))
    )
    return decide(an_observation(rollout, now=NOW, void_approvals=void)).action == "enter_phase"


@pytest.mark.parametrize("part", range(PARTS))
def test_no_forgery_makes_up_for_a_person(part: int) -> None:
    """One honest person and any number of false words, in any order, open nothing that needs two."""
    draw = random.Random(f"forged approvals {part}")
    for case in range(CASES // PARTS):
        persons = draw.sample(TEAM, len(TEAM))
        real = draw.randrange(NEEDED)
        words = [honest(draw, person) for person in persons[:real]]
        # The same person again, honestly, under whatever name: still one.
        words += [honest(draw, person) for person in persons[:real] if draw.random() < 0.5]
        words += [forged(draw, draw.choice(persons)) for _ in range(draw.randint(1, 3))]
        draw.shuffle(words)

        assert not begins(words), (part, case, words)


def test_honest_words_of_enough_persons_do_count() -> None:
    """What the cases above are made of would let the phase begin, if it were true of two."""
    draw = random.Random("honest approvals")
    for _ in range(500):
        first, second = draw.sample(TEAM, 2)
        assert begins([honest(draw, first), honest(draw, second)])
