"""Which window each phase of a file has, and whether the places that it binds have a time that is known."""

import json
from collections.abc import Iterator

from tidegate.documents.notation import shown
from tidegate.documents.plans import ExpandedPhase
from tidegate.documents.problems import Complaint
from tidegate.documents.windows import NO_WINDOW, TIER_1_WINDOW, resolve_window, working_day_of
from tidegate.documents.written import ServiceFile, WrittenPlan
from tidegate.documents.zones import zone
from tidegate.domain.calendar.windows import Window
from tidegate.domain.plan.model import Plan, TargetSpec
from tidegate.domain.quantities import Environment


class Windows:
    """The windows of one file."""

    def __init__(
        self, file: ServiceFile, targets: tuple[TargetSpec, ...], complaints: list[Complaint]
    ) -> None:
        self._targets = {target.name: target for target in targets}
        self._default = self._of_plan(file, complaints)

    def of_phase(self, phase: ExpandedPhase) -> Window | None:
        """Return the window of *phase*, None where it may begin at any time."""
        window = phase.step.window or self._default
        if window is None or window == NO_WINDOW:
            return None
        moved = [self._targets[move.placement.target] for move in phase.moves]
        binds = not window.production_only or any(
            target.environment is Environment.PRODUCTION for target in moved
        )
        return window if binds else None

    def working_day(self, phase: ExpandedPhase) -> Window | None:
        """Return the hours of the working day that *phase* must have had, None where it needn't."""
        return working_day_of(self.of_phase(phase)) if phase.step.covers_working_day else None

    def zone_complaints(self, plan: Plan) -> Iterator[Complaint]:
        """Yield what is wrong with the time zones of the targets that windows of *plan* bind."""
        bound = {
            move.placement.target
            for phase in plan.phases
            if phase.window is not None or phase.working_day is not None
            for move in phase.moves
        }
        for index, target in enumerate(self._targets.values()):
            name = json.loads(target.settings_json).get("timezone")
            if name is not None and target.name in bound and zone(name) is None:
                yield Complaint(
                    path=("targets", index, "timezone"),
                    what=f"{shown(name)} is no time zone that is known here",
                    fix="write an IANA name like Europe/Paris",
                )

    @staticmethod
    def _of_plan(file: ServiceFile, complaints: list[Complaint]) -> Window | None:
        written = file.plan.window if isinstance(file.plan, WrittenPlan) else None
        if written is None:
            return TIER_1_WINDOW if file.tier == 1 else None
        if isinstance(written, str):
            return None
        return resolve_window(written, ("plan", "window"), complaints)
