"""
Keeping apart what couldn't be told apart: rollouts of services that need one another.

Two changes that reach the same users at the same moment can't be distinguished by any data. So exposure
rises only when no related rollout has raised its own within `plan.stagger`. Related are rollouts of the
same service on other targets, of what this service needs, and of what needs it; sharing a target alone
isn't enough, or a large fleet would wait in one line. It delays rises only, and time always ends it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.domain.durations import rough_duration
from tidegate.domain.plan.model import HealthModel
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.model import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """Another rollout that exposes something: of which service, what that needs, when it last rose."""

    rollout_id: RolloutId
    service: ServiceName
    needs: tuple[str, ...]
    raised_at: datetime


def needed_by(service: ServiceName, model: HealthModel) -> tuple[str, ...]:
    """Return the names of all that *service* needs by *model*, directly or through others."""
    needs = {node.name: [need.node for need in node.needs] for node in model.nodes}
    found: list[str] = []
    ahead = list(needs.get(service, ()))
    while ahead:
        name = ahead.pop(0)
        if name not in found:
            found.append(name)
            ahead += needs.get(name, ())
    return tuple(found)


def too_close(
    rollout: Rollout, neighbours: Sequence[Neighbour], now: datetime
) -> tuple[datetime, str] | None:
    """Return until when *rollout* must not raise exposure, and why; None when it may."""
    needs = needed_by(rollout.service, rollout.plan.health)
    blocking = [
        neighbour
        for neighbour in neighbours
        if neighbour.rollout_id != rollout.id
        and neighbour.raised_at + rollout.plan.stagger > now
        and (
            neighbour.service == rollout.service
            or neighbour.service in needs
            or rollout.service in neighbour.needs
        )
    ]
    if not blocking:
        return None
    latest = max(blocking, key=lambda neighbour: (neighbour.raised_at, neighbour.rollout_id))
    ago = rough_duration(now - latest.raised_at)
    return (
        latest.raised_at + rollout.plan.stagger,
        f"{latest.service} (rollout {latest.rollout_id}) was exposed to more only {ago} ago;"
        " harm of the two couldn't be told apart",
    )
