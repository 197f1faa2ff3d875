"""
The gates `no-incident` and `blockers`: nothing that concerns the service is wrong or stopped right now.

`no-incident` looks at alarms alone; `blockers` also at halted rollouts, stop orders and closed times.
"""

from collections.abc import Iterable

from tidegate.documents.gates import GateSettings, settings_of
from tidegate.documents.gates_knowing import NoIncident
from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.rollout.alarms import Alarm, Severity, describe
from tidegate.ports.gate import GateAnswer, GateQuestion

_NAMED = 5
"""More in a sentence help nobody; the facts hold the count."""


class NoIncidentGate:
    """Answers the gate `no-incident` from the active alarms."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether no alarm is active; see `ports.gate`."""
        tickets = settings_of(question.spec, NoIncident).tickets
        alarms = [
            alarm
            for alarm in _active(question.known.alarms)
            if tickets or alarm.severity is Severity.PAGE
        ]
        kind = "alarm" if tickets else "alarm of page severity"
        return _answer(map(describe, alarms), f"no {kind} is active", (("alarms", len(alarms)),))


class BlockersGate:
    """Answers the gate `blockers` from all that is stopped or wrong."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether nothing stands in the way; see `ports.gate`."""
        settings_of(question.spec, GateSettings)
        known = question.known
        alarms = [describe(alarm) for alarm in _active(known.alarms)]
        facts = (
            ("alarms", len(alarms)),
            ("halted", len(known.halted)),
            ("stop orders", len(known.stops)),
            ("freezes", len(known.freezes)),
        )
        return _answer(
            [*alarms, *known.halted, *known.stops, *known.freezes],
            "no alarm is active, no rollout of the service is halted, nothing is stopped or frozen",
            facts,
        )


def _active(alarms: Iterable[Alarm]) -> list[Alarm]:
    return [alarm for alarm in alarms if alarm.is_active]


def _answer(against: Iterable[str], nothing: str, facts: tuple[tuple[str, int], ...]) -> GateAnswer:
    found = list(against)
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return GateAnswer(
        verdict=GateVerdict.RED if found else GateVerdict.GREEN,
        because="; ".join(found[:_NAMED]) + more if found else nothing,
        facts=tuple((name, str(count)) for name, count in facts),
    )
