"""What a policy demands of a plan: where, how much, and never less than the plan asks for by itself."""

from dataclasses import replace
from typing import Any

import pytest

from tidegate.domain.plan.model import Phase, Plan
from tidegate.domain.policy.demands import demands_of, with_demands
from tidegate.domain.policy.model import ApprovalRule
from tidegate.domain.quantities import Environment
from tidegate.errors import RefusedError
from tidegate.testing.memory_world import DOCUMENT, the_shop

PLAIN = the_shop(DOCUMENT.replace(", approve: 1 of team-release", "")).spec


def a_rule(**changes: Any) -> ApprovalRule:
    rule = ApprovalRule(environments=(Environment.LAB,), count=1, group="team-release")
    return replace(rule, **changes)


def demanded(*rules: ApprovalRule, plan: Plan = PLAIN.plan, **spec: Any) -> Plan:
    return with_demands(rules, replace(PLAIN, **spec), plan)


def asks(plan: Plan) -> list[tuple[int, str]]:
    return [(phase.approvals, phase.approvers) for phase in plan.phases]


def asking(count: int, group: str, index: int = 0) -> Plan:
    phases = list(PLAIN.plan.phases)
    phases[index] = replace(phases[index], approvals=count, approvers=group)
    return replace(PLAIN.plan, phases=tuple(phases))


NOTHING = (0, "")
ONE = (1, "team-release")


@pytest.mark.parametrize(
    ("rule", "spec", "wanted"),
    [
        (a_rule(), {}, [ONE, NOTHING, NOTHING]),
        (a_rule(every_phase=True), {}, [ONE, ONE, ONE]),
        (a_rule(environments=()), {}, [ONE, NOTHING, NOTHING]),
        (a_rule(environments=(Environment.PRODUCTION,)), {}, [NOTHING] * 3),
        (a_rule(kinds=("code", "schema")), {}, [ONE, NOTHING, NOTHING]),
        (a_rule(kinds=("schema",)), {}, [NOTHING] * 3),
        (a_rule(tiers=(1,)), {"tier": 1}, [ONE, NOTHING, NOTHING]),
        (a_rule(tiers=(1,)), {"tier": 2}, [NOTHING] * 3),
        (a_rule(count=2), {}, [(2, "team-release"), NOTHING, NOTHING]),
    ],
)
def test_a_rule_demands_of_what_it_names(
    rule: ApprovalRule, spec: dict[str, Any], wanted: list[tuple[int, str]]
) -> None:
    """Environment, kind and tier all have to fit; the first phase or every one that does."""
    assert asks(demanded(rule, **spec)) == wanted


@pytest.mark.parametrize(("plan_asks", "rule_asks", "wanted"), [(1, 2, 2), (3, 2, 3), (1, 1, 1)])
def test_the_greater_number_counts(plan_asks: int, rule_asks: int, wanted: int) -> None:
    """A policy makes nothing that a plan asks for less."""
    plan = demanded(a_rule(count=rule_asks), plan=asking(plan_asks, "team-release"))

    assert plan.phases[0].approvals == wanted


@pytest.mark.parametrize(
    ("rules", "plan"),
    [
        ((a_rule(group="team-dba"),), asking(1, "team-release")),
        ((a_rule(), a_rule(group="team-dba")), PLAIN.plan),
    ],
)
def test_one_phase_has_one_group(rules: tuple[ApprovalRule, ...], plan: Plan) -> None:
    """Two groups before one phase are refused in words rather than one of them forgotten."""
    with pytest.raises(RefusedError, match="approvals of several groups") as refused:
        demanded(*rules, plan=plan)

    assert "team-dba" in refused.value.message


@pytest.mark.parametrize(
    ("rules", "plan", "waived"),
    [
        ((a_rule(unless_reviewed=True),), PLAIN.plan, True),
        ((a_rule(),), PLAIN.plan, False),
        ((a_rule(unless_reviewed=True), a_rule()), PLAIN.plan, False),
        ((a_rule(unless_reviewed=True),), asking(1, "team-release"), False),
    ],
)
def test_a_review_stands_only_for_what_was_demanded_so(
    rules: tuple[ApprovalRule, ...], plan: Plan, waived: bool
) -> None:
    """Not for what the plan asks by itself, and not for another rule without the exception."""
    assert demanded(*rules, plan=plan).phases[0].unless_reviewed is waived


def test_what_is_demanded_can_be_hashed_and_explained() -> None:
    """Who looks at the plan sees the rule; nothing demanded leaves the plan as it was."""
    plan = demanded(a_rule(unless_reviewed=True))

    assert demands_of(plan) == [
        {"phase": "few", "count": 1, "of": "team-release", "unless_reviewed": True}
    ]
    first: Phase = plan.phases[0]
    assert first.demanded_by == "lab needs 1 of team-release unless reviewed"
    assert demanded() == PLAIN.plan
    assert demands_of(PLAIN.plan) == []
