"""
The gate `capacity`: each target can carry its busiest hour, with room to spare.

What a target can carry is written in the gate's settings, or stated by whoever measured it:
`{"requests_per_second": {"eu": 500, "us": 300}}`, or one number for every target. What it must carry is
what was seen.
"""

from tidegate.documents.gates import settings_of
from tidegate.documents.gates_knowing import Capacity
from tidegate.domain.durations import format_duration
from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.quantities import TargetName
from tidegate.drivers.gate.statement import amount, newest_statement
from tidegate.drivers.gate.submitted import UnreadableError, answer, unknown
from tidegate.drivers.gate.traffic import peak_rates
from tidegate.ports.gate import GateAnswer, GateDocument, GateQuestion

_KEY = "requests_per_second"


class CapacityGate:
    """Answers the gate `capacity` from past traffic and what targets can carry."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether the peak fits; see `ports.gate`."""
        settings = settings_of(question.spec, Capacity)
        try:
            carries, documents = _carries(question, settings)
        except UnreadableError as exc:
            return unknown(f"what the targets can carry isn't known: {exc}")
        peaks = peak_rates(question, settings.peak_over)
        over = format_duration(settings.peak_over)
        short: list[str] = []
        unclear: list[str] = []
        facts: list[tuple[str, str]] = []
        for target in question.targets:
            peak, carried = peaks.get(target.name), carries.get(target.name)
            if carried is None:
                unclear.append(f"what {target.name} can carry isn't stated")
            elif peak is None and not question.known.is_install:
                unclear.append(f"no traffic of {target.name} is known in the last {over}")
            else:
                needed = (peak or 0.0) * (1 + settings.headroom)
                facts.append((target.name, f"carries {carried:g}/s, needs {needed:.4g}/s"))
                if needed > carried:
                    short.append(
                        f"{target.name} carries {carried:g} requests/s, its peak with"
                        f" {settings.headroom:.0%} to spare is {needed:.4g}"
                    )
        if short:
            return answer(GateVerdict.RED, "; ".join(short), documents, facts)
        if unclear or not question.targets:
            because = "; ".join(unclear) or "it is about no target"
            return answer(GateVerdict.UNKNOWN, because, documents, facts)
        because = f"{', '.join(f'{name} {what}' for name, what in facts)}"
        return answer(GateVerdict.GREEN, because, documents, facts)


def _carries(
    question: GateQuestion, settings: Capacity
) -> tuple[dict[TargetName, float], list[GateDocument]]:
    """Return what each target can carry, and the documents that say so."""
    names = [target.name for target in question.targets]
    if settings.requests_per_second is not None:
        return dict.fromkeys(names, settings.requests_per_second), []
    document, stated = newest_statement(question, [_KEY])
    if _KEY not in stated:
        raise UnreadableError(f"the statement doesn't say `{_KEY}`")
    value = stated[_KEY]
    if isinstance(value, dict):
        found = {TargetName(name): amount(one, name) for name, one in value.items()}
        return found, [document]
    return dict.fromkeys(names, amount(value, _KEY)), [document]
