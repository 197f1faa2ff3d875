"""
The gate `backup`: there is a backup that is young enough, and a restore was tried not too long ago.

A backup job states it: `{"taken_at": "2030-01-07T02:00:00Z", "restore_tested_at": "2029-12-01T10:00:00Z"}`.
One that nobody ever restored isn't known to be one.
"""

from datetime import timedelta

from tidegate.documents.gates import settings_of
from tidegate.documents.gates_knowing import Backup
from tidegate.domain.durations import format_duration, rough_duration
from tidegate.domain.gates.model import GateVerdict
from tidegate.drivers.gate.statement import age_in, newest_statement
from tidegate.drivers.gate.submitted import UnreadableError, answer, unknown
from tidegate.ports.gate import GateAnswer, GateQuestion

_KEYS = ("taken_at", "restore_tested_at")


class BackupGate:
    """Answers the gate `backup` from a submitted statement."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether there is a good backup; see `ports.gate`."""
        settings = settings_of(question.spec, Backup)
        try:
            document, stated = newest_statement(question, _KEYS)
            taken = age_in(stated, "taken_at", question.now)
            tested = age_in(stated, "restore_tested_at", question.now)
        except UnreadableError as exc:
            return unknown(f"no backup is known: {exc}")
        if taken is None:
            return unknown("the statement doesn't say `taken_at`", [document])
        if settings.restore_tested is not None and tested is None:
            return unknown("the statement doesn't say `restore_tested_at`", [document])
        limits = [("the backup is", taken, settings.max_age)]
        if settings.restore_tested is not None and tested is not None:
            limits.append(("the last tried restore is", tested, settings.restore_tested))
        facts = [(what, rough_duration(age)) for what, age, _ in limits]
        old = [
            f"{what} {rough_duration(age)} old, {format_duration(limit)} is allowed"
            for what, age, limit in limits
            if age >= limit
        ]
        if old:
            return answer(GateVerdict.RED, "; ".join(old), [document], facts)
        left: timedelta = min(limit - age for _, age, limit in limits)
        because = "; ".join(f"{what} {rough_duration(age)} old" for what, age, _ in limits)
        return answer(GateVerdict.GREEN, because, [document], facts, left)
