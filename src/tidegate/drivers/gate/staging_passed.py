"""
The gate `staging-passed`: the very artifacts have passed their phases on a target that isn't production.

What counts is the digest: the same name with other content has passed nowhere.
"""

from tidegate.documents.gates import settings_of
from tidegate.documents.gates_knowing import StagingPassed
from tidegate.domain.durations import rough_duration
from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.plan.model import ComponentChange
from tidegate.domain.quantities import Environment
from tidegate.ports.gate import GateAnswer, GateQuestion, PassedOn


class StagingPassedGate:
    """Answers the gate `staging-passed` from the rollouts on record."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether each version has passed on staging; see `ports.gate`."""
        settings = settings_of(question.spec, StagingPassed)
        found: list[PassedOn] = []
        missing: list[str] = []
        for part in question.change.components:
            passed = _passed(part, question, settings)
            if passed is None:
                missing.append(_missing(part, question, settings))
            else:
                found.append(passed)
        facts = tuple(
            (
                one.placement.component,
                f"{one.version.digest} on {one.placement.target} at {one.at.isoformat()}",
            )
            for one in found
        )
        if missing or not found:
            because = "; ".join(missing) or "nothing changes"
            return GateAnswer(verdict=GateVerdict.RED, because=because, facts=facts)
        words = ", ".join(
            f"{one.placement.component} {one.version.name} passed on {one.placement.target}"
            f" {rough_duration(question.now - one.at)} ago"
            for one in found
        )
        lasts = None
        if settings.within is not None:
            lasts = min(settings.within - (question.now - one.at) for one in found)
        return GateAnswer(verdict=GateVerdict.GREEN, because=words, facts=facts, lasts=lasts)


def _candidates(question: GateQuestion, settings: StagingPassed) -> list[PassedOn]:
    return [
        one
        for one in question.known.passed
        if one.environment is not Environment.PRODUCTION
        and settings.target in (None, one.placement.target)
        and one.at <= question.now
    ]


def _passed(
    part: ComponentChange, question: GateQuestion, settings: StagingPassed
) -> PassedOn | None:
    return next(
        (
            one
            for one in _candidates(question, settings)
            if one.placement.component == part.component
            and one.version.digest == part.to.digest
            and (settings.within is None or question.now - one.at < settings.within)
        ),
        None,
    )


def _missing(part: ComponentChange, question: GateQuestion, settings: StagingPassed) -> str:
    where = settings.target or "a staging target"
    for one in _candidates(question, settings):
        if one.placement.component != part.component:
            continue
        if one.version.digest == part.to.digest:
            ago = rough_duration(question.now - one.at)
            return f"{part.component} {part.to.name} passed on {where} {ago} ago, too long ago"
        if one.version.name == part.to.name:
            return f"{part.component} {part.to.name} that passed on {where} was another artifact"
    return f"{part.component} {part.to.name} hasn't passed on {where}"
