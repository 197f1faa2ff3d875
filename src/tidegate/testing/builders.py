"""
Plans, phases and rollouts for tests, ready to use: a test names only what it is about.

Rule: every default is plausible and valid (a plan that the planner would accept), and fixed: no clock,
no randomness. Two calls with the same arguments give equal things.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tidegate.domain.plan.model import (
    Change,
    ComponentChange,
    ErrorBudget,
    Move,
    Phase,
    Plan,
    Recovery,
    SignalKind,
    SignalSpec,
    Tolerance,
    ToleranceUnit,
)
from tidegate.domain.quantities import (
    ComponentName,
    Exposure,
    Placement,
    RolloutId,
    ServiceName,
    TargetName,
    Version,
)
from tidegate.domain.rollout.alarms import Alarm, AlarmId, AlarmKind, Severity
from tidegate.domain.rollout.machine import FINAL, State
from tidegate.domain.rollout.model import ReasonCode, Rollout, WaitingOn, WhoCanAct

START: Final = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
"""When things in tests begin: a Monday morning."""

BASELINE: Final = Version(name="1.0.0", digest="sha256:" + "b" * 64)
CANDIDATE: Final = Version(name="1.1.0", digest="sha256:" + "c" * 64)


def a_placement(service: str = "shop", target: str = "eu", component: str = "code") -> Placement:
    """Return a placement of *service*."""
    return Placement(
        service=ServiceName(service),
        component=ComponentName(component),
        target=TargetName(target),
    )


def a_signal(name: str = "errors", **changes: Any) -> SignalSpec:
    """Return a gate signal that counts errors, with *changes* to its fields."""
    signal = SignalSpec(
        name=name,
        kind=SignalKind.ERRORS,
        gate=True,
        tolerance=Tolerance(value=0.05, unit=ToleranceUnit.RATE),
        source="envoy",
    )
    return replace(signal, **changes)


def a_phase(
    name: str = "5%",
    *,
    weight_bps: int = 500,
    placements: Sequence[Placement] | None = None,
    **changes: Any,
) -> Phase:
    """Return a phase that gives *placements* the same weight, with *changes* to its fields."""
    exposure = Exposure(internal=True, weight_bps=weight_bps)
    phase = Phase(
        name=name,
        ring="production",
        moves=tuple(
            Move(placement=placement, exposure=exposure)
            for placement in (placements or (a_placement(),))
        ),
        bake=timedelta(minutes=10),
        bake_max=timedelta(minutes=30),
        minimum_requests=1_000,
        approvals=0,
        approvers="",
        signals=(a_signal(),),
        exercises=(),
    )
    return replace(phase, **changes)


def a_plan(
    *,
    weights_bps: Sequence[int] = (500, 2_500, 5_000, 10_000),
    placements: Sequence[Placement] | None = None,
    **changes: Any,
) -> Plan:
    """Return a plan with one phase per weight for all *placements*, with *changes* to its fields."""
    plan = Plan(
        name="standard",
        phases=tuple(
            a_phase(f"{weight_bps / 100:g}%", weight_bps=weight_bps, placements=placements)
            for weight_bps in weights_bps
        ),
        budget=ErrorBudget(alpha_halt=0.01, alpha_hold=0.05, beta=0.05),
        recovery=Recovery.ROLLBACK,
        tick=timedelta(seconds=10),
        stale_after=timedelta(seconds=30),
        no_data_halt_after=timedelta(hours=2),
        apply_within=timedelta(minutes=2),
        quarantine=timedelta(hours=24),
    )
    return replace(plan, **changes)


def an_alarm(alarm_id: str = "a-1", **changes: Any) -> Alarm:
    """Return an active page alert for `shop` that began at `START`, with *changes* to its fields."""
    alarm = Alarm(
        id=AlarmId(alarm_id),
        kind=AlarmKind.ALERT,
        severity=Severity.PAGE,
        service=ServiceName("shop"),
        target=None,
        summary="orders fail",
        source="alertmanager",
        fingerprint="f-1",
        labels=(("alertname", "OrdersFail"),),
        raised_at=START,
        raised_by="alertmanager",
    )
    return replace(alarm, **changes)


def a_rollout(
    rollout_id: str = "r-1",
    *,
    service: str = "shop",
    targets: Sequence[str] = ("eu",),
    state: State = State.PLANNED,
    at: datetime = START,
    plan: Plan | None = None,
    **changes: Any,
) -> Rollout:
    """
    Return a rollout of `CANDIDATE` over `BASELINE` that came into *state* at *at*.

    Its plan is *plan*, or else `a_plan` for the component `code` of *service* on *targets*. Other
    fields are set by *changes*.
    """
    if plan is None:
        plan = a_plan(placements=[a_placement(service, target) for target in targets])
    components = dict.fromkeys(placement.component for placement in plan.placements())
    rollout = Rollout(
        id=RolloutId(rollout_id),
        service=ServiceName(service),
        change=Change(
            components=tuple(
                ComponentChange(component=component, to=CANDIDATE) for component in components
            )
        ),
        plan=plan,
        plan_hash="sha256:" + "a" * 64,
        baselines=tuple((placement, BASELINE) for placement in plan.placements()),
        state=state,
        revision=1,
        created_at=at,
        created_by="alice",
        phase_index=0,
        attempt=1,
        state_since=at,
        phase_since=at,
        waiting_on=WaitingOn(
            reason=ReasonCode.NOTHING if state in FINAL else ReasonCode.STARTING,
            detail="",
            until=None,
            who_can_act=WhoCanAct.NOBODY,
        ),
        finished_at=at if state in FINAL else None,
    )
    return replace(rollout, **changes)
