"""
The watch's state as JSON values and back, exactly. Only storing; what the numbers mean is elsewhere.

Numbers survive to the last bit because JSON keeps doubles. A stored state names the grids it was
started with, so a later release with other grids can't read old evidence wrongly: it refuses.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from tidegate.domain.health.coverage import CoverageState, ZoneState
from tidegate.domain.health.readings import Quality
from tidegate.domain.health.trouble import Suspect, SuspectKind
from tidegate.domain.plan.model import Plan, SignalKind, SignalSpec
from tidegate.errors import StoreError
from tidegate.stats import bounds, difference, harm, history, latency_family, placebo, safe, traffic
from tidegate.stats.members import MembersState
from tidegate.stats.states import StreamState
from tidegate.usecases import common_trouble, sequential
from tidegate.usecases.evidence import EvidenceState, SignalState
from tidegate.usecases.sequential import Tests
from tidegate.usecases.signal_quality import Flow

_STATES: Final[dict[str, type[StreamState]]] = {
    kind.__qualname__ + "." + kind.__module__.rsplit(".", 1)[-1]: kind
    for kind in (
        harm.HarmState,
        placebo.PlaceboState,
        latency_family.FamilyState,
        traffic.TrafficState,
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
        "coverage": _coverage_to_lists(state.coverage),
        "common": common_trouble.to_lists(state.common) if state.common else None,
        "suspects": [_suspect_to_lists(suspect) for suspect in state.suspects],
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
                _signal_from_lists(specs[kept["signal"]], kept) for kept in lists["signals"]
            ),
            exercises=tuple((name, count) for name, count in lists["exercises"]),
            coverage=_coverage_from_lists(lists.get("coverage")),
            common=common_trouble.from_lists(lists["common"]) if lists.get("common") else None,
            suspects=tuple(map(_suspect_from_lists, lists.get("suspects", ()))),
        )
    except (KeyError, IndexError, ValueError, TypeError) as exc:
        raise StoreError(
            f"stored evidence can't be read: {exc}",
            hint="it was written by another version, or changed by hand; halt and start anew",
        ) from exc


def _suspect_to_lists(suspect: Suspect) -> dict[str, Any]:
    return {
        "kind": suspect.kind.value,
        "name": suspect.name,
        "detail": suspect.detail,
        "strength": suspect.strength,
        "proven": suspect.proven,
    }


def _suspect_from_lists(kept: dict[str, Any]) -> Suspect:
    return Suspect(
        kind=SuspectKind(kept["kind"]),
        name=kept["name"],
        detail=kept["detail"],
        strength=float(kept["strength"]),
        proven=kept["proven"],
    )


_COUNTERS: Final = ("candidate_total", "candidate_bad", "baseline_total", "baseline_bad")


def _signal_to_lists(signal: SignalState) -> dict[str, Any]:
    return {
        "signal": signal.spec.name,
        "tests": _tests_to_lists(signal.tests),
        "quality": signal.quality.value,
        "note": signal.note,
        "quality_since": signal.quality_since.isoformat(),
        "concurrent": signal.concurrent,
        "flow": _flow_to_lists(signal.flow),
        "warm": signal.warm,
        "shadow_halts": signal.shadow_halts,
        **{name: getattr(signal, name) for name in _COUNTERS},
    }


def _signal_from_lists(spec: SignalSpec, kept: dict[str, Any]) -> SignalState:
    return SignalState(
        spec=spec,
        tests=_tests_from_lists(spec, kept["tests"]),
        quality=Quality(kept["quality"]),
        note=kept["note"],
        quality_since=datetime.fromisoformat(kept["quality_since"]),
        concurrent=kept["concurrent"],
        flow=_flow_from_lists(kept["flow"]) if "flow" in kept else _flow_of_first_release(kept),
        warm=kept.get("warm", False),
        shadow_halts=kept.get("shadow_halts", 0),
        **{name: kept[name] for name in _COUNTERS},
    )


def _flow_to_lists(flow: Flow) -> dict[str, Any]:
    return {
        "due": flow.due,
        "split_due": flow.split_due,
        "split_got": flow.split_got,
        "split_is_wrong": flow.split_is_wrong,
        "members": [list(member) for member in flow.members],
    }


def _flow_from_lists(kept: dict[str, Any]) -> Flow:
    return Flow(
        due=kept["due"],
        split_due=kept["split_due"],
        split_got=kept["split_got"],
        split_is_wrong=kept["split_is_wrong"],
        members=tuple((where, name, due) for where, name, due in kept["members"]),
    )


def _flow_of_first_release(kept: dict[str, Any]) -> Flow:
    """The first release kept these next to the signal's counters, and knew nothing of members."""
    return Flow(
        due=kept["due_since_candidate"],
        split_due=kept["split_due"],
        split_got=kept["split_got"],
        split_is_wrong=kept["split_is_wrong"],
    )


def _coverage_to_lists(state: CoverageState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {
        "cells": [list(cell) for cell in state.cells],
        "zones": [
            {
                "zone": zone.zone,
                "is_known": zone.is_known,
                "seconds": list(zone.seconds),
                "baseline": list(zone.baseline),
                "looked_seconds": list(zone.looked_seconds),
            }
            for zone in state.zones
        ],
        "is_overfull": state.is_overfull,
    }


def _coverage_from_lists(kept: dict[str, Any] | None) -> CoverageState | None:
    if kept is None:
        return None
    return CoverageState(
        cells=tuple((name, candidate, baseline) for name, candidate, baseline in kept["cells"]),
        zones=tuple(
            ZoneState(
                zone=zone["zone"],
                is_known=zone["is_known"],
                seconds=tuple(zone["seconds"]),
                baseline=tuple(zone["baseline"]),
                looked_seconds=tuple(zone["looked_seconds"]),
            )
            for zone in kept["zones"]
        ),
        is_overfull=kept["is_overfull"],
    )


def _tests_to_lists(tests: Tests) -> dict[str, Any]:
    return {
        "kind": tests.kind.value,
        "harm": _state_to_lists(tests.harm),
        "weak": _state_to_lists(tests.weak),
        "siblings": _state_to_lists(tests.siblings),
        "safe": _state_to_lists(tests.safe),
        "bound": _state_to_lists(tests.bound),
        "past_bad": tests.past_bad,
        "past_total": tests.past_total,
        "past_requests": tests.past_requests,
        "past_buckets": list(tests.past_buckets),
        "past_bounds": list(tests.past_bounds),
        "edge": tests.edge,
        "edge_ratio": tests.edge_ratio,
        "members": [[where, state.to_lists()] for where, state in tests.members],
        "value": tests.value,
        "renewals": tests.renewals,
        "kept": tests.kept,
    }


def _tests_from_lists(spec: SignalSpec, kept: dict[str, Any]) -> Tests:
    kind = SignalKind(kept["kind"])
    if kind is SignalKind.LATENCY and "past_bounds" not in kept:
        # The first release tested one edge and kept no histogram: there is nothing to go on from.
        return sequential.begin(spec)
    return Tests(
        kind=kind,
        harm=_state_from_lists(kept["harm"]),
        weak=_state_from_lists(kept["weak"]),
        siblings=_state_from_lists(kept.get("siblings")),
        safe=_state_from_lists(kept["safe"]),
        bound=_state_from_lists(kept["bound"]),
        past_bad=kept["past_bad"],
        past_total=kept["past_total"],
        past_requests=kept.get("past_requests", 0),
        past_buckets=tuple(kept["past_buckets"]),
        past_bounds=tuple(kept.get("past_bounds", ())),
        edge=kept["edge"],
        edge_ratio=kept["edge_ratio"],
        members=tuple(
            (where, MembersState.from_lists(state)) for where, state in kept.get("members", ())
        ),
        value=kept.get("value"),
        renewals=kept.get("renewals", 0),
        kept=kept.get("kept", 0.0),
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
