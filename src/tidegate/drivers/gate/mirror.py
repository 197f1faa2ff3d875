"""
The gate `mirror`: staging is like production, so that passing there says something.

A drift report states what differs: `{"measured_at": "2030-01-07T02:00:00Z", "capacity_ratio": 0.25,
"differences": [{"kind": "versions", "what": "postgres 15 / 16"}]}`, where a kind is `config`, `versions`
or `topology`. Without a report staging isn't known to be like anything.
"""

from collections import Counter

from tidegate.documents.gates import settings_of
from tidegate.documents.gates_knowing import Mirror
from tidegate.domain.durations import format_duration, rough_duration
from tidegate.domain.gates.model import GateVerdict
from tidegate.drivers.gate.statement import age_in, amount_in, newest_statement
from tidegate.drivers.gate.strict_json import Object, objects_in, text_in
from tidegate.drivers.gate.submitted import UnreadableError, answer, quoted, unknown
from tidegate.ports.gate import GateAnswer, GateQuestion

_KEYS = ("measured_at", "capacity_ratio", "differences")
_KINDS = ("config", "versions", "topology")


class MirrorGate:
    """Answers the gate `mirror` from a submitted drift report."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether staging differs within the limits; see `ports.gate`."""
        settings = settings_of(question.spec, Mirror)
        try:
            document, stated = newest_statement(question, _KEYS)
            age = age_in(stated, "measured_at", question.now)
            ratio = amount_in(stated, "capacity_ratio")
            differences = _differences(stated)
        except UnreadableError as exc:
            return unknown(f"how staging differs isn't known: {exc}")
        if age is None or ratio is None:
            missing = "measured_at" if age is None else "capacity_ratio"
            return unknown(f"the drift report doesn't say `{missing}`", [document])
        counts = Counter(kind for kind, _ in differences)
        facts = [(kind, str(counts[kind])) for kind in _KINDS]
        facts.append(("capacity ratio", f"{ratio:g}"))
        over = [
            f"{counts[kind]} differences of {kind}, at most {limit} may be: "
            + ", ".join(what for of, what in differences if of == kind)[:200]
            for kind, limit in settings.limits.model_dump().items()
            if counts[kind] > limit
        ]
        if ratio < settings.capacity_ratio:
            over.append(
                f"staging has {ratio:.0%} of production's capacity,"
                f" {settings.capacity_ratio:.0%} is needed"
            )
        if over:
            return answer(GateVerdict.RED, "; ".join(over), [document], facts)
        if age >= settings.max_age:
            because = (
                f"the drift report is {rough_duration(age)} old,"
                f" {format_duration(settings.max_age)} is allowed"
            )
            return answer(GateVerdict.UNKNOWN, because, [document], facts)
        because = f"{len(differences)} differences, {ratio:.0%} of production's capacity"
        return answer(GateVerdict.GREEN, because, [document], facts, settings.max_age - age)


def _differences(stated: Object) -> list[tuple[str, str]]:
    if "differences" not in stated:
        raise UnreadableError("the drift report doesn't say `differences`")
    found: list[tuple[str, str]] = []
    for one in objects_in(stated, "differences"):
        kind, what = text_in(one, "kind"), text_in(one, "what")
        if kind not in _KINDS:
            raise UnreadableError(f"{quoted(kind)} is no kind of difference: {', '.join(_KINDS)}")
        if not what:
            raise UnreadableError(f"a difference of {kind} doesn't say `what`")
        found.append((kind, quoted(what)))
    return found
