"""The phases of a file with their names resolved: which components, which targets, which shares."""

from datetime import timedelta
from typing import Literal

from tidegate.documents.notation import shown
from tidegate.documents.plans import MIXED_RING, Ground, Step
from tidegate.documents.problems import Complaint, KeyPath
from tidegate.documents.windows import NO_WINDOW, resolve_window
from tidegate.documents.written import WrittenApproval, WrittenPhase
from tidegate.domain.calendar.windows import Window
from tidegate.domain.plan.model import TargetSpec
from tidegate.domain.quantities import FULL_WEIGHT_BPS, ComponentName, TargetName


class PhaseReader:
    """Turns written phases into steps: names become components and targets."""

    def __init__(self, ground: Ground, complaints: list[Complaint]) -> None:
        self.ground = ground
        self.complaints = complaints

    def step(self, phase: WrittenPhase, path: KeyPath, bake_max: timedelta | None) -> Step | None:
        """Return *phase* with its names resolved, or None after complaining of a name."""
        components = self._components(phase, path)
        targets = self._targets(phase, path)
        if not components or not targets:
            return None
        shares = phase.traffic if isinstance(phase.traffic, list) else [phase.traffic]
        if "internal" in shares:
            strangers = [name for name in components if name not in self.ground.internal]
            if strangers:
                self._refuse(
                    (*path, "traffic"),
                    f"{strangers[0]} doesn't know internal users",
                    'add `internal: "header:NAME=VALUE"` to its traffic, or `internal: [MEMBER]`',
                )
        if phase.one_at_a_time and phase.parallel is not None:
            self._refuse(
                (*path, "parallel"),
                "`one_at_a_time` and `parallel` exclude one another",
                "keep one of the two",
            )
        at_once = 1 if phase.one_at_a_time else phase.parallel or len(targets)
        asked = phase.approve
        if isinstance(asked, WrittenApproval):
            approvals, approvers, approval_life = asked.count, asked.of, asked.within
        else:
            (approvals, approvers), approval_life = asked or (0, ""), None
        return Step(
            name=phase.name,
            targets=targets,
            components=components,
            shares=tuple(FULL_WEIGHT_BPS if share is None else share for share in shares),
            bake=phase.bake,
            at_once=at_once,
            path=path,
            bake_max=phase.bake_max or bake_max,
            tolerances=phase.prove,
            approvals=approvals,
            approvers=approvers,
            approval_life=approval_life,
            window=self._window(phase, path),
            covers_working_day=phase.cover is not None,
        )

    def _window(self, phase: WrittenPhase, path: KeyPath) -> Window | Literal["none"] | None:
        if phase.window is None:
            return None
        if isinstance(phase.window, str):
            return NO_WINDOW
        return resolve_window(phase.window, (*path, "window"), self.complaints)

    def _refuse(self, path: KeyPath, what: str, fix: str) -> None:
        self.complaints.append(Complaint(path=path, what=what, fix=fix))

    def _components(self, phase: WrittenPhase, path: KeyPath) -> tuple[ComponentName, ...]:
        if phase.run is None:
            return self.ground.components
        wanted = phase.run if isinstance(phase.run, list) else [phase.run]
        for name in wanted:
            if name not in self.ground.components:
                self._refuse(
                    (*path, "run"),
                    f"there is no component {shown(name)}",
                    f"take one of: {', '.join(self.ground.components)}",
                )
                return ()
        return tuple(name for name in self.ground.components if name in wanted)

    def _targets(self, phase: WrittenPhase, path: KeyPath) -> tuple[TargetSpec, ...]:
        if phase.to is None:
            return self.ground.targets
        wanted = phase.to if isinstance(phase.to, list) else [phase.to]
        found: dict[TargetName, TargetSpec] = {}
        for name in wanted:
            named = self._named(name)
            if not named:
                names = [*self.ground.rings(), *(one.name for one in self.ground.targets)]
                self._refuse(
                    (*path, "to"),
                    f"there is no ring or target {shown(name)}",
                    f"take one of: {', '.join(dict.fromkeys(names))}, {MIXED_RING}",
                )
                return ()
            found.update({target.name: target for target in named})
        return tuple(target for target in self.ground.targets if target.name in found)

    def _named(self, name: str) -> tuple[TargetSpec, ...]:
        if name == MIXED_RING:
            return self.ground.targets
        ring = self.ground.of_ring(name)
        single = tuple(target for target in self.ground.targets if target.name == name)
        return ring or single
