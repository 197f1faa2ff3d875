"""
What is seen of a placement of processes: the split from the data plane, the members from the kernel.

Settled is the sum of what was looked at now: the data plane follows the newest assignment, and every
member of a pool in use runs, listens itself on its port, answers its probe, was started with the
digest its pool stands for, from files that are still what was installed. What can't be seen isn't so.
Nothing is changed here.
"""

from dataclasses import dataclass
from typing import Final

from tidegate.domain.quantities import (
    FULL_WEIGHT_BPS,
    NO_EXPOSURE,
    Arm,
    Generation,
    Placement,
)
from tidegate.drivers.component.fencing import NEVER_WRITTEN, Served
from tidegate.drivers.component.process_pools import MemberPool, MemberSeen, Pools
from tidegate.drivers.component.process_versions import Versions
from tidegate.ports.component import Applied, ArmLabels, Assignment, Member
from tidegate.ports.traffic import AppliedSplit, Pool

NEVER_APPLIED: Final = "nothing was ever applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A placement as its parts say it is: asked for, followed, and what that means."""

    asked: Assignment
    split: AppliedSplit
    served: Served

    @property
    def is_on_its_way(self) -> bool:
        """Whether the newest assignment isn't on the route yet, and may still come there."""
        return self.asked.generation > max(
            self.served.generation, self.served.stopped_at_generation or 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ArmSeen:
    """One pool as it was found; `problem` is the first thing that is wrong with it."""

    members: tuple[Member, ...]
    problem: str
    restarts: int


_NO_ARM: Final = _ArmSeen(members=(), problem="", restarts=0)


def never_applied(placement: Placement, stopped_at: Generation | None) -> Applied:
    """Return what is seen of a placement that nobody ever asked anything of."""
    return Applied(
        placement=placement,
        exposure=NO_EXPOSURE,
        generation=NEVER_WRITTEN,
        settled=False,
        why_not=NEVER_APPLIED,
        serving=None,
        candidate=None,
        stopped_at_generation=stopped_at,
    )


async def applied_of(stand: Stand, pools: Pools, versions: Versions) -> Applied:
    """Look at every member and return what is served."""
    served, split = stand.served, stand.split.split
    on_route = {
        Arm.BASELINE: split.baseline if split is not None else None,
        Arm.CANDIDATE: split.candidate if split is not None else None,
    }
    seen = {
        arm: await _look(
            arm, _pool(arm, on_route[arm], stand, pools), on_route[arm], pools, versions
        )
        for arm in Arm
    }
    why_not = _why_not(stand, seen[Arm.BASELINE].problem, seen[Arm.CANDIDATE].problem)
    return Applied(
        placement=stand.asked.placement,
        exposure=served.exposure,
        generation=served.generation,
        settled=not why_not,
        why_not=why_not,
        serving=served.baseline,
        candidate=served.candidate,
        members=(*seen[Arm.BASELINE].members, *seen[Arm.CANDIDATE].members),
        arms={arm: _labels(pool) for arm, pool in on_route.items() if pool is not None},
        stopped_at_generation=served.stopped_at_generation,
        trips=stand.split.candidate_trips + seen[Arm.CANDIDATE].restarts,
    )


def damaged_digest(member: MemberSeen, damage: str) -> str:
    """Return the digest that *member* is believed to serve: none when its files were changed."""
    return "" if damage else member.digest


def problem_of(member: MemberSeen, pool: MemberPool, damage: str) -> str:
    """Return why *member* doesn't serve what *pool* stands for, or nothing when it does."""
    if member.why_not:
        return member.why_not
    if damage:
        return f"the installed version was tampered with: {damage}"
    if member.digest != pool.version.digest:
        return f"it serves {member.digest or 'an unknown digest'}, not {pool.version.digest}"
    return ""


def _pool(arm: Arm, on_route: Pool | None, stand: Stand, pools: Pools) -> MemberPool | None:
    """Return the members of *arm*: of the pool on the route, else of the one that is coming up."""
    if on_route is not None:
        return pools.named(on_route.name)
    asked = stand.asked
    version = asked.candidate if arm is Arm.CANDIDATE else asked.baseline
    alone = asked.candidate.digest == asked.baseline.digest
    if not stand.is_on_its_way or (arm is Arm.CANDIDATE and alone):
        return None
    return pools.of(version)


async def _look(
    arm: Arm, pool: MemberPool | None, on_route: Pool | None, pools: Pools, versions: Versions
) -> _ArmSeen:
    if pool is None:
        return _NO_ARM if on_route is None else _strangers(arm, on_route)
    damage = await versions.damage(pool.version.digest)
    members, problem, restarts = [], "", 0
    for seen in await pools.look(pool):
        wrong = problem_of(seen, pool, damage)
        if wrong and not problem:
            problem = f"member {seen.name} isn't ready: {wrong}"
        restarts += seen.restarts
        members.append(
            Member(
                name=seen.name,
                arm=arm,
                digest=damaged_digest(seen, damage),
                ready=not wrong,
                note=wrong or _restarted(seen),
            )
        )
    if not members:
        problem = f"pool {pool.name} has no members"
    elif on_route is not None and on_route.endpoints != pool.split_pool().endpoints:
        # One has moved to another port, or was added: what listens at the old one isn't ours.
        problem = problem or f"the route doesn't know all members of pool {pool.name} yet"
    return _ArmSeen(members=tuple(members), problem=problem, restarts=restarts)


def _strangers(arm: Arm, on_route: Pool) -> _ArmSeen:
    """Return the members of a pool that the data plane has and we have no record of."""
    note = "its process isn't known here"
    members = tuple(
        Member(name=str(endpoint), arm=arm, digest="", ready=False, note=note)
        for endpoint in on_route.endpoints
    )
    return _ArmSeen(members=members, problem=f"pool {on_route.name} isn't known here", restarts=0)


def _restarted(seen: MemberSeen) -> str:
    if not seen.restarts:
        return ""
    return f"it ended by itself {seen.restarts} times, last with {seen.last_exit}"


def _why_not(stand: Stand, baseline_problem: str, candidate_problem: str) -> str:
    served, split = stand.served, stand.split
    exposed = served.exposure != NO_EXPOSURE
    if stand.is_on_its_way:
        missing = baseline_problem or candidate_problem or "its members aren't there yet"
        return f"generation {stand.asked.generation} isn't on the route yet: {missing}"
    if split.split is None:
        return split.why_not or NEVER_APPLIED
    if not split.ready:
        return split.why_not
    # With everyone on the candidate a broken baseline must not keep a recovery from settling.
    if baseline_problem and served.exposure.weight_bps < FULL_WEIGHT_BPS:
        return baseline_problem
    return candidate_problem if exposed else ""


def _labels(pool: Pool) -> ArmLabels:
    return {
        "version": pool.version,
        "digest": pool.digest,
        "cluster": pool.name,
        "members": ",".join(str(endpoint) for endpoint in pool.endpoints),
    }
