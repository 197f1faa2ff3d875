"""
The one PromQL expression that asks Prometheus for everything a signal needs of one arm.

One expression, because a server answers each from one state of its data: bad requests, all requests
and the time they were counted always belong together. Its parts are told apart by a label of ours.

Counters are added up per process (`job`, `instance`) by the server, so that an answer holds a line per
process and not one per route and status; no `rate` of them, whose windows overlap from tick to tick.
The time is that of the samples, which an instant query alone doesn't tell: it answers with its own
time, also for samples that stopped five minutes ago.

Rule: text only, nothing is asked here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tidegate.documents.counters import SignalCounters
from tidegate.documents.gauges import Gauge
from tidegate.documents.promql import Matcher, Selector, escape_label_value
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm
from tidegate.drivers.signals.arms import arm_matchers
from tidegate.ports.signals import SignalQuery

DEFAULT_ARM_LABEL: Final = "version"
DEFAULT_TARGET_LABEL: Final = "target"
PART_LABEL: Final = "tidegate_part"
PROCESS_LABELS: Final = ("job", "instance")

PART_TOTAL: Final = "total"
PART_BAD: Final = "bad"
PART_TELLING: Final = "telling"
PART_GAUGE: Final = "gauge"
PART_TIME: Final = "time"
PART_SECOND_TIME: Final = "second_time"
"""When the second selector of a gauge was measured; that of all others is `PART_TIME`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRequest:
    """
    What to ask for one arm, and what the answer must carry to be believed.

    `expected` are label values that every line must show: an answer about another arm isn't ours.
    `times` are the parts that must say when something was measured. With `native`, lines without a
    part are native histograms: Prometheus 2.42's `label_replace` makes the number 0 of one.
    """

    expression: str
    expected: Mapping[str, str]
    times: tuple[str, ...] = (PART_TIME,)
    native: bool = False


def arm_requests(query: SignalQuery, wanted: SignalCounters | Gauge) -> dict[Arm, ArmRequest]:
    """
    Return what to ask for each arm that can be told; none at all when both look the same.

    A limit has no arms: what to ask for it stands under the candidate.
    """
    target = Matcher(
        label=query.settings.get("target_label", DEFAULT_TARGET_LABEL),
        operator="=",
        value=query.placement.target,
    )
    if query.kind is SignalKind.LIMIT:
        assert isinstance(wanted, Gauge), "documents.counters reads a limit as a gauge"
        return {Arm.CANDIDATE: _gauge_request(wanted, (), {}, None, target)}
    matchers = arm_matchers(query, default_label=DEFAULT_ARM_LABEL, instance_label="instance")
    return {arm: _arm_request(query, wanted, matcher, target) for arm, matcher in matchers.items()}


def _arm_request(
    query: SignalQuery, wanted: SignalCounters | Gauge, arm: Matcher, target: Matcher
) -> ArmRequest:
    first = wanted.first.selector if isinstance(wanted, Gauge) else wanted.total
    expected = {matcher.label: matcher.value for matcher in (arm,) if matcher.operator == "="}
    if first.target:
        expected[target.label] = target.value
    by = tuple(dict.fromkeys((*PROCESS_LABELS, arm.label, *expected, *query.group_labels)))
    if isinstance(wanted, Gauge):
        return _gauge_request(wanted, by, expected, arm, target)
    total = _filled(wanted.total, arm, target)
    is_histogram = query.kind is SignalKind.LATENCY
    parts = [
        _part(PART_TOTAL, _aggregated("sum", (*by, "le") if is_histogram else by, str(total))),
        _part(PART_TIME, _aggregated("min", by, f"timestamp({total})")),
    ]
    if wanted.bad is not None:
        bad = _filled(wanted.bad, arm, target)
        parts.append(_part(PART_BAD, _aggregated("sum", by, str(bad))))
    if wanted.telling_labels:
        present = (Matcher(label=name, operator="!=", value="") for name in wanted.telling_labels)
        telling = total.narrowed(*present)
        parts.append(_part(PART_TELLING, _aggregated("count", by, str(telling))))
    if wanted.native is not None:
        native = _filled(wanted.native, arm, target)
        parts.append(_aggregated("sum", by, str(native)))
        # For a process that has both forms the first time stands: `or` takes each line once.
        parts.append(_part(PART_TIME, _aggregated("min", by, f"timestamp({native})")))
    return ArmRequest(
        expression="\nor\n".join(parts), expected=expected, native=wanted.native is not None
    )


def _gauge_request(
    gauge: Gauge,
    by: tuple[str, ...],
    expected: Mapping[str, str],
    arm: Matcher | None,
    target: Matcher,
) -> ArmRequest:
    texts, parts = [], []
    times = (PART_TIME, PART_SECOND_TIME)[: len(gauge.terms)]
    for term, time in zip(gauge.terms, times, strict=True):
        added = _added(term.selector, arm, target)
        texts.append(term.text(by, *added))
        samples = f"timestamp({term.selector.narrowed(*added)})"
        parts.append(_part(time, _aggregated("min", by, samples)))
    return ArmRequest(
        expression="\nor\n".join([_part(PART_GAUGE, " / ".join(texts)), *parts]),
        expected=expected,
        times=times,
    )


def _filled(selector: Selector, arm: Matcher, target: Matcher) -> Selector:
    return selector.narrowed(*_added(selector, arm, target))


def _added(selector: Selector, arm: Matcher | None, target: Matcher) -> tuple[Matcher, ...]:
    """Return the matchers that stand for what *selector* left to be put in."""
    return (
        *((arm,) if selector.arm and arm is not None else ()),
        *((target,) if selector.target else ()),
    )


def _aggregated(operation: str, by: tuple[str, ...], inside: str) -> str:
    grouping = f" by ({', '.join(by)})" if by else ""
    return f"{operation}{grouping} ({inside})"


def _part(name: str, expression: str) -> str:
    return f'label_replace({expression}, "{PART_LABEL}", "{escape_label_value(name)}", "", "")'
