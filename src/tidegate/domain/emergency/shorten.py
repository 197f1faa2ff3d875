"""
A plan under an emergency: the same phases, shorter bakes, some gates beside instead of before. Pure.

What is taken from the plan is time and order, and nothing else. No phase is left out, the first least of
all; exposure, signals, tolerances, proof and what halts stay as they are; `bake_max` stays, so that a
phase that needs longer to prove itself may take as long as ever. A gate that is put off still runs and
becomes a debt.
"""

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from tidegate.domain.durations import format_duration
from tidegate.domain.emergency.protocol import (
    OF_THE_SURROUNDINGS,
    PRODUCTION_FLOOR,
    EmergencyProtocol,
    problems_of,
)
from tidegate.domain.gates.model import GateSpec
from tidegate.domain.plan.model import Phase, Plan
from tidegate.domain.quantities import TargetName


class Treatment(StrEnum):
    """What an emergency does to one part of a plan."""

    SHORTENED = "shortened"
    OUT_OF_BAND = "out_of_band"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One part of a plan and what becomes of it, in words."""

    what: str
    treatment: Treatment
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """
    A plan under an emergency.

    `owed` are the gates that were put off, each of which becomes a debt; `routine` and `shortened` are the
    sums of the bakes before and after.
    """

    plan: Plan
    owed: tuple[GateSpec, ...]
    differences: tuple[Difference, ...]
    routine: timedelta
    shortened: timedelta


def shorten(
    plan: Plan,
    protocol: EmergencyProtocol,
    production: frozenset[TargetName],
    *,
    instead: tuple[GateSpec, ...] = (),
) -> Shortened:
    """
    Return *plan* as it is carried out under *protocol*.

    Args:
        plan: The plan as it would be carried out otherwise.
        protocol: What may be shortened and put off.
        production: The targets whose bakes have the product's floor beside the protocol's.
        instead: Smaller gates that come before in the place of some that are put off.
    """
    assert plan.phases, "a plan has phases"
    assert not problems_of(protocol), f"{protocol.type} asks for what no protocol may"
    phases = tuple(_hurried(phase, protocol, production) for phase in plan.phases)
    owed = tuple(gate for gate in plan.gates if protocol.puts_off(gate.name, gate.kind))
    hurried = replace(
        plan,
        phases=phases,
        gates=(*_gates(plan.gates, owed), *instead),
        # What users meet for so much shorter is known good only after it was met for as long.
        quarantine=max(plan.quarantine, plan.phases[-1].bake),
    )
    return Shortened(
        plan=hurried,
        owed=owed,
        differences=(
            *_differences(plan, hurried),
            *(_in_short(gate, protocol) for gate in instead),
            *(_put_off(gate) for gate in owed),
            *_unchanged(plan, hurried, owed),
        ),
        routine=_bakes(plan),
        shortened=_bakes(hurried),
    )


def hurried_bake(bake: timedelta, protocol: EmergencyProtocol, *, in_production: bool) -> timedelta:
    """Return how long a phase of *bake* bakes under *protocol*: never longer, never below the floors."""
    floor = max(protocol.floor, PRODUCTION_FLOOR) if in_production else protocol.floor
    divided = timedelta(seconds=math.ceil(bake.total_seconds() / protocol.divide_by))
    return min(bake, max(divided, floor))


def _hurried(phase: Phase, protocol: EmergencyProtocol, production: frozenset[TargetName]) -> Phase:
    in_production = any(move.placement.target in production for move in phase.moves)
    hurried = replace(phase, bake=hurried_bake(phase.bake, protocol, in_production=in_production))
    if not protocol.keeps_approvals:
        # Those who authorised the emergency have said yes to this very change.
        hurried = replace(hurried, approvals=0, approvers="")
    if phase.coverage is not None:
        # Busy hours are time, as a bake is; the kinds of use and their shares stay demanded.
        hurried = replace(hurried, coverage=replace(phase.coverage, busy_hours=0))
    return hurried


def _gates(gates: tuple[GateSpec, ...], owed: tuple[GateSpec, ...]) -> tuple[GateSpec, ...]:
    return tuple(replace(gate, is_deferred=True) if gate in owed else gate for gate in gates)


def _bakes(plan: Plan) -> timedelta:
    return sum((phase.bake for phase in plan.phases), timedelta(0))


# --- words -----------------------------------------------------------------------------------


def _differences(before: Plan, after: Plan) -> list[Difference]:
    found = [_shortened("windows, freezes, working days", "don't keep it waiting")]
    for old, new in zip(before.phases, after.phases, strict=True):
        if new.bake != old.bake:
            words = f"{format_duration(old.bake)} -> {format_duration(new.bake)}"
            found.append(_shortened(f"bake of {old.name}", words))
        if new.approvals != old.approvals:
            words = f"{old.approvals} of {old.approvers} -> those who authorised the emergency"
            found.append(_shortened(f"approval of {old.name}", words))
        if old.coverage is not None and new.coverage != old.coverage:
            words = f"{old.coverage.busy_hours} busy hours of each time zone -> any hours"
            found.append(_shortened(f"coverage of {old.name}", words))
    return found


def _shortened(what: str, detail: str) -> Difference:
    return Difference(what=what, treatment=Treatment.SHORTENED, detail=detail)


def _in_short(gate: GateSpec, protocol: EmergencyProtocol) -> Difference:
    return _shortened(
        f"gate {gate.submitted_to}", f"suite {protocol.tests} alone before, as gate {gate.name}"
    )


def _put_off(gate: GateSpec) -> Difference:
    red = (
        "is owed until it is green"
        if gate.kind in OF_THE_SURROUNDINGS
        else "runs at once and halts when it turns red"
    )
    return Difference(what=f"gate {gate.name}", treatment=Treatment.OUT_OF_BAND, detail=red)


def _unchanged(before: Plan, after: Plan, owed: tuple[GateSpec, ...]) -> list[Difference]:
    first = after.phases[0]
    kept = [
        ("phases", f"all {len(after.phases)}, {first.name} first"),
        ("proof", "signals, tolerances and requests of every phase"),
        ("stops", "harm, alarms, people and stop orders halt and withdraw as ever"),
        ("way back", "rehearsed first; nothing of the emergency is asked on it"),
        ("versions", "pinned by digest"),
    ]
    kept += [
        (f"bake of {old.name}", format_duration(old.bake))
        for old, new in zip(before.phases, after.phases, strict=True)
        if old.bake == new.bake
    ]
    kept += [(f"gate {gate.name}", "before") for gate in before.gates if gate not in owed]
    return [
        Difference(what=what, treatment=Treatment.UNCHANGED, detail=detail) for what, detail in kept
    ]
