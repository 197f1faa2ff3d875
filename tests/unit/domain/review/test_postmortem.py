"""The draft of a postmortem: what follows from the facts, and what stays unknown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tidegate.domain.health.evidence import SignalEvidence
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import SignalKind, Tolerance, ToleranceUnit
from tidegate.domain.review.postmortem import (
    Caught,
    Counted,
    Fact,
    Postmortem,
    draft,
    guard_of,
)

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def fact(number: int, state: str, *, before: str = "baking", **other: object) -> Fact:
    plain = Fact(
        number=number,
        at=START + timedelta(minutes=number),
        kind="decision",
        rule="a-rule",
        because="because",
        actor="tidegate",
        state_before=before,
        state_after=state,
        exposure_bps=None,
        phase="few",
        by_rule=True,
    )
    return replace(plain, **other)  # type: ignore[arg-type]


def drafted(facts: list[Fact], counted: list[Counted] | None = None) -> Postmortem:
    return draft(facts, counted or [], [], [], engine="tidegate", proposer="dev-a", threshold=3.0)


def test_lengths_are_from_exposure_to_stop_to_nobody_to_over() -> None:
    """Each is of what was seen, not of what was asked for."""
    made = drafted(
        [
            fact(1, "applying", before="waiting", exposure_bps=0),
            fact(2, "baking", before="applying", exposure_bps=1_000),
            fact(7, "halted", exposure_bps=1_000),
            fact(8, "halted", before="halted", exposure_bps=0),
            fact(10, "recovering", before="halted", exposure_bps=0),
            fact(12, "rolled_back", before="recovering", exposure_bps=0),
        ]
    )

    assert made.latencies.exposed_until_halt == timedelta(minutes=5)
    assert made.latencies.halt_until_withdrawn == timedelta(minutes=1)
    assert made.latencies.halt_until_over == timedelta(minutes=5)
    assert made.most_exposed_bps == 1_000


def test_what_isnt_on_record_stays_unknown() -> None:
    """A stop before anybody was seen exposed, and no end yet."""
    made = drafted([fact(1, "halted", before="applying")])

    assert made.latencies.exposed_until_halt is None
    assert made.latencies.halt_until_withdrawn is None
    assert made.latencies.halt_until_over is None
    assert made.exposure == ()


def test_the_timeline_has_changes_and_peoples_words_without_names() -> None:
    """What the engine noted without a change is left out; what a person wrote is linted."""
    made = drafted(
        [
            fact(1, "waiting", before="", actor="dev-a", by_rule=False, because="start"),
            fact(2, "baking", because="nothing new"),
            fact(
                3,
                "halted",
                actor="lead-a",
                by_rule=False,
                because="dev-a forgot to add the index",
            ),
        ]
    )

    assert [moment.number for moment in made.timeline] == [1, 3]
    assert made.timeline[1].who == "person 1"
    assert made.timeline[1].what == "the proposer forgot to add the index"
    assert [blame.wording for blame in made.timeline[1].blame] == ["forgot to"]


def test_impact_compares_each_phase_with_its_own_baseline() -> None:
    """Two phases with different rates aren't thrown together."""
    made = drafted(
        [fact(1, "halted")],
        [
            Counted(
                signal="errors",
                phase="few",
                candidate_total=100,
                candidate_bad=10,
                baseline_total=900,
                baseline_bad=9,
            ),
            Counted(
                signal="errors",
                phase="half",
                candidate_total=500,
                candidate_bad=50,
                baseline_total=500,
                baseline_bad=25,
            ),
        ],
    )

    (impact,) = made.impacts
    assert (impact.served, impact.bad) == (600, 60)
    assert impact.excess == pytest.approx(9 + 25)


def test_without_a_baseline_the_excess_is_unknown_and_never_none_at_all() -> None:
    """One phase with nothing beside it makes the whole estimate unknown."""
    beside = Counted(
        signal="errors",
        phase="few",
        candidate_total=100,
        candidate_bad=10,
        baseline_total=100,
        baseline_bad=0,
    )
    alone = replace(beside, baseline_total=0)

    for counted in ([beside, alone], [alone, beside]):
        (impact,) = drafted([fact(1, "halted")], counted).impacts
        assert impact.excess is None


def test_fewer_bad_than_the_baseline_is_no_negative_harm() -> None:
    """Luck isn't harm undone."""
    lucky = Counted(
        signal="errors",
        phase="few",
        candidate_total=100,
        candidate_bad=0,
        baseline_total=100,
        baseline_bad=5,
    )

    (impact,) = drafted([fact(1, "halted")], [lucky]).impacts

    assert impact.excess == 0.0


@pytest.mark.parametrize(
    ("change", "caught"),
    [
        ({"log_e_harm": 10.0}, Caught.CAUGHT),
        ({"log_e_harm": 3.0}, Caught.PARTLY),
        ({"log_e_harm": 0.0}, Caught.CLEAR),
        ({"candidate_total": 0}, Caught.BLIND),
        ({"log_e_harm": 10.0, "shadow": True, "weight": 0.0}, Caught.SHADOW),
    ],
)
def test_what_a_signal_did(change: dict[str, object], caught: Caught) -> None:
    """By the very rule that may name it; one in shadow only watched, whatever it saw."""
    plain = SignalEvidence(
        signal="errors",
        kind=SignalKind.ERRORS,
        gate=True,
        weight=1.0,
        tolerance=Tolerance(value=0.01, unit=ToleranceUnit.RATE),
        concurrent=True,
        log_e_harm=0.0,
        log_e_safe=0.0,
        quality=Quality.GOOD,
        quality_note="",
        quality_since=None,
        candidate_total=100,
        candidate_bad=1,
        baseline_total=100,
        baseline_bad=1,
    )

    guard = guard_of(replace(plain, **change), 0.01, "detail")  # type: ignore[arg-type]

    assert guard.caught is caught


def test_looking_back_is_no_part_of_what_happened() -> None:
    """Who wrote into the review has no role in it, and the timeline is as it was."""
    happened = [fact(1, "halted", actor="lead-a", by_rule=False)]
    wrote = fact(
        2, "", before="", actor="lead-b", by_rule=False, rule="add-factor", because="f-1: the list"
    )

    assert drafted([*happened, wrote]) == drafted(happened)
