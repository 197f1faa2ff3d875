"""Which alarms concern a rollout, and what they do to it."""

from dataclasses import replace

import pytest

from tidegate.domain.plan.model import AlertPolicy, Effect
from tidegate.domain.quantities import ServiceName, TargetName
from tidegate.domain.rollout.alarms import AlarmKind, Severity, concerns, describe
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rehearsal
from tidegate.domain.rollout.seen import alarm_effect
from tidegate.testing.builders import START, a_plan, a_rollout, an_alarm
from tidegate.testing.simulation.situations import a_pass

SHOP, OTHER = ServiceName("shop"), ServiceName("payments")
EU, US = TargetName("eu"), TargetName("us")
REPORT = {"kind": AlarmKind.REPORT, "source": "user"}
TICKET = {"severity": Severity.TICKET}


def labelled(**labels):
    return {"labels": tuple(labels.items())}


@pytest.mark.parametrize(
    ("match", "alarm", "ours"),
    [
        ({}, {}, True),
        ({}, {"service": OTHER}, False),
        ({}, {"service": None}, False),
        ({"team": "search"}, labelled(team="search"), True),
        ({"team": "search"}, {"service": None, **labelled(team="search")}, True),
        ({"team": "search"}, {"service": OTHER, **labelled(team="search")}, False),
        ({"team": "search"}, labelled(team="orders"), False),
        ({"team": "search"}, labelled(), False),
        ({"team": "search", "env": "prod"}, labelled(team="search"), False),
        ({"service": "payments"}, {"service": OTHER}, True),
        ({"service": "shop"}, {}, True),
        ({"target": "eu"}, {"target": EU}, True),
        ({"target": "eu"}, {"target": US}, False),
        ({"team": "search"}, {**REPORT}, True),
        ({}, {**REPORT, "service": OTHER}, False),
    ],
)
def test_an_alarm_concerns_what_it_names_and_what_the_policy_matches(match, alarm, ours):
    """All labels asked for must be there; a person's report needs none, only the service."""
    policy = AlertPolicy(match=tuple(match.items()))

    assert concerns(an_alarm(**alarm), SHOP, policy) is ours


def in_state(state, **changes):
    changes.setdefault("rehearsal", Rehearsal.PROVEN)
    return a_rollout(state=state, targets=("eu",), **changes)


def passed(rollout):
    return replace(rollout, passes=(a_pass(rollout, rollout.phase_index - 1),))


@pytest.mark.parametrize(
    ("rollout", "alarm", "effect"),
    [
        (in_state(State.BAKING), {}, Effect.HALT),
        (in_state(State.BAKING), {"target": EU}, Effect.HALT),
        (in_state(State.BAKING), {"target": US}, Effect.HOLD),
        (in_state(State.BAKING), TICKET, Effect.HOLD),
        (in_state(State.BAKING), REPORT, Effect.HALT),
        (in_state(State.BAKING), {**REPORT, **TICKET}, Effect.HOLD),
        (in_state(State.BAKING), {"service": OTHER}, Effect.IGNORE),
        (in_state(State.BAKING), {"resolved_at": START}, Effect.IGNORE),
        # What one organisation says stops nothing of another one, whatever it names.
        (in_state(State.BAKING), {"organisation": "umbrella"}, Effect.IGNORE),
        (in_state(State.BAKING), {"organisation": "default"}, Effect.HALT),
        (in_state(State.APPLYING), {}, Effect.HALT),
        (in_state(State.HELD), {}, Effect.HALT),
        (passed(in_state(State.WAITING, phase_index=1)), {}, Effect.HALT),
        # After a stop nobody is exposed any more, and nothing is left to be withdrawn.
        (in_state(State.WAITING, phase_index=1), {}, Effect.HOLD),
        (in_state(State.WAITING), {}, Effect.HOLD),
        (in_state(State.WAITING, rehearsal=Rehearsal.FORWARD), {}, Effect.HALT),
        (in_state(State.WAITING, rehearsal=Rehearsal.NOT_TRIED), {}, Effect.HOLD),
    ],
)
def test_a_page_halts_where_somebody_may_meet_the_candidate(rollout, alarm, effect):
    """Elsewhere in the service it holds: there is nothing to withdraw, but nothing rises either."""
    assert alarm_effect(rollout, an_alarm(**alarm)) is effect


@pytest.mark.parametrize("effect", list(Effect))
def test_the_policy_says_what_an_alert_does_but_not_what_a_person_reports(effect):
    """A service may take pages as tickets, or ignore them; a user's word is never ignored."""
    plan = a_plan(alerts=AlertPolicy(page=effect, ticket=effect))
    rollout = in_state(State.BAKING, plan=plan)

    assert alarm_effect(rollout, an_alarm()) is effect
    assert alarm_effect(rollout, an_alarm(**TICKET)) is effect
    assert alarm_effect(rollout, an_alarm(**REPORT)) is Effect.HALT


def test_an_alarm_says_who_says_what_of_what():
    """One sentence is enough to know whom to ask."""
    alert, report = an_alarm(target=EU), an_alarm(**REPORT, **TICKET, service=SHOP)

    assert describe(alert) == "a page alert for shop/eu says: orders fail"
    assert describe(report) == "a user report for shop says: orders fail"
