"""What of the fleet needs a person: every kind, in its order, and nothing that ends by itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.emergency.model import Debt, DebtId, DebtState, EmergencyId
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.machine import FINAL, State
from tidegate.domain.rollout.model import (
    Halt,
    HaltCause,
    ReasonCode,
    Rollout,
    WaitingOn,
    WhoCanAct,
)
from tidegate.domain.stops.model import Lift, StopOrder, StopScope
from tidegate.testing.builders import START, a_rollout
from tidegate.usecases.fleet import Fleet
from tidegate.usecases.fleet_needs import NeedKind, needs_of

NOW = START + timedelta(hours=5)


def a_fleet(*rollouts: Rollout, **changes) -> Fleet:
    fleet = Fleet(
        now=NOW,
        rollouts=rollouts,
        owners={},
        evidence={},
        stop_orders=(),
        debts=(),
        read_in=timedelta(0),
    )
    return replace(fleet, **changes)


def waits(
    rollout_id: str,
    state: State,
    reason: ReasonCode,
    who: WhoCanAct = WhoCanAct.NOBODY,
    **changes,
) -> Rollout:
    return a_rollout(
        rollout_id,
        service=changes.pop("service", rollout_id),
        state=state,
        waiting_on=WaitingOn(
            reason=reason, detail=f"words of {rollout_id}", until=None, who_can_act=who
        ),
        **changes,
    )


def kinds(fleet: Fleet) -> list[NeedKind]:
    return [need.kind for need in needs_of(fleet)]


ORDER = StopOrder(
    number=3,
    scope=StopScope.EVERYTHING,
    name="",
    withdraw=False,
    reason="the bank is down",
    by="lead-a",
    at=START,
)
DEBT = Debt(
    id=DebtId("e-1-tests"),
    emergency_id=EmergencyId("e-1"),
    rollout_id=None,
    service=ServiceName("shop"),
    project="default",
    gate="tests",
    owner="lead-a",
    due_at=NOW - timedelta(hours=2),
    state=DebtState.OPEN,
    because="runs beside",
    changed_at=START,
)


@pytest.mark.parametrize(
    ("state", "reason", "who", "kind"),
    [
        (State.HALTED, ReasonCode.PERSON_AFTER_HALT, WhoCanAct.OPERATOR, NeedKind.HALTED),
        (State.HELD, ReasonCode.INCONCLUSIVE, WhoCanAct.OPERATOR, NeedKind.UNDECIDED),
        (State.WAITING, ReasonCode.APPROVAL, WhoCanAct.APPROVER, NeedKind.APPROVAL),
        (State.HELD, ReasonCode.NO_DATA, WhoCanAct.OPERATOR, NeedKind.HELD),
        (State.HELD, ReasonCode.SUSPECTED_HARM, WhoCanAct.OPERATOR, NeedKind.HELD),
        (State.WAITING, ReasonCode.ALARM, WhoCanAct.OPERATOR, NeedKind.BLOCKED),
        (State.PLANNED, ReasonCode.QUEUE, WhoCanAct.OPERATOR, NeedKind.BLOCKED),
    ],
)
def test_what_goes_no_further_by_itself_is_told(
    state: State, reason: ReasonCode, who: WhoCanAct, kind: NeedKind
) -> None:
    """With why, and since when."""
    rollout = waits("shop", state, reason, who)

    (need,) = needs_of(a_fleet(rollout))

    assert need.kind is kind
    assert need.why == "words of shop"
    assert need.since == rollout.state_since
    assert need.rollout == rollout


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.BAKING, ReasonCode.BAKE_TIME),
        (State.BAKING, ReasonCode.MORE_EVIDENCE),
        (State.WAITING, ReasonCode.WINDOW),
        (State.WAITING, ReasonCode.STAGGER),
        (State.APPLYING, ReasonCode.APPLYING),
        (State.RECOVERING, ReasonCode.RECOVERING),
        (State.PLANNED, ReasonCode.QUEUE),
    ],
)
def test_what_ends_by_itself_needs_nobody(state: State, reason: ReasonCode) -> None:
    """However long it takes."""
    assert needs_of(a_fleet(waits("shop", state, reason))) == ()


@pytest.mark.parametrize("state", sorted(FINAL))
def test_what_is_over_needs_nobody(state: State) -> None:
    """Whatever it last waited for."""
    over = waits("shop", state, ReasonCode.PERSON_AFTER_HALT, WhoCanAct.OPERATOR)

    assert needs_of(a_fleet(over)) == ()


def test_a_halt_says_why_it_was_stopped() -> None:
    """Not that somebody is waited for."""
    halt = Halt(cause=HaltCause.ALARM, because="PayErr fires", by="alertmanager", at=START)
    halted = waits("shop", State.HALTED, ReasonCode.PERSON_AFTER_HALT, halt=halt)

    (need,) = needs_of(a_fleet(halted))

    assert need.why == "PayErr fires"


def test_a_stop_order_is_told_once_and_not_with_all_that_it_stops() -> None:
    """And how many have said that it may end."""
    lift = Lift(by="lead-b", person="lead-b", at=START, reason="it is back")
    stopped = waits("shop", State.WAITING, ReasonCode.STOP_ORDER, WhoCanAct.OPERATOR)

    (need,) = needs_of(a_fleet(stopped, stop_orders=(replace(ORDER, lifts=(lift,)),)))

    assert need.kind is NeedKind.STOP_ORDER
    assert "the bank is down" in need.why
    assert need.why.endswith("1 of 2 have said that it may end")


def test_a_debt_is_told_with_its_owner_and_how_late_it_is() -> None:
    """Once, also when it keeps rollouts waiting."""
    blocked = waits("shop", State.WAITING, ReasonCode.DEBT, WhoCanAct.OPERATOR)

    (need,) = needs_of(a_fleet(blocked, debts=(DEBT,)))

    assert need.kind is NeedKind.DEBT
    assert "overdue by 2 h 0 min (owner lead-a)" in need.why


@pytest.mark.parametrize("state", [State.HALTED, State.HELD])
def test_a_queue_is_stuck_behind_what_needs_a_person(state: State) -> None:
    """It is told which rollout is in the way."""
    holder = waits("first", state, ReasonCode.INCONCLUSIVE, WhoCanAct.OPERATOR, service="shop")
    queued = waits("second", State.PLANNED, ReasonCode.QUEUE, service="shop")

    found = needs_of(a_fleet(holder, queued))

    assert found[-1].kind is NeedKind.QUEUE
    assert found[-1].why == f"waits behind rollout first, which is {state.value}"


def test_a_queue_that_moves_is_not_stuck() -> None:
    """Behind what bakes, on other targets, or of another service."""
    queued = waits("second", State.PLANNED, ReasonCode.QUEUE, service="shop")
    baking = waits("first", State.BAKING, ReasonCode.BAKE_TIME, service="shop")
    halted = (State.HALTED, ReasonCode.PERSON_AFTER_HALT)
    elsewhere = waits("third", *halted, service="shop", targets=("us",))
    stranger = waits("fourth", *halted, service="mail")

    assert NeedKind.QUEUE not in kinds(a_fleet(baking, queued))
    assert NeedKind.QUEUE not in kinds(a_fleet(elsewhere, queued))
    assert NeedKind.QUEUE not in kinds(a_fleet(stranger, queued))


def test_the_most_pressing_comes_first_and_the_oldest_within_it() -> None:
    """A halt before an approval, whatever their age."""
    approval = waits("a", State.WAITING, ReasonCode.APPROVAL, WhoCanAct.APPROVER)
    young = waits("b", State.HALTED, ReasonCode.PERSON_AFTER_HALT, at=START + timedelta(hours=1))
    old = waits("c", State.HALTED, ReasonCode.PERSON_AFTER_HALT, at=START)

    found = needs_of(a_fleet(approval, young, old, stop_orders=(ORDER,), debts=(DEBT,)))

    assert [need.service for need in found[:3]] == ["c", "b", "a"]
    assert [need.kind for need in found[3:]] == [NeedKind.STOP_ORDER, NeedKind.DEBT]
