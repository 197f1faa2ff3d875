"""What a draft suggests: only what its facts show, and nothing that was taken over."""

from datetime import UTC, datetime

import pytest

from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.review.postmortem import Caught, Fact, Guard, Postmortem, draft
from tidegate.domain.review.suggestions import suggest
from tidegate.domain.review.written import Hand, Review, add_factor

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def drafted(*guards: Guard, halted_by: str = "tidegate") -> Postmortem:
    stop = Fact(
        number=1,
        at=START,
        kind="decision",
        rule="a-rule",
        because="because",
        actor=halted_by,
        state_before="baking",
        state_after="halted",
        exposure_bps=None,
        phase="few",
        by_rule=halted_by == "tidegate",
    )
    return draft([stop], [], guards, [], engine="tidegate", proposer="dev-a", threshold=3.0)


def guard(caught: Caught, signal: str = "errors") -> Guard:
    return Guard(signal=signal, caught=caught, detail="")


@pytest.mark.parametrize(
    ("caught", "keys"),
    [
        (Caught.CAUGHT, []),
        (Caught.CLEAR, []),
        (Caught.BLIND, ["blind:errors"]),
        (Caught.PARTLY, ["partly:errors"]),
        (Caught.SHADOW, ["shadow:errors"]),
    ],
)
def test_a_guard_that_did_not_do_its_part_is_a_factor_and_has_an_action(
    caught: Caught, keys: list[str]
) -> None:
    """One that caught it, or had nothing to see, suggests nothing."""
    found = suggest(drafted(guard(caught)))

    assert [one.key for one in found.factors] == keys
    assert [one.key for one in found.actions] == keys
    assert all("errors" in one.text for one in (*found.factors, *found.actions))


def test_a_stop_by_a_person_suggests_a_signal() -> None:
    """Whoever saw it may not look the next time; nobody's name is in it."""
    found = suggest(drafted(halted_by="lead-a"))

    assert [one.key for one in found.factors] == ["stopped-by-a-person"]
    assert "lead-a" not in f"{found}"
    assert suggest(drafted()).factors == ()


def test_what_was_taken_over_is_suggested_no_more() -> None:
    """However its text was changed since; factors and actions are taken over apart."""
    made = drafted(guard(Caught.BLIND), guard(Caught.SHADOW, "latency"))
    empty = Review(rollout_id=RolloutId("r-1"), service=ServiceName("shop"), changed_at=START)
    hand = Hand(by="lead-a", at=START)
    review = add_factor(empty, "in other words", hand, suggestion="blind:errors").review

    found = suggest(made, factors=review.factors, actions=review.actions)

    assert [one.key for one in found.factors] == ["shadow:latency"]
    assert [one.key for one in found.actions] == ["blind:errors", "shadow:latency"]
