"""
The watch's state as JSON values and back, exactly. Only storing; what the numbers mean is elsewhere.

Numbers survive to the last bit because JSON keeps doubles. A stored state names the grids it was
started with, so a later release with other grids can't read old evidence wrongly: it refuses.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import Plan, SignalKind
from tidegate.errors import StoreError
from tidegate.stats import bounds, difference, harm, history, latency, safe
from tidegate.stats.states import StreamState
from tidegate.usecases.evidence import EvidenceState, SignalState
from tidegate.usecases.sequential import Tests

_STATES: Final[dict[str, type[StreamState]]] = {
    kind.__qualname__ + "." + kind.__module__.rsplit(".", 1)[-1]: kind
    for kind in (
        harm.HarmState,
        latency.LatencyState,
        history.HistoryState,
        difference.DifferenceState,
        safe.RatioState,
        bounds.ExcessBoundState,
        bounds.RatioBoundState,
    )
}
_NAMES: Final = {kind: name for name, kind in _STATES.items()}


def to_lists(state: EvidenceState) -> dict[str, Any]:
    """Return *state* as plain JSON values."""
    return {
        "ticks": state.ticks,
        "phase_index": state.phase_index,
        "phase_began_at": state.phase_began_at.isoformat(),
        "last_at": state.last_at.isoformat(),
        "baked_for": _microseconds(state.baked_for),
        "last_hour": state.last_hour,
        "signals": [_signal_to_lists(signal) for signal in state.signals],
        "exercises": [list(pair) for pair in state.exercises],
    }


def from_lists(plan: Plan, lists: dict[str, Any]) -> EvidenceState:
    """
    Return the state that `to_lists` wrote for a rollout with *plan*.

    Raises:
        StoreError: it doesn't fit the plan, or was written by a release with other tests.
    """
    try:
        specs = {spec.name: spec for spec in plan.phases[lists["phase_index"]].signals}
        return EvidenceState(
            ticks=lists["ticks"],
            phase_index=lists["phase_index"],
            phase_began_at=datetime.fromisoformat(lists["phase_began_at"]),
            last_at=datetime.fromisoformat(lists["last_at"]),
            baked_for=timedelta(microseconds=lists["baked_for"]),
            last_hour=lists["last_hour"],
            signals=tuple(
                SignalState(
                    spec=specs[kept["signal"]],
                    tests=_tests_from_lists(kept["tests"]),
                    quality=Quality(kept["quality"]),
                    note=kept["note"],
                    quality_since=datetime.fromisoformat(kept["quality_since"]),
                    concurrent=kept["concurrent"],
                    **{name: kept[name] for name in _COUNTERS},
                )
                for kept in lists["signals"]
            ),
            exercises=tuple((name, count) for name, count in lists["exercises"]),
        )
    except (KeyError, IndexError, ValueError, TypeError) as exc:
        raise StoreError(
            f"stored evidence can't be read: {exc}",
            hint="it was written by another version, or changed by hand; halt and start anew",
        ) from exc


_COUNTERS: Final = (
    "candidate_total",
    "candidate_bad",
    "baseline_total",
    "baseline_bad",
    "due_since_candidate",
    "split_due",
    "split_got",
    "split_is_wrong",
)


def _signal_to_lists(signal: SignalState) -> dict[str, Any]:
    return {
        "signal": signal.spec.name,
        "tests": _tests_to_lists(signal.tests),
        "quality": signal.quality.value,
        "note": signal.note,
        "quality_since": signal.quality_since.isoformat(),
        "concurrent": signal.concurrent,
        **{name: getattr(signal, name) for name in _COUNTERS},
    }


def _tests_to_lists(tests: Tests) -> dict[str, Any]:
    return {
        "kind": tests.kind.value,
        "harm": _state_to_lists(tests.harm),
        "weak": _state_to_lists(tests.weak),
        "safe": _state_to_lists(tests.safe),
        "bound": _state_to_lists(tests.bound),
        "past_bad": tests.past_bad,
        "past_total": tests.past_total,
        "past_buckets": list(tests.past_buckets),
        "edge": tests.edge,
        "edge_ratio": tests.edge_ratio,
    }


def _tests_from_lists(kept: dict[str, Any]) -> Tests:
    return Tests(
        kind=SignalKind(kept["kind"]),
        harm=_state_from_lists(kept["harm"]),
        weak=_state_from_lists(kept["weak"]),
        safe=_state_from_lists(kept["safe"]),
        bound=_state_from_lists(kept["bound"]),
        past_bad=kept["past_bad"],
        past_total=kept["past_total"],
        past_buckets=tuple(kept["past_buckets"]),
        edge=kept["edge"],
        edge_ratio=kept["edge_ratio"],
    )


def _state_to_lists(state: StreamState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {"test": _NAMES[type(state)], "arrays": state.to_lists()}


def _state_from_lists(kept: dict[str, Any] | None) -> Any:
    if kept is None:
        return None
    return _STATES[kept["test"]].from_lists(kept["arrays"])


def _microseconds(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
