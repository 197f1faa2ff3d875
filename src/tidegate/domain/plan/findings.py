"""
What a rule says about a service: the finding, and the rule that made it.

Rule: ids of rules are stable, since people write them into reviews and programs match on them. An error
forbids a start; a warning is shown and goes into the record. Where a value was written (file, line,
column) isn't known here: a finding says where it stands in the resolved document, and whoever read the
text adds the place.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tidegate.domain.plan.model import Phase, ServiceSpec
from tidegate.domain.quantities import ComponentName, Environment, TargetName


class Severity(StrEnum):
    """Whether a finding forbids a start."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Where and how a service breaks one rule. `path` is in the resolved document's terms."""

    message: str
    fix: str
    path: tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule broken in one place. `place` is `file:line:column` where the text is known, else empty."""

    rule: str
    severity: Severity
    message: str
    fix: str
    path: tuple[str | int, ...]
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the rules look at: the service, and which drivers can bring everyone back."""

    spec: ServiceSpec
    reversible_drivers: frozenset[str]

    @property
    def production(self) -> frozenset[TargetName]:
        """The targets that the strict rules bind."""
        return frozenset(
            target.name
            for target in self.spec.targets
            if target.environment is Environment.PRODUCTION
        )

    def touches_production(self, phase: Phase) -> bool:
        """Return whether *phase* moves anything on a production target."""
        return any(move.placement.target in self.production for move in phase.moves)

    def phases_of(self, component: ComponentName) -> list[tuple[int, Phase]]:
        """Return the phases that move *component*, each with its index in the plan."""
        return [
            (index, phase)
            for index, phase in enumerate(self.spec.plan.phases)
            if any(move.placement.component == component for move in phase.moves)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule for plans: what it demands, why, and the check that yields every place that breaks it."""

    id: str
    severity: Severity
    demands: str
    why: str
    flaws: Callable[[Subject], Iterator[Flaw]]

    def findings(self, subject: Subject) -> Iterator[Finding]:
        """Yield a finding for each place of *subject* that breaks this rule."""
        for flaw in self.flaws(subject):
            yield Finding(
                rule=self.id,
                severity=self.severity,
                message=flaw.message,
                fix=flaw.fix,
                path=flaw.path,
            )
