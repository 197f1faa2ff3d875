"""
The component driver without a workload, for tests and simulation. It passes the same contract.

It is a target that can misbehave as real ones do: reads that lag, acknowledgements that get lost,
messages that arrive a second time and late, members that serve another digest than they should.
What happens when is drawn from a function that the caller gives, so a world can be replayed from
its seed. Nothing here may be easier on a caller than a real target is.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Arm,
    Exposure,
    Generation,
    Placement,
    Version,
)
from tidegate.drivers.component.fencing import (
    Served,
    after_apply,
    after_finish,
    after_retirement,
    after_withdrawal,
)
from tidegate.errors import StaleGenerationError, VersionNotFoundError, WorkloadError
from tidegate.ports.component import Applied, Assignment, Member

ANOTHER_DIGEST = "sha256:" + "0" * 64
"""What a member serves that drifted away; no version has it."""


class Mishap(StrEnum):
    """What may go wrong in one call."""

    NONE = "none"
    LOST_ACKNOWLEDGEMENT = "lost_acknowledgement"
    """The call takes effect, and the caller gets an error."""
    REFUSED = "refused"
    """The call takes no effect, and the caller gets an error."""
    LATE_REPEAT = "late_repeat"
    """An assignment that was accepted before arrives again, just before this call."""
    OLD_READ = "old_read"
    """`observe` shows what was served before the last change, with its generation."""
    LIE = "lie"
    """`observe` claims to be settled while the candidate's member serves another digest."""


MishapOf = Callable[[str], Mishap]
"""Called with the name of each method that is called; says what goes wrong in that call."""


@dataclass(slots=True)
class _Target:
    told: Served = field(default_factory=Served)
    followed: Served = field(default_factory=Served)
    before: Served = field(default_factory=Served)
    observes_behind: int = 0
    accepted: list[Assignment] = field(default_factory=list)
    drifted: dict[Arm, str] = field(default_factory=dict)
    trips: int = 0


class MemoryComponent:
    """
    Serves versions in memory. Every version exists but those in *missing*.

    Args:
        lag_observes: How many observations after a change still show what was served before it.
        mishap: What goes wrong in which call; by default nothing does.
        missing: Names of versions that don't exist.

    Attributes:
        log: Every change of exposure, in order: placement, exposure, generation.
        refused_late: How many late repeats were refused.
    """

    def __init__(
        self,
        *,
        lag_observes: int = 0,
        mishap: MishapOf | None = None,
        missing: AbstractSet[str] = frozenset(),
    ) -> None:
        assert lag_observes >= 0, f"lag_observes must be 0 or more, got {lag_observes}"
        self._lag_observes = lag_observes
        self._mishap = mishap
        self._missing = missing
        self._targets: dict[Placement, _Target] = {}
        self.log: list[tuple[Placement, Exposure, Generation]] = []
        self.refused_late = 0

    async def resolve(self, version: str, settings_json: str) -> Version:
        """Return *version* with a digest made from its name; see the port."""
        name, _, wanted = version.partition("@")
        digest = f"sha256:{sha256(name.encode()).hexdigest()}"
        if name in self._missing or (wanted and wanted != digest):
            raise VersionNotFoundError(
                f"there is no version {version}", hint="Check the name and the digest."
            )
        return Version(name=name, digest=digest)

    async def apply(self, assignment: Assignment) -> None:
        """Take note of *assignment*; see the port."""
        target = self._target(assignment.placement)
        lost = self._begin("apply", target)
        self._tell(assignment.placement, target, after_apply(target.told, assignment))
        target.accepted.append(assignment)
        _acknowledge(lost)

    async def observe(self, placement: Placement) -> Applied:
        """Return what is served now, or what lagging reads still show; see the port."""
        target = self._target(placement)
        mishap = self._mishap("observe") if self._mishap is not None else Mishap.NONE
        if mishap in (Mishap.REFUSED, Mishap.LOST_ACKNOWLEDGEMENT):
            _acknowledge(lost=True)
        if mishap is Mishap.LATE_REPEAT:
            self._repeat(target)
        if target.observes_behind:
            target.observes_behind -= 1
        else:
            target.followed = target.told
        if mishap is Mishap.OLD_READ:
            return _seen(placement, target, target.before, behind=False)
        behind = target.followed != target.told
        if mishap is Mishap.LIE:
            return _seen(placement, target, target.told, behind=False, lie=True)
        return _seen(placement, target, target.followed, behind=behind)

    async def withdraw(self, placement: Placement, generation: Generation | None) -> None:
        """Bring everyone back to the baseline and latch the stop; see the port."""
        target = self._target(placement)
        lost = self._begin("withdraw", target)
        self._tell(placement, target, after_withdrawal(target.told, generation))
        _acknowledge(lost)

    async def finish(self, placement: Placement, generation: Generation) -> None:
        """Let the candidate become the baseline; see the port."""
        target = self._target(placement)
        lost = self._begin("finish", target)
        self._tell(placement, target, after_finish(target.told, generation))
        _acknowledge(lost)

    async def retire(self, placement: Placement) -> None:
        """Take away what serves nobody; see the port."""
        target = self._target(placement)
        lost = self._begin("retire", target)
        self._tell(placement, target, after_retirement(target.told))
        _acknowledge(lost)

    def served(self, placement: Placement) -> Served:
        """Return what *placement* was last told: the truth, however reads lag or lie."""
        return self._target(placement).told

    def drift(self, placement: Placement, arm: Arm, digest: str = ANOTHER_DIGEST) -> None:
        """Let the members of *arm* serve *digest*, as after a change made by hand."""
        self._target(placement).drifted[arm] = digest

    def trip(self, placement: Placement, count: int = 1) -> None:
        """Count protective cut-offs of the candidate, as a proxy's outlier ejection would."""
        self._target(placement).trips += count

    def _target(self, placement: Placement) -> _Target:
        target = self._targets.get(placement)
        if target is None:
            target = self._targets[placement] = _Target()
        return target

    def _begin(self, method: str, target: _Target) -> bool:
        """Draw what goes wrong; return whether the acknowledgement gets lost."""
        mishap = self._mishap(method) if self._mishap is not None else Mishap.NONE
        if mishap is Mishap.REFUSED:
            _acknowledge(lost=True)
        if mishap is Mishap.LATE_REPEAT:
            self._repeat(target)
        return mishap is Mishap.LOST_ACKNOWLEDGEMENT

    def _repeat(self, target: _Target) -> None:
        """Deliver every assignment that was ever accepted once more."""
        for late in target.accepted:
            try:
                self._tell(late.placement, target, after_apply(target.told, late))
            except (StaleGenerationError, WorkloadError):
                self.refused_late += 1

    def _tell(self, placement: Placement, target: _Target, told: Served) -> None:
        if told == target.told:
            return
        if told.exposure != target.told.exposure:
            self.log.append((placement, told.exposure, told.generation))
        if told.candidate != target.told.candidate:
            target.trips = 0
        target.before, target.told = target.told, told
        target.observes_behind = self._lag_observes


def _acknowledge(lost: bool) -> None:
    if lost:
        raise WorkloadError("the target didn't answer", hint="It may have done it all the same.")


def _seen(
    placement: Placement, target: _Target, served: Served, *, behind: bool, lie: bool = False
) -> Applied:
    arms = {Arm.BASELINE: served.baseline, Arm.CANDIDATE: served.candidate}
    members, labels = [], {}
    for arm, version in arms.items():
        if version is None:
            continue
        drifted = ANOTHER_DIGEST if lie and arm is Arm.CANDIDATE else target.drifted.get(arm)
        name = f"{arm}-0"
        members.append(Member(name=name, arm=arm, digest=drifted or version.digest, ready=True))
        labels[arm] = {
            "version": version.name,
            "digest": version.digest,
            "cluster": f"{placement}/{version.name}",
            "members": name,
        }
    why_not = "" if lie else _why_not(served, members, behind=behind)
    return Applied(
        placement=placement,
        exposure=served.exposure,
        generation=served.generation,
        settled=not why_not,
        why_not=why_not,
        serving=served.baseline,
        candidate=served.candidate,
        members=tuple(members),
        arms=labels,
        stopped_at_generation=served.stopped_at_generation,
        trips=target.trips,
    )


def _why_not(served: Served, members: list[Member], *, behind: bool) -> str:
    if served.baseline is None:
        return "nothing was ever applied"
    if behind:
        return "the last change isn't served yet"
    wanted = {Arm.BASELINE: served.baseline, Arm.CANDIDATE: served.candidate}
    for member in members:
        version = wanted[member.arm]
        in_use = member.arm is Arm.BASELINE or served.exposure != NO_EXPOSURE
        if in_use and version is not None and member.digest != version.digest:
            return f"member {member.name} serves {member.digest}, not {version.digest}"
    return ""
