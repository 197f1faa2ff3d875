"""
The gate `error-budget`: of the errors that the objective allows for a time, enough is left to spend.

The budget is that of the requests which were seen: (1 - objective) of them may fail. Where too little of
the time was seen, nothing is said. (Beyer et al., Site Reliability Engineering, 2016, chapter 3.)
"""

from tidegate.documents.gates import settings_of
from tidegate.documents.gates_knowing import ErrorBudget
from tidegate.domain.durations import format_duration
from tidegate.domain.gates.model import GateVerdict
from tidegate.drivers.gate.traffic import PastTraffic, past_traffic
from tidegate.ports.gate import GateAnswer, GateQuestion


class ErrorBudgetGate:
    """Answers the gate `error-budget` from past traffic."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether enough budget is left; see `ports.gate`."""
        settings = settings_of(question.spec, ErrorBudget)
        if question.known.is_install:
            because = "nothing has been served yet, so nothing has been spent"
            return GateAnswer(verdict=GateVerdict.GREEN, because=because)
        seen = past_traffic(question, settings.over)
        over = format_duration(settings.over)
        if seen.unseen or seen.known < settings.known or seen.requests == 0:
            nothing_of = f"; nothing is known of {', '.join(seen.unseen)}" if seen.unseen else ""
            because = (
                f"{seen.known:.0%} of the last {over} are known, {settings.known:.0%} must"
                f" be{nothing_of}"
            )
            return _answer(GateVerdict.UNKNOWN, because, seen)
        allowed = (1 - settings.objective) * seen.requests
        left = 1 - seen.bad / allowed
        because = (
            f"{max(left, 0):.0%} of the error budget of {over} is left"
            f" ({seen.bad} of {seen.requests} requests failed, {allowed:.0f} may)"
        )
        if left < settings.left:
            because += f"; at least {settings.left:.0%} must be"
            return _answer(GateVerdict.RED, because, seen)
        return _answer(GateVerdict.GREEN, because, seen)


def _answer(verdict: GateVerdict, because: str, seen: PastTraffic) -> GateAnswer:
    facts = (
        ("requests", str(seen.requests)),
        ("bad", str(seen.bad)),
        ("known", f"{seen.known:.4f}"),
    )
    return GateAnswer(verdict=verdict, because=because, facts=facts)
