"""Which words of people let a phase begin: yes and no, void and expired, reviewed or not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tidegate.domain.approvals.model import VoidApproval
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rehearsal, Rollout
from tidegate.testing.builders import START, a_rollout
from tidegate.testing.simulation.situations import an_approval, an_observation, issued

LATER = START + timedelta(hours=1)


def asking(count: int, **phase: Any) -> Rollout:
    rollout = issued(a_rollout(state=State.WAITING, rehearsal=Rehearsal.PROVEN))
    first, *others = rollout.plan.phases
    asked = replace(first, approvals=count, approvers="team", **phase)
    return replace(rollout, plan=replace(rollout.plan, phases=(asked, *others)))


def said(rollout: Rollout, *words: Any) -> Rollout:
    return replace(rollout, approvals=tuple(words))


def action(rollout: Rollout, **seen: Any) -> str:
    decision = decide(an_observation(rollout, now=LATER, **seen))
    if decision.action == "hold":
        assert decision.waiting_on.reason is ReasonCode.APPROVAL
    return str(decision.action)


def test_two_names_of_one_person_are_one() -> None:
    """Where a person is on record, they are counted and not their accounts."""
    rollout = asking(2)
    accounts = (
        an_approval(rollout, "bob", person="bob"),
        an_approval(rollout, "bob-admin", person="bob"),
    )
    persons = (accounts[0], an_approval(rollout, "carol", person="carol"))

    assert action(said(rollout, *accounts)) == "hold"
    assert action(said(rollout, *persons)) == "enter_phase"


def test_a_no_outweighs_every_yes_and_lapses_with_nothing() -> None:
    """Neither a void mark with its name and time nor an end that somebody wrote takes it away."""
    rollout = asking(1)
    no = an_approval(rollout, "carol", is_yes=False, comment="no", expires_at=START)
    void = VoidApproval(by="carol", at=no.at, because="the policy changed")

    assert action(said(rollout, an_approval(rollout, "bob"), no), void_approvals=(void,)) == "hold"
    assert action(said(rollout, an_approval(rollout, "bob"))) == "enter_phase"


def test_the_latest_word_of_a_person_counts() -> None:
    """A yes after a no is a yes, a no after a yes a no."""
    rollout = asking(1)
    yes, no = an_approval(rollout, "bob"), an_approval(rollout, "bob", is_yes=False)

    assert action(said(rollout, no, yes)) == "enter_phase"
    assert action(said(rollout, yes, no)) == "hold"


@pytest.mark.parametrize(("expires_in", "wanted"), [(1, "enter_phase"), (0, "hold"), (-1, "hold")])
def test_a_yes_ends_with_its_time(expires_in: int, wanted: str) -> None:
    """At its very end it is over."""
    rollout = asking(1)
    yes = an_approval(rollout, expires_at=LATER + timedelta(seconds=expires_in))

    assert action(said(rollout, yes)) == wanted


@pytest.mark.parametrize(
    ("unless_reviewed", "is_reviewed", "wanted"),
    [(True, True, "enter_phase"), (True, False, "hold"), (False, True, "hold")],
)
def test_a_review_stands_for_an_approval_where_the_policy_says_so(
    unless_reviewed: bool, is_reviewed: bool, wanted: str
) -> None:
    """And nowhere else."""
    assert action(asking(1, unless_reviewed=unless_reviewed), is_reviewed=is_reviewed) == wanted


def test_a_review_does_not_outweigh_a_no() -> None:
    """A person who said no is asked, whoever reviewed it."""
    rollout = asking(1, unless_reviewed=True)
    no = an_approval(rollout, "carol", is_yes=False)

    assert action(said(rollout, no), is_reviewed=True) == "hold"
