"""From one signal's evidence to the state it tells: only what is known to be well is healthy."""

import math
from typing import Any

import pytest

from tidegate.domain.health.evidence import SignalEvidence
from tidegate.domain.health.model import Health
from tidegate.domain.health.readings import Quality
from tidegate.domain.health.signal_health import limit_health, shown_health
from tidegate.domain.plan.model import (
    Effect,
    ErrorBudget,
    Limit,
    SignalKind,
    SignalSpec,
    Tolerance,
    ToleranceUnit,
)
from tidegate.testing.builders import a_signal

BUDGET = ErrorBudget(alpha_halt=0.01, alpha_hold=0.05, beta=0.05)


def evidence(**changes: Any) -> SignalEvidence:
    fields: dict[str, Any] = {
        "signal": "errors",
        "kind": SignalKind.ERRORS,
        "gate": True,
        "weight": 1.0,
        "tolerance": Tolerance(value=0.05, unit=ToleranceUnit.RATE),
        "concurrent": True,
        "log_e_harm": 0.0,
        "log_e_safe": 0.0,
        "quality": Quality.GOOD,
        "quality_note": "",
        "quality_since": None,
        "candidate_total": 100,
        "candidate_bad": 1,
        "baseline_total": 900,
        "baseline_bad": 9,
    }
    return SignalEvidence(**fields | changes)


def a_limit(effect: Effect = Effect.HALT, *, above: bool = True) -> SignalSpec:
    limit = Limit(value=1.0, above=above, effect=effect)
    return a_signal("lag", kind=SignalKind.LIMIT, gate=False, limit=limit)


@pytest.mark.parametrize(
    ("log_e_harm", "attempt", "health"),
    [
        (0.0, 1, Health.HEALTHY),
        (math.log(19.9), 1, Health.HEALTHY),
        (math.log(20.1), 1, Health.DEGRADED),
        (math.log(199.0), 1, Health.DEGRADED),
        (math.log(201.0), 1, Health.UNHEALTHY),
        (math.log(201.0), 2, Health.DEGRADED),
        (math.nan, 1, Health.UNKNOWN),
    ],
)
def test_a_signal_is_as_sick_as_what_holds_and_halts(
    log_e_harm: float, attempt: int, health: Health
) -> None:
    """Likely harm is degraded, harm proven at the attempt's own level unhealthy, NaN unknown."""
    said = shown_health(a_signal(), evidence(log_e_harm=log_e_harm), BUDGET, attempt=attempt)

    assert said.health is health


@pytest.mark.parametrize("quality", [one for one in Quality if one is not Quality.GOOD])
def test_bad_data_is_unknown_whatever_it_says(quality: Quality) -> None:
    """No quality but good lets a signal be healthy."""
    said = shown_health(a_signal(), evidence(quality=quality), BUDGET, attempt=1)

    assert said.health is Health.UNKNOWN


def test_where_nothing_was_counted_nothing_is_known() -> None:
    """No requests at all is not the same as no failures."""
    shown = evidence(candidate_total=0, candidate_bad=0, baseline_total=0, baseline_bad=0)

    said = shown_health(a_signal(), shown, BUDGET, attempt=1)

    assert said.health is Health.UNKNOWN


@pytest.mark.parametrize(
    ("effect", "health"),
    [
        (Effect.HALT, Health.UNHEALTHY),
        (Effect.HOLD, Health.DEGRADED),
        (Effect.IGNORE, Health.HEALTHY),
    ],
)
def test_a_broken_limit_is_as_bad_as_what_it_does(effect: Effect, health: Health) -> None:
    """What would halt is unhealthy, what would hold degraded, what is ignored only shown."""
    assert limit_health(a_limit(effect), 1.5).health is health
    assert limit_health(a_limit(effect), 1.0).health is Health.HEALTHY


def test_a_least_is_broken_from_below() -> None:
    """The other side is the bad one."""
    assert limit_health(a_limit(above=False), 0.5).health is Health.UNHEALTHY
    assert limit_health(a_limit(above=False), 1.5).health is Health.HEALTHY


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_limit_without_a_number_is_unknown(value: float) -> None:
    """NaN is on no side of a limit, and an infinity is no measurement."""
    assert limit_health(a_limit(), value).health is Health.UNKNOWN


def test_a_limit_in_evidence_is_judged_by_its_last_value() -> None:
    """Without a value yet it is unknown."""
    shown = {"signal": "lag", "kind": SignalKind.LIMIT, "limit": a_limit().limit}

    broken = shown_health(a_limit(), evidence(**shown, value=2.0), BUDGET, attempt=1)
    nothing = shown_health(a_limit(), evidence(**shown, value=None), BUDGET, attempt=1)

    assert (broken.health, broken.why) == (Health.UNHEALTHY, "2, at most 1 is allowed")
    assert nothing.health is Health.UNKNOWN


def test_a_shadow_tells_how_often_it_would_have_halted() -> None:
    """It says what it sees, and doesn't count."""
    spec = a_signal(shadow=True)

    said = shown_health(spec, evidence(shadow=True, shadow_halts=2), BUDGET, attempt=1)

    assert not said.counts
    assert said.why.endswith("would have halted 2 times")
