"""
The gate `healthy`: the service is well before it is touched.

A change that begins while something is wrong gets the blame for it, or hides it. What was seen in the
last hours counts, and what is seen right now; an active alarm is never well.
"""

from tidegate.documents.gates import settings_of
from tidegate.documents.gates_knowing import Healthy
from tidegate.domain.durations import format_duration
from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.rollout.alarms import Severity, describe
from tidegate.drivers.gate.traffic import past_traffic
from tidegate.ports.gate import GateAnswer, GateQuestion


class HealthyGate:
    """Answers the gate `healthy` from alarms and from traffic of now and of the last hours."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether the service is well; see `ports.gate`."""
        settings = settings_of(question.spec, Healthy)
        known = question.known
        pages = [
            describe(alarm)
            for alarm in known.alarms
            if alarm.is_active and alarm.severity is Severity.PAGE
        ]
        if pages:
            return GateAnswer(verdict=GateVerdict.RED, because="; ".join(pages[:5]))
        if known.is_install:
            because = "nothing is served yet, so nothing can be unwell"
            return GateAnswer(verdict=GateVerdict.GREEN, because=because)
        past = past_traffic(question, settings.over)
        seen = {f"the last {format_duration(settings.over)}": (past.requests, past.bad)}
        if known.traffic_now is not None:
            seen["this moment"] = known.traffic_now
        facts = tuple(
            (when, f"{bad} of {requests} requests failed") for when, (requests, bad) in seen.items()
        )
        for when, (requests, bad) in seen.items():
            if bad > settings.max_errors * requests:
                because = (
                    f"{bad} of {requests} requests of {when} failed, {settings.max_errors:.2%} may"
                )
                return GateAnswer(verdict=GateVerdict.RED, because=because, facts=facts)
        most = max(seen, key=lambda when: seen[when][0])
        requests, bad = seen[most]
        if requests < settings.min_requests:
            because = (
                f"{requests} requests were seen, it takes {settings.min_requests} to tell how it is"
            )
            return GateAnswer(verdict=GateVerdict.UNKNOWN, because=because, facts=facts)
        because = f"{bad} of {requests} requests of {most} failed, and no alarm is active"
        return GateAnswer(verdict=GateVerdict.GREEN, because=because, facts=facts)
