"""
Trouble that isn't the change's: what both arms suffer from, and who may be behind it.

A contrast of arms can't see it, and must not: a dependency's outage is no reason to put a change back.
But nothing can be proven in it either, so the rollout is held and told whom to look at. Only the types
and their words; how trouble is noticed and suspects are weighed is in `usecases`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SuspectKind(StrEnum):
    """What a suspect is."""

    DEPENDENCY = "dependency"
    """A node of the health model that is unhealthy itself."""
    ROLLOUT = "rollout"
    """Another change under way on something the service needs, or on the same target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """
    Who may be behind it. `proven` says whether the contrast of what it exposes and what not proves it.

    `strength` orders suspects: log e-value plus log of how likely it was beforehand, in nats.
    """

    kind: SuspectKind
    name: str
    detail: str
    strength: float
    proven: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What both arms suffer from since when, and the suspects, the most suspicious first."""

    since: datetime
    signal: str
    rate: float
    usual_rate: float
    suspects: tuple[Suspect, ...]


def describe(trouble: Trouble) -> str:
    """Return *trouble* in words: what is seen, and whom to look at."""
    seen = (
        f"not this change: {trouble.signal} of the baseline went from {trouble.usual_rate:.3%}"
        f" to {trouble.rate:.3%}, with and without it"
    )
    if not trouble.suspects:
        return f"{seen}; nothing else is known to be changing or unhealthy"
    first = trouble.suspects[0]
    how = "it is" if first.proven else "most likely"
    others = len(trouble.suspects) - 1
    more = f", and {others} more possible" if others and not first.proven else ""
    return f"{seen}; {how} {first.name} ({first.detail}){more}"
