"""
What the watch tells blame: who exposes what now, and how each service fares by target and arm.

Only facts are gathered here; who is suspected and what that does is elsewhere.
"""

from collections import defaultdict
from datetime import datetime

from tidegate.domain.health.readings import ArmTick
from tidegate.domain.plan.model import Counting, Phase, SignalKind, SignalSpec
from tidegate.domain.quantities import Arm, TargetName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import phase_in_force
from tidegate.domain.rollout.stagger import Neighbour, needed_by
from tidegate.usecases.blame import Exposing, Measured, UnitCounts
from tidegate.usecases.estimators.running import Stratum
from tidegate.usecases.evidence import TickRecord
from tidegate.usecases.watch_queries import exposed_placements


def exposing(rollout: Rollout) -> Exposing | None:
    """Return what *rollout* exposes now, None when nothing."""
    phase = phase_in_force(rollout)
    if phase is None or not phase.exposes_users:
        return None
    weights: dict[TargetName, int] = {}
    for placement, exposure in exposed_placements(rollout, phase).items():
        weights[placement.target] = max(weights.get(placement.target, 0), exposure.weight_bps)
    return Exposing(
        rollout_id=rollout.id,
        service=rollout.service,
        change=" ".join(part.to.name for part in rollout.change.components),
        weights_bps=weights,
        since=raised_at(rollout),
    )


def raised_at(rollout: Rollout) -> datetime:
    """Return when *rollout* last raised its exposure, or began to."""
    return rollout.state_since if rollout.state is State.APPLYING else rollout.phase_since


def neighbour(rollout: Rollout) -> Neighbour | None:
    """Return *rollout* as others must keep apart from it, None while it exposes nobody."""
    applies = rollout.state is State.APPLYING
    if not applies and phase_in_force(rollout) is None:
        return None
    return Neighbour(
        rollout_id=rollout.id,
        service=rollout.service,
        needs=needed_by(rollout.service, rollout.plan.health),
        raised_at=raised_at(rollout),
    )


def measure(rollout: Rollout, phase: Phase, tick: TickRecord) -> Measured | None:
    """Return how the service of *rollout* fared in *tick*, None when no signal tells."""
    spec = next((spec for spec in phase.signals if _tells(spec)), None)
    given = next((one for one in tick.inputs if spec is not None and one.signal == spec.name), None)
    if given is None or not given.strata:
        return None
    targets = {str(place): place.target for place in exposed_placements(rollout, phase)}
    return Measured(
        service=rollout.service,
        rollout_id=rollout.id,
        needs=frozenset(needed_by(rollout.service, rollout.plan.health)),
        units=_units(given.strata, targets),
        alpha=rollout.plan.budget.alpha_halt,
    )


def _units(strata: tuple[Stratum, ...], targets: dict[str, TargetName]) -> tuple[UnitCounts, ...]:
    found: dict[tuple[TargetName, Arm], list[ArmTick]] = defaultdict(list)
    for stratum in strata:
        target = targets.get(stratum.placement)
        if target is None:
            continue
        found[target, Arm.CANDIDATE].append(stratum.candidate)
        if stratum.is_beside:
            found[target, Arm.BASELINE].append(stratum.baseline)
    return tuple(
        UnitCounts(
            target=target,
            arm=arm,
            bad=sum(part.bad for part in parts),
            total=sum(part.total for part in parts),
        )
        for (target, arm), parts in found.items()
    )


def _tells(spec: SignalSpec) -> bool:
    return spec.kind is SignalKind.ERRORS and spec.counting is Counting.EVENTS and not spec.shadow
