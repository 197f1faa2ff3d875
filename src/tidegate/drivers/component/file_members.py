"""
Which consumers of a configuration meet the candidate, and what that exposes.

Pure: the same members, exposure and candidate give the same choice everywhere, and as the weight
grows nobody moves back.
"""

from collections.abc import Collection
from hashlib import sha256

from tidegate.domain.quantities import FULL_WEIGHT_BPS, NO_EXPOSURE, Exposure


def candidate_members(
    members: Collection[str], internal: Collection[str], exposure: Exposure, *, salt: str
) -> frozenset[str]:
    """
    Return the members that serve the candidate under *exposure*.

    Ordinary members come in the order of a hash, rounded down, but one from any weight above 0;
    internal ones when the exposure is internal, and at full weight in any case.

    Args:
        members: All members; never empty.
        internal: Those that internal users meet; names that aren't members are ignored.
        exposure: Who shall meet the candidate.
        salt: The candidate's digest, so that it isn't the same member that is always first.
    """
    inside = frozenset(internal) & frozenset(members)
    ordinary = _ordinary(members, inside)
    ranked = sorted(ordinary, key=lambda name: sha256(f"{salt}\0{name}".encode()).digest())
    # Rounded down: more than was asked for must not be exposed, and below 100 % somebody stays to
    # compare with. One member is the least there is.
    whole = len(ranked) * exposure.weight_bps // FULL_WEIGHT_BPS
    count = max(1, whole) if exposure.weight_bps else 0
    chosen = frozenset(ranked[:count])
    if exposure.weight_bps == FULL_WEIGHT_BPS:
        return frozenset(members)
    return chosen | inside if exposure.internal else chosen


def exposure_of(
    serving: Collection[str], members: Collection[str], internal: Collection[str]
) -> Exposure:
    """Return the exposure that the members *serving* the candidate make, rounded up."""
    inside = frozenset(internal) & frozenset(members)
    ordinary = _ordinary(members, inside)
    reached = len(ordinary & frozenset(serving))
    if not serving:
        return NO_EXPOSURE
    return Exposure(
        internal=bool(inside & frozenset(serving)),
        weight_bps=-(-FULL_WEIGHT_BPS * reached // len(ordinary)),
    )


def _ordinary(members: Collection[str], inside: frozenset[str]) -> frozenset[str]:
    # Where every member is internal, they are who the weight speaks of.
    return (frozenset(members) - inside) or frozenset(members)
