"""
The gate `change-size`: the change is small enough to understand when it goes wrong.

How many components change is known here. Lines, files and configuration keys come from a statement,
`{"lines": 120, "files": 4, "config_keys": 0}`, that whoever built the change submits; a limit on what
nobody stated can't be kept, so it can't be told.
"""

from tidegate.documents.gates import settings_of
from tidegate.documents.gates_knowing import ChangeSize
from tidegate.domain.gates.model import GateVerdict
from tidegate.drivers.gate.statement import count_in, newest_statement
from tidegate.drivers.gate.submitted import UnreadableError
from tidegate.ports.gate import GateAnswer, GateDocument, GateQuestion

_STATED = ("config_keys", "files", "lines")


class ChangeSizeGate:
    """Answers the gate `change-size` from the change and a submitted statement."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether the change is within its limits; see `ports.gate`."""
        settings = settings_of(question.spec, ChangeSize)
        limits = {"components": settings.components}
        counts = {"components": len(question.change.components)}
        documents: tuple[GateDocument, ...] = ()
        stated_limits = {
            key: limit for key in _STATED if (limit := getattr(settings, key)) is not None
        }
        unclear = ""
        if stated_limits:
            try:
                document, stated = newest_statement(question, _STATED)
                documents = (document,)
                counts |= {key: count_in(stated, key) for key in stated_limits}
            except UnreadableError as exc:
                unclear = f"how large the change is can't be told: {exc}"
            limits |= stated_limits
        facts = tuple((key, str(count)) for key, count in counts.items())
        ids = tuple(document.id for document in documents)
        over = [
            f"{counts[key]} {key.replace('_', ' ')} change, at most {limit} may"
            for key, limit in limits.items()
            if key in counts and counts[key] > limit
        ]
        if over:
            return GateAnswer(
                verdict=GateVerdict.RED, because="; ".join(over), facts=facts, documents=ids
            )
        if unclear:
            return GateAnswer(
                verdict=GateVerdict.UNKNOWN, because=unclear, facts=facts, documents=ids
            )
        words = ", ".join(f"{count} {key.replace('_', ' ')}" for key, count in counts.items())
        return GateAnswer(
            verdict=GateVerdict.GREEN, because=f"{words} change", facts=facts, documents=ids
        )
