"""
What a yes is about, told by its content: so that several rollouts are agreed to at once only where it is one.

Two are identical when the same versions replace the same versions, in a phase that exposes as much, in the
same environments. Whose they are and what they have proven differs; each is approved on its own all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.domain.rollout.model import Rollout
from tidegate.errors import InvalidRequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What is agreed to. `parts` are component, digest before and digest after, by component."""

    parts: tuple[tuple[str, str, str], ...]
    phase: str
    exposure: str
    environments: tuple[str, ...]


def what_is_agreed_to(rollout: Rollout, phase_index: int) -> Agreement:
    """Return what a yes to the phase at *phase_index* of *rollout* is about."""
    before = {place.component: version.digest for place, version in reversed(rollout.baselines)}
    allowed = rollout.plan.exposure_within(phase_index).values()
    greatest = max(allowed, key=lambda exposure: (exposure.weight_bps, exposure.internal))
    moved = {place.target for place in rollout.plan.exposure_within(phase_index)}
    return Agreement(
        parts=tuple(
            sorted(
                (str(part.component), before.get(part.component, ""), part.to.digest)
                for part in rollout.change.components
            )
        ),
        phase=rollout.plan.phases[phase_index].name,
        exposure=str(greatest),
        environments=tuple(
            sorted({one.environment.value for one in rollout.targets if one.name in moved})
        ),
    )


def refuse_unless_identical(asked: Sequence[Agreement]) -> None:
    """Return when *asked* are all the same. Raises InvalidRequestError when they aren't, or are none."""
    if not asked:
        raise InvalidRequestError("nothing was chosen", hint="choose what to approve")
    if len(set(asked)) > 1:
        raise InvalidRequestError(
            "these aren't the same change in the same phase, so one yes can't be for all of them",
            hint="approve each on its own",
        )
