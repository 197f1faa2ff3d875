"""
The one PromQL expression that asks Prometheus for everything a signal needs of one arm.

One expression, because a server answers each from one state of its data: bad requests, all requests
and the time they were counted always belong together. Its parts are told apart by a label of ours.

Counters are added up per process (`job`, `instance`) by the server, so that an answer holds a line per
process and not one per route and status; no `rate`, whose windows overlap from tick to tick. The time
is that of the samples, which an instant query alone doesn't tell: it answers with its own time, also
for samples that stopped five minutes ago.

Rule: text only, nothing is asked here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tidegate.documents.counters import SignalCounters
from tidegate.documents.promql import Matcher, Selector, escape_label_value
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm
from tidegate.ports.component import ArmLabels
from tidegate.ports.signals import SignalQuery

DEFAULT_ARM_LABEL: Final = "version"
DEFAULT_TARGET_LABEL: Final = "target"
PART_LABEL: Final = "tidegate_part"
PROCESS_LABELS: Final = ("job", "instance")

PART_TOTAL: Final = "total"
PART_BAD: Final = "bad"
PART_TELLING: Final = "telling"
PART_TIME: Final = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRequest:
    """
    What to ask for one arm, and what the answer must carry to be believed.

    `expected` are label values that every line must show: an answer about another arm isn't ours.
    """

    expression: str
    expected: Mapping[str, str]


def arm_matcher(settings: Mapping[str, str], labels: ArmLabels) -> Matcher | None:
    """
    Return the matcher that picks one arm's series, or None when *labels* can't tell it.

    `arm_label` is the label's name in Prometheus (default `version`). `arm_value` says which of the
    arm's own labels it holds: `version`, `digest`, `cluster`, or `members` for a label that holds
    host:port; left out, it follows from the label's name.
    """
    label = settings.get("arm_label", DEFAULT_ARM_LABEL)
    implied = {"digest": "digest", "cluster": "cluster", "instance": "members"}
    key = settings.get("arm_value", implied.get(label, "version"))
    value = labels.get(key, "")
    if key != "members":
        return Matcher(label=label, operator="=", value=value) if value else None
    members = sorted({member.strip() for member in value.split(",") if member.strip()})
    if not members:
        return None
    return Matcher(label=label, operator="=~", value="|".join(map(re.escape, members)))


def arm_requests(query: SignalQuery, counters: SignalCounters) -> dict[Arm, ArmRequest]:
    """
    Return what to ask for each arm that can be told; none at all when both look the same.

    Two arms under one label would be the same numbers twice, and no harm could ever show in them.
    """
    matchers = {arm: arm_matcher(query.settings, query.arms.get(arm, {})) for arm in Arm}
    if matchers[Arm.CANDIDATE] == matchers[Arm.BASELINE]:
        return {}
    target = Matcher(
        label=query.settings.get("target_label", DEFAULT_TARGET_LABEL),
        operator="=",
        value=query.placement.target,
    )
    return {
        arm: _arm_request(query.kind, counters, matcher, target)
        for arm, matcher in matchers.items()
        if matcher is not None
    }


def _arm_request(
    kind: SignalKind, counters: SignalCounters, arm: Matcher, target: Matcher
) -> ArmRequest:
    total = _filled(counters.total, arm, target)
    expected = {matcher.label: matcher.value for matcher in (arm,) if matcher.operator == "="}
    if counters.total.target:
        expected[target.label] = target.value
    by = tuple(dict.fromkeys((*PROCESS_LABELS, arm.label, *expected)))
    total_by = (*by, "le") if kind is SignalKind.LATENCY else by
    parts = [
        _part(PART_TOTAL, _aggregated("sum", total_by, str(total))),
        _part(PART_TIME, _aggregated("min", by, f"timestamp({total})")),
    ]
    if counters.bad is not None:
        bad = _filled(counters.bad, arm, target)
        parts.append(_part(PART_BAD, _aggregated("sum", by, str(bad))))
    if counters.telling_labels:
        present = (Matcher(label=name, operator="!=", value="") for name in counters.telling_labels)
        telling = total.narrowed(*present)
        parts.append(_part(PART_TELLING, _aggregated("count", by, str(telling))))
    return ArmRequest(expression="\nor\n".join(parts), expected=expected)


def _filled(selector: Selector, arm: Matcher, target: Matcher) -> Selector:
    return selector.narrowed(
        *((arm,) if selector.arm else ()), *((target,) if selector.target else ())
    )


def _aggregated(operation: str, by: tuple[str, ...], inside: str) -> str:
    return f"{operation} by ({', '.join(by)}) ({inside})"


def _part(name: str, expression: str) -> str:
    return f'label_replace({expression}, "{PART_LABEL}", "{escape_label_value(name)}", "", "")'
