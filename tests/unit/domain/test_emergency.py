"""Emergencies: what a protocol may hold, what it makes of a plan, who must agree, what is owed."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tidegate.domain.emergency.authority import (
    persons_agreed,
    persons_missing,
    refusal_to_approve,
    refusal_to_start,
    unmet_criteria,
)
from tidegate.domain.emergency.debts import (
    after_evidence,
    after_waiver,
    new_debt,
    refusal_to_waive,
)
from tidegate.domain.emergency.model import DebtState, Word
from tidegate.domain.emergency.protocol import BUILT_IN, ResponsePlan, plan_problems, problems_of
from tidegate.domain.emergency.shorten import Treatment, shorten
from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.plan.model import CoverageSpec
from tidegate.domain.quantities import RolloutId, ServiceName, TargetName
from tidegate.testing.builders import START, a_phase, a_plan
from tidegate.testing.emergencies import (
    DIGEST,
    a_gate,
    a_protocol,
    an_emergency,
    an_evidence,
)

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
EU = frozenset({TargetName("eu")})


# --- protocols -------------------------------------------------------------------------------


def test_the_built_in_protocols_can_be_used():
    """Without a policy: two persons, an hour by twelve but ten minutes, four hours, debts in a day."""
    for protocol in BUILT_IN:
        assert problems_of(protocol) == ()
        assert (protocol.persons, protocol.divide_by, protocol.floor) == (2, 12, 10 * MINUTE)
        assert (protocol.expires_after, protocol.debt_due) == (4 * HOUR, 24 * HOUR)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"persons": 1}, "authorise"),
        ({"criteria": "severity ="}, "criteria"),
        ({"criteria": ""}, "criteria"),
        ({"divide_by": 0.5}, "bakes"),
        ({"divide_by": 101}, "bakes"),
        ({"divide_by": float("nan")}, "bakes"),
        ({"floor": timedelta(0)}, "bakes"),
        ({"expires_after": timedelta(0)}, "expires"),
        ({"expires_after": 25 * HOUR}, "expires"),
        ({"debt_due": 25 * HOUR}, "debts"),
        ({"debt_due": timedelta(0)}, "debts"),
        ({"out_of_band": ("digest",)}, "out_of_band"),
        ({"out_of_band": ("tests",), "never_skip": ("tests",)}, "out_of_band"),
    ],
)
def test_what_no_protocol_may_hold(changes, key):
    """One person alone, no bake, authority or debt without an end, versions that aren't pinned."""
    found = problems_of(a_protocol(**changes))

    assert [problem.key for problem in found] == [(key,)]
    assert all(problem.fix for problem in found)


PLAN = ResponsePlan(id="ERP", version="3", roles=("ic", "owner"), valid_until=date(2030, 6, 30))


@pytest.mark.parametrize(
    ("changes", "today", "message"),
    [
        ({}, date(2030, 6, 30), None),
        ({}, date(2030, 7, 1), "expired on 2030-06-30"),
        ({"authorise": ("ic", "somebody")}, date(2030, 1, 1), "somebody authorises and is no role"),
        (
            {"plan": replace(PLAN, version="2")},
            date(2030, 1, 1),
            "isn't the same here and in first",
        ),
        ({"plan": None}, date(2031, 1, 1), None),
    ],
)
def test_a_protocol_fits_its_response_plan(changes, today, message):
    """An expired plan, another version of it and people who aren't in it are told."""
    first = a_protocol(type="first", plan=replace(PLAN, valid_until=PLAN.valid_until))
    second = replace(a_protocol(type="second", plan=PLAN, authorise=("ic",)), **changes)

    found = [p.message for name, p in plan_problems((first, second), today) if name == "second"]

    assert [message in one for one in found] == ([] if message is None else [True])


@pytest.mark.parametrize(
    ("facts", "is_met"),
    [
        ((("incident.id", '"INC-1"'), ("severity", '"sev1"')), True),
        ((("incident.id", '"INC-1"'), ("severity", '"sev3"')), False),
        ((("severity", '"sev1"'),), False),
        ((("incident.id", '"INC-1"'),), False),
        ((("incident.id", '"INC-1"'), ("cve.score", "7")), True),
        ((("incident.id", '"INC-1"'), ("cve.score", '"9.8"')), False),
        ((("incident.id", '"INC-1"'), ("cve.score", "nan")), False),
    ],
)
def test_criteria_are_met_by_facts_only(facts, is_met):
    """What is missing, of another type or no literal at all doesn't make an emergency."""
    assert (not unmet_criteria(BUILT_IN[0], facts)) is is_met


# --- the plan --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bake", "in_production", "expected"),
    [
        (24 * HOUR, True, 2 * HOUR),
        (HOUR, True, 10 * MINUTE),
        (5 * MINUTE, True, 5 * MINUTE),
        (24 * HOUR, False, 2 * HOUR),
        (24 * MINUTE, False, 2 * MINUTE),
        (timedelta(seconds=10), False, timedelta(seconds=10)),
        (timedelta(0), True, timedelta(0)),
    ],
)
def test_bakes_are_divided_and_never_below_the_floors(bake, in_production, expected):
    """The protocol's floor anywhere, ten minutes in production; never longer than the plan's own."""
    plan = a_plan(weights_bps=(500, 10_000))
    plan = replace(plan, phases=tuple(replace(one, bake=bake) for one in plan.phases))
    protocol = a_protocol(floor=MINUTE)

    shortened = shorten(plan, protocol, EU if in_production else frozenset())

    assert {phase.bake for phase in shortened.plan.phases} == {expected}
    assert (shortened.routine, shortened.shortened) == (2 * bake, 2 * expected)


def test_only_time_and_order_are_taken_from_a_plan():
    """Phases, exposure, signals, proof, deadlines and the way back are those of the plan."""
    plan = a_plan(gates=(a_gate("tests"), a_gate("digest"), a_gate("signature")), quarantine=MINUTE)
    before = tuple(replace(one, approvals=1, approvers="team-x") for one in plan.phases)
    plan = replace(plan, phases=before)

    after = shorten(plan, a_protocol(floor=MINUTE), EU).plan

    restored = replace(
        after,
        phases=tuple(
            replace(new, bake=old.bake, approvals=1, approvers="team-x")
            for old, new in zip(before, after.phases, strict=True)
        ),
        gates=plan.gates,
        quarantine=plan.quarantine,
    )
    assert restored == plan
    assert [gate.is_deferred for gate in after.gates] == [True, False, False]
    assert after.quarantine == before[-1].bake


def test_approvals_stay_where_the_protocol_keeps_them():
    """Otherwise those who authorised have said yes to this very change."""
    plan = a_plan(weights_bps=(500,))
    plan = replace(plan, phases=(replace(plan.phases[0], approvals=1, approvers="team-x"),))

    kept = shorten(plan, a_protocol(keeps_approvals=True), EU).plan

    assert kept.phases[0].approvals == 1


def test_busy_hours_are_time_and_the_rest_of_coverage_is_proof():
    """Nobody waits for the morning; the kinds of use that must have been seen stay."""
    coverage = CoverageSpec(
        by=("region",),
        smallest_cell=0.01,
        smallest_failure=0.1,
        share=0.9,
        unseen=0.05,
        busy_hours=3,
        timezone_label=None,
        source="envoy",
    )
    plan = a_plan(weights_bps=(500,))
    plan = replace(plan, phases=(a_phase(coverage=coverage),))

    assert shorten(plan, a_protocol(), EU).plan.phases[0].coverage == replace(
        coverage, busy_hours=0
    )


def test_what_is_put_off_is_owed_and_said():
    """Every gate out of band is owed; one about the surroundings can't halt what shall mend them."""
    gates = tuple(map(a_gate, ("tests", "healthy", "backup", "digest")))
    protocol = a_protocol(out_of_band=("tests", "healthy"), never_skip=("backup",))

    shortened = shorten(a_plan(gates=gates), protocol, EU)

    assert [gate.name for gate in shortened.owed] == ["tests", "healthy"]
    assert [(gate.name, gate.is_deferred) for gate in shortened.plan.gates] == [
        ("tests", True),
        ("healthy", True),
        ("backup", False),
        ("digest", False),
    ]
    said = {one.what: one.treatment for one in shortened.differences}
    assert said["gate tests"] is said["gate healthy"] is Treatment.OUT_OF_BAND
    assert said["gate backup"] is said["gate digest"] is Treatment.UNCHANGED
    assert said["phases"] is said["stops"] is said["way back"] is Treatment.UNCHANGED


def test_a_gate_is_put_off_by_its_name_too():
    """Two gates of one kind can be told apart; a name on the list of what is never skipped wins."""
    fast, slow = replace(a_gate("tests"), name="fast"), replace(a_gate("tests"), name="slow")

    owed = shorten(a_plan(gates=(fast, slow)), a_protocol(out_of_band=("slow",)), EU).owed
    kept = a_protocol(out_of_band=("tests",), never_skip=("fast",))

    assert owed == (slow,)
    assert shorten(a_plan(gates=(fast, slow)), kept, EU).owed == (slow,)


# --- who -------------------------------------------------------------------------------------


def word(person, *, minutes=1):
    return Word(by=person, person=person, at=START + minutes * MINUTE, reason="")


@pytest.mark.parametrize(
    ("persons", "declarer_counts", "approvals", "missing"),
    [
        (2, True, (), 1),
        (2, True, ("bob",), 0),
        (2, True, ("alice",), 1),
        (2, True, ("alice", "alice"), 1),
        (2, False, ("bob",), 1),
        (2, False, ("bob", "bob"), 1),
        (2, False, ("bob", "carol"), 0),
        (3, True, ("bob",), 1),
        (3, True, ("bob", "carol"), 0),
        (1, True, (), 1),
    ],
)
def test_persons_are_counted_and_never_the_declarer_alone(
    persons, declarer_counts, approvals, missing
):
    """The declarer may be one of them; somebody else has to be as well, whatever number is asked for."""
    emergency = an_emergency(
        protocol=a_protocol(persons=persons),
        declarer_counts=declarer_counts,
        approvals=tuple(map(word, approvals)),
    )

    assert persons_missing(emergency) == missing
    assert len(set(persons_agreed(emergency))) == len(persons_agreed(emergency))


def test_who_cannot_agree():
    """The declarer, whoever agreed already, and anybody once it is closed or expired."""
    emergency = an_emergency(approvals=(word("bob"),))
    late = emergency.expires_at

    assert "declared it" in refusal_to_approve(emergency, "alice", START)
    assert "already" in refusal_to_approve(emergency, "bob", START)
    assert refusal_to_approve(emergency, "carol", START) == ""
    assert "expired" in refusal_to_approve(emergency, "carol", late)
    assert "closed" in refusal_to_approve(replace(emergency, closed_at=START), "carol", START)


def test_what_can_be_started_is_one_change_of_one_service_for_a_time():
    """Each condition alone keeps it from being started."""
    authorised = an_emergency(approvals=(word("bob"),), authorised_at=START + MINUTE)
    shop = ServiceName("shop")

    def refusal(emergency=authorised, *, service=shop, digest=DIGEST, now=START + HOUR):
        return refusal_to_start(emergency, service=service, change_digest=digest, now=now)

    assert refusal() == ""
    assert "1 more must agree" in refusal(an_emergency())
    assert "1 more must agree" in refusal(replace(authorised, approvals=()))
    assert "more must agree" in refusal(replace(authorised, authorised_at=None))
    assert "expired" in refusal(now=authorised.expires_at)
    assert "about shop" in refusal(service=ServiceName("other"))
    assert "pinned by digest" in refusal(digest="sha256:" + "0" * 64)
    assert "closed" in refusal(replace(authorised, closed_at=START))


# --- debts -----------------------------------------------------------------------------------


def a_debt(kind="tests"):
    return new_debt(
        an_emergency(),
        a_gate(kind),
        rollout_id=RolloutId("r-1"),
        owner="team-shop",
        now=START,
    )


def test_a_new_debt_has_an_owner_a_time_and_its_gate():
    """The service's owner unless the protocol names one; overdue from its time on, to the second."""
    debt = a_debt()

    assert (debt.owner, debt.due_at, debt.state) == ("team-shop", START + 24 * HOUR, DebtState.OPEN)
    assert debt.spec is not None
    assert debt.spec.is_deferred
    assert not debt.is_overdue(debt.due_at - timedelta(seconds=1))
    assert debt.is_overdue(debt.due_at)


@pytest.mark.parametrize(
    ("changes", "kind", "state"),
    [
        ({}, "tests", DebtState.SETTLED),
        ({"verdict": GateVerdict.RED}, "tests", DebtState.FAILED),
        ({"verdict": GateVerdict.RED}, "healthy", DebtState.OPEN),
        ({"verdict": GateVerdict.UNKNOWN}, "tests", DebtState.OPEN),
        ({"expires_at": START + MINUTE}, "tests", DebtState.OPEN),
        ({"change_digest": "sha256:" + "0" * 64}, "tests", DebtState.OPEN),
        ({"service": ServiceName("other")}, "tests", DebtState.OPEN),
        ({"gate": "other"}, "tests", DebtState.OPEN),
    ],
)
def test_only_a_good_answer_about_the_very_change_settles_a_debt(changes, kind, state):
    """Green and not too old; red fails it, unless it asks about the surroundings."""
    evidence = an_evidence(kind, **changes)

    assert after_evidence(a_debt(kind), evidence, START + HOUR).state is state


def test_a_failed_debt_is_settled_by_a_later_green():
    """The answer is what was owed. Nothing moves one that is settled or given up."""
    red = after_evidence(a_debt(), an_evidence("tests", verdict=GateVerdict.RED), START + MINUTE)
    green = after_evidence(red, an_evidence("tests"), START + HOUR)
    again = after_evidence(green, an_evidence("tests", verdict=GateVerdict.RED), START + HOUR)

    assert (red.state, green.state, again) == (DebtState.FAILED, DebtState.SETTLED, green)
    assert after_evidence(a_debt(), None, START).state is DebtState.OPEN


def test_a_debt_is_given_up_by_two_others():
    """Not by whoever declared the emergency or owns the debt, and not twice by one."""
    emergency = an_emergency()
    debt = replace(a_debt(), owner="oscar")

    once = after_waiver(debt, word("bob"))
    twice = after_waiver(once, word("carol"))

    assert "declared" in refusal_to_waive(debt, emergency, "alice")
    assert "owns it" in refusal_to_waive(debt, emergency, "oscar")
    assert "already" in refusal_to_waive(once, emergency, "bob")
    assert refusal_to_waive(once, emergency, "carol") == ""
    assert (once.state, twice.state) == (DebtState.OPEN, DebtState.WAIVED)
    assert after_waiver(once, word("bob")).state is DebtState.OPEN
    assert "waived already" in refusal_to_waive(twice, emergency, "dave")
